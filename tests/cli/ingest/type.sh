mkdir docs
printf "# Not a heading\n" > docs/a.md
rag ingest --init docs --type text
rag ls -l | cut -d" " -f1
rag ingest docs --type nonsense
