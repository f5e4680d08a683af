rag_test(t_query)
rag_test(t_eval)

# folders and the sync
rag_test(t_ignore)
rag_test(t_walk)
