docs
rag ingest -j1 --init docs --include "*.md" --include "*.log" --exclude "sub/**" -v
