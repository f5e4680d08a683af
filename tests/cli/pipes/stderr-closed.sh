store
rag search reset -k1 2>&- | head -1; rag nothing 2>&-; echo $?
