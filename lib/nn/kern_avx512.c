/* The kernels for AVX-512 with VNNI. */
#include "nn/kern_tiers.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define TIER                                                                   \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,"     \
                          "avx2,fma")))
#define W 16u

typedef __m512 vf;
typedef __m512i vi;

TIER static inline vf vf_set(float x)
{
    return _mm512_set1_ps(x);
}
TIER static inline vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
TIER static inline void vf_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}
TIER static inline vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
TIER static inline vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
TIER static inline vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
TIER static inline vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
TIER static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
TIER static inline vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
TIER static inline vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
TIER static inline vf vf_of_int(const int32_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
}
TIER static inline __mmask16 first(size_t n)
{
    return (__mmask16)((1u << n) - 1u);
}
TIER static inline vf vf_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(first(n), p);
}
TIER static inline void vf_store_n(float *p, vf x, size_t n)
{
    _mm512_mask_storeu_ps(p, first(n), x);
}
TIER static inline vf vf_keep_n(vf x, size_t n)
{
    return _mm512_maskz_mov_ps(first(n), x);
}
/* Lane i takes lane i + 8, then i + 4, i + 2, i + 1. */
#define REDUCE(NAME, OP8, OP4, OP1)                                            \
    TIER static inline float NAME(vf x)                                        \
    {                                                                          \
        __m256 h =                                                             \
            OP8(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));      \
        __m128 a =                                                             \
            OP4(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));       \
                                                                               \
        a = OP4(a, _mm_movehl_ps(a, a));                                       \
        return _mm_cvtss_f32(OP1(a, _mm_movehdup_ps(a)));                      \
    }
REDUCE(vf_reduce_add, _mm256_add_ps, _mm_add_ps, _mm_add_ss)
REDUCE(vf_reduce_max, _mm256_max_ps, _mm_max_ps, _mm_max_ss)
REDUCE(vf_reduce_min, _mm256_min_ps, _mm_min_ps, _mm_min_ss)

/* p * 2^n, n as RAG_KERN_ROUND left it */
TIER static inline vf vf_scale2(vf p, vf n)
{
    __m512i e = _mm512_slli_epi32(_mm512_castps_si512(n), 23);

    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), e));
}

TIER static inline vi vi_zero(void)
{
    return _mm512_setzero_si512();
}
TIER static inline int32_t vi_reduce(vi x)
{
    return _mm512_reduce_add_epi32(x);
}

/* Rounds 32 floats into int8 and adds them to sum. One store, and fewer steps
 * than narrowing each vector by itself. */
TIER static inline vi vf_store_32(int8_t *q, const vf *x, vi sum)
{
    const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    __m512i a = _mm512_cvtps_epi32(x[0]);
    __m512i b = _mm512_cvtps_epi32(x[1]);
    /* four of a, four of b in each 128 bits */
    __m256i both = _mm512_cvtsepi16_epi8(_mm512_packs_epi32(a, b));

    _mm256_storeu_si256((void *)q, _mm256_permutevar8x32_epi32(both, order));
    return _mm512_add_epi32(sum, _mm512_add_epi32(a, b));
}

/* Rounds n <= 16 floats into int8, returns their sum. */
TIER static inline int32_t vf_store_n8(int8_t *q, vf x, size_t n)
{
    __m512i i = _mm512_cvtps_epi32(x);
    __m128i b = _mm512_cvtepi32_epi8(i);

    if (n == W)
        _mm_storeu_si128((void *)q, b);
    else
        _mm_mask_storeu_epi8(q, first(n), b);
    return vi_reduce(i);
}

#include "nn/kern_body.h"

/* Two accumulators += u * a for 32 outputs: u0 and u1 hold 4 unsigned bytes an
 * output, a is 4 signed bytes in memory for all of them, loaded once: with the
 * broadcast in each product's operand the loads, not the products, would be the
 * limit. As instructions of their own, because compilers otherwise keep several
 * broadcasts and run out of registers. */
#define ROW0(i, p)                                                             \
    __asm__("vpbroadcastd (%5), %2\n\t"                                        \
            "vpdpbusd %2, %3, %0\n\t"                                          \
            "vpdpbusd %2, %4, %1"                                              \
            : "+v"(c##i##a), "+v"(c##i##b), "=&v"(all)                         \
            : "v"(u0), "v"(u1), "r"(p))
#define ROW(i, p, s, x)                                                        \
    __asm__("vpbroadcastd (%5,%6," #x "), %2\n\t"                              \
            "vpdpbusd %2, %3, %0\n\t"                                          \
            "vpdpbusd %2, %4, %1"                                              \
            : "+v"(c##i##a), "+v"(c##i##b), "=&v"(all)                         \
            : "v"(u0), "v"(u1), "r"(p), "r"(s))
/* The weights are made unsigned by adding 128: 128 * sum(a) comes off. */
#define START(i)                                                               \
    __m512i c##i##a = _mm512_set1_epi32(-128 * a_sum[i]);                      \
    __m512i c##i##b = c##i##a
#define PUT(i)                                                                 \
    _mm512_storeu_si512(acc + (i)*32, c##i##a);                                \
    _mm512_storeu_si512(acc + (i)*32 + 16, c##i##b)

#define ROWS1 ROW0(0, p0);
#define ROWS2 ROWS1 ROW(1, p0, s1, 1);
#define ROWS3 ROWS2 ROW(2, p0, s1, 2);
#define ROWS4 ROWS3 ROW(3, p0, s3, 1);
#define ROWS5 ROWS4 ROW0(4, p4);
#define ROWS6 ROWS5 ROW(5, p4, s1, 1);
#define ROWS7 ROWS6 ROW(6, p4, s1, 2);
#define ROWS8 ROWS7 ROW(7, p4, s3, 1);
#define ROWS9 ROWS8 ROW0(8, p8);
#define ROWS10 ROWS9 ROW(9, p8, s1, 1);
#define ROWS11 ROWS10 ROW(10, p8, s1, 2);
#define ROWS12 ROWS11 ROW(11, p8, s3, 1);

/* M tokens by 32 outputs. */
#define DEFINE_GEMM(M)                                                         \
    TIER static void gemm_##M(int32_t *acc, const int8_t *a, size_t s1,        \
                              const int32_t *a_sum, const int8_t *w,           \
                              size_t n_quads)                                  \
    {                                                                          \
        const __m512i flip = _mm512_set1_epi8(-128);                           \
        const int8_t *p0 = a;                                                  \
        const int8_t *p4 = a + 4 * s1;                                         \
        const int8_t *p8 = a + 8 * s1;                                         \
        size_t s3 = 3 * s1;                                                    \
                                                                               \
        (void)p4;                                                              \
        (void)p8;                                                              \
        (void)s3;                                                              \
        RAG_KERN_REP##M(START) for (size_t k = 0; k < n_quads; k++)            \
        {                                                                      \
            __m512i u0 = _mm512_xor_si512(_mm512_load_si512(w), flip);         \
            __m512i u1 = _mm512_xor_si512(_mm512_load_si512(w + 64), flip);    \
            __m512i all;                                                       \
                                                                               \
            /* the panel behind this one comes from afar: ask for it now */    \
            _mm_prefetch((const char *)w + 128 * n_quads, _MM_HINT_T1);        \
            _mm_prefetch((const char *)w + 128 * n_quads + 64, _MM_HINT_T1);   \
            ROWS##M w += 128;                                                  \
            p0 += 4;                                                           \
            p4 += 4;                                                           \
            p8 += 4;                                                           \
        }                                                                      \
        RAG_KERN_REP##M(PUT)                                                   \
    }

DEFINE_GEMM(1)
DEFINE_GEMM(2)
DEFINE_GEMM(3)
DEFINE_GEMM(4)
DEFINE_GEMM(5)
DEFINE_GEMM(6)
DEFINE_GEMM(7)
DEFINE_GEMM(8)
DEFINE_GEMM(9)
DEFINE_GEMM(10)
DEFINE_GEMM(11)
DEFINE_GEMM(12)

#define MOST_ROWS 12u

typedef void (*gemm_fn)(int32_t *acc, const int8_t *a, size_t s1,
                        const int32_t *a_sum, const int8_t *w, size_t n_quads);

static const gemm_fn gemm_of[MOST_ROWS + 1] = {
    NULL,   gemm_1, gemm_2, gemm_3,  gemm_4,  gemm_5, gemm_6,
    gemm_7, gemm_8, gemm_9, gemm_10, gemm_11, gemm_12};

TIER static void gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                      const int32_t *a_sum, size_t n_rows, const int8_t *w,
                      size_t n_quads)
{

    while (n_rows != 0) {
        size_t m = rag_kern_part(n_rows, MOST_ROWS);

        gemm_of[m](acc, a, a_stride, a_sum, w, n_quads);
        acc += m * RAG_KERN_PANEL;
        a += m * a_stride;
        a_sum += m;
        n_rows -= m;
    }
}

const rag_kern rag_kern_avx512 =
    RAG_KERN_TABLE(gemm, NULL, RAG_KERN_ROWS, "avx512");
/* Whole pairs of blocks: one by itself waits for its own sums. And the faster
 * the products, the more rows each weight must serve that comes from afar. */
#define AMX_ROWS ((size_t)64)
const rag_kern rag_kern_amx =
    RAG_KERN_TABLE(rag_kern_amx_gemm, rag_kern_amx_end, AMX_ROWS, "amx");

#endif
