# SIGINT ignored by the parent (nohup, `&` in a script) stays ignored
mkfifo pipe
env --ignore-signal=INT rag ingest --init - --name slow <pipe & p=$!
exec 8>pipe
sleep 0.3
kill -INT $p
sleep 0.2
echo "the whole text" >&8
exec 8>&-
wait $p; echo $?
rag ls
