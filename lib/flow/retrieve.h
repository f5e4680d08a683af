#ifndef RAG_FLOW_RETRIEVE_H
#define RAG_FLOW_RETRIEVE_H

/*
 * retrieve — a question becomes hits: words and vectors → candidates → fusion →
 * near-duplicates dropped → what a hit shows.
 *
 * Errors:  those of the store and the embedder.
 * Threads: as rag.
 */

#include "flow/flow_priv.h"

typedef struct rag_retrieve_opts {
    rag_search_opts search;
    bool syntax;          /* "phrases" and -words are honoured */
    bool keep_duplicates; /* for evaluation */
    bool must_rerank;    /* for evaluation: a reranker that fails is an error */
    size_t n_candidates; /* of each list; 0: 50 */
    size_t merge_records; /* for evaluation: at most this many hits, one a
                           * record; 0: off */
} rag_retrieve_opts;

RAG_NODISCARD rag_status rag_retrieve(rag_hits **out, rag *r, rag_str query,
                                      const rag_retrieve_opts *opts,
                                      rag_error *err);

#endif /* RAG_FLOW_RETRIEVE_H */
