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

/* Hits of each list that the scores are normalised over. */
#define RAG_RANK_WINDOW ((size_t)50)

/* Share of the question's word weight in the best lexical hits, 0..1. */
double rag_rank_coverage(const rag_store_hit *lexical, size_t n);

/* Share of the dense list in the fusion, 0..1, from what the best lexical hits
 * cover and how far they lead. lexical [n] best first. */
double rag_rank_dense_weight(const rag_store_hit *lexical, size_t n);

/* Min-max of each list's best RAG_RANK_WINDOW hits, weighted; missing counts 0;
 * ties by chunk id. Either list may be empty. out [cap] (cap >= n_dense +
 * n_lexical). Returns how many. */
size_t rag_rank_fuse(rag_ranked *out, const rag_store_hit *dense,
                     size_t n_dense, const rag_store_hit *lexical,
                     size_t n_lexical, double dense_weight);

/* What the evidence is made of. */
typedef struct rag_signals {
    double coverage;   /* of the best lexical hits, 0..1; NaN: words were not
                        * asked */
    double known;      /* how much of the store is in the question's
                        * language, 0..1 */
    double top;        /* best cosine; NaN: none */
    double background; /* rag_rank_background(); NaN: not known */
    bool has_vectors;  /* meaning took part */
} rag_signals;

/* Fewer cosines say nothing about a store at large. */
#define RAG_RANK_MIN_SAMPLE ((size_t)8)

/* The upper quartile of the question's cosines with a sample of the store
 * (NaNs are left out; reordered): with two languages in a store the quartile
 * follows the one that is nearer. NaN: too few. */
double rag_rank_background(float *cosines, size_t n);

/* How well the store speaks about the question, 0..1. */
double rag_rank_evidence(const rag_signals *s);
/* Below it nothing here is about the question. */
#define RAG_RANK_RELEVANT 0.5

#endif /* RAG_FLOW_RANK_H */
