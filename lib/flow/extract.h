#ifndef RAG_FLOW_EXTRACT_H
#define RAG_FLOW_EXTRACT_H

/*
 * extract — an answer without a chat model: the sentences of the best passages
 * that say most about the question, word for word. A sentence that ends with a
 * colon brings the code or the list that it announces.
 *
 * Errors:  those of the store and the embedder, RAG_E_NOMEM.
 */

#include "flow/flow_priv.h"

typedef struct rag_extracted {
    size_t hit;   /* index of the passage */
    size_t start; /* bytes in its text */
    size_t end;   /* of the sentence */
    size_t block; /* code or a list that it announces, [block, block_end) */
    size_t block_end;
} rag_extracted;

#define RAG_EXTRACT_MAX 4

/* out [RAG_EXTRACT_MAX], by passage and position; *n of them. */
RAG_NODISCARD rag_status rag_extract(rag_extracted *out, size_t *n, rag *r,
                                     rag_str question, const rag_hits *hits,
                                     rag_error *err);

#endif /* RAG_FLOW_EXTRACT_H */
