rag model ls; echo $?
rag model show; echo $?
rag model show x; echo $?
rag model default x; echo $?
rag model rm x; echo $?
rag model add nowhere; echo $?
rag model ls --json
