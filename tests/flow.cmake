rag_test(t_query)
rag_test(t_eval)
