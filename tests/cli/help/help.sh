rag help help
rag help --help > other
rag help help | cmp - other
