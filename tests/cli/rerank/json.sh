fake
store
export RAG_RERANK_MODEL=http:m RAG_RERANK_URL=$FAKE/x/json,logits/v1
rag search "the lamp" -k1 --json
rag search "the lamp" --jsonl | grep -o '"rerank":[^,]*'
RAG_RERANK_CANDIDATES=1 rag search "lamp device" --jsonl | grep -o '"rerank":[^,]*'
rag ask "what does the lamp have?" --json | grep -o '"retrieved".*"model"'
