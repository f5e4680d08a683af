fake
store
export RAG_RERANK_MODEL=http:m
RAG_RERANK_URL=$FAKE/x/key=k/v1 rag search lamp; echo $?
K=k RAG_RERANK_KEY_ENV=K RAG_RERANK_URL=$FAKE/x/key=k/v1 rag search lamp -k1 | head -1
OPENAI_API_KEY=k RAG_RERANK_URL=$FAKE/x/key=k/v1 rag search lamp; echo $?
rag search lamp; echo $?
RAG_RERANK_MODEL=builtin:x rag search lamp; echo $?
RAG_RERANK_MODEL=openai:x rag search lamp; echo $?
RAG_RERANK_MODEL=x rag search lamp; echo $?
RAG_RERANK_URL=http://192.0.2.1/v1 rag search lamp; echo $?
RAG_RERANK_URL=$FAKE/x/status=401/v1 rag ask "a lamp?" --json; echo $?
