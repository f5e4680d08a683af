docs
rag ingest --init docs
