# replies that are none: the endpoint's failure (5), not a file's (3)
fake
docs
export RAG_EMBED_MODEL=openai:m RAG_CHAT_MODEL=openai:c
RAG_EMBED_URL=$FAKE/x/words/v1 rag ingest -q -j1 --init docs
for fault in nan html empty zero count=1 dupindex huge=200; do
    export RAG_EMBED_URL="$FAKE/x/words,$fault/v1"
    printf 'a\nb\n' | rag embed - >out 2>err; echo "$fault: $?"
    rag search "reset the device" -k 1 >out 2>err
    echo "search: $?, $(grep -c alone err)"
done
echo "more text" >docs/more.md
rag ingest -q 2>err; echo "ingest: $?"
export RAG_EMBED_URL="$FAKE/x/words/v1"
for fault in html empty badjson; do
    RAG_CHAT_URL="$FAKE/x/$fault/v1" rag ask "how is the device reset?" >out 2>err; echo "ask $fault: $?"
done
