# vindex
rag_test(t_vindex)
rag_test(t_vindex_half)
rag_test(t_vindex_key)

# figures for docs/benchmarks.md; not a test
add_executable(bench_vindex EXCLUDE_FROM_ALL bench/bench_vindex.c)
target_link_libraries(bench_vindex PRIVATE librag)
