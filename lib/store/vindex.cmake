# vindex: FAISS, the vector index file
target_sources(librag PRIVATE
    blas.c faiss_c.cpp vindex.c vindex_half.c vindex_hash.c
    vindex_key.c vindex_make.c)

# Debian's libfaiss-dev has the C headers but no compiled faiss_* functions:
# faiss_c.cpp has those we call, unless there is a real faiss_c of the same kind.
if(RAG_FAISS MATCHES "\\.a$")
  find_library(RAG_LIB_faiss_c NAMES libfaiss_c.a)
else()
  find_library(RAG_LIB_faiss_c NAMES faiss_c)
endif()
if(RAG_LIB_faiss_c)
  message(STATUS "faiss_c: ${RAG_LIB_faiss_c}")
  target_compile_definitions(librag PRIVATE RAG_FAISS_C_FOUND)
  target_link_libraries(librag PUBLIC ${RAG_LIB_faiss_c})
else()
  message(STATUS "faiss_c: none, compiled from lib/store/faiss_c.cpp")
endif()

# FAISS is compiled against GNU's OpenMP, also when we are built by clang
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libgomp.a
    OUTPUT_VARIABLE RAG_GOMP OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT IS_ABSOLUTE "${RAG_GOMP}" OR NOT EXISTS "${RAG_GOMP}")
  set(RAG_GOMP gomp)
endif()
message(STATUS "OpenMP: ${RAG_GOMP}")
# in this order: librag.a needs FAISS, which needs OpenMP
target_link_libraries(librag PUBLIC ${RAG_FAISS} ${RAG_GOMP})

# loading libstdc++ costs every start some 0.6 ms; the sanitizers need theirs
if(NOT RAG_SANITIZE)
  target_link_options(librag INTERFACE -static-libstdc++ -static-libgcc)
endif()
