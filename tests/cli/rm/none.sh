store
rag rm "*.nothing"; echo $?
rag rm; echo $?
rag rm "*.nothing" --json
