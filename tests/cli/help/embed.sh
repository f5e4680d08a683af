rag help embed
rag embed --help > other
rag help embed | cmp - other
