#include "vindex_set.h"

#include "store/blas.h"

static void test_missing_blas(void **state)
{
    static const char *const none[] = {"librag-no-such-blas.so.9", "libc.so.6",
                                       NULL};

    (void)state;
    assert_false(rag_blas_loaded());
    assert_int_equal(rag_blas_load(none, &err), RAG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "libopenblas0"));
    assert_false(rag_blas_loaded());
}

/* Searching needs no BLAS: the file is made in a child. */
static void test_search_without_blas(void **state)
{
    rag_vindex *v = NULL;
    rag_bits all = all_of(&many);

    (void)state;
    assert_int_equal(in_child("make"), 0);
    OK(rag_vindex_open(&v, many_path, DIMS, 7, key, &err), &err);
    assert_true(recall(v, &many, &all, 10) >= .95);
    assert_false(rag_blas_loaded());
    rag_vindex_close(v);
    bits_free(&all);
}

static void test_many(void **state)
{
    rag_vindex *v = NULL;
    rag_bits all = all_of(&many);
    struct stat sb;

    (void)state;
    assert_int_equal(make_many(), 0);
    assert_true(rag_blas_loaded());
    assert_int_equal(many_info.n_vectors, MANY);
    assert_int_equal(many_info.n_lists, 512);
    assert_string_equal(many_info.kind, "IVF512,SQfp16");
    assert_int_equal(stat(many_path, &sb), 0);
    assert_int_equal(sb.st_size, many_info.file_bytes);
    assert_int_equal(sb.st_mode & 0777, 0600);
    OK(rag_vindex_verify(many_path, many_info.sha256, &err), &err);
    OK(rag_vindex_open(&v, many_path, DIMS, 7, key, &err), &err);
    assert_true(recall(v, &many, &all, 10) >= .95);
    assert_true(recall(v, &many, &all, 50) >= .95);
    rag_vindex_close(v);
    bits_free(&all);
}

/* Filters act before the top k is cut, and nothing else is ever returned. */
static void test_filters(void **state)
{
    static const unsigned keep_1_in[] = {2, 10, 100, 3000};
    rag_vindex *v = NULL;

    (void)state;
    OK(rag_vindex_open(&v, many_path, DIMS, 7, key, &err), &err);
    for (size_t f = 0; f < sizeof keep_1_in / sizeof *keep_1_in; f++) {
        rag_bits some = all_of(&many);

        for (size_t i = 0; i < many.n; i++)
            if (rnd() % keep_1_in[f] != 0)
                clear(&some, many.ids[i]);
        /* the number of hits is checked inside: all there are, up to k */
        assert_true(recall(v, &many, &some, 20) >= .95);
        bits_free(&some);
    }
    rag_vindex_close(v);
}

/* A filter that leaves one topic only: its vectors lie in few lists, far from
 * most queries. */
static void test_filter_far_away(void **state)
{
    rag_vindex *v = NULL;
    rag_bits some = all_of(&many);
    float near_it[DIMS];

    (void)state;
    memcpy(near_it, many.centres, sizeof near_it);
    for (size_t i = 0; i < many.n; i++) {
        float dot;

        rag_vindex_dots(&dot, many.rows + i * DIMS, 1, DIMS, near_it);
        if (dot < .75f)
            clear(&some, many.ids[i]);
    }
    assert_true(some.n_set > 20 && some.n_set < MANY / 20);
    OK(rag_vindex_open(&v, many_path, DIMS, 7, key, &err), &err);
    assert_true(recall(v, &many, &some, 20) >= .95);
    rag_vindex_close(v);
    bits_free(&some);
}

static void test_small_is_exact(void **state)
{
    set s = set_new(FEW, DIMS);
    const char *path = in_folder(1, "small");
    rag_vindex_build b = build_of(&s, path);
    rag_vindex_info info;
    rag_vindex_info again;
    rag_vindex *v = NULL;
    rag_bits all;

    (void)state;
    /* equal vectors: the smaller ids come first, also across the cut */
    for (size_t i = 100; i < 140; i++)
        memcpy(s.rows + i * DIMS, s.rows, DIMS * sizeof *s.rows);
    all = all_of(&s);
    OK(rag_vindex_make(&info, &b, &err), &err);
    assert_int_equal(info.n_lists, 1);
    OK(rag_vindex_open(&v, path, DIMS, 7, key, &err), &err);
    for (int round = 0; round < 40; round++) {
        float q[DIMS];
        rag_store_hit want[64];
        rag_store_hit got[64];
        size_t k = 1 + rnd() % 64;
        size_t n = 0;

        if (round < 10)
            rag_vindex_to_float(q, s.rows, DIMS);
        else
            draw(q, &s);
        OK(rag_vindex_search(got, &n, k, v, q, &all, &err), &err);
        assert_int_equal(n, brute(want, k, &s, q, &all));
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(got[i].chunk_id, want[i].chunk_id);
            assert_memory_equal(&got[i].score, &want[i].score, sizeof(float));
        }
        clear(&all, s.ids[rnd() % FEW]); /* and less every time */
    }
    rag_vindex_close(v);
    /* the same input makes the same file */
    OK(rag_vindex_make(&again, &b, &err), &err);
    assert_memory_equal(again.sha256, info.sha256, sizeof info.sha256);
    bits_free(&all);
    set_free(&s);
}

static void test_edges(void **state)
{
    set s = set_new(FEW, 3);
    const char *path = in_folder(1, "edges");
    rag_vindex_build b = build_of(&s, path);
    rag_vindex_info info;
    rag_vindex *v = NULL;
    rag_store_hit hits[FEW + 10];
    rag_bits all = all_of(&s);
    rag_bits none = {0};
    const uint16_t nan = 0x7e00;
    const float q[3] = {1, 0, 0};
    size_t n = 99;

    (void)state;
    s.rows[5] = nan; /* a damaged vector is never found, and hurts no other */
    b.n_vectors = 0; /* nor does a wrong guess */
    OK(rag_vindex_make(&info, &b, &err), &err);
    assert_int_equal(info.n_vectors, FEW);
    OK(rag_vindex_open(&v, path, 3, 7, key, &err), &err);
    OK(rag_vindex_search(hits, &n, FEW + 10, v, q, &all, &err), &err);
    assert_int_equal(n, FEW - 1);
    for (size_t i = 0; i < n; i++)
        assert_int_not_equal(hits[i].chunk_id, s.ids[1]);
    OK(rag_vindex_search(hits, &n, 10, v, q, &none, &err), &err);
    assert_int_equal(n, 0);
    OK(rag_vindex_search(hits, &n, 0, v, q, &all, &err), &err);
    assert_int_equal(n, 0);
    rag_vindex_close(v);

    s.n = 0; /* an empty index */
    b.n_vectors = MANY;
    OK(rag_vindex_make(&info, &b, &err), &err);
    assert_int_equal(info.n_vectors, 0);
    OK(rag_vindex_open(&v, path, 3, 7, key, &err), &err);
    OK(rag_vindex_search(hits, &n, 10, v, q, &all, &err), &err);
    assert_int_equal(n, 0);
    rag_vindex_close(v);

    b.dims = 0;
    assert_int_equal(rag_vindex_make(&info, &b, &err), RAG_E_INVAL);
    b.dims = RAG_VINDEX_MAX_DIMS + 1;
    assert_int_equal(rag_vindex_make(&info, &b, &err), RAG_E_INVAL);
    bits_free(&all);
    set_free(&s);
}

static void test_mismatch(void **state)
{
    uint8_t other[RAG_SHA256_BYTES];
    rag_vindex *v = NULL;
    const char *link_path = in_folder(1, "link");
    const char *fifo = in_folder(2, "fifo");

    (void)state;
    assert_int_equal(try_open(many_path, DIMS, 7), RAG_OK);
    assert_int_equal(try_open(many_path, DIMS, 8), RAG_E_INDEX);
    assert_int_equal(try_open(many_path, DIMS + 1, 7), RAG_E_INDEX);
    assert_int_equal(try_open(in_folder(3, "absent"), DIMS, 7), RAG_E_INDEX);
    assert_int_equal(try_open(folder, DIMS, 7), RAG_E_INDEX);
    assert_int_equal(symlink(many_path, link_path), 0);
    assert_int_equal(try_open(link_path, DIMS, 7), RAG_E_INDEX);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(try_open(fifo, DIMS, 7), RAG_E_INDEX);
    for (size_t i = 0; i < sizeof other; i++) {
        memcpy(other, key, sizeof other);
        other[i] ^= 1;
        assert_int_equal(rag_vindex_open(&v, many_path, DIMS, 7, other, &err),
                         RAG_E_INDEX);
    }
}

static void test_lapack(void **state)
{
    extern int dgetrf_(int *m, int *n, double *a, int *lda, int *ipiv,
                       int *info);
    double a[4] = {0, 2, 4, 0}; /* columns: needs a row exchange */
    int two = 2;
    int ipiv[2] = {0, 0};
    int info = 7;

    (void)state;
    (void)dgetrf_(&two, &two, a, &two, ipiv, &info);
    assert_int_equal(info, 0);
    assert_int_equal(ipiv[0], 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_blas),
        cmocka_unit_test(test_search_without_blas),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_filter_far_away),
        cmocka_unit_test(test_small_is_exact),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_mismatch),
        cmocka_unit_test(test_lapack),
    };

    if (!set_up(argc, argv))
        return 1;
    if (argc == 3) /* "make" */
        return make_many();
    return cmocka_run_group_tests(tests, NULL, remove_all);
}
