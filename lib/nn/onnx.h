#ifndef RAG_NN_ONNX_H
#define RAG_NN_ONNX_H

/*
 * onnx — the weights of a BERT, XLM-RoBERTa or ModernBERT out of an exported
 * ONNX graph. The graph is not run: it is asked which stored matrix belongs to
 * which layer, and must be that of an architecture the encoder knows.
 *
 * Beside the file, or in the folder above: tokenizer.json (or
 * NAME-tokenizer.json), and, where there are any, config.json and the files of
 * sentence-transformers. Without config.json sizes are taken from the graph.
 *
 * Owns:    the source, until rag_source_close().
 * Errors:  RAG_E_FORMAT, RAG_E_UNSUPPORTED, RAG_E_LIMIT, RAG_E_NOTFOUND,
 *          RAG_E_IO, RAG_E_NOMEM.
 * Threads: safe.
 */

#include "nn/source.h"

/* On failure *out is empty. out->pooling is 0 when neither the files nor the
 * model's name say which. */
RAG_NODISCARD rag_status rag_onnx_open(rag_source *out, const char *path,
                                       rag_error *err);

/* Tensors and, unless has_config, sizes of a file in memory, into a source that
 * was begun. first_position: rows of the position table that are not used. */
RAG_NODISCARD rag_status rag_onnx_read(rag_source *s, uint32_t *first_position,
                                       rag_str file, bool has_config,
                                       rag_error *err);

#endif /* RAG_NN_ONNX_H */
