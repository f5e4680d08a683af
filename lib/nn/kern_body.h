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

/* vectors that make up the sixteen lanes of a sum */
#define PARTS (RAG_KERN_LANES / W)

/* Joins the sixteen lanes: halves onto halves. */
TIER static inline float join_add(const vf *parts)
{
    vf x = parts[0];

    for (size_t h = PARTS / 2; h != 0; h /= 2)
        x = vf_add(parts[0], parts[h]);
    return vf_reduce_add(x);
}

/* exp(x) for x <= 0 */
TIER static inline vf vf_exp(vf x)
{
    vf n = vf_round(vf_mul(x, vf_set(RAG_KERN_LOG2_E)));
    vf r = vf_fma(n, vf_set(-RAG_KERN_LN2_HIGH), x);
    vf p = vf_set(RAG_KERN_EXP_5);

    r = vf_fma(n, vf_set(-RAG_KERN_LN2_LOW), r);
    p = vf_fma(p, r, vf_set(RAG_KERN_EXP_4));
    p = vf_fma(p, r, vf_set(RAG_KERN_EXP_3));
    p = vf_fma(p, r, vf_set(RAG_KERN_EXP_2));
    p = vf_fma(p, r, vf_set(RAG_KERN_EXP_1));
    p = vf_fma(p, r, vf_set(RAG_KERN_EXP_0));
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
    vf fixed = vf_fma(vf_set(o->a_mid[t]), vf_load(o->w_sum + i),
                      vf_load(o->bias + i));

    return vf_fma(vf_of_int(o->acc + t * RAG_KERN_PANEL + i), scale, fixed);
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

TIER static void out_mul(const rag_kern_out *o)
{
    for (size_t t = 0; t < o->n_rows; t++) {
        for (size_t i = 0; i < RAG_KERN_PANEL; i += W) {
            float *y = o->y + t * o->y_stride + i;

            vf_store(y, vf_mul(vf_load(y), linear_at(o, t, i)));
        }
    }
}

TIER static void rope(float *x, const float *turn, size_t n_heads, size_t dims)
{
    size_t half = dims / 2;

    for (size_t h = 0; h < n_heads; h++, x += dims) {
        for (size_t i = 0; i < half; i += W) {
            vf a = vf_load(x + i);
            vf b = vf_load(x + half + i);
            vf c = vf_load(turn + i);
            vf s = vf_load(turn + half + i);

            vf_store(x + i, vf_fma(a, c, vf_mul(b, vf_sub(vf_set(0.0f), s))));
            vf_store(x + half + i, vf_fma(b, c, vf_mul(a, s)));
        }
    }
}

/* (x - mid) * inverse, kept in range; what is no number becomes -127 */
TIER static inline vf to_steps(vf x, vf mid, vf inverse)
{
    vf v = vf_mul(vf_sub(x, mid), inverse);

    return vf_min(vf_max(v, vf_set(-127.0f)), vf_set(127.0f));
}

TIER static rag_kern_row quantise(int8_t *q, const float *x, size_t n)
{
    size_t whole = n / W * W;
    size_t tail = n - whole;
    vf low;
    vf high;
    vf mid;
    vf inverse;
    float factor;
    rag_kern_row row;

    if (n == 0)
        return (rag_kern_row){0.0f, 0.0f, 0};
    low = high = vf_set(x[0]);
    for (size_t i = 0; i < whole; i += W) {
        vf v = vf_load(x + i);

        low = vf_min(v, low);
        high = vf_max(v, high);
    }
    for (size_t i = whole; i < n; i++) {
        low = vf_min(vf_set(x[i]), low);
        high = vf_max(vf_set(x[i]), high);
    }
    row = rag_kern_row_of(vf_reduce_min(low), vf_reduce_max(high), &factor);
    mid = vf_set(row.mid);
    inverse = vf_set(factor);
    for (size_t i = 0; i < whole; i += W) {
        row.sum +=
            vf_store_i8(q + i, to_steps(vf_load(x + i), mid, inverse), W);
    }
    if (tail != 0) {
        vf v = to_steps(vf_load_n(x + whole, tail), mid, inverse);

        row.sum += vf_store_i8(q + whole, vf_keep_n(v, tail), tail);
    }
    return row;
}

/* Sums STEP of d = x[i] - c over n values in sixteen lanes. */
#define DEFINE_LANES(NAME, STEP)                                               \
    TIER static inline float NAME(const float *x, vf c, size_t n)              \
    {                                                                          \
        vf sum[PARTS];                                                         \
        size_t i = 0;                                                          \
                                                                               \
        for (size_t h = 0; h < PARTS; h++)                                     \
            sum[h] = vf_set(0.0f);                                             \
        for (; i + RAG_KERN_LANES <= n; i += RAG_KERN_LANES) {                 \
            for (size_t h = 0; h < PARTS; h++) {                               \
                vf d = vf_sub(vf_load(x + i + h * W), c);                      \
                                                                               \
                sum[h] = STEP(sum[h], d);                                      \
            }                                                                  \
        }                                                                      \
        for (size_t h = 0; h < PARTS && i + h * W < n; h++) {                  \
            size_t left = n - i - h * W < W ? n - i - h * W : W;               \
            vf v = vf_load_n(x + i + h * W, left);                             \
            vf d = vf_keep_n(vf_sub(v, c), left);                              \
                                                                               \
            sum[h] = STEP(sum[h], d);                                          \
        }                                                                      \
        return join_add(sum);                                                  \
    }
#define STEP_SUM(sum, d) vf_add(sum, d)
#define STEP_SQUARES(sum, d) vf_fma(d, d, sum)

DEFINE_LANES(sum_of, STEP_SUM)
DEFINE_LANES(squares_of, STEP_SQUARES)

TIER static void norm(float *x, const float *w, const float *b, float eps,
                      size_t n)
{
    size_t whole = n / W * W;
    size_t tail = n - whole;
    vf mean;
    vf inverse;

    if (n == 0)
        return;
    mean = vf_set(sum_of(x, vf_set(0.0f), n) / (float)n);
    inverse = vf_set(1.0f / sqrtf(squares_of(x, mean, n) / (float)n + eps));
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

/* Scores of M queries against the keys [from, to), whole lanes.
 * kt [dims x padded] */
#define DEFINE_SCORES(M)                                                       \
    TIER static inline void scores_##M(float *s, const rag_kern_attend *t,     \
                                       const float *q, const float *kt,        \
                                       size_t padded, size_t from, size_t to)  \
    {                                                                          \
        for (size_t j = from; j < to; j += W) {                                \
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

/* The scores s[from] to s[to - 1] become weights, the rest of their lanes 0;
 * returns 1 / their sum. */
TIER static inline float softmax(float *s, size_t from, size_t to)
{
    size_t first = from / RAG_KERN_LANES * RAG_KERN_LANES;
    size_t behind = (to + RAG_KERN_LANES - 1) / RAG_KERN_LANES * RAG_KERN_LANES;
    vf m;
    vf sum[PARTS];
    vf most;

    for (size_t j = first; j < from; j++)
        s[j] = -1.0e30f; /* its exp is 0 */
    for (size_t j = to; j < behind; j++)
        s[j] = -1.0e30f;
    m = vf_load(s + first);
    for (size_t j = first + W; j < behind; j += W)
        m = vf_max(vf_load(s + j), m);
    most = vf_set(vf_reduce_max(m));
    for (size_t h = 0; h < PARTS; h++)
        sum[h] = vf_set(0.0f);
    for (size_t j = first; j < behind; j += RAG_KERN_LANES) {
        for (size_t h = 0; h < PARTS; h++) {
            vf e = vf_exp(vf_sub(vf_load(s + j + h * W), most));

            vf_store(s + j + h * W, e);
            sum[h] = vf_add(sum[h], e);
        }
    }
    return 1.0f / join_add(sum);
}

/* Weights of all rows of a block that some of them do not see are 0. */
static inline void clear(float *s, size_t first, size_t from, size_t to,
                         size_t behind)
{
    size_t low = from / RAG_KERN_LANES * RAG_KERN_LANES;
    size_t high = (to + RAG_KERN_LANES - 1) / RAG_KERN_LANES * RAG_KERN_LANES;

    for (size_t j = first; j < low; j++)
        s[j] = 0.0f;
    for (size_t j = high; j < behind; j++)
        s[j] = 0.0f;
}

/* M rows of weights times the values, two vectors of dims at once (one when W
 * is RAG_KERN_LANES and dims is odd in it). v [n x dims] */
#define DEFINE_MIX(M)                                                          \
    TIER static inline void mix_##M(                                           \
        float *out, const rag_kern_attend *t, const float *s, const float *v,  \
        const float *scale, size_t padded, size_t from, size_t to)             \
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
            for (size_t j = from; j < to; j++) {                               \
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
            for (size_t j = from; j < to; j++) {                               \
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
        size_t last = i + RAG_KERN_QUERIES - 1;
        size_t from =
            rag_kern_first_key(t, i) / RAG_KERN_LANES * RAG_KERN_LANES;
        size_t to = rag_kern_behind_keys(t, last);
        size_t behind =
            (to + RAG_KERN_LANES - 1) / RAG_KERN_LANES * RAG_KERN_LANES;

        scores_6(s, t, t->q + i * t->stride, kt, padded, from, behind);
        for (size_t m = 0; m < RAG_KERN_QUERIES; m++) {
            size_t own_from = rag_kern_first_key(t, i + m);
            size_t own_to = rag_kern_behind_keys(t, i + m);

            scale[m] = softmax(s + m * padded, own_from, own_to);
            clear(s + m * padded, from, own_from, own_to, behind);
        }
        mix_6(t->out + i * t->stride, t, s, v, scale, padded, from, to);
    }
    for (; i < t->n; i++) {
        size_t from = rag_kern_first_key(t, i);
        size_t to = rag_kern_behind_keys(t, i);

        scores_1(s, t, t->q + i * t->stride, kt, padded,
                 from / RAG_KERN_LANES * RAG_KERN_LANES,
                 (to + RAG_KERN_LANES - 1) / RAG_KERN_LANES * RAG_KERN_LANES);
        scale[0] = softmax(s, from, to);
        mix_1(t->out + i * t->stride, t, s, v, scale, padded, from, to);
    }
}
