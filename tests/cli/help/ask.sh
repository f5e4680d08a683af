rag help ask
rag ask --help > other
rag help ask | cmp - other
