docs
rag ingest --init docs --json > /dev/full; echo $?
rag ls
