echo x | rag embed -; echo $?
rag embed x --json; echo $?
rag embed a b
