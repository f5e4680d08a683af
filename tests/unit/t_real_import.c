/* Real weights in foreign formats (tests/nn/fetch_imports.sh FOLDER, then
 * RAG_TEST_IMPORTS=FOLDER): token ids as Hugging Face tokenizers give them,
 * vectors as ONNX Runtime and transformers give them in fp32
 * (tests/nn/make_import_reference.py). */
#include "datafile.h"
#include "nn_tiny.h"

#include <math.h>

#include "base/utf8.h"
#include "nn/encoder.h"

enum { MAX_IDS = 4096, MAX_TEXTS = 128 };

static rag_str texts[MAX_TEXTS];
static size_t n_texts;
static rag_buf file;

typedef struct model {
    const char *path; /* in the folder of models */
    const char *want; /* tests/data/import/WANT.f16 */
    size_t window;    /* what the reference cut texts to */
    const char *query_prefix;
    double least_korean; /* 0: .998, as of other texts */
} model;

static void check_ids(rag_encoder *e, const char *name)
{
    static int32_t ids[MAX_IDS];
    rag_buf want = datafile_read("import/uncased.ids");
    size_t at = 0;

    for (size_t i = 0; i < n_texts; i++) {
        uint16_t n_want;
        rag_error err;
        size_t n;

        assert_true(at + 2 <= want.len);
        memcpy(&n_want, want.ptr + at, 2);
        at += 2;
        OK(rag_encoder_tokens(ids, MAX_IDS, &n, e, texts[i], &err), &err);
        assert_int_equal(n, n_want);
        for (size_t k = 0; k < n; k++) {
            uint16_t id;

            memcpy(&id, want.ptr + at + 2 * k, 2);
            if (ids[k] != id)
                fail_msg("%s, text %zu: id %zu is %d, want %d", name, i, k,
                         (int)ids[k], (int)id);
        }
        at += 2 * n;
    }
    assert_int_equal(at, want.len);
    rag_buf_dispose(&want);
}

/* Hangul, composed or not */
static bool is_korean(rag_str text)
{
    while (text.len != 0) {
        uint32_t cp;
        bool ok;
        size_t n = rag_utf8_decode(&cp, &ok, text);

        text = rag_str_cut(text, n, text.len);
        if ((cp >= 0xAC00 && cp < 0xD7A4) || (cp >= 0x1100 && cp < 0x1200))
            return true;
    }
    return false;
}

/* Texts over the window are left out: the reference cuts them. The models are
 * English and see Korean as single letters; such texts lose more. */
static void check_vectors(rag_encoder *e, const model *m)
{
    size_t dims = rag_encoder_about(e)->dims;
    float *v = rag_calloc(MAX_TEXTS * dims, sizeof *v);
    char path[128];
    rag_buf want;
    double mean = 0.0;
    double least[2] = {1.0, 1.0}; /* of English, of Korean */
    size_t n = 0;
    rag_error err;

    (void)snprintf(path, sizeof path, "import/%s.f16", m->want);
    want = datafile_read(path);
    assert_int_equal(want.len, n_texts * dims * 2);
    OK(rag_encoder_run(v, e, texts, n_texts, NULL, NULL, &err), &err);
    for (size_t i = 0; i < n_texts; i++) {
        bool korean = is_korean(texts[i]);
        double dot;
        size_t n_ids;

        OK(rag_encoder_tokens(NULL, 0, &n_ids, e, texts[i], &err), &err);
        if (n_ids > m->window)
            continue;
        dot = datafile_cosine(&want, v, i, dims);
        mean += dot;
        least[korean] = fmin(least[korean], dot);
        n++;
    }
    mean /= (double)n;
    print_message("%s: cosine to fp32: mean %.5f, least %.5f, Korean %.5f, "
                  "%zu texts\n",
                  m->path, mean, least[0], least[1], n);
    assert_true(n >= 60);
    assert_true(mean >= 0.9992);
    assert_true(least[0] >= 0.998);
    assert_true(least[1] >= (m->least_korean > 0.0 ? m->least_korean : 0.998));
    rag_free(v);
    rag_buf_dispose(&want);
}

static void check(const model *m)
{
    char path[512];
    rag_encoder *e;
    rag_error err;

    (void)snprintf(path, sizeof path, "%s/%s", getenv("RAG_TEST_IMPORTS"),
                   m->path);
    OK(rag_encoder_import(tiny_path("out"), path, "x", &err), &err);
    OK(rag_encoder_verify(tiny_path("out"), &err), &err);
    OK(rag_encoder_open(&e, tiny_path("out"), 0, &err), &err);
    assert_string_equal(rag_encoder_about(e)->query_prefix, m->query_prefix);
    check_ids(e, m->path);
    check_vectors(e, m);
    rag_encoder_close(e);
}

static void test_e5(void **state)
{
    (void)state;
    check(&(model){.path = "e5-small-v2/e5-small-v2.onnx",
                   .want = "e5-small-v2",
                   .window = 512,
                   .query_prefix = "query: "});
}

static void test_bge(void **state)
{
    (void)state;
    check(&(model){
        .path = "bge-small-en-v1.5/bge-small-en-v1.5.onnx",
        .want = "bge-small-en-v1.5",
        .window = 512,
        .query_prefix =
            "Represent this sentence for searching relevant passages: "});
}

/* Its int8 weights come through as they are. */
static void test_minilm_int8(void **state)
{
    (void)state;
    check(&(model){.path = "all-minilm-l6-v2-int8/all-minilm-l6-v2-int8.onnx",
                   .want = "all-minilm-l6-v2-int8",
                   .window = 512,
                   .query_prefix = ""});
}

/* ONNX Runtime's dynamic quantiser, 7 of 8 bits used. */
static void test_minilm_q(void **state)
{
    (void)state;
    check(&(model){.path = "all-minilm-l6-v2-q/all-minilm-l6-v2-q.onnx",
                   .want = "all-minilm-l6-v2-q",
                   .window = 512,
                   .query_prefix = ""});
}

/* Exported with the pooling in the graph, without token types. */
static void test_minilm_l3(void **state)
{
    (void)state;
    check(
        &(model){.path = "paraphrase-minilm-l3-v2/paraphrase-minilm-l3-v2.onnx",
                 .want = "paraphrase-minilm-l3-v2",
                 .window = 512,
                 .least_korean = 0.997,
                 .query_prefix = ""});
}

/* A folder as it is published. Its window is 256, whatever the table of
 * positions holds. */
static void test_minilm_folder(void **state)
{
    (void)state;
    check(&(model){.path = "all-minilm-l6-v2",
                   .want = "all-minilm-l6-v2",
                   .window = 256,
                   .least_korean = 0.9975,
                   .query_prefix = ""});
}

static void test_minilm_gguf(void **state)
{
    (void)state;
    check(&(model){.path = "all-minilm-l6-v2-gguf/all-minilm-l6-v2-gguf.gguf",
                   .want = "all-minilm-l6-v2",
                   .window = 256,
                   .least_korean = 0.9975,
                   .query_prefix = ""});
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
        cmocka_unit_test(test_minilm_q),
        cmocka_unit_test(test_minilm_l3),
        cmocka_unit_test(test_minilm_folder),
        cmocka_unit_test(test_minilm_gguf),
    };

    if (getenv("RAG_TEST_IMPORTS") == NULL) {
        print_message("skipped: RAG_TEST_IMPORTS names no folder of models "
                      "(tests/nn/fetch_imports.sh)\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
