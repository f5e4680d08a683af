rag why x; echo $?
rag serch x; echo $?
rag serch x --json; echo $?
rag --nothing; echo $?
rag -Z ls
