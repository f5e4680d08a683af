rag help doctor
rag doctor --help > other
rag help doctor | cmp - other
