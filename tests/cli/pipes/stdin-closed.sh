store
rag search reset -k1 <&- | head -1; rag ask "how do I reset the device?" <&- | head -1; rag search - <&-; echo $?
