fake
store
names() { rag search "the device lamp kettle" "$@" | grep '^ *[0-9]'; }
names
export RAG_RERANK_MODEL=http:m RAG_RERANK_URL=$FAKE/x/order/v1
echo "-- by the share of words"
names
rag search "the device lamp kettle" --explain | grep -o '  score.*'
echo "-- the other way round, fewer than were reranked"
export RAG_RERANK_URL=$FAKE/x/byplace/v1
names
names -k1
echo "-- two candidates: the rest keeps its place behind them"
RAG_RERANK_CANDIDATES=2 names
echo "-- all alike: the order of the fusion"
RAG_RERANK_URL=$FAKE/x/same/v1 names
echo "-- the server sends its best one alone"
RAG_RERANK_URL=$FAKE/x/byplace,short=1/v1 names
