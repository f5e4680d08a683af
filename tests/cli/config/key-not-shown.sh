export OPENAI_API_KEY=sk-secret RAG_CHAT_MODEL=openai:x RAG_CHAT_KEY_ENV=OPENAI_API_KEY
rag config | grep -c secret
rag config --json | grep -c secret
