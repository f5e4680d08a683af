mkdir docs; echo text > docs/a.txt; mkfifo pipe
rag ingest --init - --name slow <pipe & p=$!
exec 8>pipe
sleep 0.5
kill -INT $p
wait $p; echo $?
exec 8>&-
rag ingest docs
