store
rag ls --json
