store
mkdir -p docs/sub
cd docs/sub
rag config | head -1
RAG_STORE=/elsewhere rag config | head -1
RAG_STORE=/elsewhere rag --store st config | head -1
