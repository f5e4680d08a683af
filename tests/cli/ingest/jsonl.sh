docs
rag ingest --init docs --jsonl
