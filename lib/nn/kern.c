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
    return (float)o->acc[t * RAG_KERN_PANEL + i] *
               (o->a_scale[t] * o->w_scale[i]) +
           o->bias[i];
}

static void out_linear(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i++)
            o->y[t * o->y_stride + i] = linear_at(o, t, i);
    }
}

static void out_gelu(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i++) {
            float x = linear_at(o, t, i);

            o->y[t * o->y_stride + i] =
                0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
        }
    }
}

static void out_add(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i++)
            o->y[t * o->y_stride + i] += linear_at(o, t, i);
    }
}

static void quantise(int8_t *q, float *scale, int32_t *sum, const float *x,
                     size_t n)
{
    float most = 0.0f;
    float inverse;
    int32_t s = 0;

    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    if (!(most <= 3.0e38f)) /* a damaged model: keep the casts defined */
        most = 0.0f;
    inverse = most > 1e-30f ? 127.0f / most : 0.0f;
    for (size_t i = 0; i < n; i++) {
        float r = rintf(x[i] * inverse);

        q[i] = (int8_t)(r >= -127.0f && r <= 127.0f ? r : 0.0f);
        s += q[i];
    }
    *scale = most / 127.0f;
    *sum = s;
}

static void norm(float *x, const float *w, const float *b, float eps, size_t n)
{
    float mean = 0.0f;
    float var = 0.0f;
    float inverse;

    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (float)n;
    for (size_t i = 0; i < n; i++)
        var += (x[i] - mean) * (x[i] - mean);
    inverse = 1.0f / sqrtf(var / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - mean) * inverse * w[i] + b[i];
}

/* One row of scores becomes weights; returns 1 / their sum. */
static float softmax(float *s, size_t n)
{
    float most = -INFINITY;
    float sum = 0.0f;

    for (size_t j = 0; j < n; j++)
        most = fmaxf(most, s[j]);
    for (size_t j = 0; j < n; j++) {
        s[j] = expf(s[j] - most);
        sum += s[j];
    }
    return 1.0f / sum;
}

static void attend(const rag_kern_attend *t)
{
    float *s = t->scratch;          /* [n] */
    float *row = t->scratch + t->n; /* [dims] */

    for (size_t i = 0; i < t->n; i++) {
        const float *q = t->q + i * t->stride;
        float scale;

        for (size_t j = 0; j < t->n; j++) {
            const float *k = t->k + j * t->stride;

            s[j] = 0.0f;
            for (size_t d = 0; d < t->dims; d++)
                s[j] += q[d] * k[d];
        }
        scale = softmax(s, t->n);
        memset(row, 0, t->dims * sizeof *row);
        for (size_t j = 0; j < t->n; j++) {
            const float *v = t->v + j * t->stride;

            for (size_t d = 0; d < t->dims; d++)
                row[d] += s[j] * v[d];
        }
        for (size_t d = 0; d < t->dims; d++)
            t->out[i * t->stride + d] = row[d] * scale;
    }
}

const rag_kern rag_kern_scalar = {gemm,     out_linear, out_gelu, out_add,
                                  quantise, norm,       attend,   "scalar"};

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
