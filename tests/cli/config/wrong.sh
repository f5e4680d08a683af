rag config set retrieve.k many; echo $?
rag config set nothing 1; echo $?
rag config get nothing; echo $?
rag config frobnicate; echo $?
RAG_JOBS=x rag ls; echo $?
rag config set jobs
