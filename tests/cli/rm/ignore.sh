store
rag rm docs/guide.md --ignore
rag ingest
rag ls
