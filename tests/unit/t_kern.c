/* Kernels: every tier this machine has, against double precision and against
 * the scalar tier bit by bit, at lengths 0..131, between guard pages. */
#include "test.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nn/kern.h"

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

/* The tiers of this machine but scalar; cmocka has no parameters. */
static size_t tiers(const rag_kern **out)
{
    size_t n = 0;

    for (rag_cpu_tier t = RAG_CPU_SCALAR; t <= rag_cpu_best(); t++)
        out[n++] = rag_kern_of(t);
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
    for (size_t i = 0; i < n_quads * 128; i++)
        wp[i] = i / 4 % 3 == 0   ? 127
                : i / 4 % 3 == 1 ? -127
                                 : (int8_t)(rnd() * 127.0f);
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
        for (size_t rows = 0; rows <= MOST; rows++)
            one_gemm(k[i], rows, rows % 7, rows % 2 == 0);
        for (size_t quads = 0; quads <= (MOST + 3) / 4; quads++) {
            one_gemm(k[i], 13, quads, false);
            one_gemm(k[i], 1, quads, true);
        }
        one_gemm(k[i], 5, 384, false);
    }
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
    rag_kern_row row;
    rag_kern_row row0;
    double mean = 0.0;
    double var = 0.0;
    int32_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        xp[i] = rnd() * 3.0f + (i % 5 == 0 ? 4.0f : 0.0f);
        wp[i] = rnd();
        bp[i] = rnd();
        mean += (double)xp[i] / (double)n;
    }
    row = k->quantise(qp, xp, n);
    row0 = scalar->quantise(q0, xp, n);
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
    scalar->norm(y0, wp, bp, 1e-5f, n);
    for (size_t i = 0; i < n; i++) {
        double want =
            ((double)xp[i] - mean) / sqrt(var + 1e-5) * (double)wp[i] +
            (double)bp[i];

        assert_true(fabs((double)y0[i] - want) < 2e-5);
    }
    k->norm(xp, wp, bp, 1e-5f, n);
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
        rag_kern_row r;

        for (size_t j = 0; j < 20; j++)
            same[j] = 2.5f;
        r = k[i]->quantise(q, same, 20);
        assert_float_equal(r.mid, 2.5f, 0.0f);
        assert_int_equal(r.sum, 0);
        memset(same, 0, sizeof same);
        r = k[i]->quantise(q, same, 20);
        assert_float_equal(r.mid, 0.0f, 0.0f);
        assert_float_equal(r.scale, 0.0f, 0.0f);
        bad[7] = INFINITY;
        r = k[i]->quantise(q, bad, 20);
        assert_float_equal(r.scale, 0.0f, 0.0f);
        assert_int_equal(q[2], -127);
        assert_int_equal(q[7], -127);
        /* a middle so large that the steps are coarser than the range */
        for (size_t j = 0; j < 20; j++)
            same[j] = 1.0e8f + (j == 3 ? 8.0f : 0.0f);
        r = k[i]->quantise(q, same, 20);
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
        out_fn fns[4] = {both[b]->out_linear, both[b]->out_gelu,
                         both[b]->out_add, both[b]->out_mul};

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
            for (size_t kind = 0; kind < 4; kind++)
                one_out(k[i], k[0], rows, kind);
        }
    }
}

/* In double precision, one query. */
static void want_attend(double *out, const float *q, const float *k,
                        const float *v, size_t stride, size_t from, size_t n,
                        size_t dims)
{
    double s[MOST];
    double most = -1e30;
    double sum = 0.0;

    for (size_t j = from; j < n; j++) {
        s[j] = 0.0;
        for (size_t d = 0; d < dims; d++)
            s[j] += (double)q[d] * (double)k[j * stride + d];
        most = fmax(most, s[j]);
    }
    for (size_t d = 0; d < dims; d++)
        out[d] = 0.0;
    for (size_t j = from; j < n; j++) {
        s[j] = exp(s[j] - most);
        sum += s[j];
    }
    for (size_t j = from; j < n; j++) {
        for (size_t d = 0; d < dims; d++)
            out[d] += s[j] / sum * (double)v[j * stride + d];
    }
}

static void one_attend(const rag_kern *k, const rag_kern *scalar, size_t n,
                       size_t dims, size_t reach, float spread)
{
    size_t stride = 3 * dims;
    size_t floats = rag_kern_attend_floats(n, dims);
    guarded x = guard(n * stride * 4, false);
    /* aligned as promised: rounded up to whole lines */
    guarded scratch = guard((floats * 4 + 63) / 64 * 64, false);
    float *copy = rag_calloc(n * stride + 1, 4);
    float *first = rag_calloc(n * stride + 1, 4);
    float *p = x.at;
    rag_kern_attend t = {p, p,    p + dims, p + 2 * dims, stride,
                         n, dims, reach,    scratch.at};
    double want[128];

    for (size_t i = 0; i < n * stride; i++)
        copy[i] = p[i] = rnd() * spread;
    k->attend(&t);
    memcpy(first, p, n * stride * 4);
    memcpy(p, copy, n * stride * 4);
    scalar->attend(&t);
    assert_memory_equal(first, p, n * stride * 4);
    for (size_t i = 0; i < n; i++) {
        const float *row = copy + i * stride;

        size_t from = reach != 0 && i > reach ? i - reach : 0;
        size_t to = reach != 0 && i + reach + 1 < n ? i + reach + 1 : n;

        want_attend(want, row, copy + dims, copy + 2 * dims, stride, from, to,
                    dims);
        for (size_t d = 0; d < dims; d++)
            assert_true(fabs((double)first[i * stride + d] - want[d]) <
                        2e-5 * (double)spread);
        /* k and v stay */
        assert_memory_equal(first + i * stride + dims, row + dims,
                            2 * dims * 4);
    }
    rag_free(copy);
    rag_free(first);
    unguard(&x);
    unguard(&scratch);
}

static void test_attend(void **state)
{
    const rag_kern *k[8];
    size_t n = tiers(k);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t len = 0; len <= MOST; len++)
            one_attend(k[i], k[0], len, 32, 0, 1.0f);
        for (size_t len = 0; len <= MOST; len++)
            one_attend(k[i], k[0], len, 32, 1 + len % 40, 1.0f);
        for (size_t dims = 16; dims <= 128; dims += 16)
            one_attend(k[i], k[0], 37, dims, dims % 32 == 0 ? 5 : 0, 1.0f);
        one_attend(k[i], k[0], 50, 32, 0, 6.0f); /* weights down to nothing */
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
    (void)state;
    assert_int_equal(setenv("RAG_CPU", "scalar", 1), 0);
    assert_string_equal(rag_kern_chosen()->name, "scalar");
    assert_int_equal(setenv("RAG_CPU", "nonsense", 1), 0);
    assert_int_equal(rag_cpu_chosen(), rag_cpu_best());
    for (rag_cpu_tier t = RAG_CPU_SCALAR; t <= rag_cpu_best(); t++) {
        assert_int_equal(setenv("RAG_CPU", rag_cpu_name(t), 1), 0);
        assert_int_equal(rag_cpu_chosen(), t);
        assert_string_equal(rag_kern_chosen()->name, rag_cpu_name(t));
    }
    assert_int_equal(unsetenv("RAG_CPU"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm),      cmocka_unit_test(test_rows),
        cmocka_unit_test(test_row_edges), cmocka_unit_test(test_out),
        cmocka_unit_test(test_attend),    cmocka_unit_test(test_rope),
        cmocka_unit_test(test_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
