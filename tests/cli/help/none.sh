rag; echo $?
