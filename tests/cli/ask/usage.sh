store
rag ask; echo $?
rag ask ""; echo $?
rag ask a b; echo $?
rag ask x --agent; echo $?
rag ask "how do I reset the device?" --chat nonsense
