rag help config
rag config --help > other
rag help config | cmp - other
