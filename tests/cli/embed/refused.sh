fake
export RAG_EMBED_MODEL=openai:m RAG_EMBED_URL=$FAKE/x/dims=1,marker=BAD,message=not%20this%20one/v1
printf 'a\nBAD 1\nb\nBAD 2\nc\n' | rag embed -; echo $?
echo "-- all of them"
printf 'BAD\nBAD\n' | rag embed - --jsonl; echo $?
echo "-- bytes: nothing can stand in its place"
printf 'a\nBAD\n' | rag embed --raw - | wc -c; printf 'a\nBAD\n' | rag embed --raw - >/dev/null; echo $?
echo "-- one text"
rag embed BAD; echo $?
rag embed BAD --json; echo $?
echo "-- many, far apart"
awk 'BEGIN { for (i = 0; i < 4000; i++) print (i % 1500 == 700 ? "BAD " : "ok ") i }' | rag embed - 2>/dev/null | awk '/error/ { print NR ": " substr($0, 1, 60) } END { print NR }'
