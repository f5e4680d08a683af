docs
rag ingest docs --dry-run; echo $?
ls -A "$HOME"
