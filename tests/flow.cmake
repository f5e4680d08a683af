rag_test(t_query)
rag_test(t_eval)
rag_test(t_cite)
rag_test(t_rank)
rag_test(t_readable)

# folders and the sync
rag_test(t_ignore)
rag_test(t_walk)
rag_test(t_sync)
target_link_options(t_sync PRIVATE
    -Wl,--wrap=rag_walk_open -Wl,--wrap=rag_doc_read)
rag_test(t_sync_gone)
rag_fake_test(t_sync_vectors)
# stores of every released schema
rag_fake_test(t_store_old)
rag_test(t_sync_hard)

# the tool against a real model server; what pip installs is kept in build/e2e
add_test(NAME e2e.local_llm COMMAND sh
    ${CMAKE_CURRENT_SOURCE_DIR}/e2e/local_llm.sh $<TARGET_FILE:rag>
    ${PROJECT_SOURCE_DIR}/build/e2e)
set_tests_properties(e2e.local_llm PROPERTIES
    SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS e2e)

# figures for docs/benchmarks.md; no tests
add_executable(bench_cite EXCLUDE_FROM_ALL bench/bench_cite.c)
target_link_libraries(bench_cite PRIVATE librag rag_build_flags)
add_executable(bench_inputs EXCLUDE_FROM_ALL bench/bench_inputs.c)
target_link_libraries(bench_inputs PRIVATE librag rag_build_flags)
