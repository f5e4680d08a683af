store
rag show --b64 "%%%"; echo $?
rag rm --b64 "Zg"; echo $?
rag show --b64 "Zm9v"; echo $?
