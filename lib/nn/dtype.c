/*
 * Block layouts as GGML writes them (docs/models.md names the types). Every
 * value is made by the same float operations in the same order as the
 * reference, so that results are equal bit by bit.
 */
#include "nn/dtype.h"

#include <string.h>

#define SMALL 32u /* values of a block of the older types */
#define BIG 256u  /* of the K types */

typedef struct layout {
    size_t n_values;
    size_t n_bytes;
    /* x [n_values] = one block; NULL: one value a block, done in place */
    void (*block)(float *x, const unsigned char *p);
} layout;

static float bits_to_float(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t u16(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const unsigned char *p)
{
    return u16(p) | u16(p + 2) << 16;
}

static float half(const unsigned char *p)
{
    uint32_t bits = u16(p);
    uint32_t sign = (bits & 0x8000u) << 16;
    uint32_t exponent = bits >> 10 & 31u;
    uint32_t fraction = bits & 0x3FFu;
    float f;

    if (exponent == 0) { /* zero and subnormal: fraction / 2^24 */
        f = (float)fraction * 5.9604644775390625e-8f;
        return sign != 0 ? -f : f;
    }
    return bits_to_float(sign |
                         (exponent == 31 ? 255u : exponent + 112u) << 23 |
                         fraction << 13);
}

static float int8_at(const unsigned char *p)
{
    return (float)(int)(p[0] < 128 ? p[0] : (int)p[0] - 256);
}

static void q4_0(float *x, const unsigned char *p)
{
    float d = half(p);

    for (size_t i = 0; i < SMALL / 2; i++) {
        x[i] = d * (float)((int)(p[2 + i] & 15u) - 8);
        x[i + SMALL / 2] = d * (float)((int)(p[2 + i] >> 4) - 8);
    }
}

static void q4_1(float *x, const unsigned char *p)
{
    float d = half(p);
    float m = half(p + 2);

    for (size_t i = 0; i < SMALL / 2; i++) {
        float lo = d * (float)(p[4 + i] & 15u);
        float hi = d * (float)(p[4 + i] >> 4);

        x[i] = lo + m;
        x[i + SMALL / 2] = hi + m;
    }
}

/* Value i of a block whose fifth bits are in `high`. */
static unsigned five(const unsigned char *nibbles, uint32_t high, size_t i)
{
    unsigned q = i < SMALL / 2 ? nibbles[i] & 15u : nibbles[i - SMALL / 2] >> 4;

    return q | (high >> i & 1u) << 4;
}

static void q5_0(float *x, const unsigned char *p)
{
    float d = half(p);
    uint32_t high = u32(p + 2);

    for (size_t i = 0; i < SMALL; i++)
        x[i] = d * (float)((int)five(p + 6, high, i) - 16);
}

static void q5_1(float *x, const unsigned char *p)
{
    float d = half(p);
    float m = half(p + 2);
    uint32_t high = u32(p + 4);

    for (size_t i = 0; i < SMALL; i++) {
        float v = d * (float)five(p + 8, high, i);

        x[i] = v + m;
    }
}

static void q8_0(float *x, const unsigned char *p)
{
    float d = half(p);

    for (size_t i = 0; i < SMALL; i++)
        x[i] = int8_at(p + 2 + i) * d;
}

static void iq4_nl(float *x, const unsigned char *p)
{
    static const int8_t table[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};
    float d = half(p);

    for (size_t i = 0; i < SMALL / 2; i++) {
        x[i] = d * (float)table[p[2 + i] & 15u];
        x[i + SMALL / 2] = d * (float)table[p[2 + i] >> 4];
    }
}

/* The 6-bit scale and minimum of sub-block j (of 8) out of 12 bytes. */
static void scale_min(unsigned *scale, unsigned *min, const unsigned char *s,
                      size_t j)
{
    if (j < 4) {
        *scale = s[j] & 63u;
        *min = s[j + 4] & 63u;
    } else {
        *scale = (s[j + 4] & 15u) | (unsigned)(s[j - 4] >> 6) << 4;
        *min = (unsigned)(s[j + 4] >> 4) | (unsigned)(s[j] >> 6) << 4;
    }
}

/* Q4_K, and Q5_K where high [32] is not NULL: bit j of high[i] is the fifth bit
 * of value i of sub-block j. */
static void k_block(float *x, const unsigned char *p, const unsigned char *high,
                    const unsigned char *nibbles)
{
    float d = half(p);
    float dmin = half(p + 2);

    for (size_t j = 0; j < 8; j++) {
        const unsigned char *q = nibbles + j / 2 * SMALL;
        unsigned scale;
        unsigned min;
        float dj;
        float mj;

        scale_min(&scale, &min, p + 4, j);
        dj = d * (float)scale;
        mj = dmin * (float)min;
        for (size_t i = 0; i < SMALL; i++) {
            unsigned v = j % 2 == 0 ? q[i] & 15u : (unsigned)q[i] >> 4;
            float part;

            if (high != NULL)
                v |= (unsigned)(high[i] >> j & 1) << 4;
            part = dj * (float)v;
            x[j * SMALL + i] = part - mj;
        }
    }
}

static void q4_k(float *x, const unsigned char *p)
{
    k_block(x, p, NULL, p + 16);
}

static void q5_k(float *x, const unsigned char *p)
{
    k_block(x, p, p + 16, p + 48);
}

static void q6_k(float *x, const unsigned char *p)
{
    const unsigned char *scales = p + 192;
    float d = half(p + 208);

    for (size_t i = 0; i < BIG; i++) {
        size_t half_no = i / 128;
        size_t in_half = i % 128;
        size_t row = in_half / 32; /* which bit pair */
        size_t l = in_half % 32;
        unsigned low = p[half_no * 64 + (row % 2) * 32 + l];
        unsigned high = p[128 + half_no * 32 + l];
        unsigned q;
        float dj;

        low = row < 2 ? low & 15u : low >> 4;
        q = low | (high >> (2 * row) & 3u) << 4;
        dj = d * int8_at(scales + i / 16);
        x[i] = dj * (float)((int)q - 32);
    }
}

static const layout layouts[] = {
    [RAG_DTYPE_F32] = {1, 4, NULL},
    [RAG_DTYPE_F16] = {1, 2, NULL},
    [RAG_DTYPE_BF16] = {1, 2, NULL},
    [RAG_DTYPE_Q4_0] = {SMALL, 18, q4_0},
    [RAG_DTYPE_Q4_1] = {SMALL, 20, q4_1},
    [RAG_DTYPE_Q5_0] = {SMALL, 22, q5_0},
    [RAG_DTYPE_Q5_1] = {SMALL, 24, q5_1},
    [RAG_DTYPE_Q8_0] = {SMALL, 34, q8_0},
    [RAG_DTYPE_Q4_K] = {BIG, 144, q4_k},
    [RAG_DTYPE_Q5_K] = {BIG, 176, q5_k},
    [RAG_DTYPE_Q6_K] = {BIG, 210, q6_k},
    [RAG_DTYPE_IQ4_NL] = {SMALL, 18, iq4_nl},
    [RAG_DTYPE_I8] = {1, 1, NULL},
    [RAG_DTYPE_U8] = {1, 1, NULL},
};

size_t rag_dtype_block(rag_dtype t)
{
    return layouts[t].n_values;
}

size_t rag_dtype_bytes(rag_dtype t, uint64_t n)
{
    const layout *l = &layouts[t];

    if (n % l->n_values != 0 || n / l->n_values > SIZE_MAX / l->n_bytes)
        return SIZE_MAX;
    return (size_t)(n / l->n_values) * l->n_bytes;
}

static float single(rag_dtype t, const unsigned char *p)
{
    switch (t) {
    case RAG_DTYPE_F32:
        return bits_to_float(u32(p));
    case RAG_DTYPE_F16:
        return half(p);
    case RAG_DTYPE_BF16:
        return bits_to_float(u16(p) << 16);
    case RAG_DTYPE_I8:
        return int8_at(p);
    case RAG_DTYPE_U8:
        return (float)p[0];
    case RAG_DTYPE_Q4_0:
    case RAG_DTYPE_Q4_1:
    case RAG_DTYPE_Q5_0:
    case RAG_DTYPE_Q5_1:
    case RAG_DTYPE_Q8_0:
    case RAG_DTYPE_Q4_K:
    case RAG_DTYPE_Q5_K:
    case RAG_DTYPE_Q6_K:
    case RAG_DTYPE_IQ4_NL:
        break;
    }
    return 0.0f;
}

void rag_dtype_values(float *x, rag_dtype t, const unsigned char *bytes,
                      size_t n)
{
    const layout *l = &layouts[t];

    for (size_t i = 0; i < n; i += l->n_values, bytes += l->n_bytes) {
        if (l->block != NULL)
            l->block(x + i, bytes);
        else
            x[i] = single(t, bytes);
    }
}
