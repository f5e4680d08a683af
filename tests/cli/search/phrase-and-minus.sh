store
rag search '"hold the power"' -k1 | head -1
rag search '"power the hold"'; echo $?
rag search "device -reset" | grep -c guide; rag search "lone \" quote reset" | head -1
