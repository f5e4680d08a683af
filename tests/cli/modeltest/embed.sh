fake
# what is found wrong with a server, beside what a bag of words cannot do
try() {
    RAG_EMBED_URL=$FAKE/x/$1/v1 rag model test openai:m >../got; code=$?
    echo "-- $1: $code"
    # two texts are on their way at once: either may be refused first
    grep -v -e '^ok' -e '^warn Korean-English' -e '^warn translation' ../got |
        sed -E 's/refused: text [01] \([0-9]+ bytes\)/refused: text N/'
}
for fault in words words,window=300 words,window=5000 words,maxlen=500 words,maxlen=5000 \
    words,marker=%E2%80%8B words,shift words,beside words,drift words,alike \
    words,dupindex words,badindex words,fail=503.1.0 words,max=1 a; do
    try $fault
done
for fault in nan zero null str dims2=7 count=1 html empty status=500 key=k; do
    try $fault
done
