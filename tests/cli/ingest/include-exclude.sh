docs
rag ingest --init docs --include "*.md" --include "*.log" --exclude "sub/**" -v
