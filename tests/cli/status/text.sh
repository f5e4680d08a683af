store
rag status
