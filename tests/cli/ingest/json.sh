docs
rag ingest -j1 --init docs --json
