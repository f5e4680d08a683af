store
rag show nothing.md; echo $?
rag show guide.txt --json; echo $?
rag show guide; echo $?
