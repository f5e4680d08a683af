#ifndef RAG_NN_GGUFMODEL_H
#define RAG_NN_GGUFMODEL_H

/*
 * ggufmodel — a GGUF file of an encoder becomes a source: architectures "bert"
 * (XLM-R, too) and "modern-bert", as llama.cpp's converter writes them.
 *
 * Owns:    the source, until rag_source_close().
 * Errors:  RAG_E_FORMAT, RAG_E_UNSUPPORTED, RAG_E_LIMIT, RAG_E_NOTFOUND,
 *          RAG_E_IO, RAG_E_NOMEM.
 * Threads: safe.
 */

#include "nn/gguf.h"
#include "nn/source.h"

/* On failure *out is empty. out->pooling is 0 when neither the file nor the
 * model's name says which. */
RAG_NODISCARD rag_status rag_ggufmodel_open(rag_source *out, const char *path,
                                            rag_error *err);

/* The same of bytes in memory, into a source that was begun; no pooling by the
 * file's name. */
RAG_NODISCARD rag_status rag_ggufmodel_read(rag_source *s,
                                            const unsigned char *ptr,
                                            size_t len, rag_error *err);

#endif /* RAG_NN_GGUFMODEL_H */
