fake
export RAG_EMBED_MODEL=openai:nomic-embed-text RAG_EMBED_URL=$FAKE/x/words/v1
rag model test; echo $?
RAG_EMBED_QUERY_PREFIX="search_query: " rag model test | grep prefixes
RAG_EMBED_QUERY_PREFIX="search_query: " RAG_EMBED_URL=$FAKE/x/words,alike/v1 rag model test | grep prefixes
RAG_EMBED_MODEL=ollama:m RAG_EMBED_URL=$FAKE/x/words,ollama rag model test | head -3
rag model test --json | head -c 90; echo
rag model test --json | grep -o '"warnings".*'
