rag_test(t_query)
rag_test(t_eval)

# folders and the sync
rag_test(t_ignore)
rag_test(t_walk)
rag_test(t_sync)
target_link_options(t_sync PRIVATE
    -Wl,--wrap=rag_walk_open -Wl,--wrap=rag_doc_read)
rag_fake_test(t_sync_vectors)
