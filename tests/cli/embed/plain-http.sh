RAG_EMBED_MODEL=openai:x RAG_EMBED_URL=http://192.0.2.1/v1 rag embed x; echo $?
