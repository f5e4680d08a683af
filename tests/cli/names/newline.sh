mkdir docs
echo "odd name" > "docs/new
line.txt"
rag ingest --init docs -v
rag ls
rag ls --jsonl
rag search odd
rag show "docs/new
line.txt"
rag ls -0 | tr "\0" "%"; echo
rag ls -0 | xargs -0 rag rm
