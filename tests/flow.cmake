rag_test(t_eval)
