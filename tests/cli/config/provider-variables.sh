OPENAI_BASE_URL=http://127.0.0.1:1/v1 RAG_CHAT_MODEL=openai:x rag config | grep url
OLLAMA_HOST=0.0.0.0 RAG_EMBED_MODEL=ollama:x rag config | grep url
OLLAMA_HOST=0.0.0.0 rag config | grep url
