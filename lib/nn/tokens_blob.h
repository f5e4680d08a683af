#ifndef RAG_NN_TOKENS_BLOB_H
#define RAG_NN_TOKENS_BLOB_H

/*
 * tokens_blob — a tokenizer as one block of bytes in the model file: built once
 * at import, used where it lies.
 *
 * A head with the ids of the special tokens and a table of parts; the parts
 * begin at multiples of 64 bytes. docs/model-file.md tells every byte. Opening
 * compares bounds alone; what is inside the parts stays untrusted.
 *
 * Owns:    nothing; a model borrows its blob.
 * Errors:  building: RAG_E_FORMAT (what is wrong with the tokenizer),
 *          RAG_E_UNSUPPORTED, RAG_E_LIMIT, RAG_E_NOMEM;
 *          opening: RAG_E_CORRUPT.
 * Threads: safe to share.
 */

#include "base/buf.h"
#include "nn/source.h"
#include "nn/tokens.h"

/* Appends the blob to an empty buffer. */
RAG_NODISCARD rag_status rag_tokens_build(rag_buf *blob,
                                          const rag_source_tokens *t,
                                          rag_error *err);

/* blob: 64-byte aligned, borrowed as long as the model is used. */
RAG_NODISCARD rag_status rag_tokens_model_open(rag_tokens_model *out,
                                               rag_str blob, rag_error *err);

#endif /* RAG_NN_TOKENS_BLOB_H */
