rag help nothing; echo $?
rag help ingset; echo $?
rag help a b
