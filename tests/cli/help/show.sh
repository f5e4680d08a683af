rag help show
rag show --help > other
rag help show | cmp - other
