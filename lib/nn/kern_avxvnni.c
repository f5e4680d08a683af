/* The product for AVX-VNNI: processors that have the dot product instruction,
 * but no AVX-512. All else is AVX2's. */
#include "nn/kern_tiers.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define TIER __attribute__((target("avx2,avxvnni")))

TIER static inline __m256i quad(const int8_t *p)
{
    int32_t x;

    memcpy(&x, p, sizeof x);
    return _mm256_set1_epi32(x);
}

/* The weights are made unsigned by adding 128: 128 * sum(a) comes off. */
#define START(i)                                                               \
    __m256i c##i##a = _mm256_set1_epi32(-128 * a_sum[i]);                      \
    __m256i c##i##b = c##i##a
/* c += u * x, u unsigned. As an instruction of its own: gcc 12 otherwise keeps
 * every sum in memory as well. */
#define DOT(c, u, x)                                                           \
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(c) : "x"(u), "x"(x))
#define ROW(i)                                                                 \
    do {                                                                       \
        __m256i x = quad(a + (i)*stride);                                      \
                                                                               \
        DOT(c##i##a, u0, x);                                                   \
        DOT(c##i##b, u1, x);                                                   \
    } while (0)
#define PUT(i)                                                                 \
    _mm256_storeu_si256((void *)(acc + (i)*RAG_KERN_PANEL), c##i##a);          \
    _mm256_storeu_si256((void *)(acc + (i)*RAG_KERN_PANEL + 8), c##i##b)

/* M tokens by 16 outputs: at most 12 sums, 2 weight vectors and an activation
 * fit into 16 registers. */
#define DEFINE_GEMM(M)                                                         \
    TIER static void gemm_##M(int32_t *acc, const int8_t *a, size_t stride,    \
                              const int32_t *a_sum, const int8_t *w,           \
                              size_t n_quads)                                  \
    {                                                                          \
        const __m256i flip = _mm256_set1_epi8(-128);                           \
                                                                               \
        RAG_KERN_REP##M(START) for (size_t k = 0; k < n_quads;                 \
                                    k++, a += 4, w += 128)                     \
        {                                                                      \
            __m256i u0 =                                                       \
                _mm256_xor_si256(_mm256_load_si256((const void *)w), flip);    \
            __m256i u1 = _mm256_xor_si256(                                     \
                _mm256_load_si256((const void *)(w + 32)), flip);              \
                                                                               \
            /* the panel behind this one comes from afar: ask for it now */    \
            _mm_prefetch((const char *)(w + 128 * n_quads), _MM_HINT_T1);      \
            RAG_KERN_REP##M(ROW)                                               \
        }                                                                      \
        RAG_KERN_REP##M(PUT)                                                   \
    }

DEFINE_GEMM(1)
DEFINE_GEMM(2)
DEFINE_GEMM(3)
DEFINE_GEMM(4)
DEFINE_GEMM(5)
DEFINE_GEMM(6)

#define MOST_ROWS ((size_t)6)

typedef void (*gemm_fn)(int32_t *acc, const int8_t *a, size_t stride,
                        const int32_t *a_sum, const int8_t *w, size_t n_quads);

static const gemm_fn gemm_of[MOST_ROWS + 1] = {NULL,   gemm_1, gemm_2, gemm_3,
                                               gemm_4, gemm_5, gemm_6};

void rag_kern_avxvnni_gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                           const int32_t *a_sum, size_t n_rows, const int8_t *w,
                           size_t n_quads)
{

    while (n_rows != 0) {
        size_t m = rag_kern_part(n_rows, MOST_ROWS);

        gemm_of[m](acc, a, a_stride, a_sum, w, n_quads);
        gemm_of[m](acc + 16, a, a_stride, a_sum, w + 64, n_quads);
        acc += m * RAG_KERN_PANEL;
        a += m * a_stride;
        a_sum += m;
        n_rows -= m;
    }
}

#endif
