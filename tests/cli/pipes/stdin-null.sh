store
rag search reset -k1 </dev/null | head -1; rag ask "how do I reset the device?" </dev/null | head -1; rag embed - </dev/null; echo $?
