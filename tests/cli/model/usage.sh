rag model frob; echo $?
rag model add; echo $?
rag model ls x; echo $?
rag model rm; echo $?
rag model ls --name x
