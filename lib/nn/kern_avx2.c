/* The kernels for AVX2 and FMA. */
#include "nn/kern_tiers.h"

#if defined(__x86_64__)

#include <assert.h>
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

/* Two products fit into 16 bits: |w| as unsigned times a with w's sign, at most
 * 2 * 127 * 127. The sums of two quads fit, too, where the weights of both come
 * to at most this; most do, and save a widening. */
#define PAIR_MAX 258
/* quads whose pairs are told apart; longer rows are added by the safe way */
#define MOST_QUADS ((size_t)4096)
/* fewer tokens than this do not pay for telling them apart */
#define TELL_FROM_ROWS ((size_t)8)

TIER static inline __m256i load(const int8_t *w)
{
    return _mm256_load_si256((const void *)w);
}

/* is_short[k]: the pair of quads 2k, 2k + 1 of 8 outputs may be added in 16
 * bits. */
TIER static void tell_pairs(uint8_t *is_short, const int8_t *w, size_t n_pairs)
{
    const __m256i ones = _mm256_set1_epi8(1);
    const __m256i most = _mm256_set1_epi16(PAIR_MAX);

    for (size_t k = 0; k < n_pairs; k++, w += 256) {
        __m256i s = _mm256_add_epi16(
            _mm256_maddubs_epi16(_mm256_abs_epi8(load(w)), ones),
            _mm256_maddubs_epi16(_mm256_abs_epi8(load(w + 128)), ones));
        __m256i over = _mm256_cmpgt_epi16(s, most);

        is_short[k] = (uint8_t)_mm256_testz_si256(over, over);
    }
}

/* what an instruction of our own reads */
typedef struct four {
    int8_t at[4];
} four;
typedef struct eight {
    int8_t at[8];
} eight;

#define ZERO(i) __m256i c##i = _mm256_setzero_si256()
/* Instructions by hand: compilers otherwise fetch all activations before they
 * use the first and run out of registers. T = the products of one quad of token
 * i, two and two added. */
#define PART(T, U, W_, AT)                                                     \
    "vpbroadcastd " #AT "(%[a]), %[" #T "]\n\t"                                \
    "vpsignb %[" #W_ "], %[" #T "], %[" #T "]\n\t"                             \
    "vpmaddubsw %[" #T "], %[" #U "], %[" #T "]\n\t"
#define SHORT(i)                                                               \
    __asm__(PART(t, u0, w0, 0)                                                 \
                PART(v, u1, w1, 4) "vpaddw %[v], %[t], %[t]\n\t"               \
                                   "vpmaddwd %[ones], %[t], %[t]\n\t"          \
                                   "vpaddd %[t], %[c], %[c]"                   \
            : [c] "+x"(c##i), [t] "=&x"(t), [v] "=&x"(v)                       \
            : [w0] "x"(w0), [w1] "x"(w1), [u0] "x"(u0), [u1] "x"(u1),          \
              [ones] "x"(ones), [a] "r"(a + (i)*stride),                       \
              "m"(*(const eight *)(const void *)(a + (i)*stride)))
#define LONG(i)                                                                \
    __asm__(PART(t, u0, w0, 0)                                                 \
                PART(v, u1, w1, 4) "vpmaddwd %[ones], %[t], %[t]\n\t"          \
                                   "vpmaddwd %[ones], %[v], %[v]\n\t"          \
                                   "vpaddd %[t], %[c], %[c]\n\t"               \
                                   "vpaddd %[v], %[c], %[c]"                   \
            : [c] "+x"(c##i), [t] "=&x"(t), [v] "=&x"(v)                       \
            : [w0] "x"(w0), [w1] "x"(w1), [u0] "x"(u0), [u1] "x"(u1),          \
              [ones] "x"(ones), [a] "r"(a + (i)*stride),                       \
              "m"(*(const eight *)(const void *)(a + (i)*stride)))
#define LAST(i)                                                                \
    __asm__(PART(t, u0, w0, 0) "vpmaddwd %[ones], %[t], %[t]\n\t"              \
                               "vpaddd %[t], %[c], %[c]"                       \
            : [c] "+x"(c##i), [t] "=&x"(t)                                     \
            : [w0] "x"(w0), [u0] "x"(u0), [ones] "x"(ones),                    \
              [a] "r"(a + (i)*stride),                                         \
              "m"(*(const four *)(const void *)(a + (i)*stride)))
#define PUT(i) _mm256_storeu_si256((void *)(acc + (i)*RAG_KERN_PANEL), c##i)

#define REP1(F) F(0);
#define REP2(F) REP1(F) F(1);
#define REP3(F) REP2(F) F(2);
#define REP4(F) REP3(F) F(3);
#define REP5(F) REP4(F) F(4);
#define REP6(F) REP5(F) F(5);

/* M tokens by 8 outputs: 6 sums, the pair's weights and their amounts, and what
 * passes through fit into 16 registers. */
#define DEFINE_GEMM(M)                                                         \
    TIER static void gemm_##M(int32_t *acc, const int8_t *a, size_t stride,    \
                              const int8_t *w, size_t n_quads,                 \
                              const uint8_t *is_short)                         \
    {                                                                          \
        const __m256i ones = _mm256_set1_epi16(1);                             \
        __m256i t;                                                             \
        __m256i v;                                                             \
                                                                               \
        REP##M(ZERO) for (size_t k = 0; k < n_quads / 2; k++)                  \
        {                                                                      \
            __m256i w0 = load(w);                                              \
            __m256i w1 = load(w + 128);                                        \
            __m256i u0 = _mm256_abs_epi8(w0);                                  \
            __m256i u1 = _mm256_abs_epi8(w1);                                  \
                                                                               \
            if (is_short[k]) {                                                 \
                REP##M(SHORT)                                                  \
            } else {                                                           \
                REP##M(LONG)                                                   \
            }                                                                  \
            a += 8;                                                            \
            w += 256;                                                          \
        }                                                                      \
        if (n_quads % 2 != 0) {                                                \
            __m256i w0 = load(w);                                              \
            __m256i u0 = _mm256_abs_epi8(w0);                                  \
                                                                               \
            REP##M(LAST)                                                       \
        }                                                                      \
        REP##M(PUT)                                                            \
    }

DEFINE_GEMM(1)
DEFINE_GEMM(2)
DEFINE_GEMM(3)
DEFINE_GEMM(4)
DEFINE_GEMM(5)
DEFINE_GEMM(6)

#define MOST_ROWS ((size_t)6)

typedef void (*gemm_fn)(int32_t *acc, const int8_t *a, size_t stride,
                        const int8_t *w, size_t n_quads,
                        const uint8_t *is_short);

static const gemm_fn gemm_of[MOST_ROWS + 1] = {NULL,   gemm_1, gemm_2, gemm_3,
                                               gemm_4, gemm_5, gemm_6};

/* At most MOST_QUADS quads by 8 outputs. */
TIER static void gemm_8(int32_t *acc, const int8_t *a, size_t a_stride,
                        size_t n_rows, const int8_t *w, size_t n_quads)
{
    uint8_t is_short[MOST_QUADS / 2];
    size_t parts = (n_rows + MOST_ROWS - 1) / MOST_ROWS;

    if (n_rows >= TELL_FROM_ROWS)
        tell_pairs(is_short, w, n_quads / 2);
    else
        memset(is_short, 0, n_quads / 2);
    while (n_rows != 0) {
        size_t m = (n_rows + parts - 1) / parts;

        gemm_of[m](acc, a, a_stride, w, n_quads, is_short);
        acc += m * RAG_KERN_PANEL;
        a += m * a_stride;
        n_rows -= m;
        parts--;
    }
}

TIER static void gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                      const int32_t *a_sum, size_t n_rows, const int8_t *w,
                      size_t n_quads)
{
    (void)a_sum;
    assert(n_quads <= MOST_QUADS);
    for (size_t o = 0; o < RAG_KERN_PANEL; o += 8)
        gemm_8(acc + o, a, a_stride, n_rows, w + o * RAG_KERN_QUAD, n_quads);
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
