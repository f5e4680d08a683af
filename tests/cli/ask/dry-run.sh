store
rag ask "how do I reset the device?" --dry-run -k1
