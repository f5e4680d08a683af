#include "store/vindex_priv.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/*
 * float16 in, float32 out, and dot products of the two. Both ways (plain C, and
 * AVX2 with F16C) add the same 32 partial sums in the same order and without
 * fused multiply-add, so a score does not depend on the machine, on the place
 * of a vector (index file or database), or on its neighbours.
 */

#define LANES 32u

static uint16_t half_of(float f)
{
    uint32_t u;
    uint32_t sign;
    uint32_t exp;
    uint32_t man;

    memcpy(&u, &f, sizeof u);
    sign = (u >> 16) & 0x8000u;
    exp = (u >> 23) & 0xffu;
    man = u & 0x7fffffu;
    if (exp == 0xffu) /* infinity, or NaN made quiet */
        return (uint16_t)(sign | 0x7c00u |
                          (man != 0 ? 0x200u | (man >> 13) : 0u));
    if (exp > 142u) /* 2^16 and above */
        return (uint16_t)(sign | 0x7c00u);
    if (exp < 102u) /* below half of the smallest subnormal */
        return (uint16_t)sign;
    {
        /* value = full * 2^-shift units of the last place of the result */
        uint32_t full = man | 0x800000u;
        uint32_t shift = exp < 113u ? 126u - exp : 13u;
        uint32_t kept = full >> shift;
        uint32_t rest = full & ((1u << shift) - 1u);
        uint32_t tie = 1u << (shift - 1u);
        uint32_t out = exp < 113u ? kept : kept + ((exp - 113u) << 10);

        /* to nearest, ties to even; a carry runs into the exponent, and from
         * the largest number into infinity, as it should */
        if (rest > tie || (rest == tie && (out & 1u) != 0))
            out++;
        return (uint16_t)(sign | out);
    }
}

static float float_of(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exp = (h >> 10) & 0x1fu;
    uint32_t man = h & 0x3ffu;
    uint32_t u;
    float f;

    if (exp == 0x1fu) {
        u = sign | 0x7f800000u | (man << 13) | (man != 0 ? 0x400000u : 0u);
    } else if (exp != 0) {
        u = sign | ((exp + 112u) << 23) | (man << 13);
    } else { /* zero and subnormals: an exact product */
        f = (float)man * 0x1p-24f;
        memcpy(&u, &f, sizeof u);
        u |= sign;
    }
    memcpy(&f, &u, sizeof f);
    return f;
}

static float sum_lanes(const float lane[LANES])
{
    float s[8];

    for (size_t i = 0; i < 8; i++)
        s[i] = (lane[i] + lane[i + 8]) + (lane[i + 16] + lane[i + 24]);
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

void rag_vindex_dots_scalar(float *out, const uint16_t *rows, size_t n,
                            size_t dims, const float *query)
{
    for (size_t r = 0; r < n; r++, rows += dims) {
        float lane[LANES] = {0};

        for (size_t i = 0; i < dims; i++) {
            float product = float_of(rows[i]) * query[i];

            lane[i % LANES] += product;
        }
        out[r] = sum_lanes(lane);
    }
}

void rag_vindex_to_float_scalar(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = float_of(in[i]);
}

void rag_vindex_to_half(uint16_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = half_of(in[i]);
}

#if defined(__x86_64__)

#define FAST __attribute__((target("avx2,f16c")))

/* clang's __builtin_cpu_supports does not know f16c; that of AVX2 includes the
 * system's consent (XGETBV). */
static int ask_cpu(void)
{
    unsigned a;
    unsigned b;
    unsigned c;
    unsigned d;

    return __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) &&
                   (c & bit_F16C) != 0
               ? 1
               : -1;
}

/* Asked once: CPUID traps in a virtual machine, and costs more there than a
 * hundred dot products. */
bool rag_vindex_half_fast(void)
{
    static atomic_int answer; /* 0: not asked */
    int now = atomic_load_explicit(&answer, memory_order_relaxed);

    if (now == 0) {
        now = ask_cpu();
        atomic_store_explicit(&answer, now, memory_order_relaxed);
    }
    return now > 0;
}

FAST static inline __m256 eight(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

FAST static void dots_fast(float *out, const uint16_t *rows, size_t n,
                           size_t dims, const float *query)
{
    size_t whole = dims - dims % LANES;
    size_t rest = dims - whole;
    float q_tail[LANES] = {0};
    uint16_t tail[LANES] = {0};

    memcpy(q_tail, query + whole, rest * sizeof *query);
    for (size_t r = 0; r < n; r++, rows += dims) {
        __m256 a = _mm256_setzero_ps();
        __m256 b = a;
        __m256 c = a;
        __m256 d = a;
        float lane[LANES];

        for (size_t i = 0; i <= whole; i += LANES) {
            const uint16_t *h = rows + i;
            const float *q = query + i;

            if (i == whole) { /* what is left, with zeros behind it */
                if (rest == 0)
                    break;
                memcpy(tail, h, rest * sizeof *h);
                h = tail;
                q = q_tail;
            }
            a = _mm256_add_ps(a, _mm256_mul_ps(eight(h), _mm256_loadu_ps(q)));
            b = _mm256_add_ps(
                b, _mm256_mul_ps(eight(h + 8), _mm256_loadu_ps(q + 8)));
            c = _mm256_add_ps(
                c, _mm256_mul_ps(eight(h + 16), _mm256_loadu_ps(q + 16)));
            d = _mm256_add_ps(
                d, _mm256_mul_ps(eight(h + 24), _mm256_loadu_ps(q + 24)));
        }
        _mm256_storeu_ps(lane, a);
        _mm256_storeu_ps(lane + 8, b);
        _mm256_storeu_ps(lane + 16, c);
        _mm256_storeu_ps(lane + 24, d);
        out[r] = sum_lanes(lane);
    }
}

FAST static void to_float_fast(float *out, const uint16_t *in, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, eight(in + i));
    for (; i < n; i++)
        out[i] = float_of(in[i]);
}

void rag_vindex_dots(float *out, const uint16_t *rows, size_t n, size_t dims,
                     const float *query)
{
    if (rag_vindex_half_fast())
        dots_fast(out, rows, n, dims, query);
    else
        rag_vindex_dots_scalar(out, rows, n, dims, query);
}

void rag_vindex_to_float(float *out, const uint16_t *in, size_t n)
{
    if (rag_vindex_half_fast())
        to_float_fast(out, in, n);
    else
        rag_vindex_to_float_scalar(out, in, n);
}

#else

bool rag_vindex_half_fast(void)
{
    return false;
}

void rag_vindex_dots(float *out, const uint16_t *rows, size_t n, size_t dims,
                     const float *query)
{
    rag_vindex_dots_scalar(out, rows, n, dims, query);
}

void rag_vindex_to_float(float *out, const uint16_t *in, size_t n)
{
    rag_vindex_to_float_scalar(out, in, n);
}

#endif
