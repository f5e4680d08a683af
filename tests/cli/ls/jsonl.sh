store
rag ls --jsonl "*.md"
