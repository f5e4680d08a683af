fake
export RAG_EMBED_MODEL=openai:m RAG_EMBED_URL=$FAKE/x/dims=1/v1
{ echo a; head -c 17000000 /dev/zero | tr '\0' x; echo; echo b; } >../lines
rag embed - <../lines | cut -c1-120; rag embed - <../lines >/dev/null 2>&1; echo $?
echo "-- search and ask go on, too"
store
{ echo lamp; head -c 17000000 /dev/zero | tr '\0' x; echo; echo kettle; } >../lines
RAG_EMBED_MODEL=none rag search - <../lines | cut -c1-60; RAG_EMBED_MODEL=none rag search - <../lines >/dev/null 2>&1; echo $?
RAG_EMBED_MODEL=none rag ask - <../lines 2>/dev/null | cut -c1-60
