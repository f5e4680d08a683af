rag_test(t_kern)
rag_test(t_kern_amx)
# needs a processor that has AMX, else it skips
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  rag_test(t_amx)
endif()
# needs a cross compiler and an emulator, else it skips
add_test(NAME unit.t_kern.neon COMMAND sh ${PROJECT_SOURCE_DIR}/tests/nn/neon.sh
    ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_BINARY_DIR}/neon)
set_tests_properties(unit.t_kern.neon PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
rag_test(t_dtype)
rag_test(t_safetensors)
rag_test(t_hfconf)
rag_test(t_gguf)
rag_test(t_onnx)
rag_test(t_foreign)
rag_test(t_tokens)
rag_test(t_tokens_kinds)
rag_test(t_tokjson)
rag_test(t_spmodel)
rag_test(t_weights)
rag_test(t_pack_shift)
rag_test(t_encoder)
rag_test(t_arch)
rag_test(t_layers)
# needs RAG_TEST_MODEL, else it skips
rag_test(t_real_model)
# needs RAG_TEST_IMPORTS, else it skips
rag_test(t_real_import)
# every tier below the machine's own; one it lacks runs its best
foreach(tier scalar avx2 avxvnni)
  add_test(NAME unit.t_encoder.${tier} COMMAND t_encoder)
  set_tests_properties(unit.t_encoder.${tier} PROPERTIES
      ENVIRONMENT RAG_CPU=${tier} TIMEOUT 300)
  add_test(NAME unit.t_arch.${tier} COMMAND t_arch)
  set_tests_properties(unit.t_arch.${tier} PROPERTIES
      ENVIRONMENT RAG_CPU=${tier} TIMEOUT 300)
  add_test(NAME unit.t_layers.${tier} COMMAND t_layers)
  set_tests_properties(unit.t_layers.${tier} PROPERTIES
      ENVIRONMENT RAG_CPU=${tier} TIMEOUT 300)
endforeach()
# figures for docs/benchmarks.md, run by tests/bench/bench_encoder.py; no test
add_executable(bench_encoder EXCLUDE_FROM_ALL bench/bench_encoder.c)
target_link_libraries(bench_encoder PRIVATE librag)
add_executable(bench_shapes EXCLUDE_FROM_ALL bench/bench_shapes.c)
target_link_libraries(bench_shapes PRIVATE librag)
# vectors to be compared between machines, run by nn/amx_emulated.py; no test
add_executable(encode_lines EXCLUDE_FROM_ALL nn/encode_lines.c)
target_link_libraries(encode_lines PRIVATE librag)
# writes the corpus of fuzz_weights anew when the format changes
add_executable(make_model_seeds EXCLUDE_FROM_ALL nn/make_model_seeds.c)
target_include_directories(make_model_seeds PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/unit)
target_link_libraries(make_model_seeds PRIVATE librag cmocka)
add_executable(bench_tokens EXCLUDE_FROM_ALL bench/bench_tokens.c)
target_link_libraries(bench_tokens PRIVATE librag)
