rag config
