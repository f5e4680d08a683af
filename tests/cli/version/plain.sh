rag version
rag --version
rag -V
rag version --json
rag version now
