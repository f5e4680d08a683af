unset HOME
rag status; echo $?
rag version
rag config set retrieve.k 2; echo $?
rag --store st status
