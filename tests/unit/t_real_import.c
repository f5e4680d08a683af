/* Real weights in foreign formats (tests/nn/fetch_imports.sh FOLDER, then
 * RAG_TEST_IMPORTS=FOLDER): token ids as Hugging Face tokenizers give them,
 * vectors as ONNX Runtime gives them in fp32 (tests/nn/make_import_reference.
 * py). */
#include "datafile.h"
#include "nn_tiny.h"

#include <math.h>

#include "base/utf8.h"
#include "nn/encoder.h"

enum { MAX_IDS = 4096, MAX_TEXTS = 128 };

static rag_str texts[MAX_TEXTS];
static size_t n_texts;
static rag_buf file;

static void check_ids(rag_encoder *e, const char *name)
{
    static int32_t ids[MAX_IDS];
    char path[128];
    rag_buf want;
    size_t at = 0;

    (void)snprintf(path, sizeof path, "import/%s.ids", name);
    want = datafile_read(path);
    for (size_t i = 0; i < n_texts; i++) {
        uint16_t n_want;
        rag_error err;
        size_t n;

        assert_true(at + 2 <= want.len);
        memcpy(&n_want, want.ptr + at, 2);
        at += 2;
        OK(rag_encoder_tokens(ids, MAX_IDS, &n, e, texts[i], &err), &err);
        /* the reference was cut to the window */
        assert_true(n == n_want || (n > n_want && n_want == 512));
        for (size_t k = 0; k + 1 < n_want; k++) {
            uint16_t id;

            memcpy(&id, want.ptr + at + 2 * k, 2);
            if (ids[k] != id)
                fail_msg("%s, text %zu: id %zu is %d, want %d", name, i, k,
                         (int)ids[k], (int)id);
        }
        at += (size_t)2 * n_want;
    }
    assert_int_equal(at, want.len);
    rag_buf_dispose(&want);
}

/* mean and least: what the cosines must reach. Texts over the window are left
 * out: the reference cuts them. */
static void check_vectors(rag_encoder *e, const char *name, double want_mean,
                          double want_least)
{
    size_t dims = rag_encoder_about(e)->dims;
    float *v = rag_calloc(MAX_TEXTS * dims, sizeof *v);
    char path[128];
    rag_buf want;
    double mean = 0.0;
    double least = 1.0;
    size_t n = 0;
    rag_error err;

    (void)snprintf(path, sizeof path, "import/%s.f16", name);
    want = datafile_read(path);
    assert_int_equal(want.len, n_texts * dims * 2);
    OK(rag_encoder_run(v, e, texts, n_texts, NULL, NULL, &err), &err);
    for (size_t i = 0; i < n_texts; i++) {
        double dot;
        size_t n_ids;

        OK(rag_encoder_tokens(NULL, 0, &n_ids, e, texts[i], &err), &err);
        if (n_ids > 512)
            continue;
        dot = datafile_cosine(&want, v, i, dims);
        mean += dot;
        least = fmin(least, dot);
        n++;
    }
    mean /= (double)n;
    print_message("%s: cosine to fp32: mean %.5f, least %.5f, %zu texts\n",
                  name, mean, least, n);
    assert_true(n >= 60);
    assert_true(mean >= want_mean);
    assert_true(least >= want_least);
    rag_free(v);
    rag_buf_dispose(&want);
}

static void check(const char *name, const char *query_prefix, double mean,
                  double least, const rag_encoder_import_opts *o)
{
    char path[512];
    rag_encoder *e;
    rag_error err;

    (void)snprintf(path, sizeof path, "%s/%s/%s.onnx",
                   getenv("RAG_TEST_IMPORTS"), name, name);
    OK(rag_encoder_import_as(tiny_path("out"), path, "x", o, &err), &err);
    OK(rag_encoder_verify(tiny_path("out"), &err), &err);
    OK(rag_encoder_open(&e, tiny_path("out"), 0, &err), &err);
    assert_string_equal(rag_encoder_about(e)->query_prefix, query_prefix);
    check_ids(e, name);
    check_vectors(e, name, mean, least);
    rag_encoder_close(e);
}

static void test_e5(void **state)
{
    (void)state;
    check("e5-small-v2", "query: ", 0.9992, 0.998, NULL);
}

static void test_bge(void **state)
{
    (void)state;
    check("bge-small-en-v1.5",
          "Represent this sentence for searching relevant passages: ", 0.9992,
          0.998, NULL);
}

/* Its int8 weights come through as they are. */
static void test_minilm_int8(void **state)
{
    (void)state;
    check("all-minilm-l6-v2-int8", "", 0.9992, 0.998, NULL);
}

static int setup(void **state)
{
    rag_str rest;

    (void)state;
    file = datafile_read("nn/texts.txt");
    rest = rag_buf_str(&file);
    while (n_texts < MAX_TEXTS && rag_str_next_line(&texts[n_texts], &rest))
        n_texts++;
    return 0;
}

static int teardown(void **state)
{
    rag_buf_dispose(&file);
    return tiny_cleanup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e5),
        cmocka_unit_test(test_bge),
        cmocka_unit_test(test_minilm_int8),
    };

    if (getenv("RAG_TEST_IMPORTS") == NULL) {
        print_message("skipped: RAG_TEST_IMPORTS names no folder of models "
                      "(tests/nn/fetch_imports.sh)\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
