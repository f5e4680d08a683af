store
sleep 1.5 | rag ask "how do I reset the device?" | head -1
