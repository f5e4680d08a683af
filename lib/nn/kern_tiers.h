#ifndef RAG_NN_KERN_TIERS_H
#define RAG_NN_KERN_TIERS_H

/* Private to nn: the tables that kern.c chooses from, and what they share. */

#include "nn/kern.h"

extern const rag_kern rag_kern_scalar;
#if defined(__x86_64__)
extern const rag_kern rag_kern_avx2;
extern const rag_kern rag_kern_avx512;
#endif

/* The keys that query i sees: from the first to the one before `behind`. */
static inline size_t rag_kern_first_key(const rag_kern_attend *t, size_t i)
{
    return t->reach != 0 && i > t->reach ? i - t->reach : 0;
}

static inline size_t rag_kern_behind_keys(const rag_kern_attend *t, size_t i)
{
    return t->reach != 0 && t->n - i > t->reach ? i + t->reach + 1 : t->n;
}

/* exp(x), x <= 0: x = n ln 2 + r, p(r) by Horner (Cephes' expf) times 2^n;
 * below the least x it is 0. */
#define RAG_KERN_EXP_LEAST -86.0f
#define RAG_KERN_LOG2_E 1.44269504088896341f
#define RAG_KERN_LN2_HIGH 0.693359375f
#define RAG_KERN_LN2_LOW -2.12194440e-4f
#define RAG_KERN_EXP_5 1.9875691500e-4f
#define RAG_KERN_EXP_4 1.3981999507e-3f
#define RAG_KERN_EXP_3 8.3334519073e-3f
#define RAG_KERN_EXP_2 4.1665795894e-2f
#define RAG_KERN_EXP_1 1.6666665459e-1f
#define RAG_KERN_EXP_0 5.0000001201e-1f

/* Scale and middle of a row between least and most, and what to multiply by;
 * all zero when they are not finite. */
rag_kern_row rag_kern_row_of(float least, float most, float *inverse);

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
