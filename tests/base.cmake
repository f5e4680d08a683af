rag_test(t_base)
