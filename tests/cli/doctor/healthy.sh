store
rag doctor | cut -c1-22 | grep -v -e "->"; rag doctor >/dev/null; echo $?
