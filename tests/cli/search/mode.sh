store
rag search reset --mode lexical | head -1
rag search reset --mode dense; echo $?
rag search reset --mode fuzzy
