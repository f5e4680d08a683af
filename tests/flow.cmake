rag_test(t_query)
