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
TIER static inline vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
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

/*
 * The product multiplies unsigned by signed bytes: the amounts u = |w| by the
 * activations, turned where a weight is negative. a ^ -1 is -a - 1, so what
 * comes out is too small by the sum of the amounts of the negative weights,
 * with which every sum therefore begins. (vpsignb would turn exactly, but runs
 * where the products do; vpxor runs anywhere.)
 *
 * Two products fit into 16 bits: at most 2 * 127 * 128. The sums of two quads
 * fit, too, where the amounts of both come to at most this; most do, and save a
 * widening.
 */
#define PAIR_MAX 255
/* quads whose pairs are told apart; longer rows are added by the safe way */
#define MOST_QUADS ((size_t)4096)
TIER static inline __m256i load(const int8_t *w)
{
    return _mm256_load_si256((const void *)w);
}

/* The weights of 8 outputs. Pairs of quads that may be added in 16 bits and
 * the others, each kind by itself: a branch inside the product would be guessed
 * wrong too often. */
typedef struct pairs {
    __m256i first; /* what the sums begin with */
    size_t n_short;
    size_t n_long;
    uint16_t is_short[MOST_QUADS / 2];
    uint16_t is_long[MOST_QUADS / 2];
} pairs;

/* 16-bit sums, two by two, of |w| and of |w| - w, which is twice the amount of
 * what is negative. */
TIER static inline __m256i amounts(__m256i *twice, __m256i w)
{
    const __m256i ones = _mm256_set1_epi8(1);
    __m256i sum = _mm256_maddubs_epi16(_mm256_abs_epi8(w), ones);

    *twice = _mm256_sub_epi16(sum, _mm256_maddubs_epi16(ones, w));
    return sum;
}

TIER static void tell_pairs(pairs *p, const int8_t *w, size_t n_quads,
                            const int8_t *next)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i most = _mm256_set1_epi16(PAIR_MAX);
    __m256i twice = _mm256_setzero_si256();
    __m256i t0;
    __m256i t1;
    size_t n_short = 0;
    size_t n_long = 0;

    for (size_t k = 0; k < n_quads / 2; k++, w += 256, next += 64) {
        __m256i s = _mm256_add_epi16(amounts(&t0, load(w)),
                                     amounts(&t1, load(w + 128)));
        __m256i over = _mm256_cmpgt_epi16(s, most);
        size_t is_short = (size_t)_mm256_testz_si256(over, over);

        t0 = _mm256_madd_epi16(_mm256_add_epi16(t0, t1), ones);
        twice = _mm256_add_epi32(twice, t0);
        /* the panel behind this one comes from afar: ask for it now */
        _mm_prefetch((const char *)next, _MM_HINT_T1);
        p->is_short[n_short] = (uint16_t)k;
        p->is_long[n_long] = (uint16_t)k;
        n_short += is_short;
        n_long += 1 - is_short;
    }
    if (n_quads % 2 != 0) {
        (void)amounts(&t0, load(w));
        twice = _mm256_add_epi32(twice, _mm256_madd_epi16(t0, ones));
    }
    p->first = _mm256_srli_epi32(twice, 1);
    p->n_short = n_short;
    p->n_long = n_long;
}

/* what an instruction of our own reads */
typedef struct four {
    int8_t at[4];
} four;
typedef struct eight {
    int8_t at[8];
} eight;

#define START(i) __m256i c##i = p->first
/* Instructions by hand: compilers otherwise fetch all activations before they
 * use the first and run out of registers. T = the products of one quad of token
 * i, two and two added. */
#define PART(T, U, M_, AT)                                                     \
    "vpbroadcastd " #AT "(%[a]), %[" #T "]\n\t"                                \
    "vpxor %[" #M_ "], %[" #T "], %[" #T "]\n\t"                               \
    "vpmaddubsw %[" #T "], %[" #U "], %[" #T "]\n\t"
#define SHORT(i)                                                               \
    __asm__(PART(t, u0, m0, 0)                                                 \
                PART(v, u1, m1, 4) "vpaddw %[v], %[t], %[t]\n\t"               \
                                   "vpmaddwd %[ones], %[t], %[t]\n\t"          \
                                   "vpaddd %[t], %[c], %[c]"                   \
            : [c] "+x"(c##i), [t] "=&x"(t), [v] "=&x"(v)                       \
            : [m0] "x"(m0), [m1] "x"(m1), [u0] "x"(u0), [u1] "x"(u1),          \
              [ones] "x"(ones), [a] "r"(ak + (i)*stride),                      \
              "m"(*(const eight *)(const void *)(ak + (i)*stride)))
#define LONG(i)                                                                \
    __asm__(PART(t, u0, m0, 0)                                                 \
                PART(v, u1, m1, 4) "vpmaddwd %[ones], %[t], %[t]\n\t"          \
                                   "vpmaddwd %[ones], %[v], %[v]\n\t"          \
                                   "vpaddd %[t], %[c], %[c]\n\t"               \
                                   "vpaddd %[v], %[c], %[c]"                   \
            : [c] "+x"(c##i), [t] "=&x"(t), [v] "=&x"(v)                       \
            : [m0] "x"(m0), [m1] "x"(m1), [u0] "x"(u0), [u1] "x"(u1),          \
              [ones] "x"(ones), [a] "r"(ak + (i)*stride),                      \
              "m"(*(const eight *)(const void *)(ak + (i)*stride)))
#define LAST(i)                                                                \
    __asm__(PART(t, u0, m0, 0) "vpmaddwd %[ones], %[t], %[t]\n\t"              \
                               "vpaddd %[t], %[c], %[c]"                       \
            : [c] "+x"(c##i), [t] "=&x"(t)                                     \
            : [m0] "x"(m0), [u0] "x"(u0), [ones] "x"(ones),                    \
              [a] "r"(ak + (i)*stride),                                        \
              "m"(*(const four *)(const void *)(ak + (i)*stride)))
#define PUT(i) _mm256_storeu_si256((void *)(acc + (i)*RAG_KERN_PANEL), c##i)

/* One quad's amounts u and signs m. */
#define WEIGHTS(u, m, at)                                                      \
    __m256i m = load(at);                                                      \
    __m256i u = _mm256_abs_epi8(m);                                            \
                                                                               \
    m = _mm256_cmpgt_epi8(_mm256_setzero_si256(), m)
#define PAIR(k)                                                                \
    const int8_t *wk = w + (size_t)(k)*256;                                    \
    const int8_t *ak = a + (size_t)(k)*8;                                      \
                                                                               \
    WEIGHTS(u0, m0, wk);                                                       \
    WEIGHTS(u1, m1, wk + 128)

/* M tokens by 8 outputs: 6 sums, the pair's amounts and signs, and what
 * passes through fit into 16 registers. */
#define DEFINE_GEMM(M)                                                         \
    TIER static void gemm_##M(int32_t *acc, const int8_t *a, size_t stride,    \
                              const int8_t *w, size_t n_quads, const pairs *p) \
    {                                                                          \
        const __m256i ones = _mm256_set1_epi16(1);                             \
        __m256i t;                                                             \
        __m256i v;                                                             \
                                                                               \
        RAG_KERN_REP##M(START) for (size_t i = 0; i < p->n_short; i++)         \
        {                                                                      \
            PAIR(p->is_short[i]);                                              \
                                                                               \
            RAG_KERN_REP##M(SHORT)                                             \
        }                                                                      \
        for (size_t i = 0; i < p->n_long; i++) {                               \
            PAIR(p->is_long[i]);                                               \
                                                                               \
            RAG_KERN_REP##M(LONG)                                              \
        }                                                                      \
        if (n_quads % 2 != 0) {                                                \
            const int8_t *ak = a + n_quads / 2 * 8;                            \
            WEIGHTS(u0, m0, w + n_quads / 2 * 256);                            \
                                                                               \
            RAG_KERN_REP##M(LAST)                                              \
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
                        const int8_t *w, size_t n_quads, const pairs *p);

static const gemm_fn gemm_of[MOST_ROWS + 1] = {NULL,   gemm_1, gemm_2, gemm_3,
                                               gemm_4, gemm_5, gemm_6};

/* At most MOST_QUADS quads by 8 outputs. */
TIER static void gemm_8(int32_t *acc, const int8_t *a, size_t a_stride,
                        size_t n_rows, const int8_t *w, size_t n_quads,
                        const int8_t *next)
{
    pairs p;

    tell_pairs(&p, w, n_quads, next);
    while (n_rows != 0) {
        size_t m = rag_kern_part(n_rows, MOST_ROWS);

        gemm_of[m](acc, a, a_stride, w, n_quads, &p);
        acc += m * RAG_KERN_PANEL;
        a += m * a_stride;
        n_rows -= m;
    }
}

TIER static void gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                      const int32_t *a_sum, size_t n_rows, const int8_t *w,
                      size_t n_quads)
{
    const int8_t *next = w + n_quads * RAG_KERN_QUAD * RAG_KERN_PANEL;

    (void)a_sum;
    assert(n_quads <= MOST_QUADS);
    /* each eight outputs ask for a quarter of the next panel */
    for (size_t o = 0; o < RAG_KERN_PANEL; o += 8)
        gemm_8(acc + o, a, a_stride, n_rows, w + o * RAG_KERN_QUAD, n_quads,
               next + o * n_quads * RAG_KERN_QUAD);
}

const rag_kern rag_kern_avx2 =
    RAG_KERN_TABLE(gemm, NULL, RAG_KERN_ROWS, "avx2");
const rag_kern rag_kern_avxvnni =
    RAG_KERN_TABLE(rag_kern_avxvnni_gemm, NULL, RAG_KERN_ROWS, "avxvnni");

#endif
