rag ingest --init --store x
