fake
store
export RAG_RERANK_MODEL=http:my-model RAG_RERANK_URL=$FAKE/x/request
rag search '"the kettle" -lamp' >/dev/null
ask_fake $FAKE/x/request/last | tr -d '\r' | grep -v '^$' | grep -v -e User-Agent -e Accept
echo
echo "-- text-embeddings-inference"
RAG_RERANK_URL=$FAKE/x/request,tei/rerank rag search "kettle" >/dev/null
ask_fake $FAKE/x/request,tei/last | tail -1
echo
echo "-- the tool's own words for people are not sent"
RAG_RERANK_URL=$FAKE/x/ask/v1 rag ask "how many levels has the lamp?" --extract | head -1
ask_fake $FAKE/x/ask/last | tail -1 | grep -o '"query":"[^"]*"'
