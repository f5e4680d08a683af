fake
store
rag status | grep '^rerank'
export RAG_RERANK_MODEL=http:m RAG_RERANK_URL=$FAKE/x/state/v1
rag status | grep '^rerank'
rag status --json | grep -o '"rerank":{[^}]*}'
rag doctor | grep ' reranker'
K=k RAG_RERANK_KEY_ENV=K rag doctor | grep ' reranker'
RAG_RERANK_URL=http://127.0.0.1:9/v1 rag doctor | grep -A1 ' reranker'
RAG_RERANK_URL=$FAKE/x/key=k/v1 rag doctor | grep -A1 ' reranker'
RAG_RERANK_URL= rag doctor | grep -A1 ' reranker'; RAG_RERANK_URL= rag doctor >/dev/null; echo $?
