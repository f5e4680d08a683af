rag help rm
rag rm --help > other
rag help rm | cmp - other
