rag doctor | grep "store  "
