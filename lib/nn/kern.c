/*
 * The scalar kernels: the reference that the other tiers are tested against,
 * and what runs where nothing better is known.
 */
#include "nn/kern.h"

#include <math.h>
#include <string.h>

#include "nn/kern_tiers.h"

static void gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                 const int32_t *a_sum, size_t n_rows, const int8_t *w,
                 size_t n_quads)
{
    (void)a_sum; /* only the unsigned-weight trick of VNNI needs it */
    for (size_t t = 0; t < n_rows; t++) {
        int32_t *y = acc + t * RAG_KERN_PANEL;
        const int8_t *x = a + t * a_stride;

        memset(y, 0, RAG_KERN_PANEL * sizeof *y);
        for (size_t k = 0; k < n_quads; k++) {
            const int8_t *p = w + k * RAG_KERN_PANEL * RAG_KERN_QUAD;
            const int8_t *xk = x + k * RAG_KERN_QUAD;

            for (size_t o = 0; o < RAG_KERN_PANEL; o++, p += RAG_KERN_QUAD)
                y[o] +=
                    xk[0] * p[0] + xk[1] * p[1] + xk[2] * p[2] + xk[3] * p[3];
        }
    }
}

static float linear_at(const rag_kern_out *o, size_t t, size_t i)
{
    float fixed = fmaf(o->a_mid[t], o->w_sum[i], o->bias[i]);

    return fmaf((float)o->acc[t * RAG_KERN_PANEL + i],
                o->a_scale[t] * o->w_scale[i], fixed);
}

static void out_linear(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i++)
            o->y[t * o->y_stride + i] = linear_at(o, t, i);
    }
}

/* 0.5 x (1 + erf(x / sqrt 2)) */
static float gelu(float x)
{
    static const float terms[RAG_KERN_ERF_N] = RAG_KERN_ERF_TERMS;
    float c = fminf(fmaxf(x, -RAG_KERN_ERF_LIMIT), RAG_KERN_ERF_LIMIT);
    float s =
        fmaf(c * c, 2.0f / (RAG_KERN_ERF_LIMIT * RAG_KERN_ERF_LIMIT), -1.0f);
    float s2 = s * s;
    float even = terms[12];
    float odd = terms[13];
    float half = x * 0.5f;

    /* even and odd powers apart, as in the vector kernels */
    for (size_t i = 12; i != 0; i -= 2) {
        even = fmaf(even, s2, terms[i - 2]);
        odd = fmaf(odd, s2, terms[i - 1]);
    }
    return fmaf(half, fmaf(odd, s, even) * c, half);
}

static void out_gelu(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i++)
            o->y[t * o->y_stride + i] = gelu(linear_at(o, t, i));
    }
}

static void out_add(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i++)
            o->y[t * o->y_stride + i] += linear_at(o, t, i);
    }
}

static void out_mul(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i++)
            o->y[t * o->y_stride + i] *= linear_at(o, t, i);
    }
}

rag_kern_row rag_kern_row_of(float least, float most, float *inverse)
{
    float half = 0.5f * most - 0.5f * least;

    if (!(half <= 1.0e37f)) { /* a damaged model: keep the casts defined */
        *inverse = 0.0f;
        return (rag_kern_row){0.0f, 0.0f, 0};
    }
    *inverse = half > 1.0e-30f ? 127.0f / half : 0.0f;
    return (rag_kern_row){half / 127.0f, 0.5f * most + 0.5f * least, 0};
}

static rag_kern_row quantise(int8_t *q, const float *x, size_t n)
{
    float least = INFINITY;
    float most = -INFINITY;
    float inverse;
    rag_kern_row row;

    if (n == 0)
        return (rag_kern_row){0.0f, 0.0f, 0};
    for (size_t i = 0; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    row = rag_kern_row_of(least, most, &inverse);
    for (size_t i = 0; i < n; i++) {
        float v = (x[i] - row.mid) * inverse;

        v = v > -127.0f ? v : -127.0f;
        v = v < 127.0f ? v : 127.0f;
        q[i] = (int8_t)rintf(v);
        row.sum += q[i];
    }
    return row;
}

/* Joins sixteen partial sums as the vector kernels do: halves onto halves. */
static float join(float *lanes)
{
    for (size_t half = RAG_KERN_LANES / 2; half != 0; half /= 2) {
        for (size_t i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    }
    return lanes[0];
}

static void norm(float *x, const float *w, const float *b, float eps, size_t n)
{
    float lanes[RAG_KERN_LANES] = {0};
    float mean;
    float inverse;

    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        lanes[i % RAG_KERN_LANES] += x[i];
    mean = join(lanes) / (float)n;
    memset(lanes, 0, sizeof lanes);
    for (size_t i = 0; i < n; i++) {
        float *lane = &lanes[i % RAG_KERN_LANES];
        float d = x[i] - mean;

        *lane = fmaf(d, d, *lane);
    }
    inverse = 1.0f / sqrtf(join(lanes) / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        x[i] = fmaf((x[i] - mean) * inverse, w[i], b[i]);
}

static float exp_of(float x)
{
    float n = rintf(x * RAG_KERN_LOG2_E);
    float r = fmaf(n, -RAG_KERN_LN2_LOW, fmaf(n, -RAG_KERN_LN2_HIGH, x));
    float p = RAG_KERN_EXP_5;

    if (!(x >= RAG_KERN_EXP_LEAST))
        return 0.0f;
    p = fmaf(p, r, RAG_KERN_EXP_4);
    p = fmaf(p, r, RAG_KERN_EXP_3);
    p = fmaf(p, r, RAG_KERN_EXP_2);
    p = fmaf(p, r, RAG_KERN_EXP_1);
    p = fmaf(p, r, RAG_KERN_EXP_0);
    return ldexpf(fmaf(r * r, p, r + 1.0f), (int)n);
}

/* The scores s[from] to s[to - 1] become weights; returns 1 / their sum. */
static float softmax(float *s, size_t from, size_t to)
{
    float lanes[RAG_KERN_LANES] = {0};
    float most = s[from];

    for (size_t j = from + 1; j < to; j++)
        most = s[j] > most ? s[j] : most;
    for (size_t j = from; j < to; j++) {
        s[j] = exp_of(s[j] - most);
        lanes[j % RAG_KERN_LANES] += s[j];
    }
    return 1.0f / join(lanes);
}

static void attend(const rag_kern_attend *t)
{
    float *s = t->scratch;          /* [n] */
    float *row = t->scratch + t->n; /* [dims] */

    for (size_t i = 0; i < t->n; i++) {
        const float *q = t->q + i * t->stride;
        size_t from = rag_kern_first_key(t, i);
        size_t to = rag_kern_behind_keys(t, i);
        float scale;

        for (size_t j = from; j < to; j++) {
            const float *k = t->k + j * t->stride;

            s[j] = 0.0f;
            for (size_t d = 0; d < t->dims; d++)
                s[j] = fmaf(q[d], k[d], s[j]);
        }
        scale = softmax(s, from, to);
        memset(row, 0, t->dims * sizeof *row);
        for (size_t j = from; j < to; j++) {
            const float *v = t->v + j * t->stride;

            for (size_t d = 0; d < t->dims; d++)
                row[d] = fmaf(s[j], v[d], row[d]);
        }
        for (size_t d = 0; d < t->dims; d++)
            t->out[i * t->stride + d] = row[d] * scale;
    }
}

static void rope(float *x, const float *turn, size_t n_heads, size_t dims)
{
    size_t half = dims / 2;

    for (size_t h = 0; h < n_heads; h++, x += dims) {
        for (size_t i = 0; i < half; i++) {
            float a = x[i];
            float b = x[half + i];

            x[i] = fmaf(a, turn[i], b * (0.0f - turn[half + i]));
            x[half + i] = fmaf(b, turn[i], a * turn[half + i]);
        }
    }
}

const rag_kern rag_kern_scalar = {gemm,    out_linear, out_gelu, out_add,
                                  out_mul, quantise,   norm,     rope,
                                  attend,  "scalar"};

size_t rag_kern_attend_floats(size_t n, size_t dims)
{
    size_t padded = (n + RAG_KERN_LANES - 1) / RAG_KERN_LANES * RAG_KERN_LANES;

    /* keys transposed, values, the score rows in work */
    return (2 * dims + RAG_KERN_QUERIES) * padded;
}

const rag_kern *rag_kern_of(rag_cpu_tier tier)
{
#if defined(__x86_64__)
    if (tier == RAG_CPU_AVX2)
        return &rag_kern_avx2;
    if (tier == RAG_CPU_AVX512)
        return &rag_kern_avx512;
#endif
    return tier == RAG_CPU_SCALAR ? &rag_kern_scalar : NULL;
}

const rag_kern *rag_kern_chosen(void)
{
    return rag_kern_of(rag_cpu_chosen());
}
