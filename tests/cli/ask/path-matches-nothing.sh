store
rag ask "how do I reset the device?" --path "*.nothing"; echo $?
rag ask "how do I reset the device?" --path "*.log"
