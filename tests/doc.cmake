# runs inside the sandbox, so it must not carry a sanitizer's huge mappings
add_executable(sandbox_child fake/sandbox_child.c)
target_compile_definitions(sandbox_child PRIVATE _GNU_SOURCE)
target_link_libraries(sandbox_child PRIVATE Threads::Threads)
rag_test(t_sandbox)
target_compile_definitions(t_sandbox PRIVATE
    RAG_TEST_CHILD="$<TARGET_FILE:sandbox_child>")
add_dependencies(t_sandbox sandbox_child)
# readers other than PDF
rag_test(t_doc)
rag_test(t_read_html)
rag_test(t_read_markdown)
rag_test(t_read_rows)
rag_test(t_doc_shared)
rag_test(t_pdf_text)
rag_test(t_read_pdf)
# chunks
rag_test(t_chunk)
