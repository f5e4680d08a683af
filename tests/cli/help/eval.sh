rag help eval
rag eval --help > other
rag help eval | cmp - other
