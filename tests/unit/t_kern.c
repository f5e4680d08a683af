/* Kernels: every tier this machine has, against double precision and against
 * the scalar tier bit by bit, at lengths 0..131, between guard pages. */
#include "test.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nn/attend.h"
#include "nn/kern_tiers.h"

#define MOST 131u

static uint32_t seed = 1;

static float rnd(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 8388608.0f - 1.0f;
}

/* n_bytes that end (or, front, begin) at a page nobody may touch. */
typedef struct guarded {
    char *map;
    size_t map_bytes;
    void *at;
} guarded;

static guarded guard(size_t n_bytes, bool front)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inner = (n_bytes + page - 1) / page * page + page;
    guarded g;

    g.map_bytes = inner + 2 * page;
    g.map =
        mmap(NULL, g.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(g.map, MAP_FAILED);
    assert_int_equal(mprotect(g.map + page, inner, PROT_READ | PROT_WRITE), 0);
    g.at = front ? g.map + page : g.map + page + inner - n_bytes;
    return g;
}

static void unguard(guarded *g)
{
    assert_int_equal(munmap(g->map, g->map_bytes), 0);
}

/* The tiers of this machine, scalar first; cmocka has no parameters. */
static size_t tiers(const rag_kern **out)
{
    size_t n = 0;

    for (rag_cpu_tier t = RAG_CPU_SCALAR; t < RAG_CPU_TIERS; t++) {
        if (rag_cpu_has(t))
            out[n++] = rag_kern_of(t);
    }
    return n;
}

static void one_gemm(const rag_kern *k, size_t n_rows, size_t n_quads,
                     bool front)
{
    size_t n_in = n_quads * 4;
    guarded a = guard(n_rows * n_in, front);
    guarded w = guard(n_quads * 128, front);
    guarded acc = guard(n_rows * 32 * 4, front);
    guarded sum = guard(n_rows * 4, front);
    int8_t *ap = a.at;
    int8_t *wp = w.at;
    int32_t *sp = sum.at;
    int32_t *y = acc.at;

    for (size_t t = 0; t < n_rows; t++) {
        sp[t] = 0;
        for (size_t i = 0; i < n_in; i++) {
            /* the worst of all: every product at its limit */
            ap[t * n_in + i] = t % 3 == 0   ? 127
                               : t % 3 == 1 ? -127
                                            : (int8_t)(rnd() * 127.0f);
            sp[t] += ap[t * n_in + i];
        }
    }
    for (size_t i = 0; i < n_quads * 128; i++) {
        int32_t x = i / 4 % 3 == 0   ? 127
                    : i / 4 % 3 == 1 ? -127
                                     : (int32_t)(rnd() * 127.0f);

        /* four quads of the largest, then of what may be added in 16 bits: up
         * to the limit and over it (64 + 64 + 65 + 65 and one more) */
        wp[i] = (int8_t)(i / 512 % 2 == 0 ? x
                         : x < -64        ? -64
                         : x > 64         ? 64 + (int32_t)(i % 2 + i / 512 % 3)
                                          : x);
    }
    k->gemm(y, ap, n_in, sp, n_rows, wp, n_quads);
    for (size_t t = 0; t < n_rows; t++) {
        for (size_t o = 0; o < 32; o++) {
            int32_t want = 0;

            for (size_t i = 0; i < n_in; i++)
                want += ap[t * n_in + i] * wp[i / 4 * 128 + o * 4 + i % 4];
            if (y[t * 32 + o] != want)
                fail_msg("%s: %zu rows, %zu quads: [%zu][%zu] %d, want %d",
                         k->name, n_rows, n_quads, t, o, y[t * 32 + o], want);
        }
    }
    unguard(&a);
    unguard(&w);
    unguard(&acc);
    unguard(&sum);
}

static void test_gemm(void **state)
{
    const rag_kern *k[8];
    size_t n = tiers(k);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_in_range(k[i]->rows, 2, RAG_KERN_MOST_ROWS);
        for (size_t rows = 0; rows <= MOST; rows++) {
            one_gemm(k[i], rows, rows % 7, rows % 2 == 0);
            if (rows <= 70)
                one_gemm(k[i], rows, 13 + rows % 24, rows % 2 == 1);
        }
        for (size_t quads = 0; quads <= (MOST + 3) / 4; quads++) {
            one_gemm(k[i], 13, quads, false);
            one_gemm(k[i], 1, quads, true);
        }
        one_gemm(k[i], 5, 384, false);
        rag_kern_end(k[i]);
    }
}

typedef struct row_of {
    float scale;
    float mid;
    int32_t sum;
} row_of;

static row_of quantise_by(const rag_kern *k, int8_t *q, const float *x,
                          const float *by, size_t n)
{
    row_of r;
    rag_kern_rows t = {q, &r.scale, &r.mid, &r.sum, x, n, 1, n, by};

    k->quantise(&t);
    return r;
}

static row_of quantise(const rag_kern *k, int8_t *q, const float *x, size_t n)
{
    return quantise_by(k, q, x, NULL, n);
}

/* With factors: the same as of values that were multiplied before. */
static void one_row_by(const rag_kern *k, const float *x, const float *by,
                       size_t n)
{
    float product[MOST + 1];
    int8_t q[MOST + 1];
    int8_t want[MOST + 1];
    row_of row;
    row_of row0;

    for (size_t i = 0; i < n; i++)
        product[i] = x[i] * by[i];
    row = quantise_by(k, q, x, by, n);
    row0 = quantise(&rag_kern_scalar, want, product, n);
    assert_memory_equal(&row, &row0, sizeof row);
    if (n != 0)
        assert_memory_equal(q, want, n);
}

static void one_row(const rag_kern *k, const rag_kern *scalar, size_t n,
                    bool front)
{
    guarded x = guard(n * 4, front);
    guarded w = guard(n * 4, front);
    guarded b = guard(n * 4, front);
    guarded q = guard(n, front);
    float *xp = x.at;
    float *wp = w.at;
    float *bp = b.at;
    int8_t *qp = q.at;
    int8_t q0[MOST + 1];
    float y0[MOST + 1];
    row_of row;
    row_of row0;
    double mean = 0.0;
    double var = 0.0;
    int32_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        xp[i] = rnd() * 3.0f + (i % 5 == 0 ? 4.0f : 0.0f);
        wp[i] = rnd();
        bp[i] = rnd();
        mean += (double)xp[i] / (double)n;
    }
    one_row_by(k, xp, wp, n);
    row = quantise(k, qp, xp, n);
    row0 = quantise(scalar, q0, xp, n);
    assert_memory_equal(&row, &row0, sizeof row);
    if (n != 0)
        assert_memory_equal(qp, q0, n);
    for (size_t i = 0; i < n; i++) {
        assert_in_range(qp[i] + 127, 0, 254);
        assert_true(fabs((double)xp[i] - ((double)qp[i] * (double)row.scale +
                                          (double)row.mid)) <=
                    0.501 * (double)row.scale + 1e-6);
        var += ((double)xp[i] - mean) * ((double)xp[i] - mean) / (double)n;
        sum += qp[i];
    }
    assert_int_equal(sum, row.sum);
    if (n != 0)
        memcpy(y0, xp, n * sizeof *y0);
    scalar->norm(y0, wp, bp, 1e-5f, 1, n);
    for (size_t i = 0; i < n; i++) {
        double want =
            ((double)xp[i] - mean) / sqrt(var + 1e-5) * (double)wp[i] +
            (double)bp[i];

        assert_true(fabs((double)y0[i] - want) < 2e-5);
    }
    k->norm(xp, wp, bp, 1e-5f, 1, n);
    if (n != 0)
        assert_memory_equal(xp, y0, n * sizeof *y0);
    unguard(&x);
    unguard(&w);
    unguard(&b);
    unguard(&q);
}

static void test_rows(void **state)
{
    const rag_kern *k[8];
    size_t n = tiers(k);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t len = 0; len <= MOST; len++) {
            one_row(k[i], k[0], len, false);
            one_row(k[i], k[0], len, true);
        }
    }
}

/* Any number of rows: each as it is alone. */
static void some_rows(const rag_kern *k, const rag_kern *scalar, size_t rows,
                      size_t n)
{
    guarded x = guard(rows * n * 4, false);
    guarded q = guard(rows * n, false);
    guarded scale = guard(rows * 4, false);
    guarded mid = guard(rows * 4, false);
    guarded sum = guard(rows * 4, false);
    rag_kern_rows t = {q.at, scale.at, mid.at, sum.at, x.at, n, rows, n, NULL};
    float *alone = rag_calloc(rows * n + 1, 4);
    int8_t one[MOST];
    float w[MOST];
    float b[MOST];

    for (size_t i = 0; i < n; i++) {
        w[i] = rnd();
        b[i] = rnd();
    }
    for (size_t i = 0; i < rows * n; i++)
        alone[i] = ((float *)x.at)[i] = rnd() * (float)(1 + i / (n + 1));
    for (size_t i = 0; i < 2 * rows; i++) {
        size_t r = i % rows;
        row_of want;

        t.by = i < rows ? NULL : w;
        k->quantise(&t);
        want = quantise_by(scalar, one, alone + r * n, t.by, n);
        assert_memory_equal(one, t.q + r * n, n);
        assert_float_equal(want.scale, t.scale[r], 0.0f);
        assert_float_equal(want.mid, t.mid[r], 0.0f);
        assert_int_equal(want.sum, t.sum[r]);
    }
    for (size_t r = 0; r < rows; r++)
        scalar->norm(alone + r * n, w, b, 1e-5f, 1, n);
    k->norm(x.at, w, b, 1e-5f, rows, n);
    if (rows != 0)
        assert_memory_equal(x.at, alone, rows * n * 4);
    rag_free(alone);
    unguard(&x);
    unguard(&q);
    unguard(&scale);
    unguard(&mid);
    unguard(&sum);
}

static void test_many_rows(void **state)
{
    const rag_kern *k[8];
    size_t n = tiers(k);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t rows = 0; rows < 14; rows++) {
            some_rows(k[i], k[0], rows, 64);
            some_rows(k[i], k[0], rows, 45);
        }
    }
}

/* Rows that have no middle: all equal, all zero, and damage. */
static void test_row_edges(void **state)
{
    const rag_kern *k[8];
    size_t n = tiers(k);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        float same[20];
        float bad[20] = {1.0f, 2.0f, NAN, 3.0f};
        int8_t q[20];
        row_of r;

        for (size_t j = 0; j < 20; j++)
            same[j] = 2.5f;
        r = quantise(k[i], q, same, 20);
        assert_float_equal(r.mid, 2.5f, 0.0f);
        assert_int_equal(r.sum, 0);
        memset(same, 0, sizeof same);
        r = quantise(k[i], q, same, 20);
        assert_float_equal(r.mid, 0.0f, 0.0f);
        assert_float_equal(r.scale, 0.0f, 0.0f);
        bad[7] = INFINITY;
        r = quantise(k[i], q, bad, 20);
        assert_float_equal(r.scale, 0.0f, 0.0f);
        assert_int_equal(q[2], -127);
        assert_int_equal(q[7], -127);
        /* a middle so large that the steps are coarser than the range */
        for (size_t j = 0; j < 20; j++)
            same[j] = 1.0e8f + (j == 3 ? 8.0f : 0.0f);
        r = quantise(k[i], q, same, 20);
        for (size_t j = 0; j < 20; j++)
            assert_in_range(q[j] + 127, 0, 254);
    }
}

typedef void (*out_fn)(const rag_kern_out *o);

static double want_out(const rag_kern_out *o, size_t t, size_t i, size_t kind,
                       double before)
{
    double x = (double)o->acc[t * 32 + i] * (double)o->a_scale[t] *
                   (double)o->w_scale[i] +
               (double)o->a_mid[t] * (double)o->w_sum[i] + (double)o->bias[i];

    if (kind == 1)
        return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
    if (kind == 4)
        return x / (1.0 + exp(-x));
    if (kind == 5)
        return 0.5 * x *
               (1.0 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    if (kind == 6)
        return x > 0.0 ? x : 0.0;
    return kind == 2 ? before + x : kind == 3 ? before * x : x;
}

static void one_out(const rag_kern *k, const rag_kern *scalar, size_t rows,
                    size_t kind)
{
    const rag_kern *both[2] = {k, scalar};
    guarded y = guard(rows * 32 * 4, false);
    guarded acc = guard(rows * 32 * 4, false);
    guarded scale = guard(rows * 4, false);
    guarded mid = guard(rows * 4, false);
    guarded w = guard(32 * 4, false);
    guarded sum = guard(32 * 4, false);
    guarded bias = guard(32 * 4, false);
    float *before = rag_calloc(rows * 32 + 1, 4);
    float *made = rag_calloc(rows * 32 + 1, 4);
    rag_kern_out o = {y.at,   32,   acc.at, rows,   scale.at,
                      mid.at, w.at, sum.at, bias.at};

    for (size_t i = 0; i < rows * 32; i++) {
        ((int32_t *)acc.at)[i] = (int32_t)(rnd() * 1e5f);
        before[i] = rnd();
    }
    for (size_t t = 0; t < rows; t++) {
        ((float *)scale.at)[t] = 0.01f + 0.005f * rnd();
        ((float *)mid.at)[t] = rnd();
    }
    for (size_t i = 0; i < 32; i++) {
        ((float *)w.at)[i] = 0.005f + 0.004f * rnd();
        ((float *)sum.at)[i] = rnd();
        ((float *)bias.at)[i] = rnd();
    }
    for (size_t b = 0; b < 2; b++) {
        out_fn fns[] = {both[b]->out_linear, both[b]->out_gelu,
                        both[b]->out_add,    both[b]->out_mul,
                        both[b]->out_silu,   both[b]->out_tanh_gelu,
                        both[b]->out_relu};

        memcpy(o.y, before, rows * 32 * 4);
        fns[kind](&o);
        if (b == 0)
            memcpy(made, o.y, rows * 32 * 4);
    }
    assert_memory_equal(made, o.y, rows * 32 * 4);
    for (size_t t = 0; t < rows; t++) {
        for (size_t i = 0; i < 32; i++) {
            double want = want_out(&o, t, i, kind, (double)before[t * 32 + i]);

            assert_true(fabs((double)made[t * 32 + i] - want) <
                        4e-6 + 1e-6 * fabs(want));
        }
    }
    rag_free(before);
    rag_free(made);
    unguard(&y);
    unguard(&acc);
    unguard(&scale);
    unguard(&mid);
    unguard(&w);
    unguard(&sum);
    unguard(&bias);
}

static void test_out(void **state)
{
    const rag_kern *k[8];
    size_t n = tiers(k);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t rows = 0; rows <= MOST; rows += rows < 20 ? 1 : 37) {
            for (size_t kind = 0; kind < 7; kind++)
                one_out(k[i], k[0], rows, kind);
        }
    }
}

/* One row of a text's queries, keys and values, as `heads` makes them. */
typedef struct text {
    int8_t *q;    /* [n x 3 dims], ends at a guard page */
    float *scale; /* [n x 3] */
    int32_t *sum; /* [n] */
    float *out;   /* [n x dims] */
    void *scratch;
    guarded all[5];
} text;

static void make_text(text *x, size_t n, size_t dims, float spread)
{
    size_t n_bytes[5] = {n * 3 * dims, n * 12, n * 4, n * dims * 4,
                         rag_attend_bytes(n, dims)};
    float row[3 * 128];

    for (size_t i = 0; i < 5; i++)
        x->all[i] = guard(n_bytes[i], false);
    x->q = x->all[0].at;
    x->scale = x->all[1].at;
    x->sum = x->all[2].at;
    x->out = x->all[3].at;
    x->scratch = x->all[4].at;
    for (size_t t = 0; t < n; t++) {
        rag_kern_heads h = {
            x->q + t * 3 * dims, x->scale + t * 3, x->sum + t, row, 1, dims};

        /* values of very different sizes, some nothing at all */
        for (size_t d = 0; d < 3 * dims; d++)
            row[d] = rnd() * (d < 2 * dims ? spread
                              : t % 7 == 3 ? 0.0f
                              : t % 5 == 2 ? 1.0e-12f
                                           : 1.0f + (float)(t % 3) * 9.0f);
        rag_kern_of(RAG_CPU_SCALAR)->heads(&h);
    }
}

static void drop_text(text *x)
{
    for (size_t i = 0; i < 5; i++)
        unguard(&x->all[i]);
}

static rag_attend_head head_of(const text *x, size_t n, size_t dims,
                               size_t reach)
{
    return (rag_attend_head){.out = x->out,
                             .out_stride = dims,
                             .q = x->q,
                             .k = x->q + dims,
                             .v = x->q + 2 * dims,
                             .stride = 3 * dims,
                             .q_scale = x->scale,
                             .k_scale = x->scale + 1,
                             .v_log = x->scale + 2,
                             .scale_stride = 3,
                             .q_sum = x->sum,
                             .sum_stride = 1,
                             .n = n,
                             .n_queries = n,
                             .dims = dims,
                             .reach = reach,
                             .scratch = x->scratch};
}

/* Query i in double precision; off [dims]: how far weights rounded to 7 bits
 * may lead away. */
static void want_attend(double *out, double *off, const rag_attend_head *t,
                        size_t i)
{
    double e[MOST];
    double most = -1e300;
    double highest = -1e300;
    double total = 0.0;
    double step = 0.0;

    for (size_t j = 0; j < t->n; j++) {
        int32_t dot = 0;

        for (size_t d = 0; d < t->dims; d++)
            dot += t->q[i * t->stride + d] * t->k[j * t->stride + d];
        e[j] = (double)dot * (double)t->q_scale[i * t->scale_stride] *
               (double)t->k_scale[j * t->scale_stride];
        if (t->reach != 0 && (i > j ? i - j : j - i) > t->reach)
            e[j] = -1e300;
        most = fmax(most, e[j]);
        highest = fmax(highest, (double)t->v_log[j * t->scale_stride]);
    }
    for (size_t j = 0; j < t->n; j++) {
        double log = (double)t->v_log[j * t->scale_stride];

        e[j] = exp(e[j] - most);
        total += e[j];
        step = fmax(step, e[j] * exp2(fmax(log, highest - 24.0)));
    }
    for (size_t d = 0; d < t->dims; d++) {
        out[d] = off[d] = 0.0;
        for (size_t j = 0; j < t->n; j++) {
            double v = (double)t->v[j * t->stride + d];

            out[d] +=
                e[j] / total * v * exp2((double)t->v_log[j * t->scale_stride]);
            off[d] += fabs(v) * step / total * (0.501 / 127.0);
        }
        off[d] += 1e-5 * fabs(out[d]) + 1e-6;
    }
}

/* Each query asked for alone, and all but the first and the last, gives the
 * rows `all` that it gave among the others; nothing behind them is written. */
static void some_attend(const rag_kern *k, const float *all,
                        const rag_attend_head *from)
{
    rag_attend_head t = *from;
    size_t row_bytes = t.dims * sizeof *all;

    t.n_queries = 1;
    t.out = from->out + (t.n - 1) * t.dims;
    for (t.first = 0; t.first < t.n; t.first++) {
        rag_attend(&t, k);
        assert_memory_equal(t.out, all + t.first * t.dims, row_bytes);
    }
    if (t.n < 3)
        return;
    t.first = 1;
    t.n_queries = t.n - 2;
    t.out = from->out + 2 * t.dims;
    rag_attend(&t, k);
    assert_memory_equal(t.out, all + t.dims, t.n_queries * row_bytes);
}

static void one_attend(const rag_kern *k, const rag_kern *scalar, size_t n,
                       size_t dims, size_t reach, float spread)
{
    text x;
    rag_attend_head t;
    float *first = rag_calloc(n * dims + 1, 4);
    double want[128];
    double off[128];

    make_text(&x, n, dims, spread);
    t = head_of(&x, n, dims, reach);
    rag_attend(&t, k);
    if (n != 0)
        memcpy(first, x.out, n * dims * 4);
    rag_attend(&t, scalar);
    if (n != 0)
        assert_memory_equal(first, x.out, n * dims * 4);
    for (size_t i = 0; i < n; i++) {
        want_attend(want, off, &t, i);
        for (size_t d = 0; d < dims; d++) {
            if (!(fabs((double)first[i * dims + d] - want[d]) <= off[d]))
                fail_msg("%s: %zu keys of %zu dims, reach %zu: [%zu][%zu] "
                         "%g, want %g within %g",
                         k->name, n, dims, reach, i, d,
                         (double)first[i * dims + d], want[d], off[d]);
        }
    }
    some_attend(k, first, &t);
    rag_free(first);
    drop_text(&x);
}

static void test_attend(void **state)
{
    const rag_kern *k[8];
    size_t n = tiers(k);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t len = 0; len <= MOST; len++) {
            one_attend(k[i], k[0], len, 32, 0, 0.6f);
            one_attend(k[i], k[0], len, 32, 1 + len % 40, 0.6f);
        }
        for (size_t dims = 16; dims <= 128; dims += 16)
            one_attend(k[i], k[0], 37, dims, 0, 0.4f);
        one_attend(k[i], k[0], 130, 64, 64, 0.4f);
        /* weights down to nothing */
        one_attend(k[i], k[0], 50, 32, 0, 6.0f);
    }
}

/* Heads of any width, some with nothing in them or with damage. */
static void one_heads(const rag_kern *k, const rag_kern *scalar, size_t dims,
                      int damage)
{
    guarded x = guard(6 * dims * 4, false);
    guarded q = guard(6 * dims, false);
    float *p = x.at;
    int8_t first[6 * 128];
    float scale[2][6];
    int32_t sum[2][2];
    rag_kern_heads t = {q.at, scale[0], sum[0], p, 2, dims};

    for (size_t i = 0; i < 6 * dims; i++)
        p[i] = i / dims == 1 ? 0.0f : rnd() * (float)(1 + i / dims);
    if (damage == 1)
        p[3] = NAN;
    if (damage == 2)
        p[5 * dims + 3] = INFINITY;
    k->heads(&t);
    memcpy(first, q.at, 6 * dims);
    t.scale = scale[1];
    t.sum = sum[1];
    scalar->heads(&t);
    assert_memory_equal(first, q.at, 6 * dims);
    assert_memory_equal(scale[0], scale[1], sizeof scale[0]);
    assert_memory_equal(sum[0], sum[1], sizeof sum[0]);
    for (size_t i = 0; damage == 0 && i < 6 * dims; i++) {
        size_t h = i / dims;
        double step = h < 4 ? (double)scale[0][h] : exp2((double)scale[0][h]);

        assert_in_range(first[i] + 127, 0, 254);
        assert_true(fabs((double)p[i] - (double)first[i] * step) <=
                    0.501 * step + 1e-9);
        assert_true(h < 4 || step < (double)(h + 1) / 63.0);
    }
    for (size_t h = 0; h < 2; h++) {
        for (size_t d = 0; d < dims; d++)
            sum[0][h] -= first[h * dims + d];
        assert_int_equal(sum[0][h], 0);
    }
    unguard(&x);
    unguard(&q);
}

static void test_heads(void **state)
{
    const rag_kern *k[8];
    size_t n = tiers(k);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t dims = 16; dims <= 128; dims += 16) {
            for (int damage = 0; damage < 3; damage++)
                one_heads(k[i], k[0], dims, damage);
        }
    }
}

static void one_rope(const rag_kern *k, const rag_kern *scalar, size_t heads,
                     size_t dims)
{
    guarded x = guard(heads * dims * 4, false);
    guarded turn = guard(dims * 4, false);
    float *before = rag_calloc(heads * dims + 1, 4);
    float *made = rag_calloc(heads * dims + 1, 4);
    float *p = x.at;
    float *t = turn.at;
    size_t half = dims / 2;

    for (size_t i = 0; i < half; i++) {
        float angle = 100.0f * rnd();

        t[i] = cosf(angle);
        t[half + i] = i == 0 ? 0.0f : sinf(angle);
    }
    for (size_t i = 0; i < heads * dims; i++)
        before[i] = p[i] = rnd();
    k->rope(p, t, heads, dims);
    memcpy(made, p, heads * dims * 4);
    memcpy(p, before, heads * dims * 4);
    scalar->rope(p, t, heads, dims);
    assert_memory_equal(made, p, heads * dims * 4);
    for (size_t i = 0; i < heads * dims; i++) {
        size_t d = i % dims;
        double other =
            d < half ? -(double)before[i + half] : (double)before[i - half];
        double want = (double)before[i] * (double)t[d % half] +
                      other * (double)t[half + d % half];

        assert_true(fabs((double)made[i] - want) < 1e-6);
    }
    rag_free(before);
    rag_free(made);
    unguard(&x);
    unguard(&turn);
}

static void test_rope(void **state)
{
    const rag_kern *k[8];
    size_t n = tiers(k);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t dims = 32; dims <= 128; dims += 32) {
            for (size_t heads = 0; heads < 9; heads++)
                one_rope(k[i], k[0], heads, dims);
        }
    }
}

static void test_choice(void **state)
{
    rag_cpu_tier below = RAG_CPU_SCALAR;

    (void)state;
    assert_int_equal(setenv("RAG_CPU", "nonsense", 1), 0);
    assert_int_equal(rag_cpu_chosen(), rag_cpu_best());
    assert_true(!rag_cpu_is_named());
    assert_int_equal(setenv("RAG_CPU", "", 1), 0);
    assert_int_equal(rag_cpu_chosen(), rag_cpu_best());
    assert_true(rag_cpu_is_named());
    for (rag_cpu_tier t = RAG_CPU_SCALAR; t < RAG_CPU_TIERS; t++) {
        below = rag_cpu_has(t) ? t : below;
        assert_int_equal(setenv("RAG_CPU", rag_cpu_name(t), 1), 0);
        assert_true(rag_cpu_is_named());
        /* one that is missing: the next lower one */
        assert_int_equal(rag_cpu_chosen(), below);
        assert_string_equal(rag_kern_chosen()->name, rag_cpu_name(below));
    }
    assert_int_equal(below, rag_cpu_best());
    assert_int_equal(unsetenv("RAG_CPU"), 0);
    print_message("tier: %s\n", rag_kern_chosen()->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm),      cmocka_unit_test(test_rows),
        cmocka_unit_test(test_many_rows), cmocka_unit_test(test_row_edges),
        cmocka_unit_test(test_out),       cmocka_unit_test(test_heads),
        cmocka_unit_test(test_attend),    cmocka_unit_test(test_rope),
        cmocka_unit_test(test_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
