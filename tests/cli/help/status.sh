rag help status
rag status --help > other
rag help status | cmp - other
