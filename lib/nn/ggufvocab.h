#ifndef RAG_NN_GGUFVOCAB_H
#define RAG_NN_GGUFVOCAB_H

/*
 * ggufvocab — the tokenizer inside a GGUF file (keys "tokenizer.ggml.*").
 *
 * Owns:    tables are in the arena; texts lie in the file or in the arena.
 * Errors:  RAG_E_FORMAT, RAG_E_UNSUPPORTED, RAG_E_LIMIT, RAG_E_NOMEM.
 * Threads: safe.
 */

#include "nn/gguf.h"
#include "nn/source.h"

RAG_NODISCARD rag_status rag_ggufvocab_read(rag_source_tokens *out,
                                            rag_arena *a, const rag_gguf *g,
                                            rag_error *err);

#endif /* RAG_NN_GGUFVOCAB_H */
