RAG_RETRIEVE_K=9 rag config set retrieve.k 5
rag config get retrieve.k
