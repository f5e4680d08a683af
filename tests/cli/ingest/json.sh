docs
rag ingest --init docs --json
