store
rag rm "*.md"; echo $?
rag ls
rag ingest
rag ls
