fake
export RAG_EMBED_MODEL=openai:m RAG_EMBED_URL=$FAKE/x/dims=1/v1
# who writes a line and waits gets its vector; half a line holds nothing up
mkfifo ../in ../out
rag embed - <../in >../out &
pid=$!
exec 8>../in 9<../out
for t in one two; do
    echo $t >&8
    read -r line <&9; echo "$line" | cut -d, -f1
done
printf 'three\nfo' >&8
read -r line <&9; echo "$line" | cut -d, -f1
printf 'ur\n' >&8
read -r line <&9; echo "$line" | cut -d, -f1
exec 8>&-
wait $pid
