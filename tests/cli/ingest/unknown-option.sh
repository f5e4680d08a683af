rag ingest --watch x; echo $?
rag ingest --incldue "*.md" x; echo $?
rag ingest --jobs many x; echo $?
rag ingest --no-embed=1 x; echo $?
rag ingest x --name
