rag search x; echo $?
rag search x --json; echo $?
rag --store nowhere search x
