store
rag search reset
