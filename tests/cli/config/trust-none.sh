rag config trust; echo $?
mkdir .rag
rag config trust
