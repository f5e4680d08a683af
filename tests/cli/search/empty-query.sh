store
rag search ""; echo $?
rag search "  " --json; echo $?
rag search; echo $?
rag search two words
