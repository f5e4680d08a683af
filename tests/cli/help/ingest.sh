rag help ingest
rag ingest --help > other
rag help ingest | cmp - other
