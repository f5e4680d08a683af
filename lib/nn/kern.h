#ifndef RAG_NN_KERN_H
#define RAG_NN_KERN_H

/*
 * kern — the arithmetic of the encoder, one table of functions a CPU tier.
 *
 * Every tier gives the same bits: integer sums are exact, sums of floats run in
 * sixteen lanes that are joined in one order, exp and erf are one polynomial,
 * and a multiply-add is fused everywhere or nowhere. Quantising would otherwise
 * turn a last bit into a hundredth of a vector, and indexes made on one machine
 * are searched on another. A row's result depends on that row alone, so a text
 * gives the same vector alone and in any batch.
 * Tails are the kernel's job: any length, also 0, and nothing is read or
 * written outside the named extents. Threads: safe to share.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/cpu.h"

/* outputs a weight panel holds, inputs that stand together in it */
#define RAG_KERN_PANEL 32u
#define RAG_KERN_QUAD 4u
/* floats are summed in so many lanes */
#define RAG_KERN_LANES 16u

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

/* A token's queries, keys and values: [3][n_heads][dims] behind each other. */
typedef struct rag_kern_heads {
    int8_t *q;      /* [3 n_heads x dims] */
    float *scale;   /* [3 n_heads] what a step is; of values its log2 */
    int32_t *sum;   /* [n_heads] of the steps of each query */
    const float *x; /* [3 n_heads x dims] */
    size_t n_heads;
    size_t dims; /* a multiple of RAG_KERN_LANES */
} rag_kern_heads;

/* Scores of some queries of one head become weights. */
typedef struct rag_kern_weigh {
    int8_t *p;             /* [n_rows x 32 n_panels] 0..127 */
    int32_t *sum;          /* [n_rows] of p */
    float *factor;         /* [n_rows] what a step of p times a value's is */
    float *row;            /* [2][32 n_panels] scratch */
    const int32_t *scores; /* [n_panels][n_rows][32] */
    const float *q_scale;  /* [n_rows], scale_stride floats apart */
    size_t scale_stride;
    const float *k_scale; /* [32 n_panels]; 0 behind the last key */
    const float *v_log;   /* [32 n_panels]; RAG_KERN_NO_KEY behind the last */
    const float *v_one;   /* [32 n_panels] 2^-v_log; 0 behind the last key */
    size_t n_rows;
    size_t n_panels;
    /* local attention: row i may look at keys first + i .. last + i, counted
     * from the first panel; when they are not all there are */
    bool is_local;
    ptrdiff_t first;
    ptrdiff_t last;
} rag_kern_weigh;

#define RAG_KERN_NO_KEY -1.0e30f

/* Rows of floats to be quantised, each value times its column's factor. */
typedef struct rag_kern_rows {
    int8_t *q;      /* [n_rows x n] */
    float *scale;   /* [n_rows] what a step is */
    float *mid;     /* [n_rows] what 0 stands for */
    int32_t *sum;   /* [n_rows] of each row of q */
    const float *x; /* [n_rows x n], rows x_stride floats apart */
    size_t x_stride;
    size_t n_rows;
    size_t n;
    const float *by; /* [n]; NULL: as they are */
} rag_kern_rows;

typedef struct rag_kern {
    /* acc[t][o] = sum over k of a[t][k] * w[k][o]; acc [n_rows x 32].
     *   a      [n_rows x 4 n_quads] in -127..127, rows a_stride bytes apart
     *   a_sum  [n_rows] sum of each row of a
     *   w      [n_quads][32][4], 64-byte aligned */
    void (*gemm)(int32_t *acc, const int8_t *a, size_t a_stride,
                 const int32_t *a_sum, size_t n_rows, const int8_t *w,
                 size_t n_quads);
    /* Behind a run of products of one thread: gives back what gemm keeps for
     * the next. NULL: nothing. gemm is not for signal handlers. */
    void (*end)(void);
    /* y = acc * a_scale * w_scale + a_mid * w_sum + bias; then GELU (erf); or
     * added to y; or y times it */
    void (*out_linear)(const rag_kern_out *o);
    void (*out_gelu)(const rag_kern_out *o);
    void (*out_add)(const rag_kern_out *o);
    void (*out_mul)(const rag_kern_out *o);
    /* ... or its SiLU, x / (1 + e^-x); its GELU by tanh; 0 where negative */
    void (*out_silu)(const rag_kern_out *o);
    void (*out_tanh_gelu)(const rag_kern_out *o);
    void (*out_relu)(const rag_kern_out *o);
    /* q = round((x by - mid) / scale) in -127..127, mid halfway between the
     * least and the greatest x by of a row. GELU and LayerNorm leave one-sided
     * outliers: with a middle of its own a token loses less than half as much.
     */
    void (*quantise)(const rag_kern_rows *t);
    /* Each row of x [n_rows x n] = (x - mean) / sqrt(variance + eps) * w + b */
    void (*norm)(float *x, const float *w, const float *b, float eps,
                 size_t n_rows, size_t n);
    /* Turns the pairs (x[i], x[i + dims / 2]) of each of a token's heads
     * x [n_heads x dims] by angle i; turn [dims]: cosines, then sines. dims: a
     * multiple of 2 RAG_KERN_LANES */
    void (*rope)(float *x, const float *turn, size_t n_heads, size_t dims);
    /* q = round(x / step) head by head: step = greatest |x| / 127, for values
     * the next power of two */
    void (*heads)(const rag_kern_heads *t);
    /* y = score * q_scale * k_scale, in powers of two; e = 2^(y + v_log - most)
     * with most the greatest of the row; p = round(127 e); factor = 1 / (127
     * sum(e * v_one)). So p's steps are as fine as what a key brings into the
     * sum asks for, not as its weight alone does. */
    void (*weigh)(const rag_kern_weigh *t);
    /* that go through a matrix together best, even, 2 to RAG_KERN_MOST_ROWS */
    size_t rows;
    const char *name;
} rag_kern;

#define RAG_KERN_MOST_ROWS ((size_t)64)

static inline void rag_kern_end(const rag_kern *k)
{
    if (k->end != NULL)
        k->end();
}

/* The kernels of a tier; NULL when this build does not have it. */
const rag_kern *rag_kern_of(rag_cpu_tier tier);
/* The ones to use on this machine now. */
const rag_kern *rag_kern_chosen(void);

#endif /* RAG_NN_KERN_H */
