rag help model
rag model --help > other
rag help model | cmp - other
