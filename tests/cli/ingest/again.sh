store
rag ingest
echo "new line" >> docs/guide.md
rm docs/people.csv
rag ingest -j1 --json
