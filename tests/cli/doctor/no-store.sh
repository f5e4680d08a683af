rag doctor | grep store
