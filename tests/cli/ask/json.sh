store
rag ask "how do I reset the device?" --json
