# words index
rag_test(t_lex_codec)
rag_test(t_lexical)

# vector index
rag_test(t_vindex)
rag_test(t_vindex_file)
rag_test(t_vindex_half)
rag_test(t_vindex_key)

# the store itself
rag_test(t_store)
rag_test(t_store_vectors)
rag_test(t_store_crash)
rag_test(t_store_users)

# figures for docs/benchmarks.md; not tests
add_executable(bench_vindex EXCLUDE_FROM_ALL bench/bench_vindex.c)
target_link_libraries(bench_vindex PRIVATE librag)
add_executable(bench_lexical EXCLUDE_FROM_ALL bench/bench_lexical.c)
target_link_libraries(bench_lexical PRIVATE librag)
