store
rag status --json
