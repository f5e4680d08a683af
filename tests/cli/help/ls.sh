rag help ls
rag ls --help > other
rag help ls | cmp - other
