docs
echo "*.csv" > docs/.ragignore
echo "*.log" > docs/.gitignore
rag ingest --init docs --gitignore
rag ls
rag ingest docs
rag ls
