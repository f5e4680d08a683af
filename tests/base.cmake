rag_test(t_base)
rag_test(t_base64)
rag_test(t_words)
rag_test(t_phrase)
