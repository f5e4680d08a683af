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

TIER static rag_kern_row quantise(int8_t *q, const float *x, size_t n)
{
    size_t whole = n / BYTES * BYTES;
    vf low[2];
    vf high[2];
    vf mid;
    vf inverse;
    vi sum = vi_zero();
    float factor;
    rag_kern_row row;

    if (n == 0)
        return (rag_kern_row){0.0f, 0.0f, 0};
    low[0] = low[1] = high[0] = high[1] = vf_set(x[0]);
    for (size_t i = 0; i < whole; i += 2 * W) {
        for (size_t h = 0; h < 2; h++) {
            vf v = vf_load(x + i + h * W);

            low[h] = vf_min(v, low[h]);
            high[h] = vf_max(v, high[h]);
        }
    }
    for (size_t i = whole; i < n; i++) {
        low[0] = vf_min(vf_set(x[i]), low[0]);
        high[0] = vf_max(vf_set(x[i]), high[0]);
    }
    row = rag_kern_row_of(vf_reduce_min(vf_min(low[0], low[1])),
                          vf_reduce_max(vf_max(high[0], high[1])), &factor);
    mid = vf_set(row.mid);
    inverse = vf_set(factor);
    for (size_t i = 0; i < whole; i += BYTES) {
        vf v[VECTORS];

        UNROLL
        for (size_t h = 0; h < VECTORS; h++)
            v[h] = to_steps(vf_load(x + i + h * W), mid, inverse);
        sum = vf_store_32(q + i, v, sum);
    }
    row.sum = vi_reduce(sum);
    for (size_t i = whole; i < n; i += W) {
        size_t left = n - i < W ? n - i : W;
        vf v = to_steps(vf_load_n(x + i, left), mid, inverse);

        row.sum += vf_store_n8(q + i, vf_keep_n(v, left), left);
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

TIER static void heads(const rag_kern_heads *t)
{
    const vf zero = vf_set(0.0f);
    const float *x = t->x;
    int8_t *q = t->q;

    for (size_t h = 0; h < 3 * t->n_heads; h++, x += t->dims, q += t->dims) {
        vf low = zero;
        vf high = zero;
        vf inverse;
        float factor;
        vi sum = vi_zero();
        int32_t rest = 0;
        size_t d;

        for (d = 0; d < t->dims; d += W) {
            low = vf_min(vf_load(x + d), low);
            high = vf_max(vf_load(x + d), high);
        }
        t->scale[h] = rag_kern_head_of(vf_reduce_min(low), vf_reduce_max(high),
                                       h >= 2 * t->n_heads, &factor);
        inverse = vf_set(factor);
        for (d = 0; d + BYTES <= t->dims; d += BYTES) {
            vf v[VECTORS];

            UNROLL
            for (size_t i = 0; i < VECTORS; i++)
                v[i] = to_steps(vf_load(x + d + i * W), zero, inverse);
            sum = vf_store_32(q + d, v, sum);
        }
        for (; d < t->dims; d += W)
            rest +=
                vf_store_n8(q + d, to_steps(vf_load(x + d), zero, inverse), W);
        if (h < t->n_heads)
            t->sum[h] = vi_reduce(sum) + rest;
    }
}

/* Scores of row i as powers of two; their greatest. */
TIER static inline vf powers(const rag_kern_weigh *t, size_t i)
{
    vf c = vf_set(t->q_scale[i * t->scale_stride] * RAG_KERN_LOG2_E);
    vf most[2];

    most[0] = most[1] = vf_set(RAG_KERN_NO_KEY);
    for (size_t p = 0; p < t->n_panels; p++) {
        const int32_t *s = t->scores + (p * t->n_rows + i) * RAG_KERN_PANEL;
        size_t at = p * RAG_KERN_PANEL;

        UNROLL
        for (size_t j = 0; j < RAG_KERN_PANEL; j += W) {
            vf y = vf_mul(vf_of_int(s + j), vf_load(t->k_scale + at + j));

            y = vf_fma(y, c, vf_load(t->v_log + at + j));
            vf_store(t->row + at + j, y);
            most[j / W % 2] = vf_max(y, most[j / W % 2]);
        }
    }
    return vf_max(most[0], most[1]);
}

/* Takes the keys out of row i that it may not see; the greatest of the rest. */
TIER static vf keep_local(const rag_kern_weigh *t, size_t i)
{
    ptrdiff_t n = (ptrdiff_t)(t->n_panels * RAG_KERN_PANEL);
    ptrdiff_t first = t->first + (ptrdiff_t)i;
    ptrdiff_t last = t->last + (ptrdiff_t)i;
    vf most = vf_set(RAG_KERN_NO_KEY);

    for (ptrdiff_t j = 0; j < first && j < n; j++)
        t->row[j] = RAG_KERN_NO_KEY;
    for (ptrdiff_t j = last + 1 > 0 ? last + 1 : 0; j < n; j++)
        t->row[j] = RAG_KERN_NO_KEY;
    for (ptrdiff_t j = 0; j < n; j += (ptrdiff_t)W)
        most = vf_max(vf_load(t->row + j), most);
    return most;
}

/* 2^x for x <= 0 */
TIER static inline vf vf_exp2(vf x)
{
    vf v = vf_max(x, vf_set(RAG_KERN_EXP_LEAST));
    vf n = vf_add(v, vf_set(RAG_KERN_ROUND));
    vf f = vf_sub(v, vf_sub(n, vf_set(RAG_KERN_ROUND)));
    vf p = vf_set(RAG_KERN_EXP_4);

    p = vf_fma(p, f, vf_set(RAG_KERN_EXP_3));
    p = vf_fma(p, f, vf_set(RAG_KERN_EXP_2));
    p = vf_fma(p, f, vf_set(RAG_KERN_EXP_1));
    p = vf_fma(p, f, vf_set(RAG_KERN_EXP_0));
    return vf_scale2(p, n);
}

TIER static void weigh(const rag_kern_weigh *t)
{
    size_t n = t->n_panels * RAG_KERN_PANEL;

    for (size_t i = 0; i < t->n_rows; i++) {
        vf most = powers(t, i);
        vf total[PARTS];
        vi sum = vi_zero();

        if (t->is_local)
            most = keep_local(t, i);
        most = vf_set(vf_reduce_max(most));
        for (size_t h = 0; h < PARTS; h++)
            total[h] = vf_set(0.0f);
        for (size_t j = 0; j < n; j += BYTES) {
            vf v[VECTORS];

            UNROLL
            for (size_t h = 0; h < VECTORS; h++) {
                vf e = vf_exp2(vf_sub(vf_load(t->row + j + h * W), most));

                total[h % PARTS] =
                    vf_fma(e, vf_load(t->v_one + j + h * W), total[h % PARTS]);
                v[h] = vf_mul(e, vf_set(127.0f));
            }
            sum = vf_store_32(t->p + i * n + j, v, sum);
        }
        t->sum[i] = vi_reduce(sum);
        t->factor[i] = 1.0f / (127.0f * join_add(total));
    }
}
