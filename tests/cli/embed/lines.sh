fake
export RAG_EMBED_MODEL=openai:m RAG_EMBED_URL=$FAKE/x/dims=2/v1
rag embed "one text"
printf 'a\nb\r\n\nd' | rag embed - | cut -d: -f2 | cut -d, -f1
echo "-- the same alone, in a batch, as bytes, with another batch size"
rag embed b; printf 'a\nb\n' | rag embed - | tail -1
printf 'a\nb\n' | rag embed --raw - | wc -c
seq 1 5000 | rag embed - | sha256sum >../a
seq 1 5000 | RAG_EMBED_BATCH=7 RAG_EMBED_IN_FLIGHT=9 rag embed - | sha256sum >../b
cmp ../a ../b && seq 1 5000 | rag embed - | sed -n 's/.*"text":"\([0-9]*\)".*/\1/p' | cmp - /dev/fd/3 3<<X && echo in order
$(seq 1 5000)
X
echo "-- questions and passages"
export RAG_EMBED_QUERY_PREFIX="q: "
rag embed x; rag embed --query x; RAG_EMBED_PASSAGE_PREFIX="q: " rag embed x
echo "-- not UTF-8"
printf 'a\377b\n' | rag embed - | cut -d, -f1
