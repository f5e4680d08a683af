rag ingest nowhere; echo $?
ls -A "$HOME"
rag search x
