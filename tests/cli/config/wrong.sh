rag config set retrieve.k many; echo $?
rag config set nothing 1; echo $?
rag config get nothing; echo $?
rag config frobnicate; echo $?
RAG_JOBS=x rag ls; echo $?
rag config set retrieve.k 0; echo $?
RAG_RETRIEVE_K=0 rag search reset; echo $?
RAG_CHAT_MAX_TOKENS=0 rag ls; echo $?
rag config set chunk.min_tokens 0; echo $?
rag config set jobs 0; echo $?
rag config set jobs
