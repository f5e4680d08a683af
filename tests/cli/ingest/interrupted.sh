mkdir docs; echo text > docs/a.txt; mkfifo pipe
# a shell's `&` ignores SIGINT; here it is as after Ctrl-C at a terminal
env --default-signal=INT rag ingest --init - --name slow <pipe & p=$!
exec 8>pipe
sleep 0.5
kill -INT $p
wait $p; echo $?
exec 8>&-
rag ingest docs
