fake
rag model test; echo $?
rag model test x; echo $?
rag model test builtin:x; echo $?
rag model test http:x; echo $?
rag model test cohere:x; echo $?
rag model test a b; echo $?
RAG_EMBED_MODEL=openai:m RAG_EMBED_URL=http://127.0.0.1:9/v1 rag model test; echo $?
echo "-- both of the settings"
export RAG_RERANK_MODEL=http:m RAG_RERANK_URL=$FAKE/x/which/v1
RAG_EMBED_MODEL=openai:m RAG_EMBED_URL=$FAKE/x/words/v1 rag model test | grep -E 'model |reranker'
echo "-- only one is set"
rag model test | grep -E 'model |reranker'
