#ifndef RAG_NN_ATTEND_H
#define RAG_NN_ATTEND_H

/*
 * attend — attention of one head over one text, in integers.
 *
 * Scores and weighted values are products of int8 by the same kernel as all
 * other products, so every tier has the same bits here too. Keys and values are
 * packed once a head and text; queries pass in tiles whose scores stay in a
 * first-level cache.
 *
 * Threads: safe to share; the scratch is one thread's.
 */

#include "nn/kern.h"

/* One head of one text, as the kernel `heads` left it. */
typedef struct rag_attend_head {
    float *out; /* [n_queries x dims], rows out_stride floats apart */
    size_t out_stride;
    const int8_t *q; /* [n x dims], rows `stride` bytes apart */
    const int8_t *k; /* [n x dims] the same way */
    const int8_t *v; /* [n x dims] the same way */
    size_t stride;
    const float *q_scale; /* [n], rows scale_stride floats apart */
    const float *k_scale; /* [n] the same way */
    const float *v_log;   /* [n] the same way */
    size_t scale_stride;
    const int32_t *q_sum; /* [n], sum_stride apart */
    size_t sum_stride;
    size_t n;         /* tokens of the text */
    size_t first;     /* of the queries that are asked for */
    size_t n_queries; /* n: all; of q, its scales and sums no others are read */
    size_t dims;      /* a multiple of RAG_KERN_LANES */
    size_t reach;     /* how far from the query a key may be; 0: any */
    void *scratch;    /* rag_attend_bytes(n, dims), 64-byte aligned */
} rag_attend_head;

/* out = softmax(q k^T) v; the scale of q holds 1/sqrt(dims). */
void rag_attend(const rag_attend_head *t, const rag_kern *kern);

size_t rag_attend_bytes(size_t n, size_t dims);

#endif /* RAG_NN_ATTEND_H */
