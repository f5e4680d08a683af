RAG_EMBED_MODEL=openai:x RAG_EMBED_URL=http://127.0.0.1:9/v1 rag embed x 2>/dev/null; echo $?
