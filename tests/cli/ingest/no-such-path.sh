rag ingest nowhere; echo $?
rag ingest nowhere --json
