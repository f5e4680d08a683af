# store
rag_test(t_store)
rag_test(t_store_vectors)
