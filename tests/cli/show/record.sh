store
rag show "docs/corpus.jsonl#r2"
rag show --json "docs/corpus.jsonl#r1"
