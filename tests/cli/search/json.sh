store
rag search reset --json
