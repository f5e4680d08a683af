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
TIER static inline float join_add(const vf *lanes)
{
    vf parts[PARTS];

    for (size_t i = 0; i < PARTS; i++)
        parts[i] = lanes[i];
    for (size_t h = PARTS / 2; h != 0; h /= 2) {
        for (size_t i = 0; i < h; i++)
            parts[i] = vf_add(parts[i], parts[i + h]);
    }
    return vf_reduce_add(parts[0]);
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

/* One vector of outputs at a time, so that what belongs to it stays in
 * registers while the tokens pass. MAKE: what y becomes of v */
#define DEFINE_OUT(NAME, MAKE)                                                 \
    TIER static void NAME(const rag_kern_out *o)                               \
    {                                                                          \
        for (size_t i = 0; i < RAG_KERN_PANEL; i += W) {                       \
            vf w_scale = vf_load(o->w_scale + i);                              \
            vf w_sum = vf_load(o->w_sum + i);                                  \
            vf bias = vf_load(o->bias + i);                                    \
            const int32_t *acc = o->acc + i;                                   \
            float *y = o->y + i;                                               \
                                                                               \
            for (size_t t = 0; t < o->n_rows; t++) {                           \
                vf scale = vf_mul(vf_set(o->a_scale[t]), w_scale);             \
                vf v = vf_fma(vf_set(o->a_mid[t]), w_sum, bias);               \
                                                                               \
                v = vf_fma(vf_of_int(acc + t * RAG_KERN_PANEL), scale, v);     \
                vf_store(y + t * o->y_stride, MAKE);                           \
            }                                                                  \
        }                                                                      \
    }

DEFINE_OUT(out_linear, v)
DEFINE_OUT(out_gelu, vf_gelu(v))
DEFINE_OUT(out_add, vf_add(vf_load(y + t * o->y_stride), v))
DEFINE_OUT(out_mul, vf_mul(vf_load(y + t * o->y_stride), v))

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

/* bytes that are stored at once, and the vectors that make them */
#define BYTES 32u
#define VECTORS (BYTES / W)

/* Rows that are in work at once: what is done with a row waits for its
 * extremes or its sums, and the others fill the wait. */
#define ROWS ((size_t)4)

static inline size_t rows_at(size_t at, size_t n)
{
    return n - at < ROWS ? n - at : ROWS;
}

/* Values of a row from i on, times their factors; by == NULL is told apart
 * where this is inlined, not in the loop. */
TIER static inline vf values(const float *x, const float *by, size_t i)
{
    return by != NULL ? vf_mul(vf_load(x + i), vf_load(by + i))
                      : vf_load(x + i);
}

TIER static inline rag_kern_row range_of(const float *x, const float *by,
                                         size_t n)
{
    size_t whole = n / BYTES * BYTES;
    vf low[2];
    vf high[2];

    if (n == 0)
        return (rag_kern_row){0.0f, 0.0f, 0.0f};
    low[0] = low[1] = vf_set(INFINITY);
    high[0] = high[1] = vf_set(-INFINITY);
    for (size_t i = 0; i < whole; i += 2 * W) {
        for (size_t h = 0; h < 2; h++) {
            vf v = values(x, by, i + h * W);

            low[h] = vf_min(v, low[h]);
            high[h] = vf_max(v, high[h]);
        }
    }
    for (size_t i = whole; i < n; i++) {
        vf v = vf_set(by != NULL ? x[i] * by[i] : x[i]);

        low[0] = vf_min(v, low[0]);
        high[0] = vf_max(v, high[0]);
    }
    return rag_kern_row_of(vf_reduce_min(vf_min(low[0], low[1])),
                           vf_reduce_max(vf_max(high[0], high[1])));
}

/* The sum of the steps. */
TIER static inline int32_t row_steps(int8_t *q, const float *x, const float *by,
                                     const rag_kern_row *row, size_t n)
{
    size_t whole = n / BYTES * BYTES;
    vf mid = vf_set(row->mid);
    vf inverse = vf_set(row->inverse);
    vi sum = vi_zero();
    int32_t rest = 0;

    for (size_t i = 0; i < whole; i += BYTES) {
        vf v[VECTORS];

        UNROLL
        for (size_t h = 0; h < VECTORS; h++)
            v[h] = to_steps(values(x, by, i + h * W), mid, inverse);
        sum = vf_store_32(q + i, v, sum);
    }
    for (size_t i = whole; i < n; i += W) {
        size_t left = n - i < W ? n - i : W;
        vf v = vf_load_n(x + i, left);

        if (by != NULL)
            v = vf_mul(v, vf_load_n(by + i, left));
        v = to_steps(v, mid, inverse);
        rest += vf_store_n8(q + i, vf_keep_n(v, left), left);
    }
    return vi_reduce(sum) + rest;
}

TIER static inline void quantise_by(const rag_kern_rows *t, const float *by)
{
    const size_t n = t->n;

    for (size_t at = 0; at < t->n_rows; at += ROWS) {
        size_t rows = rows_at(at, t->n_rows);
        rag_kern_row row[ROWS];

        for (size_t r = 0; r < rows; r++)
            row[r] = range_of(t->x + (at + r) * t->x_stride, by, n);
        for (size_t r = 0; r < rows; r++) {
            t->sum[at + r] =
                row_steps(t->q + (at + r) * n, t->x + (at + r) * t->x_stride,
                          by, &row[r], n);
            t->scale[at + r] = row[r].scale;
            t->mid[at + r] = row[r].mid;
        }
    }
}

TIER static void quantise(const rag_kern_rows *t)
{
    if (t->by != NULL)
        quantise_by(t, t->by);
    else
        quantise_by(t, NULL);
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

TIER static inline void norm_row(float *x, const float *w, const float *b,
                                 float mean_of, float factor, size_t n)
{
    size_t whole = n / W * W;
    size_t tail = n - whole;
    vf mean = vf_set(mean_of);
    vf inverse = vf_set(factor);

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

TIER static void norm(float *x, const float *w, const float *b, float eps,
                      size_t n_rows, size_t n)
{
    if (n == 0)
        return;
    for (size_t at = 0; at < n_rows; at += ROWS, x += ROWS * n) {
        size_t rows = rows_at(at, n_rows);
        float mean[ROWS];
        float inverse[ROWS];

        for (size_t r = 0; r < rows; r++)
            mean[r] = sum_of(x + r * n, vf_set(0.0f), n) / (float)n;
        for (size_t r = 0; r < rows; r++) {
            float var = squares_of(x + r * n, vf_set(mean[r]), n) / (float)n;

            inverse[r] = 1.0f / sqrtf(var + eps);
        }
        for (size_t r = 0; r < rows; r++)
            norm_row(x + r * n, w, b, mean[r], inverse[r], n);
    }
}

/* The greatest |x| of n, a multiple of W; 0 where there is no number. */
TIER static inline float reach_of(const float *x, size_t n)
{
    vf most = vf_set(0.0f);

    for (size_t d = 0; d < n; d += W) {
        vf v = vf_load(x + d);

        most = vf_max(vf_sub(vf_set(0.0f), v), vf_max(v, most));
    }
    return vf_reduce_max(most);
}

TIER static void heads(const rag_kern_heads *t)
{
    const vf zero = vf_set(0.0f);
    const size_t n = 3 * t->n_heads;
    const size_t dims = t->dims;
    const float *x = t->x;
    int8_t *q = t->q;

    for (size_t h = 0; h < n; h++)
        t->scale[h] = reach_of(x + h * dims, dims);
    for (size_t h = 0; h < n; h++, x += dims, q += dims) {
        vf inverse;
        float factor;
        vi sum = vi_zero();
        int32_t rest = 0;
        size_t d = 0;

        t->scale[h] =
            rag_kern_head_of(t->scale[h], h >= 2 * t->n_heads, &factor);
        inverse = vf_set(factor);
        for (; d + BYTES <= dims; d += BYTES) {
            vf v[VECTORS];

            UNROLL
            for (size_t i = 0; i < VECTORS; i++)
                v[i] = to_steps(vf_load(x + d + i * W), zero, inverse);
            sum = vf_store_32(q + d, v, sum);
        }
        for (; d < dims; d += W)
            rest +=
                vf_store_n8(q + d, to_steps(vf_load(x + d), zero, inverse), W);
        if (h < t->n_heads)
            t->sum[h] = vi_reduce(sum) + rest;
    }
}

/* Scores of row i as powers of two; their greatest. */
TIER static inline vf powers(float *row, const rag_kern_weigh *t, size_t i)
{
    vf c = vf_set(t->q_scale[i * t->scale_stride] * RAG_KERN_LOG2_E);
    const int32_t *s = t->scores + i * RAG_KERN_PANEL;
    const size_t stride = t->n_rows * RAG_KERN_PANEL;
    const size_t n = t->n_panels * RAG_KERN_PANEL;
    const float *k_scale = t->k_scale;
    const float *v_log = t->v_log;
    vf most[2];

    most[0] = most[1] = vf_set(RAG_KERN_NO_KEY);
    for (size_t at = 0; at < n; at += RAG_KERN_PANEL, s += stride) {
        UNROLL
        for (size_t j = 0; j < RAG_KERN_PANEL; j += W) {
            vf y = vf_mul(vf_of_int(s + j), vf_load(k_scale + at + j));

            y = vf_fma(y, c, vf_load(v_log + at + j));
            vf_store(row + at + j, y);
            most[j / W % 2] = vf_max(y, most[j / W % 2]);
        }
    }
    return vf_max(most[0], most[1]);
}

/* Takes the keys out of row i that it may not see; the greatest of the rest. */
TIER static vf keep_local(float *row, const rag_kern_weigh *t, size_t i)
{
    ptrdiff_t n = (ptrdiff_t)(t->n_panels * RAG_KERN_PANEL);
    ptrdiff_t first = t->first + (ptrdiff_t)i;
    ptrdiff_t last = t->last + (ptrdiff_t)i;
    vf most = vf_set(RAG_KERN_NO_KEY);

    for (ptrdiff_t j = 0; j < first && j < n; j++)
        row[j] = RAG_KERN_NO_KEY;
    for (ptrdiff_t j = last + 1 > 0 ? last + 1 : 0; j < n; j++)
        row[j] = RAG_KERN_NO_KEY;
    for (ptrdiff_t j = 0; j < n; j += (ptrdiff_t)W)
        most = vf_max(vf_load(row + j), most);
    return most;
}

/* Vectors of weights that are made together. Each is a chain of dependent
 * steps longer than a processor looks ahead; side by side they fill it. */
#define SOME (VECTORS > 4 ? VECTORS : 4u)

/* x = 2^x for x <= 0; k <= SOME vectors, k a constant */
TIER static inline void vf_exp2(vf *x, size_t k)
{
    static const float terms[4] = {RAG_KERN_EXP_3, RAG_KERN_EXP_2,
                                   RAG_KERN_EXP_1, RAG_KERN_EXP_0};
    vf n[SOME];
    vf p[SOME];

    UNROLL
    for (size_t i = 0; i < k; i++)
        x[i] = vf_max(x[i], vf_set(RAG_KERN_EXP_LEAST));
    UNROLL
    for (size_t i = 0; i < k; i++)
        n[i] = vf_add(x[i], vf_set(RAG_KERN_ROUND));
    UNROLL
    for (size_t i = 0; i < k; i++)
        p[i] = vf_sub(n[i], vf_set(RAG_KERN_ROUND));
    UNROLL
    for (size_t i = 0; i < k; i++)
        x[i] = vf_sub(x[i], p[i]);
    UNROLL
    for (size_t i = 0; i < k; i++)
        p[i] = vf_set(RAG_KERN_EXP_4);
    UNROLL
    for (size_t t = 0; t < 4; t++) {
        UNROLL
        for (size_t i = 0; i < k; i++)
            p[i] = vf_fma(p[i], x[i], vf_set(terms[t]));
    }
    UNROLL
    for (size_t i = 0; i < k; i++)
        x[i] = vf_scale2(p[i], n[i]);
}

/* Weights of k vectors, k W a multiple of BYTES. */
TIER static inline void weigh_some(int8_t *p, const float *row,
                                   const float *v_one, vf most, vf *total,
                                   vi *sum, size_t k)
{
    vf e[SOME];

    UNROLL
    for (size_t i = 0; i < k; i++)
        e[i] = vf_sub(vf_load(row + i * W), most);
    vf_exp2(e, k);
    UNROLL
    for (size_t i = 0; i < k; i++)
        total[i % PARTS] =
            vf_fma(e[i], vf_load(v_one + i * W), total[i % PARTS]);
    UNROLL
    for (size_t i = 0; i < k; i++)
        e[i] = vf_mul(e[i], vf_set(127.0f));
    UNROLL
    for (size_t i = 0; i < k; i += VECTORS)
        *sum = vf_store_32(p + i * W, e + i, *sum);
}

/* Row i, whose powers are made and at most `most`. */
TIER static inline void weigh_row(const rag_kern_weigh *t, size_t i,
                                  const float *row, vf most)
{
    const size_t n = t->n_panels * RAG_KERN_PANEL;
    const float *v_one = t->v_one;
    int8_t *p = t->p + i * n;
    vi sum = vi_zero();
    vf total[PARTS];
    size_t j = 0;

    for (size_t h = 0; h < PARTS; h++)
        total[h] = vf_set(0.0f);
    for (; j + SOME * W <= n; j += SOME * W)
        weigh_some(p + j, row + j, v_one + j, most, total, &sum, SOME);
    for (; j < n; j += BYTES)
        weigh_some(p + j, row + j, v_one + j, most, total, &sum, VECTORS);
    t->sum[i] = vi_reduce(sum);
    t->factor[i] = 1.0f / (127.0f * join_add(total));
}

/* Two rows at a time, as the greatest of one is long in coming. */
TIER static void weigh(const rag_kern_weigh *t)
{
    const size_t n = t->n_panels * RAG_KERN_PANEL;

    for (size_t i = 0; i < t->n_rows; i += 2) {
        size_t rows = t->n_rows - i < 2 ? 1 : 2;
        vf most[2];

        for (size_t r = 0; r < rows; r++) {
            most[r] = powers(t->row + r * n, t, i + r);
            if (t->is_local)
                most[r] = keep_local(t->row + r * n, t, i + r);
            most[r] = vf_set(vf_reduce_max(most[r]));
        }
        for (size_t r = 0; r < rows; r++)
            weigh_row(t, i + r, t->row + r * n, most[r]);
    }
}

/* x / (1 + 2^-p), p at least 0: how far from 0 the gate is, on x's side. One
 * division and no choice: of the two parts of x one is 0. */
TIER static inline vf vf_gated(vf x, vf p)
{
    const vf zero = vf_set(0.0f);
    vf e = vf_sub(zero, p);
    vf sum;

    vf_exp2(&e, 1);
    sum = vf_fma(vf_min(x, zero), e, vf_max(x, zero));
    return vf_div(sum, vf_add(vf_set(1.0f), e));
}

TIER static inline vf vf_abs(vf x)
{
    return vf_max(x, vf_sub(vf_set(0.0f), x));
}

TIER static inline vf vf_silu(vf x)
{
    return vf_gated(x, vf_mul(vf_abs(x), vf_set(RAG_KERN_LOG2_E)));
}

TIER static inline vf vf_tanh_gelu(vf x)
{
    vf c =
        vf_fma(vf_mul(x, x), vf_set(RAG_KERN_TANH_3), vf_set(RAG_KERN_TANH_1));

    return vf_gated(x, vf_mul(vf_abs(x), c));
}

DEFINE_OUT(out_silu, vf_silu(v))
DEFINE_OUT(out_tanh_gelu, vf_tanh_gelu(v))
DEFINE_OUT(out_relu, vf_max(v, vf_set(0.0f)))
