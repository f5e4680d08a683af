store
printf "garbage garbage garbage" | dd of=.rag/store.db bs=1 conv=notrunc 2>/dev/null
rag doctor | grep -A1 -E "fail"; rag doctor >/dev/null; echo $?
rag search x; echo $?
rag search x --json
