store
rm docs/people.csv
rag show docs/people.csv
