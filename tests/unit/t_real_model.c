/* multilingual-e5-small itself, when it is at hand: token ids of 20,000 lines
 * as SentencePiece gives them, vectors as an fp32 run of the same weights gives
 * them (tests/nn/make_reference.py). RAG_TEST_MODEL names the E5S1 file or the
 * imported one. */
#include "datafile.h"
#include "nn_tiny.h"

#include <math.h>

#include "nn/encoder.h"

enum { MAX_IDS = 4096, MAX_TEXTS = 128 };

static rag_encoder *e;

static int setup(void **state)
{
    const char *path = getenv("RAG_TEST_MODEL");
    rag_encoder_info info;
    rag_error err;

    (void)state;
    if (rag_encoder_peek(&info, path, &err) != RAG_OK) {
        OK(rag_encoder_import(tiny_path("out"), path, "e5-small", &err), &err);
        path = tiny_path("out");
        OK(rag_encoder_verify(path, &err), &err);
    }
    OK(rag_encoder_open(&e, path, 0, &err), &err);
    return 0;
}

static int teardown(void **state)
{
    rag_encoder_close(e);
    return tiny_cleanup(state);
}

static void test_ids(void **state)
{
    static int32_t ids[MAX_IDS];
    rag_buf lines = datafile_read("nn/lines.txt");
    rag_buf want = datafile_read("nn/lines.ids");
    rag_str rest = rag_buf_str(&lines);
    rag_str line;
    size_t i = 0;

    (void)state;
    for (; rag_str_next_line(&line, &rest); i++) {
        uint32_t hash = 0x811C9DC5u;
        uint16_t want_n;
        uint32_t want_hash;
        rag_error err;
        size_t n;

        assert_true(6 * (i + 1) <= want.len);
        memcpy(&want_n, want.ptr + 6 * i, 2);
        memcpy(&want_hash, want.ptr + 6 * i + 2, 4);
        OK(rag_encoder_tokens(ids, MAX_IDS, &n, e, line, &err), &err);
        for (size_t k = 0; k < n && k < MAX_IDS; k++) {
            for (unsigned s = 0; s < 32; s += 8)
                hash = (hash ^ ((uint32_t)ids[k] >> s & 0xFFu)) * 0x01000193u;
        }
        if (n != want_n || hash != want_hash)
            fail_msg("line %zu: other ids: %.*s", i + 1, (int)line.len,
                     line.ptr);
    }
    assert_int_equal(6 * i, want.len);
    assert_true(i >= 20000);
    rag_buf_dispose(&lines);
    rag_buf_dispose(&want);
}

static void test_vectors(void **state)
{
    size_t dims = rag_encoder_about(e)->dims;
    rag_buf texts = datafile_read("nn/texts.txt");
    rag_buf want = datafile_read("nn/vectors.f16");
    rag_str all[MAX_TEXTS];
    rag_str rest = rag_buf_str(&texts);
    float *v = rag_calloc(MAX_TEXTS * dims, sizeof *v);
    float *alone = rag_calloc(dims, sizeof *alone);
    double mean = 0.0;
    double least = 1.0;
    size_t n = 0;
    rag_error err;

    (void)state;
    while (n < MAX_TEXTS && rag_str_next_line(&all[n], &rest))
        n++;
    assert_true(n >= 60);
    assert_int_equal(want.len, n * dims * 2);
    OK(rag_encoder_run(v, e, all, n, NULL, NULL, &err), &err);
    for (size_t i = 0; i < n; i++) {
        double dot = datafile_cosine(&want, v, i, dims);

        mean += dot / (double)n;
        least = fmin(least, dot);
    }
    print_message("cosine to fp32: mean %.5f, least %.5f\n", mean, least);
    assert_true(mean >= 0.9992);
    assert_true(least >= 0.998);
    for (size_t i = 0; i < n; i += 9) {
        OK(rag_encoder_run(alone, e, &all[i], 1, NULL, NULL, &err), &err);
        assert_memory_equal(alone, v + i * dims, dims * sizeof *v);
    }
    rag_free(v);
    rag_free(alone);
    rag_buf_dispose(&texts);
    rag_buf_dispose(&want);
}

/* The model means something: a translation is nearer than another sentence. */
static void test_translation(void **state)
{
    rag_str t[3] = {RAG_STR_LIT("query: How do I get a refund?"),
                    RAG_STR_LIT("passage: \xED\x99\x98\xEB\xB6\x88\xEC\x9D\x80 "
                                "\xEC\x96\xB4\xEB\x96\xBB\xEA\xB2\x8C "
                                "\xEB\xB0\x9B\xEB\x82\x98\xEC\x9A\x94?"),
                    RAG_STR_LIT("passage: The museum is closed on Mondays.")};
    size_t dims = rag_encoder_about(e)->dims;
    float *v = rag_calloc(3 * dims, sizeof *v);
    double same = 0.0;
    double other = 0.0;
    rag_error err;

    (void)state;
    OK(rag_encoder_run(v, e, t, 3, NULL, NULL, &err), &err);
    for (size_t d = 0; d < dims; d++) {
        same += (double)v[d] * (double)v[dims + d];
        other += (double)v[d] * (double)v[2 * dims + d];
    }
    assert_true(same > other + 0.05);
    rag_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_translation),
    };

    if (getenv("RAG_TEST_MODEL") == NULL) {
        print_message("skipped: RAG_TEST_MODEL does not name the model file\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
