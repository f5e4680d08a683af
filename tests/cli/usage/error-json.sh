rag search --nothing --json; echo $?
rag --json nothing; echo $?
rag search --json; echo $?
rag ls --jsonl
