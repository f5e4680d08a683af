rag_test(t_lex_codec)
rag_test(t_lexical)
# vindex
rag_test(t_vindex)
rag_test(t_vindex_half)
rag_test(t_vindex_key)

# store
rag_test(t_store)
rag_test(t_store_vectors)
rag_test(t_store_crash)
rag_test(t_store_users)
