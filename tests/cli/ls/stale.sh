store
rag ls --stale; echo $?
rm docs/people.csv
echo x >> docs/guide.md
rag ls --stale
