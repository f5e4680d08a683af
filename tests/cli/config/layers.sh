mkdir -p "$HOME/.config/rag" .rag
printf '[retrieve]\nk = 3\n[chunk]\nmin_tokens = 100\n' > "$HOME/.config/rag/config"
rag config | grep -E "retrieve.k|chunk.min"
printf '[retrieve]\nk = 4\n' > .rag/config
rag config | grep -E "retrieve.k|chunk.min"
RAG_RETRIEVE_K=5 rag config | grep -E "retrieve.k|chunk.min"
rag config get retrieve.k
