#ifndef RAG_NN_KERN_TIERS_H
#define RAG_NN_KERN_TIERS_H

/* Private to nn: the tables that kern.c chooses from, and what they share. */

#include <string.h>

#include "nn/kern.h"

extern const rag_kern rag_kern_scalar;
#if defined(__x86_64__)
extern const rag_kern rag_kern_avx2;
extern const rag_kern rag_kern_avxvnni;
extern const rag_kern rag_kern_avx512;
extern const rag_kern rag_kern_amx;

/* Products of tiers that share all else with another. */
void rag_kern_avxvnni_gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                           const int32_t *a_sum, size_t n_rows, const int8_t *w,
                           size_t n_quads);
void rag_kern_amx_gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                       const int32_t *a_sum, size_t n_rows, const int8_t *w,
                       size_t n_quads);
void rag_kern_amx_end(void);
/* Products on the tiles, compared with the scalar ones: whether this
 * processor does what the kernel was written for. Needs rag_cpu_has(). */
bool rag_kern_amx_works(void);
#elif defined(__aarch64__)
extern const rag_kern rag_kern_neon;
#endif

/* A tier's table: its own product, what ends a run of them, how many rows it
 * likes to take; the rest from kern_body.h. */
#define RAG_KERN_TABLE(GEMM, END, ROWS, NAME)                                  \
    {                                                                          \
        GEMM, END, out_linear, out_gelu, out_add, out_mul, out_silu,           \
            out_tanh_gelu, out_relu, quantise, norm, rope, heads, weigh, ROWS, \
            NAME                                                               \
    }
/* Rows of the tiers of vectors: activations and a panel of weights fit into a
 * first-level cache. */
#define RAG_KERN_ROWS ((size_t)48)

/* F(0); to F(N - 1); for products of N tokens written out, as only then their
 * sums stay in registers. */
#define RAG_KERN_REP1(F) F(0);
#define RAG_KERN_REP2(F) RAG_KERN_REP1(F) F(1);
#define RAG_KERN_REP3(F) RAG_KERN_REP2(F) F(2);
#define RAG_KERN_REP4(F) RAG_KERN_REP3(F) F(3);
#define RAG_KERN_REP5(F) RAG_KERN_REP4(F) F(4);
#define RAG_KERN_REP6(F) RAG_KERN_REP5(F) F(5);
#define RAG_KERN_REP7(F) RAG_KERN_REP6(F) F(6);
#define RAG_KERN_REP8(F) RAG_KERN_REP7(F) F(7);
#define RAG_KERN_REP9(F) RAG_KERN_REP8(F) F(8);
#define RAG_KERN_REP10(F) RAG_KERN_REP9(F) F(9);
#define RAG_KERN_REP11(F) RAG_KERN_REP10(F) F(10);
#define RAG_KERN_REP12(F) RAG_KERN_REP11(F) F(11);

/* How many of n > 0 tokens a product takes next that takes `most` at once. Even
 * parts, 13 as 7 and 6: one of a single token only waits for the weights. */
static inline size_t rag_kern_part(size_t n, size_t most)
{
    size_t parts = (n + most - 1) / most;

    return (n + parts - 1) / parts;
}

/* 2^x, x <= 0: x = n + f, |f| <= 1/2, a polynomial in f (relative error 3e-6,
 * a thousandth of a weight's step) times 2^n; what is below the least is it. */
#define RAG_KERN_EXP_LEAST -60.0f
#define RAG_KERN_EXP_0 9.999992614e-01f
#define RAG_KERN_EXP_1 6.931218147e-01f
#define RAG_KERN_EXP_2 2.402474483e-01f
#define RAG_KERN_EXP_3 5.591786031e-02f
#define RAG_KERN_EXP_4 9.570101835e-03f
#define RAG_KERN_LOG2_E 1.44269504088896341f
/* added to a small float it leaves the nearest integer in the last bits */
#define RAG_KERN_ROUND 12582912.0f

/* GELU by tanh is x / (1 + 2^-(2 log2(e) sqrt(2 / pi) (x + 0.044715 x^3))) */
#define RAG_KERN_TANH_1 2.30220818f
#define RAG_KERN_TANH_3 0.102943242f

/* How a row between least and most is quantised; all zero when they are not
 * finite. */
typedef struct rag_kern_row {
    float scale;
    float mid;
    float inverse; /* what to multiply by */
} rag_kern_row;

static inline rag_kern_row rag_kern_row_of(float least, float most)
{
    float half = 0.5f * most - 0.5f * least;

    if (!(half <= 1.0e37f)) /* a damaged model: keep the casts defined */
        return (rag_kern_row){0.0f, 0.0f, 0.0f};
    return (rag_kern_row){half / 127.0f, 0.5f * most + 0.5f * least,
                          half > 1.0e-30f ? 127.0f / half : 0.0f};
}

/* The step of a head whose values reach so far from 0, and what to multiply
 * by; is_value: a power of two, of which the log2 is returned. 0 and the
 * smallest log2 when there is nothing or no number. */
#define RAG_KERN_LEAST_LOG -126.0f
static inline float rag_kern_head_of(float reach, bool is_value, float *inverse)
{
    uint32_t bits;
    int32_t log;

    *inverse = 0.0f;
    if (!(reach > 1.0e-30f && reach <= 1.0e30f))
        return is_value ? RAG_KERN_LEAST_LOG : 0.0f;
    if (!is_value) {
        *inverse = 127.0f / reach;
        return reach / 127.0f;
    }
    reach /= 127.0f;
    memcpy(&bits, &reach, sizeof bits); /* normal: above 2^-107 */
    log = (int32_t)(bits >> 23) - 126;  /* 2^log > reach >= 2^(log - 1) */
    bits = (uint32_t)(127 - log) << 23;
    memcpy(inverse, &bits, sizeof bits);
    return (float)log;
}

/* erf(x / sqrt 2) / x as a polynomial in s = 2 x^2 / 5.5^2 - 1, for |x| <= 5.5
 * (Chebyshev fit, |error of erf| < 6e-7; beyond 5.5 erf is 1 to float's
 * precision). Lowest power first. */
#define RAG_KERN_ERF_LIMIT 5.5f
#define RAG_KERN_ERF_TERMS                                                     \
    {                                                                          \
        2.571039389e-01f, -1.283440310e-01f, 9.546661579e-02f,                 \
            -7.760394242e-02f, 6.429600223e-02f, -5.196028703e-02f,            \
            3.969265513e-02f, -3.035081768e-02f, 2.371289964e-02f,             \
            -1.350137131e-02f, 4.032381113e-03f, -4.071413828e-03f,            \
            5.545668660e-03f, -2.200174580e-03f                                \
    }
#define RAG_KERN_ERF_N 14

#endif /* RAG_NN_KERN_TIERS_H */
