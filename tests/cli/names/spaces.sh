mkdir "my docs"
echo "one two" > "my docs/ a  b .txt"
rag ingest --init "my docs"
rag ls
rag show "my docs/ a  b .txt"
