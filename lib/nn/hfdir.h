#ifndef RAG_NN_HFDIR_H
#define RAG_NN_HFDIR_H

/*
 * hfdir — a folder as Hugging Face lays it out becomes a source: config.json,
 * tokenizer.json, model.safetensors or its shards.
 *
 * Owns:    the source, until rag_source_close().
 * Errors:  RAG_E_FORMAT, RAG_E_LIMIT, RAG_E_UNSUPPORTED, RAG_E_NOTFOUND,
 *          RAG_E_IO, RAG_E_NOMEM.
 * Threads: safe.
 */

#include "nn/source.h"

/* On failure *out is empty. */
RAG_NODISCARD rag_status rag_hfdir_open(rag_source *out, const char *dir,
                                        rag_error *err);

#endif /* RAG_NN_HFDIR_H */
