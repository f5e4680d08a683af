store
rag show ./docs/people.csv:1
rag show "$PWD/docs/people.csv:1"
cd docs; rag show people.csv:1; rag ls
