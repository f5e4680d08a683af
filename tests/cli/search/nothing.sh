store
rag search quux; echo $?
rag search quux --json
