#ifndef RAG_NN_KERN_H
#define RAG_NN_KERN_H

/*
 * kern — the arithmetic of the encoder, one table of functions a CPU tier.
 *
 * Every tier gives the same bits: integer sums are exact, sums of floats run in
 * sixteen lanes that are joined in one order, exp and erf are one polynomial,
 * and a multiply-add is fused everywhere or nowhere. Quantising would otherwise
 * turn a last bit into a hundredth of a vector, and indexes made on one machine
 * are searched on another. A row's result depends on that row alone (attend: on
 * that text alone), so a text gives the same vector alone and in any batch.
 * Tails are the kernel's job: any length, also 0, and nothing is read or
 * written outside the named extents. Threads: safe to share.
 */

#include <stddef.h>
#include <stdint.h>

#include "nn/cpu.h"

/* outputs a weight panel holds, inputs that stand together in it */
#define RAG_KERN_PANEL 32u
#define RAG_KERN_QUAD 4u
/* a score row is padded to a multiple of this */
#define RAG_KERN_LANES 16u
/* queries whose scores are in work at once */
#define RAG_KERN_QUERIES 6u

/* What the epilogues of one panel need. */
typedef struct rag_kern_out {
    float *y; /* [n_rows x 32], rows y_stride floats apart */
    size_t y_stride;
    const int32_t *acc;   /* [n_rows x 32] */
    size_t n_rows;        /* tokens */
    const float *a_scale; /* [n_rows] */
    const float *a_mid;   /* [n_rows] what activation 0 stands for */
    const float *w_scale; /* [32] */
    const float *w_sum;   /* [32] w_scale * sum of the weights */
    const float *bias;    /* [32] */
} rag_kern_out;

/* One attention head of one text. */
typedef struct rag_kern_attend {
    float *out;     /* [n x dims], rows `stride` apart; may be q itself */
    const float *q; /* [n x dims], rows `stride` apart, already scaled */
    const float *k; /* [n x dims] the same way */
    const float *v; /* [n x dims] the same way */
    size_t stride;  /* floats */
    size_t n;       /* tokens of the text */
    size_t dims;    /* a multiple of RAG_KERN_LANES */
    size_t reach;   /* keys at most this far from the query; 0: all */
    float *scratch; /* rag_kern_attend_floats(n, dims), 64-byte aligned */
} rag_kern_attend;

/* What a quantised row stands for. */
typedef struct rag_kern_row {
    float scale;
    float mid;
    int32_t sum;
} rag_kern_row;

typedef struct rag_kern {
    /* acc[t][o] = sum over k of a[t][k] * w[k][o]; acc [n_rows x 32].
     *   a      [n_rows x 4 n_quads] in -127..127, rows a_stride bytes apart
     *   a_sum  [n_rows] sum of each row of a
     *   w      [n_quads][32][4], 64-byte aligned */
    void (*gemm)(int32_t *acc, const int8_t *a, size_t a_stride,
                 const int32_t *a_sum, size_t n_rows, const int8_t *w,
                 size_t n_quads);
    /* y = acc * a_scale * w_scale + a_mid * w_sum + bias; then GELU (erf); or
     * added to y; or y times it */
    void (*out_linear)(const rag_kern_out *o);
    void (*out_gelu)(const rag_kern_out *o);
    void (*out_add)(const rag_kern_out *o);
    void (*out_mul)(const rag_kern_out *o);
    /* q = round((x - mid) / scale) in -127..127, mid halfway between the least
     * and the greatest x; sum of q. GELU and LayerNorm leave one-sided
     * outliers: with a middle of its own a token loses less than half as much.
     */
    rag_kern_row (*quantise)(int8_t *q, const float *x, size_t n);
    /* x = (x - mean) / sqrt(variance + eps) * w + b */
    void (*norm)(float *x, const float *w, const float *b, float eps, size_t n);
    /* Turns the pairs (x[i], x[i + dims / 2]) of each of a token's heads
     * x [n_heads x dims] by angle i; turn [dims]: cosines, then sines. dims: a
     * multiple of 2 RAG_KERN_LANES */
    void (*rope)(float *x, const float *turn, size_t n_heads, size_t dims);
    /* out = softmax(q k^T) v */
    void (*attend)(const rag_kern_attend *t);
    const char *name;
} rag_kern;

/* The kernels of a tier; NULL when this build does not have it. */
const rag_kern *rag_kern_of(rag_cpu_tier tier);
/* The ones to use on this machine now. */
const rag_kern *rag_kern_chosen(void);

size_t rag_kern_attend_floats(size_t n, size_t dims);

#endif /* RAG_NN_KERN_H */
