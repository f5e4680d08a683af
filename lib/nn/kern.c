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

static int8_t to_step(float x)
{
    x = x > -127.0f ? x : -127.0f;
    x = x < 127.0f ? x : 127.0f;
    return (int8_t)rintf(x);
}

static float value_at(const float *x, const float *by, size_t i)
{
    return by != NULL ? x[i] * by[i] : x[i];
}

static void quantise(const rag_kern_rows *t)
{
    const float *at = t->x;
    int8_t *q = t->q;

    for (size_t r = 0; r < t->n_rows; r++, at += t->x_stride, q += t->n) {
        float least = t->n != 0 ? INFINITY : 0.0f;
        float most = t->n != 0 ? -INFINITY : 0.0f;
        rag_kern_row row;
        int32_t sum = 0;

        for (size_t i = 0; i < t->n; i++) {
            float x = value_at(at, t->by, i);

            least = x < least ? x : least;
            most = x > most ? x : most;
        }
        row = rag_kern_row_of(least, most);
        for (size_t i = 0; i < t->n; i++) {
            q[i] = to_step((value_at(at, t->by, i) - row.mid) * row.inverse);
            sum += q[i];
        }
        t->scale[r] = row.scale;
        t->mid[r] = row.mid;
        t->sum[r] = sum;
    }
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

static void norm_row(float *x, const float *w, const float *b, float eps,
                     size_t n)
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

static void norm(float *x, const float *w, const float *b, float eps,
                 size_t n_rows, size_t n)
{
    for (size_t r = 0; r < n_rows; r++)
        norm_row(x + r * n, w, b, eps, n);
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

static void heads(const rag_kern_heads *t)
{
    for (size_t h = 0; h < 3 * t->n_heads; h++) {
        const float *x = t->x + h * t->dims;
        int8_t *q = t->q + h * t->dims;
        float reach = 0.0f;
        float inverse;
        int32_t sum = 0;

        for (size_t d = 0; d < t->dims; d++) {
            reach = fabsf(x[d]) > reach ? fabsf(x[d]) : reach;
        }
        t->scale[h] = rag_kern_head_of(reach, h >= 2 * t->n_heads, &inverse);
        for (size_t d = 0; d < t->dims; d++) {
            q[d] = to_step(x[d] * inverse);
            sum += q[d];
        }
        if (h < t->n_heads)
            t->sum[h] = sum;
    }
}

/* 2^x for x <= 0 */
static float exp2_of(float x)
{
    float v = x > RAG_KERN_EXP_LEAST ? x : RAG_KERN_EXP_LEAST;
    float n = rintf(v);
    float f = v - n;
    float p = RAG_KERN_EXP_4;

    p = fmaf(p, f, RAG_KERN_EXP_3);
    p = fmaf(p, f, RAG_KERN_EXP_2);
    p = fmaf(p, f, RAG_KERN_EXP_1);
    p = fmaf(p, f, RAG_KERN_EXP_0);
    return ldexpf(p, (int)n);
}

/* x / (1 + 2^-p), p at least 0: how far from 0 the gate is, on x's side. One
 * division and no choice: of the two parts of x one is 0. */
static float gated(float x, float p)
{
    float e = exp2_of(0.0f - p);
    float above = x > 0.0f ? x : 0.0f;
    float below = x < 0.0f ? x : 0.0f;

    return fmaf(below, e, above) / (1.0f + e);
}

static void out_silu(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i++) {
            float x = linear_at(o, t, i);

            o->y[t * o->y_stride + i] = gated(x, fabsf(x) * RAG_KERN_LOG2_E);
        }
    }
}

static void out_tanh_gelu(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i++) {
            float x = linear_at(o, t, i);
            float c = fmaf(x * x, RAG_KERN_TANH_3, RAG_KERN_TANH_1);

            o->y[t * o->y_stride + i] = gated(x, fabsf(x) * c);
        }
    }
}

static void out_relu(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i++) {
            float x = linear_at(o, t, i);

            o->y[t * o->y_stride + i] = x > 0.0f ? x : 0.0f;
        }
    }
}

/* Scores of row i as powers of two; their greatest. */
static float powers(const rag_kern_weigh *t, size_t i)
{
    float c = t->q_scale[i * t->scale_stride] * RAG_KERN_LOG2_E;
    float most = RAG_KERN_NO_KEY;

    for (size_t j = 0; j < t->n_panels * RAG_KERN_PANEL; j++) {
        size_t p = j / RAG_KERN_PANEL;
        int32_t s = t->scores[(p * t->n_rows + i) * RAG_KERN_PANEL +
                              j % RAG_KERN_PANEL];
        bool is_seen =
            !t->is_local || ((ptrdiff_t)j >= t->first + (ptrdiff_t)i &&
                             (ptrdiff_t)j <= t->last + (ptrdiff_t)i);
        float y = fmaf((float)s * t->k_scale[j], c, t->v_log[j]);

        t->row[j] = is_seen ? y : RAG_KERN_NO_KEY;
        most = t->row[j] > most ? t->row[j] : most;
    }
    return most;
}

static void weigh(const rag_kern_weigh *t)
{
    size_t n = t->n_panels * RAG_KERN_PANEL;

    for (size_t i = 0; i < t->n_rows; i++) {
        float most = powers(t, i);
        float lanes[RAG_KERN_LANES] = {0};

        t->sum[i] = 0;
        for (size_t j = 0; j < n; j++) {
            float e = exp2_of(t->row[j] - most);
            float *lane = &lanes[j % RAG_KERN_LANES];
            int8_t p = (int8_t)rintf(e * 127.0f);

            *lane = fmaf(e, t->v_one[j], *lane);
            t->p[i * n + j] = p;
            t->sum[i] += p;
        }
        t->factor[i] = 1.0f / (127.0f * join(lanes));
    }
}

const rag_kern rag_kern_scalar =
    RAG_KERN_TABLE(gemm, NULL, RAG_KERN_ROWS, "scalar");

const rag_kern *rag_kern_of(rag_cpu_tier tier)
{
    static const rag_kern *const all[RAG_CPU_TIERS] = {
        [RAG_CPU_SCALAR] = &rag_kern_scalar,
#if defined(__x86_64__)
        [RAG_CPU_AVX2] = &rag_kern_avx2,
        [RAG_CPU_AVXVNNI] = &rag_kern_avxvnni,
        [RAG_CPU_AVX512] = &rag_kern_avx512,
        [RAG_CPU_AMX] = &rag_kern_amx,
#elif defined(__aarch64__)
        [RAG_CPU_NEON] = &rag_kern_neon,
#endif
    };

    return all[tier];
}

const rag_kern *rag_kern_chosen(void)
{
    rag_cpu_tier tier = rag_cpu_chosen();

#if defined(__x86_64__)
    if (tier == RAG_CPU_AMX && !rag_kern_amx_works())
        tier = RAG_CPU_AVX512;
#endif
    return rag_kern_of(tier);
}
