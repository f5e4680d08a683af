store
rag ls
