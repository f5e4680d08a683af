docs
printf "docs/guide.md\ndocs/people.csv\n" | rag ingest --init --files-from -
rag ls
