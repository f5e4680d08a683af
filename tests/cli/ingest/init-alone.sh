rag ingest --init
rag ls
