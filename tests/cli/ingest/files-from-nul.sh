docs
printf "a\nb\n" > "docs/new
line.txt"
find docs -name "new*" -print0 | rag ingest --init --files-from - -0
rag ls
