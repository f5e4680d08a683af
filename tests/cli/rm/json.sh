store
rag rm "docs/*.csv" --json
