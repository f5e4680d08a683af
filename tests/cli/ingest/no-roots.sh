rag ingest --init
rag ingest
