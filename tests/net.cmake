# the scripted stand-in for model servers
add_executable(fakellm
    fake/fakellm.c fake/fakebad.c fake/fakechat.c fake/fakeembed.c
    fake/fakerank.c)
target_link_libraries(fakellm PRIVATE librag)

# rag_fake_test(t_x): a unit test that starts fakellm
function(rag_fake_test name)
  rag_test(${name} ${ARGN})
  add_dependencies(${name} fakellm)
  target_compile_definitions(${name} PRIVATE FAKELLM="$<TARGET_FILE:fakellm>")
endfunction()

rag_test(t_sse)
rag_fake_test(t_http)
