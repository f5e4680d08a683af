docs
rag ingest docs
rag ingest docs
