# The committed questions and their floors (tests/eval/floors.json). The
# store stays in the build folder, so that vectors are computed once.
add_executable(eval_set eval/eval_set.c)
target_link_libraries(eval_set PRIVATE librag)
if(RAG_SANITIZE)
  target_compile_definitions(eval_set PRIVATE WORDS_ONLY)
endif()
add_test(NAME eval.set COMMAND eval_set ${CMAKE_CURRENT_SOURCE_DIR}/eval
    ${CMAKE_CURRENT_BINARY_DIR}/eval-set)
set_tests_properties(eval.set PROPERTIES TIMEOUT 1500)
