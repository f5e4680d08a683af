store
rag search reset -k 0; echo $?
rag search reset --top=-1; echo $?
rag ask "how do I reset the device?" -k0; echo $?
rag search reset -k 1 | grep -c '^[0-9]'
