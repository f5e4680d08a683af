fake
try() {
    RAG_RERANK_URL=$FAKE/x/$1/v1 rag model test http:m >../got; code=$?
    echo "-- $1: $code"
    grep -v -e '^ok' -e '^warn Korean' ../got
}
RAG_RERANK_URL=$FAKE/x/all/v1 rag model test http:m; echo $?
for fault in logits tei,max=2 documents short=2 same byplace unsorted,noindex dupindex badindex null nan \
    maxlen=1000 maxlen=200 max=1 status=500 status=404 key=k html; do
    try $fault
done
