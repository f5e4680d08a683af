RAG_RETRIEVE_K=3 rag config --json | tr "{" "\n" | grep -E "schema|retrieve.k|chat.model|allow_http"
