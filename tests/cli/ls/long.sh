store
rag ls -l
