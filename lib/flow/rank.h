#ifndef RAG_FLOW_RANK_H
#define RAG_FLOW_RANK_H

/*
 * rank — fusion of the lexical and the dense list, and whether anything in them
 * is about the question. Pure arithmetic.
 *
 * Threads: safe to share.
 */

#include "rag.h"
#include "store/store.h"

typedef struct rag_ranked {
    int64_t chunk_id;
    double score;    /* 0..1, orders one query's hits */
    double dense;    /* cosine; NaN: not in that list */
    double lexical;  /* BM25; NaN: not in that list */
    double coverage; /* NaN: not in the lexical list */
} rag_ranked;

/* Share of the dense list in the fusion, from how much of the question's word
 * weight the best lexical hits cover. lexical [n] best first. */
double rag_rank_dense_weight(const rag_store_hit *lexical, size_t n);

/* Min-max of each list, weighted, missing counts 0; ties by chunk id. Either
 * list may be empty. out [cap] (cap >= n_dense + n_lexical). Returns how many.
 */
size_t rag_rank_fuse(rag_ranked *out, const rag_store_hit *dense,
                     size_t n_dense, const rag_store_hit *lexical,
                     size_t n_lexical, double dense_weight);

/* What the evidence is made of. */
typedef struct rag_signals {
    double coverage;  /* of the best lexical hit, 0..1; NaN: no words */
    double coverage3; /* words found in any of the best three; NaN */
    double top;       /* best cosine; NaN: no vectors */
    double mean;      /* of the question's cosines with a sample of the store */
    double deviation; /* of the same */
    size_t n_words;   /* of the question that weigh something */
} rag_signals;

/* How well the store speaks about the question, 0..1. */
double rag_rank_evidence(const rag_signals *s);
/* Below it nothing here is about the question. */
#define RAG_RANK_RELEVANT 0.5

#endif /* RAG_FLOW_RANK_H */
