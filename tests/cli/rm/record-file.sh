store
rag rm docs/corpus.jsonl
rag ls
