store
export RAG_CHAT_MODEL=ollama:x OLLAMA_HOST=127.0.0.1:9
rag doctor | grep -A1 fail | sed "s/:.*//"; rag doctor >/dev/null; echo $?
