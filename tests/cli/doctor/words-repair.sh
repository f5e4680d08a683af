store
rag doctor --repair >/dev/null; echo $?
rag search reset -k1 | head -1
