#include "store_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>

static int64_t space_of(fix *f, const char *fingerprint)
{
    rag_store_space sp;

    OK(rag_store_space_put(&sp, f->s, rag_str_of(fingerprint),
                           RAG_STR_LIT("test:m"), FIX_DIMS, &f->err),
       &f->err);
    return sp.id;
}

static uint64_t missing(fix *f, int64_t space)
{
    uint64_t n;

    OK(rag_store_unembedded_count(&n, f->s, space, &f->err), &f->err);
    return n;
}

/* The nearest chunk of a vector is its own, and the scores are what double
 * arithmetic over the same chunks says. */
static void check_dense(fix *f, int64_t first, int64_t n_chunks, unsigned turn,
                        bool want_warning)
{
    rag_store_hit hits[5];
    float query[FIX_DIMS];
    float v[FIX_DIMS];
    const char *warning;
    size_t n;

    for (int64_t id = first; id < first + n_chunks; id += 1 + n_chunks / 7) {
        double best = -2.0;
        double second = -2.0;

        fix_vector(query, id, turn);
        OK(rag_store_dense(hits, &n, 5, f->s, query, FIX_DIMS, NULL, &warning,
                           &f->err),
           &f->err);
        assert_int_equal(warning != NULL, want_warning);
        assert_int_equal(n, n_chunks < 5 ? (size_t)n_chunks : 5);
        assert_int_equal(hits[0].chunk_id, id);
        for (int64_t k = first; k < first + n_chunks; k++) {
            double dot = 0.0;

            fix_vector(v, k, turn);
            for (size_t i = 0; i < FIX_DIMS; i++)
                dot += (double)v[i] * (double)query[i];
            if (dot > best) {
                second = best;
                best = dot;
            } else if (dot > second) {
                second = dot;
            }
        }
        assert_true(fabs((double)hits[0].score - best) < 0.002);
        if (n > 1)
            assert_true(fabs((double)hits[1].score - second) < 0.002);
        for (size_t i = 1; i < n; i++)
            assert_true(hits[i - 1].score >= hits[i].score);
    }
}

static unsigned count_files(const fix *f, const char *suffix)
{
    DIR *d = opendir(f->dir);
    struct dirent *e;
    unsigned n = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        if (rag_str_ends(rag_str_of(e->d_name), suffix))
            n++;
    (void)closedir(d);
    return n;
}

/* Exact without a file, then with one, then with newer vectors beside it. */
static void test_dense(void **state)
{
    fix f;
    int64_t sp;
    rag_store_stats st;

    (void)state;
    fix_init(&f);
    sp = space_of(&f, "m1");
    OK(fix_put(f.s, f.root, "a.txt", "ay", 700, &f.err), &f.err);
    assert_int_equal(missing(&f, sp), 700);
    assert_int_equal(fix_embed(f.s, sp, 0, &f.err), 700);
    assert_int_equal(missing(&f, sp), 0);
    check_dense(&f, 1, 700, 0, false);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    st = fix_stats(f.s, &f.err);
    assert_int_equal(st.n_vectors, 700);
    assert_int_equal(st.index_vectors, 700);
    assert_true(st.index_fresh);
    assert_true(st.index_bytes > 700 * FIX_DIMS * 2);
    fix_reopen(&f, false);
    check_dense(&f, 1, 700, 0, false);
    fix_reopen(&f, true);
    OK(fix_put(f.s, f.root, "b.txt", "bee", 50, &f.err), &f.err);
    assert_int_equal(fix_embed(f.s, sp, 0, &f.err), 50);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    assert_false(fix_stats(f.s, &f.err).index_fresh);
    fix_reopen(&f, false);
    check_dense(&f, 1, 750, 0, false);
    fix_reopen(&f, true);
    OK(fix_put(f.s, f.root, "a.txt", "gone", 1, &f.err), &f.err);
    check_dense(&f, 701, 50, 0, false); /* the new chunk has no vector */
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    assert_int_equal(count_files(&f, ".idx"), 2);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    assert_int_equal(count_files(&f, ".idx"), 1);
    check_dense(&f, 701, 50, 0, false);
    fix_sound(f.s, &f.err);
    fix_done(&f);
}

/* The newest: the one before may still lie there. */
static rag_status index_name(char path[200], const fix *f)
{
    char newest[80] = "";
    DIR *d = opendir(f->dir);
    struct dirent *e;

    assert_non_null(d);
    path[0] = '\0';
    while ((e = readdir(d)) != NULL)
        if (rag_str_ends(rag_str_of(e->d_name), ".idx") &&
            strverscmp(e->d_name, newest) > 0)
            (void)snprintf(newest, sizeof newest, "%.79s", e->d_name);
    (void)closedir(d);
    if (newest[0] != '\0')
        (void)snprintf(path, 200, "%s/%s", f->dir, newest);
    return path[0] != '\0' ? RAG_OK : RAG_E_NOTFOUND;
}

/* A file that is gone, cut, changed, or made by another user: exact, with a
 * warning; the next tidy builds it again. */
static void test_untrusted(void **state)
{
    fix f;
    char path[200];
    char key[240];
    int64_t sp;

    (void)state;
    fix_init(&f);
    sp = space_of(&f, "m1");
    OK(fix_put(f.s, f.root, "a.txt", "ay", 300, &f.err), &f.err);
    (void)fix_embed(f.s, sp, 0, &f.err);
    for (int how = 0; how < 4; how++) {
        OK(rag_store_tidy(f.s, how == 0, &f.err), &f.err);
        assert_true(fix_stats(f.s, &f.err).index_fresh);
        check_dense(&f, 1, 300, 0, false);
        rag_store_close(f.s);
        f.s = NULL;
        assert_int_equal(index_name(path, &f), RAG_OK);
        if (how == 0) {
            assert_int_equal(unlink(path), 0);
        } else if (how == 1) {
            assert_int_equal(truncate(path, 1000), 0);
        } else if (how == 2) {
            int fd = open(path, O_RDWR);

            assert_true(fd >= 0);
            assert_int_equal(pwrite(fd, "\xff\xff", 2, 40), 2);
            (void)close(fd);
        } else {
            (void)snprintf(key, sizeof key, "mv %s %s.old", f.state, f.state);
            assert_int_equal(system(key), 0);
        }
        fix_reopen(&f, false);
        check_dense(&f, 1, 300, 0, true);
        fix_reopen(&f, true);
    }
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    check_dense(&f, 1, 300, 0, false);
    fix_sound(f.s, &f.err);
    fix_done(&f);
}

/* The same key is never paid for twice: moved or re-chunked text. */
static void test_reuse(void **state)
{
    fix f;
    int64_t sp;
    int64_t ids[4];
    uint8_t keys[4 * RAG_STORE_KEY_BYTES];
    bool hit[4];
    float v[4 * FIX_DIMS];
    float cosines[4];
    size_t n;

    (void)state;
    fix_init(&f);
    sp = space_of(&f, "m1");
    OK(fix_put(f.s, f.root, "a.txt", "ay", 4, &f.err), &f.err);
    OK(rag_store_unembedded(ids, &n, 4, f.s, sp, 0, &f.err), &f.err);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < 4; i++) {
        fix_key(keys + i * RAG_STORE_KEY_BYTES, (int64_t)i, 0);
        fix_vector(v + i * FIX_DIMS, (int64_t)i, 0);
    }
    /* two of one call have the same text */
    memcpy(keys + 3 * RAG_STORE_KEY_BYTES, keys, RAG_STORE_KEY_BYTES);
    memcpy(v + 3 * FIX_DIMS, v, sizeof(float) * FIX_DIMS);
    OK(rag_store_vectors_put(f.s, sp, ids, keys, v, 4, &f.err), &f.err);
    OK(fix_put(f.s, f.root, "a.txt", "again", 4, &f.err), &f.err);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    OK(rag_store_unembedded(ids, &n, 4, f.s, sp, 0, &f.err), &f.err);
    assert_int_equal(n, 4);
    assert_int_equal(ids[0], 5);
    fix_key(keys + RAG_STORE_KEY_BYTES, 77, 0); /* one is new */
    OK(rag_store_vectors_reuse(hit, f.s, sp, ids, keys, 4, &f.err), &f.err);
    assert_true(hit[0] && !hit[1] && hit[2] && hit[3]);
    assert_int_equal(missing(&f, sp), 1);
    OK(rag_store_cosines(cosines, f.s, ids, 4, v, FIX_DIMS, &f.err), &f.err);
    assert_true(cosines[0] > 0.999f && cosines[3] > 0.999f);
    assert_true(isnan(cosines[1]));
    assert_true(cosines[2] < 0.999f);
    ids[0] = 4000;
    assert_int_equal(
        rag_store_vectors_reuse(hit, f.s, sp, ids, keys, 1, &f.err),
        RAG_E_INVAL);
    fix_sound(f.s, &f.err);
    fix_done(&f);
}

/* Another model: beside the old, resumed after an interruption, switched at
 * once; the old vectors are swept. */
static void test_reembed(void **state)
{
    fix f;
    rag_store_space active;
    int64_t one;
    int64_t two;
    int64_t ids[3];
    uint8_t keys[3 * RAG_STORE_KEY_BYTES];
    float v[3 * FIX_DIMS];
    float query[FIX_DIMS];
    rag_store_hit hit;
    rag_store_space sp;
    size_t n;

    (void)state;
    fix_init(&f);
    one = space_of(&f, "m1");
    OK(fix_put(f.s, f.root, "a.txt", "ay", 40, &f.err), &f.err);
    (void)fix_embed(f.s, one, 1, &f.err);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    two = space_of(&f, "m2");
    assert_int_not_equal(one, two);
    assert_int_equal(missing(&f, two), 40);
    OK(rag_store_unembedded(ids, &n, 3, f.s, two, 0, &f.err), &f.err);
    for (size_t i = 0; i < 3; i++) {
        fix_key(keys + i * RAG_STORE_KEY_BYTES, ids[i], 2);
        fix_vector(v + i * FIX_DIMS, ids[i], 2);
    }
    OK(rag_store_vectors_put(f.s, two, ids, keys, v, 3, &f.err), &f.err);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    assert_int_equal(rag_store_space_switch(f.s, two, &f.err), RAG_E_INVAL);
    check_dense(&f, 1, 40, 1, false); /* searches use the old */
    fix_reopen(&f, true);
    assert_int_equal(space_of(&f, "m2"), two);
    assert_int_equal(missing(&f, two), 37);
    assert_int_equal(fix_embed(f.s, two, 2, &f.err), 37);
    OK(rag_store_space_switch(f.s, two, &f.err), &f.err);
    OK(rag_store_space_active(&active, f.s, &f.err), &f.err);
    assert_int_equal(active.id, two);
    assert_true(rag_str_eqz(active.fingerprint, "m2"));
    assert_true(rag_str_eqz(active.model, "test:m"));
    check_dense(&f, 1, 40, 2, false);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    check_dense(&f, 1, 40, 2, false);
    fix_sound(f.s, &f.err);
    /* the first model again: nothing of it is left */
    assert_int_equal(missing(&f, space_of(&f, "m1")), 40);
    assert_int_equal(rag_store_space_put(&sp, f.s, RAG_STR_LIT("m2"),
                                         RAG_STR_LIT("x"), FIX_DIMS + 1,
                                         &f.err),
                     RAG_E_MISMATCH);
    fix_vector(query, 1, 2);
    assert_int_equal(rag_store_dense(&hit, &n, 1, f.s, query, FIX_DIMS - 1,
                                     NULL, NULL, &f.err),
                     RAG_E_MISMATCH);
    fix_done(&f);
}

static void put_many(fix *f, size_t first, size_t n)
{
    char key[24];

    for (size_t i = first; i < first + n; i++) {
        (void)snprintf(key, sizeof key, "f%zu", i);
        OK(fix_put(f->s, f->root, key, key, 4000, &f->err), &f->err);
    }
}

/* Above 20,000 vectors the file is made again only when much is new; what
 * nobody refers to is kept until it is much. */
static void test_large(void **state)
{
    fix f;
    rag_store_stats st;
    rag_store_file file;
    uint8_t key[RAG_STORE_KEY_BYTES];
    int64_t sp;
    int64_t id;
    uint64_t generation;
    bool found;
    bool hit;
    size_t n;
    char name[16];

    (void)state;
    fix_init(&f);
    sp = space_of(&f, "m1");
    put_many(&f, 0, 7);
    assert_int_equal(fix_embed(f.s, sp, 0, &f.err), 28000);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    st = fix_stats(f.s, &f.err);
    assert_int_equal(st.index_vectors, 28000);
    generation = st.index_generation;
    put_many(&f, 7, 1);
    assert_int_equal(fix_embed(f.s, sp, 0, &f.err), 4000);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    st = fix_stats(f.s, &f.err);
    assert_int_equal(st.index_generation, generation);
    assert_false(st.index_fresh);
    for (int i = 0; i < 7; i++) {
        (void)snprintf(name, sizeof name, "f%d", i);
        OK(rag_store_file_find(&file, &found, f.s, f.root, rag_str_of(name),
                               &f.err),
           &f.err);
        assert_true(found);
        OK(rag_store_file_remove(f.s, file.id, &f.err), &f.err);
        if (i != 3)
            continue;
        /* 16,000 without a chunk: all are still there */
        OK(rag_store_tidy(f.s, false, &f.err), &f.err);
        OK(fix_put(f.s, f.root, "x", "x", 1, &f.err), &f.err);
        OK(rag_store_unembedded(&id, &n, 1, f.s, sp, 0, &f.err), &f.err);
        assert_int_equal(n, 1);
        fix_key(key, 5, 0);
        OK(rag_store_vectors_reuse(&hit, f.s, sp, &id, key, 1, &f.err), &f.err);
        assert_true(hit);
    }
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    fix_key(key, 6, 0);
    OK(rag_store_vectors_reuse(&hit, f.s, sp, &id, key, 1, &f.err), &f.err);
    assert_false(hit); /* swept */
    fix_key(key, 5, 0);
    OK(rag_store_vectors_reuse(&hit, f.s, sp, &id, key, 1, &f.err), &f.err);
    assert_true(hit); /* a chunk has it */
    st = fix_stats(f.s, &f.err);
    assert_int_equal(st.n_vectors, 4001);
    assert_int_equal(st.index_vectors, 4001);
    fix_sound(f.s, &f.err);
    fix_done(&f);
}

static bool accept_b(void *ctx, const rag_store_doc *d)
{
    (void)ctx;
    return rag_str_eqz(d->key, "b.txt");
}

/* Filters act before the best are cut, in the file and beside it. */
static void test_filter(void **state)
{
    fix f;
    rag_store_filter *filter;
    rag_store_hit hits[10];
    float query[FIX_DIMS];
    int64_t sp;
    size_t n;

    (void)state;
    fix_init(&f);
    sp = space_of(&f, "m1");
    OK(fix_put(f.s, f.root, "a.txt", "ay", 400, &f.err), &f.err);
    OK(fix_put(f.s, f.root, "b.txt", "bee", 8, &f.err), &f.err);
    (void)fix_embed(f.s, sp, 0, &f.err);
    for (int i = 0; i < 2; i++) {
        OK(rag_store_filter_new(&filter, f.s, accept_b, NULL, &f.err), &f.err);
        fix_vector(query, 3, 0);
        OK(rag_store_dense(hits, &n, 10, f.s, query, FIX_DIMS, filter, NULL,
                           &f.err),
           &f.err);
        assert_int_equal(n, 8);
        for (size_t k = 0; k < n; k++)
            assert_true(hits[k].chunk_id > 400);
        rag_store_filter_free(filter);
        OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    }
    fix_done(&f);
}

/* Damaged vectors are found, and given up by the repair. */
static void test_repair(void **state)
{
    fix f;
    fix_said said;
    int64_t sp;
    char cmd[200];

    (void)state;
    fix_init(&f);
    sp = space_of(&f, "m1");
    OK(fix_put(f.s, f.root, "a.txt", "ay", 30, &f.err), &f.err);
    (void)fix_embed(f.s, sp, 0, &f.err);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    rag_store_close(f.s);
    f.s = NULL;
    (void)snprintf(cmd, sizeof cmd,
                   "sqlite3 %s/store.db \"UPDATE vector SET data=x'00' "
                   "WHERE id=3; DELETE FROM vector WHERE id=9\"",
                   f.dir);
    if (system(cmd) != 0)
        skip(); /* no sqlite3 shell here */
    fix_reopen(&f, true);
    memset(&said, 0, sizeof said);
    OK(rag_store_check(f.s, false, fix_say, &said, &f.err), &f.err);
    assert_int_equal(said.n_fail, 1);
    OK(rag_store_check(f.s, true, fix_say, &said, &f.err), &f.err);
    assert_int_equal(missing(&f, sp), 2);
    fix_sound(f.s, &f.err);
    assert_int_equal(fix_embed(f.s, sp, 0, &f.err), 2);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    check_dense(&f, 1, 30, 0, false);
    fix_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),  cmocka_unit_test(test_untrusted),
        cmocka_unit_test(test_reuse),  cmocka_unit_test(test_reembed),
        cmocka_unit_test(test_filter), cmocka_unit_test(test_repair),
        cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
