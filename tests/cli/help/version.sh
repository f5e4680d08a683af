rag help version
rag version --help > other
rag help version | cmp - other
