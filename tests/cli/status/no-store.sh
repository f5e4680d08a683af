rag status; echo $?
rag status --json
