/* The kernels for AVX2 and FMA. */
#include "nn/kern_tiers.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define TIER __attribute__((target("avx2,fma")))
#define W 8u

typedef __m256 vf;
typedef __m256i vi;

TIER static inline vf vf_set(float x)
{
    return _mm256_set1_ps(x);
}
TIER static inline vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
TIER static inline void vf_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}
TIER static inline vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
TIER static inline vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
TIER static inline vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
TIER static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
TIER static inline vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
TIER static inline vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
TIER static inline vf vf_of_int(const int32_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_loadu_si256((const void *)p));
}

/* The first n lanes set. */
TIER static inline __m256i first(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
TIER static inline vf vf_load_n(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, first(n));
}
TIER static inline void vf_store_n(float *p, vf x, size_t n)
{
    _mm256_maskstore_ps(p, first(n), x);
}
TIER static inline vf vf_keep_n(vf x, size_t n)
{
    return _mm256_and_ps(x, _mm256_castsi256_ps(first(n)));
}
/* Lane i takes lane i + 4, then i + 2, then i + 1. */
#define REDUCE(NAME, OP, OP_LAST)                                              \
    TIER static inline float NAME(vf x)                                        \
    {                                                                          \
        __m128 a = OP(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1)); \
                                                                               \
        a = OP(a, _mm_movehl_ps(a, a));                                        \
        return _mm_cvtss_f32(OP_LAST(a, _mm_movehdup_ps(a)));                  \
    }
REDUCE(vf_reduce_add, _mm_add_ps, _mm_add_ss)
REDUCE(vf_reduce_max, _mm_max_ps, _mm_max_ss)
REDUCE(vf_reduce_min, _mm_min_ps, _mm_min_ss)

/* p * 2^n, n as RAG_KERN_ROUND left it */
TIER static inline vf vf_scale2(vf p, vf n)
{
    __m256i e = _mm256_slli_epi32(_mm256_castps_si256(n), 23);

    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), e));
}

TIER static inline vi vi_zero(void)
{
    return _mm256_setzero_si256();
}
TIER static inline int32_t vi_reduce(vi x)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(x),
                              _mm256_extracti128_si256(x, 1));

    s = _mm_add_epi32(s, _mm_unpackhi_epi64(s, s));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 1));
    return _mm_cvtsi128_si32(s);
}

/* Rounds 32 floats into int8 and adds them to sum. */
TIER static inline vi vf_store_32(int8_t *q, const vf *x, vi sum)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i a =
        _mm256_packs_epi32(_mm256_cvtps_epi32(x[0]), _mm256_cvtps_epi32(x[1]));
    __m256i b =
        _mm256_packs_epi32(_mm256_cvtps_epi32(x[2]), _mm256_cvtps_epi32(x[3]));
    __m256i all = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), order);

    _mm256_storeu_si256((void *)q, all);
    return _mm256_add_epi32(
        sum, _mm256_madd_epi16(_mm256_add_epi16(a, b), _mm256_set1_epi16(1)));
}

/* Rounds n <= 8 floats into int8, returns their sum. */
TIER static inline int32_t vf_store_n8(int8_t *q, vf x, size_t n)
{
    __m256i i = _mm256_cvtps_epi32(x);
    __m128i h = _mm_packs_epi32(_mm256_castsi256_si128(i),
                                _mm256_extracti128_si256(i, 1));
    __m128i b = _mm_packs_epi16(h, h);

    if (n == W) {
        _mm_storel_epi64((void *)q, b);
    } else {
        int8_t all[16];

        _mm_storeu_si128((void *)all, b);
        memcpy(q, all, n);
    }
    return vi_reduce(i);
}

#include "nn/kern_body.h"

/* acc += w * a for 8 outputs: |w| as unsigned times a with w's sign, so that
 * two products fit into 16 bits (at most 2 * 128 * 127). */
TIER static inline __m256i dot(__m256i acc, __m256i w, __m256i abs_w, __m256i a)
{
    __m256i p = _mm256_maddubs_epi16(abs_w, _mm256_sign_epi8(a, w));

    return _mm256_add_epi32(acc, _mm256_madd_epi16(p, _mm256_set1_epi16(1)));
}

TIER static inline __m256i quad(const int8_t *p)
{
    int32_t x;

    memcpy(&x, p, sizeof x);
    return _mm256_set1_epi32(x);
}

/* Four tokens by 16 outputs: 8 sums, 4 weight vectors and what they pass
 * through fit into 16 registers. */
TIER static void gemm_4(int32_t *acc, const int8_t *a, size_t stride,
                        const int8_t *w, size_t n_quads)
{
    __m256i c00 = _mm256_setzero_si256();
    __m256i c01 = c00;
    __m256i c10 = c00;
    __m256i c11 = c00;
    __m256i c20 = c00;
    __m256i c21 = c00;
    __m256i c30 = c00;
    __m256i c31 = c00;

    for (size_t k = 0; k < n_quads; k++, a += 4, w += 128) {
        __m256i w0 = _mm256_load_si256((const void *)w);
        __m256i w1 = _mm256_load_si256((const void *)(w + 32));
        __m256i u0 = _mm256_abs_epi8(w0);
        __m256i u1 = _mm256_abs_epi8(w1);
        __m256i x = quad(a);

        c00 = dot(c00, w0, u0, x);
        c01 = dot(c01, w1, u1, x);
        x = quad(a + stride);
        c10 = dot(c10, w0, u0, x);
        c11 = dot(c11, w1, u1, x);
        x = quad(a + 2 * stride);
        c20 = dot(c20, w0, u0, x);
        c21 = dot(c21, w1, u1, x);
        x = quad(a + 3 * stride);
        c30 = dot(c30, w0, u0, x);
        c31 = dot(c31, w1, u1, x);
    }
    _mm256_storeu_si256((void *)acc, c00);
    _mm256_storeu_si256((void *)(acc + 8), c01);
    _mm256_storeu_si256((void *)(acc + 32), c10);
    _mm256_storeu_si256((void *)(acc + 40), c11);
    _mm256_storeu_si256((void *)(acc + 64), c20);
    _mm256_storeu_si256((void *)(acc + 72), c21);
    _mm256_storeu_si256((void *)(acc + 96), c30);
    _mm256_storeu_si256((void *)(acc + 104), c31);
}

TIER static void gemm_1(int32_t *acc, const int8_t *a, const int8_t *w,
                        size_t n_quads)
{
    __m256i c[4];

    for (size_t i = 0; i < 4; i++)
        c[i] = _mm256_setzero_si256();
    for (size_t k = 0; k < n_quads; k++, a += 4, w += 128) {
        __m256i x = quad(a);

        for (size_t i = 0; i < 4; i++) {
            __m256i v = _mm256_load_si256((const void *)(w + 32 * i));

            c[i] = dot(c[i], v, _mm256_abs_epi8(v), x);
        }
    }
    for (size_t i = 0; i < 4; i++)
        _mm256_storeu_si256((void *)(acc + 8 * i), c[i]);
}

TIER static void gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                      const int32_t *a_sum, size_t n_rows, const int8_t *w,
                      size_t n_quads)
{
    size_t t = 0;

    (void)a_sum;
    for (; t + 4 <= n_rows; t += 4) {
        gemm_4(acc + t * RAG_KERN_PANEL, a + t * a_stride, a_stride, w,
               n_quads);
        gemm_4(acc + t * RAG_KERN_PANEL + 16, a + t * a_stride, a_stride,
               w + 64, n_quads);
    }
    for (; t < n_rows; t++)
        gemm_1(acc + t * RAG_KERN_PANEL, a + t * a_stride, w, n_quads);
}

const rag_kern rag_kern_avx2 = {gemm,    out_linear, out_gelu, out_add,
                                out_mul, quantise,   norm,     rope,
                                heads,   weigh,      "avx2"};
const rag_kern rag_kern_avxvnni = {rag_kern_avxvnni_gemm,
                                   out_linear,
                                   out_gelu,
                                   out_add,
                                   out_mul,
                                   quantise,
                                   norm,
                                   rope,
                                   heads,
                                   weigh,
                                   "avxvnni"};

#endif
