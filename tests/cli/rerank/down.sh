fake
store
export RAG_RERANK_MODEL=http:m
try() { echo "-- $1"; RAG_RERANK_URL=$2 rag search "lamp device" | grep '^ *[0-9]'; }
try "nobody there" http://127.0.0.1:9/v1
try "an error" $FAKE/x/status=500,message=out%20of%20memory/v1
try "not a rerank server" $FAKE/x/status=404/v1
try "index twice" $FAKE/x/dupindex/v1
try "no number" $FAKE/x/null/v1
try "something else" $FAKE/x/html/v1
echo "-- one warning for a batch"
printf 'lamp\nkettle\n' | RAG_RERANK_URL=http://127.0.0.1:9/v1 rag search - | grep -o '"rerank":null'
echo "-- ask answers all the same"
RAG_RERANK_URL=http://127.0.0.1:9/v1 rag ask "how do I reset the device?"
