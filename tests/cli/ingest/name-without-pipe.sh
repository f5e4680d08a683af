docs
rag ingest --init docs --name x
