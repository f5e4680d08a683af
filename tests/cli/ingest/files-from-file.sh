docs
echo docs/guide.md > list
rag ingest --init --files-from list; echo $?
rag ingest --files-from nolist
