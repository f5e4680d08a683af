rag help search
rag search --help > other
rag help search | cmp - other
