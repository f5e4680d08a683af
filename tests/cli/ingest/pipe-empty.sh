rag ingest --init - --name nothing.txt; echo $?
rag ls
