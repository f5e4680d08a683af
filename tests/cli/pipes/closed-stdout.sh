store
rag search reset >&-; echo $?
rag ls >&-; echo $?
rag status --json >&-; echo $?
rag ls
