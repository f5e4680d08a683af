/* The encoder on a small random model: properties that hold for every model. */
#include "nn_tiny.h"

#include <math.h>

#include "nn/cpu.h"
#include "nn/encoder.h"
#include "nn/layers.h"

#define N_TEXTS ((size_t)300)

static char texts_bytes[N_TEXTS][80];
static rag_str texts[N_TEXTS];

static int setup(void **state)
{
    static const char *const words[] = {
        "a", "abc", "\xEA\xB0\x80", "12", "\xE1\x84\x80\xE1\x85\xA1", "?"};
    tiny_places at;
    uint32_t seed = 5;
    rag_error err;
    rag_buf in;

    (void)state;
    tiny_make(&in, &at);
    tiny_write(tiny_path("in"), in.ptr, in.len);
    rag_buf_dispose(&in);
    OK(rag_encoder_import(tiny_path("out"), tiny_path("in"), "tiny", &err),
       &err);
    for (size_t i = 0; i < N_TEXTS; i++) {
        char *p = texts_bytes[i];

        for (size_t n = tiny_random(&seed) % 11; n != 0; n--) {
            const char *w = words[tiny_random(&seed) % 6];

            memcpy(p, w, strlen(w));
            p += strlen(w);
            *p++ = ' ';
        }
        texts[i] = rag_str_n(texts_bytes[i], (size_t)(p - texts_bytes[i]));
    }
    return 0;
}

static rag_encoder *open_with(size_t n_threads)
{
    rag_encoder *e;
    rag_error err;

    OK(rag_encoder_open(&e, tiny_path("out"), n_threads, &err), &err);
    return e;
}

static void run(float *out, rag_encoder *e, const rag_str *t, size_t n)
{
    rag_error err;

    OK(rag_encoder_run(out, e, t, n, NULL, NULL, &err), &err);
}

static void check_unit(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double square = 0.0;

        for (size_t d = 0; d < TINY_HIDDEN; d++)
            square +=
                (double)v[i * TINY_HIDDEN + d] * (double)v[i * TINY_HIDDEN + d];
        assert_true(fabs(square - 1.0) < 1e-5);
    }
}

static void test_batch_is_single(void **state)
{
    static float all[N_TEXTS * TINY_HIDDEN];
    static float again[N_TEXTS * TINY_HIDDEN];
    rag_encoder *e = open_with(1);
    rag_encoder *many = open_with(3);

    (void)state;
    run(all, many, texts, N_TEXTS);
    check_unit(all, N_TEXTS);
    for (size_t i = 0; i < N_TEXTS; i++)
        run(again + i * TINY_HIDDEN, e, &texts[i], 1);
    assert_memory_equal(all, again, sizeof all);
    run(again, e, texts, N_TEXTS);
    assert_memory_equal(all, again, sizeof all);
    run(again, many, texts + 7, N_TEXTS - 7);
    assert_memory_equal(all + 7 * TINY_HIDDEN, again,
                        (N_TEXTS - 7) * TINY_HIDDEN * sizeof(float));
    rag_encoder_close(e);
    rag_encoder_close(many);
}

static void test_tiers_agree(void **state)
{
    static float want[40 * TINY_HIDDEN];
    static float got[40 * TINY_HIDDEN];
    char before[32] = "";

    (void)state;
    if (getenv("RAG_CPU") != NULL)
        (void)snprintf(before, sizeof before, "%s", getenv("RAG_CPU"));
    for (rag_cpu_tier t = RAG_CPU_SCALAR; t <= rag_cpu_best(); t++) {
        rag_encoder *e;

        if (!rag_cpu_has(t))
            continue;
        assert_int_equal(setenv("RAG_CPU", rag_cpu_name(t), 1), 0);
        e = open_with(2);
        assert_string_equal(rag_encoder_tier(), rag_cpu_name(t));
        run(t == RAG_CPU_SCALAR ? want : got, e, texts, 40);
        if (t != RAG_CPU_SCALAR)
            assert_memory_equal(want, got, sizeof want);
        rag_encoder_close(e);
    }
    if (before[0] != '\0')
        assert_int_equal(setenv("RAG_CPU", before, 1), 0);
    else
        assert_int_equal(unsetenv("RAG_CPU"), 0);
}

/* However many rows a kernel likes to take at once: the same vectors. */
static void test_rows(void **state)
{
    static const size_t rows[] = {48, 2, 10, RAG_KERN_MOST_ROWS};
    enum { WINDOWS = 12 };
    static float out[2][WINDOWS * TINY_HIDDEN];
    static int32_t ids[TINY_WINDOW];
    rag_layers_window windows[WINDOWS];
    rag_layers_block block = {windows, WINDOWS, 0};
    rag_weights w;
    rag_error err;

    (void)state;
    for (size_t i = 0; i < TINY_WINDOW; i++)
        ids[i] = (int32_t)(i * 5 % TINY_PIECES);
    OK(rag_weights_open(&w, tiny_path("out"), &err), &err);
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        rag_kern kern = *rag_kern_chosen();
        float *to = out[r == 0 ? 0 : 1];
        rag_layers *k;

        kern.rows = rows[r];
        block.n_tokens = 0;
        for (size_t i = 0; i < WINDOWS; i++) {
            size_t n = i % 3 == 0 ? TINY_WINDOW : 1 + i;

            windows[i] =
                (rag_layers_window){i, ids, n, n, to + i * TINY_HIDDEN};
            block.n_tokens += n;
        }
        OK(rag_layers_new(&k, &w, &kern, &err), &err);
        OK(rag_layers_run(k, &block, &err), &err);
        rag_layers_free(k);
        if (r != 0)
            assert_memory_equal(out[0], out[1], sizeof out[0]);
    }
    rag_weights_close(&w);
}

/* A text over the window is the average of its windows, weighted by length. */
static void test_windows(void **state)
{
    /* every word is one piece of the model: 20 of them, 14 fit */
    static const char text[] = "a a a a a a a a a a abc abc abc abc abc abc "
                               "abc abc abc abc";
    rag_str whole = rag_str_n(text, sizeof text - 1);
    rag_str halves[2] = {rag_str_n(text, 19), rag_str_n(text + 20, 39)};
    float v[3 * TINY_HIDDEN];
    float sum[TINY_HIDDEN];
    double square = 0.0;
    rag_encoder *e = open_with(1);
    int32_t ids[64];
    rag_error err;
    size_t n;

    (void)state;
    OK(rag_encoder_tokens(ids, 64, &n, e, whole, &err), &err);
    assert_int_equal(n, 22);
    run(v, e, &whole, 1);
    run(v + TINY_HIDDEN, e, halves, 2);
    for (size_t d = 0; d < TINY_HIDDEN; d++) {
        sum[d] = 10.0f * v[TINY_HIDDEN + d] + 10.0f * v[2 * TINY_HIDDEN + d];
        square += (double)sum[d] * (double)sum[d];
    }
    for (size_t d = 0; d < TINY_HIDDEN; d++)
        assert_float_equal(v[d], sum[d] / (float)sqrt(square), 1e-5f);
    rag_encoder_close(e);
}

static void test_odd_texts(void **state)
{
    static char big[200000];
    rag_str odd[] = {RAG_STR_LIT(""),
                     RAG_STR_LIT(" \t "),
                     RAG_STR_LIT("\0"),
                     RAG_STR_LIT("\xFF\xFE\x80"),
                     RAG_STR_LIT("</s><s><mask>"),
                     rag_str_n(big, sizeof big),
                     rag_str_n(NULL, 0)};
    float v[7 * TINY_HIDDEN];
    rag_encoder *e = open_with(2);

    (void)state;
    memset(big, 'a', sizeof big);
    run(v, e, odd, 7);
    check_unit(v, 7);
    assert_memory_equal(v, v + TINY_HIDDEN, TINY_HIDDEN * sizeof *v);
    assert_memory_equal(v, v + 6 * TINY_HIDDEN, TINY_HIDDEN * sizeof *v);
    run(v, e, odd, 0);
    rag_encoder_close(e);
}

static bool stop_second(void *ctx)
{
    int *asked = ctx;

    return ++*asked > 1;
}

static void test_cancel(void **state)
{
    static float v[N_TEXTS * TINY_HIDDEN];
    rag_encoder *e = open_with(1);
    int asked = 0;
    rag_error err;

    (void)state;
    assert_int_equal(
        rag_encoder_run(v, e, texts, N_TEXTS, stop_second, &asked, &err),
        RAG_E_CANCELLED);
    assert_int_equal(asked, 2);
    run(v, e, texts, 3); /* it can be used again */
    check_unit(v, 3);
    rag_encoder_close(e);
}

/* What is needed is allocated once: a second run of texts like the first takes
 * nothing, be it one text or all of them. (One thread: with more of them it is
 * chance which one keeps the ids of which text.) */
static void test_no_allocation(void **state)
{
    static float v[N_TEXTS * TINY_HIDDEN];
    rag_encoder *e = open_with(1);

    (void)state;
    run(v, e, texts, N_TEXTS);
    rag_mem_fail_at(1);
    run(v, e, texts, N_TEXTS);
    run(v, e, texts + 7, 1);
    rag_mem_fail_at(0);
    rag_encoder_close(e);
}

static rag_status open_and_run(void)
{
    float v[8 * TINY_HIDDEN];
    rag_encoder *e;
    rag_status st = rag_encoder_open(&e, tiny_path("out"), 1, NULL);

    if (st == RAG_OK)
        st = rag_encoder_run(v, e, texts, 8, NULL, NULL, NULL);
    rag_encoder_close(e);
    return st;
}

static void test_oom(void **state)
{
    (void)state;
    CHECK_OOM(open_and_run());
}

static void test_missing(void **state)
{
    rag_encoder *e;
    rag_error err;

    (void)state;
    assert_int_equal(rag_encoder_open(&e, "/nowhere/x", 0, &err),
                     RAG_E_NOTFOUND);
    assert_null(e);
    assert_int_equal(rag_encoder_open(&e, tiny_path("in"), 0, &err),
                     RAG_E_CORRUPT);
    assert_null(e);
    rag_encoder_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_is_single),
        cmocka_unit_test(test_tiers_agree),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_odd_texts),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_oom),
        cmocka_unit_test(test_missing),
    };

    return cmocka_run_group_tests(tests, setup, tiny_cleanup);
}
