/*
 * The float kernels, written once for every vector width and included by each
 * kern_<tier>.c, which defines before:
 *   TIER      the function attribute of the tier
 *   W         floats a vector holds (8 or 16)
 *   vf        its type, and vf_* the few operations used here
 * No include guard: each including file gets its own copy, all static.
 */

/* The compilers keep an array in registers only when its loops are gone. */
#define UNROLL _Pragma("GCC unroll 8")

/* exp(x) for x <= 0: 2^n * p(r), |r| <= ln 2 / 2; 0 below -87. */
TIER static inline vf vf_exp(vf x)
{
    vf n = vf_round(vf_mul(x, vf_set(1.44269504088896341f)));
    vf r = vf_fma(n, vf_set(-0.693359375f), x);
    vf p = vf_set(1.9875691500e-4f);

    r = vf_fma(n, vf_set(2.12194440e-4f), r);
    p = vf_fma(p, r, vf_set(1.3981999507e-3f));
    p = vf_fma(p, r, vf_set(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set(5.0000001201e-1f));
    p = vf_fma(vf_mul(r, r), p, vf_add(r, vf_set(1.0f)));
    return vf_scale2_or_zero(p, n, x);
}

/* 0.5 x (1 + erf(x / sqrt 2)) */
TIER static inline vf vf_gelu(vf x)
{
    static const float terms[RAG_KERN_ERF_N] = RAG_KERN_ERF_TERMS;
    vf c = vf_min(vf_max(x, vf_set(-RAG_KERN_ERF_LIMIT)),
                  vf_set(RAG_KERN_ERF_LIMIT));
    vf s = vf_fma(vf_mul(c, c),
                  vf_set(2.0f / (RAG_KERN_ERF_LIMIT * RAG_KERN_ERF_LIMIT)),
                  vf_set(-1.0f));
    /* even and odd powers apart: half the chain of dependent steps */
    vf s2 = vf_mul(s, s);
    vf even = vf_set(terms[12]);
    vf odd = vf_set(terms[13]);
    vf half = vf_mul(x, vf_set(0.5f));

    even = vf_fma(even, s2, vf_set(terms[10]));
    odd = vf_fma(odd, s2, vf_set(terms[11]));
    even = vf_fma(even, s2, vf_set(terms[8]));
    odd = vf_fma(odd, s2, vf_set(terms[9]));
    even = vf_fma(even, s2, vf_set(terms[6]));
    odd = vf_fma(odd, s2, vf_set(terms[7]));
    even = vf_fma(even, s2, vf_set(terms[4]));
    odd = vf_fma(odd, s2, vf_set(terms[5]));
    even = vf_fma(even, s2, vf_set(terms[2]));
    odd = vf_fma(odd, s2, vf_set(terms[3]));
    even = vf_fma(even, s2, vf_set(terms[0]));
    odd = vf_fma(odd, s2, vf_set(terms[1]));
    return vf_fma(half, vf_mul(vf_fma(odd, s, even), c), half);
}

TIER static inline vf linear_at(const rag_kern_out *o, size_t t, size_t i)
{
    vf scale = vf_mul(vf_set(o->a_scale[t]), vf_load(o->w_scale + i));

    return vf_fma(vf_of_int(o->acc + t * RAG_KERN_PANEL + i), scale,
                  vf_load(o->bias + i));
}

TIER static void out_linear(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i += W)
            vf_store(o->y + t * o->y_stride + i, linear_at(o, t, i));
    }
}

TIER static void out_gelu(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i += W)
            vf_store(o->y + t * o->y_stride + i, vf_gelu(linear_at(o, t, i)));
    }
}

TIER static void out_add(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i += W) {
            float *y = o->y + t * o->y_stride + i;

            vf_store(y, vf_add(vf_load(y), linear_at(o, t, i)));
        }
    }
}

TIER static void quantise(int8_t *q, float *scale, int32_t *sum, const float *x,
                          size_t n)
{
    size_t whole = n / W * W;
    size_t tail = n - whole;
    vf m = vf_set(0.0f);
    float most;
    float inverse;
    int32_t s = 0;

    for (size_t i = 0; i < whole; i += W)
        m = vf_max(vf_abs(vf_load(x + i)), m);
    if (tail != 0)
        m = vf_max(vf_abs(vf_load_n(x + whole, tail)), m);
    most = vf_reduce_max(m);
    if (!(most <= 3.0e38f))
        most = 0.0f;
    inverse = most > 1e-30f ? 127.0f / most : 0.0f;
    for (size_t i = 0; i < whole; i += W)
        s += vf_store_i8(q + i, vf_mul(vf_load(x + i), vf_set(inverse)), W);
    if (tail != 0)
        s += vf_store_i8(q + whole,
                         vf_mul(vf_load_n(x + whole, tail), vf_set(inverse)),
                         tail);
    *scale = most / 127.0f;
    *sum = s;
}

TIER static void norm(float *x, const float *w, const float *b, float eps,
                      size_t n)
{
    size_t whole = n / W * W;
    size_t tail = n - whole;
    vf sum = vf_set(0.0f);
    vf var = vf_set(0.0f);
    vf mean;
    vf inverse;

    if (n == 0)
        return;
    for (size_t i = 0; i < whole; i += W)
        sum = vf_add(sum, vf_load(x + i));
    if (tail != 0)
        sum = vf_add(sum, vf_load_n(x + whole, tail));
    mean = vf_set(vf_reduce_add(sum) / (float)n);
    for (size_t i = 0; i < whole; i += W) {
        vf d = vf_sub(vf_load(x + i), mean);

        var = vf_fma(d, d, var);
    }
    if (tail != 0) {
        vf d = vf_keep_n(vf_sub(vf_load_n(x + whole, tail), mean), tail);

        var = vf_fma(d, d, var);
    }
    inverse = vf_set(1.0f / sqrtf(vf_reduce_add(var) / (float)n + eps));
    for (size_t i = 0; i < whole; i += W) {
        vf d = vf_mul(vf_sub(vf_load(x + i), mean), inverse);

        vf_store(x + i, vf_fma(d, vf_load(w + i), vf_load(b + i)));
    }
    if (tail != 0) {
        vf d = vf_mul(vf_sub(vf_load_n(x + whole, tail), mean), inverse);

        vf_store_n(
            x + whole,
            vf_fma(d, vf_load_n(w + whole, tail), vf_load_n(b + whole, tail)),
            tail);
    }
}

/* Scores of M queries against all keys. kt [dims x padded] */
#define DEFINE_SCORES(M)                                                       \
    TIER static inline void scores_##M(float *s, const rag_kern_attend *t,     \
                                       const float *q, const float *kt,        \
                                       size_t padded)                          \
    {                                                                          \
        for (size_t j = 0; j < padded; j += W) {                               \
            vf acc[M];                                                         \
                                                                               \
            UNROLL                                                             \
            for (size_t m = 0; m < (M); m++)                                   \
                acc[m] = vf_set(0.0f);                                         \
            for (size_t d = 0; d < t->dims; d++) {                             \
                vf k = vf_load(kt + d * padded + j);                           \
                                                                               \
                UNROLL                                                         \
                for (size_t m = 0; m < (M); m++)                               \
                    acc[m] = vf_fma(vf_set(q[m * t->stride + d]), k, acc[m]);  \
            }                                                                  \
            UNROLL                                                             \
            for (size_t m = 0; m < (M); m++)                                   \
                vf_store(s + m * padded + j, acc[m]);                          \
        }                                                                      \
    }

/* One row of scores becomes weights; returns 1 / their sum. */
TIER static inline float softmax(float *s, size_t n, size_t padded)
{
    vf m;
    vf sum = vf_set(0.0f);
    vf most;

    for (size_t j = n; j < padded; j++)
        s[j] = -1.0e30f;
    m = vf_load(s);
    for (size_t j = W; j < padded; j += W)
        m = vf_max(m, vf_load(s + j));
    most = vf_set(vf_reduce_max(m));
    for (size_t j = 0; j < padded; j += W) {
        vf e = vf_exp(vf_sub(vf_load(s + j), most));

        vf_store(s + j, e);
        sum = vf_add(sum, e);
    }
    return 1.0f / vf_reduce_add(sum);
}

/* M rows of weights times the values, two vectors of dims at once (one when W
 * is RAG_KERN_LANES and dims is odd in it). v [n x dims] */
#define DEFINE_MIX(M)                                                          \
    TIER static inline void mix_##M(float *out, const rag_kern_attend *t,      \
                                    const float *s, const float *v,            \
                                    const float *scale, size_t padded)         \
    {                                                                          \
        size_t d = 0;                                                          \
                                                                               \
        for (; d + 2 * W <= t->dims; d += 2 * W) {                             \
            vf a[M];                                                           \
            vf b[M];                                                           \
                                                                               \
            UNROLL                                                             \
            for (size_t m = 0; m < (M); m++)                                   \
                a[m] = b[m] = vf_set(0.0f);                                    \
            for (size_t j = 0; j < t->n; j++) {                                \
                vf v0 = vf_load(v + j * t->dims + d);                          \
                vf v1 = vf_load(v + j * t->dims + d + W);                      \
                                                                               \
                UNROLL                                                         \
                for (size_t m = 0; m < (M); m++) {                             \
                    vf p = vf_set(s[m * padded + j]);                          \
                                                                               \
                    a[m] = vf_fma(p, v0, a[m]);                                \
                    b[m] = vf_fma(p, v1, b[m]);                                \
                }                                                              \
            }                                                                  \
            UNROLL                                                             \
            for (size_t m = 0; m < (M); m++) {                                 \
                vf f = vf_set(scale[m]);                                       \
                                                                               \
                vf_store(out + m * t->stride + d, vf_mul(a[m], f));            \
                vf_store(out + m * t->stride + d + W, vf_mul(b[m], f));        \
            }                                                                  \
        }                                                                      \
        for (; d < t->dims; d += W) {                                          \
            vf a[M];                                                           \
                                                                               \
            UNROLL                                                             \
            for (size_t m = 0; m < (M); m++)                                   \
                a[m] = vf_set(0.0f);                                           \
            for (size_t j = 0; j < t->n; j++) {                                \
                vf v0 = vf_load(v + j * t->dims + d);                          \
                                                                               \
                UNROLL                                                         \
                for (size_t m = 0; m < (M); m++)                               \
                    a[m] = vf_fma(vf_set(s[m * padded + j]), v0, a[m]);        \
            }                                                                  \
            UNROLL                                                             \
            for (size_t m = 0; m < (M); m++)                                   \
                vf_store(out + m * t->stride + d,                              \
                         vf_mul(a[m], vf_set(scale[m])));                      \
        }                                                                      \
    }

DEFINE_SCORES(6)
DEFINE_SCORES(1)
DEFINE_MIX(6)
DEFINE_MIX(1)

TIER static void attend(const rag_kern_attend *t)
{
    size_t padded =
        (t->n + RAG_KERN_LANES - 1) / RAG_KERN_LANES * RAG_KERN_LANES;
    float *kt = t->scratch;           /* [dims x padded] */
    float *v = kt + t->dims * padded; /* [n x dims] */
    float *s = v + t->dims * padded;  /* [RAG_KERN_QUERIES x padded] */
    float scale[RAG_KERN_QUERIES];
    size_t i = 0;

    for (size_t j = 0; j < t->n; j++) {
        for (size_t d = 0; d < t->dims; d++)
            kt[d * padded + j] = t->k[j * t->stride + d];
        memcpy(v + j * t->dims, t->v + j * t->stride, t->dims * sizeof *v);
    }
    for (size_t d = 0; d < t->dims; d++)
        memset(kt + d * padded + t->n, 0, (padded - t->n) * sizeof *kt);
    for (; i + RAG_KERN_QUERIES <= t->n; i += RAG_KERN_QUERIES) {
        scores_6(s, t, t->q + i * t->stride, kt, padded);
        for (size_t m = 0; m < RAG_KERN_QUERIES; m++)
            scale[m] = softmax(s + m * padded, t->n, padded);
        mix_6(t->out + i * t->stride, t, s, v, scale, padded);
    }
    for (; i < t->n; i++) {
        scores_1(s, t, t->q + i * t->stride, kt, padded);
        scale[0] = softmax(s, t->n, padded);
        mix_1(t->out + i * t->stride, t, s, v, scale, padded);
    }
}
