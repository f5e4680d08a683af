#include "vindex_set.h"

#include <signal.h>
#include <sys/resource.h>

/* What damage, a full disk, a killed build, a failing source and too little
 * memory do to an index file. */

static void copy_file(const char *to, const char *from)
{
    rag_buf b;

    rag_buf_init(&b, SIZE_MAX / 2);
    OK(rag_file_read(&b, from, SIZE_MAX / 4, &err), &err);
    OK(rag_file_replace(to, b.ptr, b.len, &err), &err);
    rag_buf_dispose(&b);
}

static void test_truncations(void **state)
{
    const char *copy = in_folder(1, "cut");
    uint64_t at = many_info.file_bytes;

    (void)state;
    copy_file(copy, many_path);
    assert_int_equal(truncate(copy, (off_t)at + 1), 0);
    assert_int_equal(try_open(copy, DIMS, 7), RAG_E_INDEX);
    assert_int_equal(truncate(copy, (off_t)at), 0);
    assert_int_equal(try_open(copy, DIMS, 7), RAG_OK);
    while (at != 0) {
        at = at > 512 ? at - 512 : 0;
        assert_int_equal(truncate(copy, (off_t)at), 0);
        assert_int_equal(try_open(copy, DIMS, 7), RAG_E_INDEX);
    }
}

static void test_flips_in_head(void **state)
{
    const char *copy = in_folder(1, "flip");
    size_t end = rag_vindex_mac_at(many_info.n_lists, DIMS) + RAG_SHA256_BYTES;

    (void)state;
    copy_file(copy, many_path);
    for (size_t at = 0; at < end; at += at < 128 || at + 64 > end ? 1 : 97) {
        uint8_t bit = (uint8_t)(1u << (rnd() % 8));

        put_byte(copy, at, bit);
        assert_int_equal(try_open(copy, DIMS, 7), RAG_E_INDEX);
        put_byte(copy, at, bit);
    }
    assert_int_equal(try_open(copy, DIMS, 7), RAG_OK);
}

static void only_allowed(rag_vindex *v, const rag_bits *allowed)
{
    float q[DIMS];
    rag_store_hit hits[50];

    for (int i = 0; i < 20; i++) {
        size_t n = 0;

        draw(q, &many);
        OK(rag_vindex_search(hits, &n, 50, v, q, allowed, &err), &err);
        for (size_t a = 0; a < n; a++) {
            assert_true(has(allowed, hits[a].chunk_id));
            for (size_t b = 0; b < a; b++)
                assert_int_not_equal(hits[a].chunk_id, hits[b].chunk_id);
        }
    }
}

/* The lists are not covered by the MAC: whatever they hold, nothing crashes,
 * nothing is returned that is not allowed or twice, and verify sees it. */
static void test_flips_in_lists(void **state)
{
    const char *copy = in_folder(1, "flip");
    uint64_t from = rag_vindex_mac_at(many_info.n_lists, DIMS) + 64;
    rag_bits some = all_of(&many);
    rag_vindex *v = NULL;
    int fd;

    (void)state;
    for (size_t i = 0; i < many.n; i++)
        if (rnd() % 2 != 0)
            clear(&some, many.ids[i]);
    copy_file(copy, many_path);
    OK(rag_vindex_verify(copy, many_info.sha256, &err), &err);
    for (uint64_t at = from; at < many_info.file_bytes; at += 61)
        put_byte(copy, at, (uint8_t)(1u << (rnd() % 8)));
    assert_int_equal(rag_vindex_verify(copy, many_info.sha256, &err),
                     RAG_E_INDEX);
    OK(rag_vindex_open(&v, copy, DIMS, 7, key, &err), &err);
    only_allowed(v, &some);
    rag_vindex_close(v);

    /* the same id everywhere, then absurd ones (also infinities and NaN) */
    fd = open(copy, O_RDWR);
    assert_true(fd >= 0);
    for (int round = 0; round < 3; round++) {
        int64_t what[512];

        for (size_t i = 0; i < 512; i++)
            what[i] = round == 0   ? many.ids[3]
                      : round == 1 ? -1 - (int64_t)(rnd() % 2)
                                   : INT64_MAX - (int64_t)i;
        for (uint64_t at = from; at < many_info.file_bytes; at += sizeof what) {
            uint64_t n = many_info.file_bytes - at;

            n = n < sizeof what ? n : sizeof what;
            assert_int_equal(pwrite(fd, what, n, (off_t)at), (ssize_t)n);
        }
        OK(rag_vindex_open(&v, copy, DIMS, 7, key, &err), &err);
        only_allowed(v, &some);
        rag_vindex_close(v);
    }
    assert_int_equal(close(fd), 0);
    bits_free(&some);
}

/* Built with the right key, but with bounds that do not fit. */
static void test_bounds_under_mac(void **state)
{
    const char *copy = in_folder(1, "bounds");
    size_t mac_at = rag_vindex_mac_at(many_info.n_lists, DIMS);
    static const uint64_t values[] = {
        0, 1, 64, 1u << 30, UINT64_MAX, UINT64_MAX / 2, UINT64_MAX / 96};
    rag_buf b;

    (void)state;
    rag_buf_init(&b, SIZE_MAX / 2);
    OK(rag_file_read(&b, many_path, SIZE_MAX / 4, &err), &err);
    /* numbers of the head, then offset and length of two lists */
    for (size_t at = 8; at < RAG_VINDEX_HEAD_BYTES + 40; at += 8) {
        uint64_t old;

        if ((at >= 48 && at < RAG_VINDEX_HEAD_BYTES) ||
            at == RAG_VINDEX_HEAD_BYTES + 16)
            continue; /* no bounds */
        memcpy(&old, b.ptr + at, sizeof old);
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            if (values[i] == old)
                continue;
            memcpy(b.ptr + at, &values[i], sizeof old);
            rag_hash_hmac((uint8_t *)b.ptr + mac_at, key, sizeof key, b.ptr,
                          mac_at);
            OK(rag_file_replace(copy, b.ptr, b.len, &err), &err);
            assert_int_equal(try_open(copy, DIMS, 7), RAG_E_INDEX);
        }
        memcpy(b.ptr + at, &old, sizeof old);
    }
    rag_buf_dispose(&b);
}

static int make_on_full_disk(void)
{
    rag_vindex_build b = build_of(&many, many_path);
    struct rlimit lim = {200000, 200000};
    rag_vindex_info info;

    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &lim) != 0)
        return 9;
    if (rag_vindex_make(&info, &b, &err) != RAG_E_IO)
        return 1;
    return strstr(err.msg, many_path) != NULL ? 0 : 2;
}

static int make_and_die(void)
{
    rag_vindex_build b = build_of(&many, many_path);
    rag_vindex_info info;

    /* in the third pass: 8 batches and an end in each */
    many.kill_at = 22;
    return rag_vindex_make(&info, &b, &err) == RAG_OK ? 1 : 2;
}

static void old_one_is_whole(void)
{
    OK(rag_vindex_verify(many_path, many_info.sha256, &err), &err);
    assert_int_equal(try_open(many_path, DIMS, 7), RAG_OK);
}

static void test_full_disk(void **state)
{
    (void)state;
    assert_int_equal(in_child("full"), 0);
    assert_false(exists(in_folder(1, "many.tmp")));
    old_one_is_whole();
}

static void test_killed(void **state)
{
    int status = in_child("die");

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(exists(in_folder(1, "many.tmp")));
    old_one_is_whole();
    assert_int_equal(make_many(), 0); /* takes the rest away */
    assert_false(exists(in_folder(1, "many.tmp")));
    old_one_is_whole();
}

static size_t n_asked;
static size_t stop_at;

static bool stop(void *ctx)
{
    (void)ctx;
    return ++n_asked == stop_at;
}

static void test_cancelled(void **state)
{
    rag_vindex_build b = build_of(&many, many_path);
    rag_vindex_info info;
    rag_status st;

    (void)state;
    b.cancelled = stop;
    for (stop_at = 1;; stop_at = stop_at * 3 / 2 + 1) {
        n_asked = 0;
        st = rag_vindex_make(&info, &b, &err);
        assert_false(exists(in_folder(1, "many.tmp")));
        if (st == RAG_OK)
            break;
        assert_int_equal(st, RAG_E_CANCELLED);
        old_one_is_whole();
    }
    many_info = info;
    assert_true(stop_at > 40); /* it was asked in k-means too */
}

static void test_bad_source(void **state)
{
    const char *path = in_folder(1, "bad");
    rag_vindex_build b = build_of(&narrow, path);
    rag_vindex_info info;

    (void)state;
    for (narrow.fail_at = 1; narrow.fail_at < 18; narrow.fail_at += 5) {
        narrow.n_calls = 0;
        assert_int_equal(rag_vindex_make(&info, &b, &err), RAG_E_DB);
    }
    narrow.fail_at = 0;
    for (narrow.lose_at = 7; narrow.lose_at < 18; narrow.lose_at += 6) {
        narrow.n_calls = 0;
        assert_int_equal(rag_vindex_make(&info, &b, &err), RAG_E_INDEX);
    }
    narrow.lose_at = 0;
    narrow.disorder = true;
    assert_int_equal(rag_vindex_make(&info, &b, &err), RAG_E_INVAL);
    narrow.disorder = false;
    assert_false(exists(path));
    assert_false(exists(in_folder(2, "bad.tmp")));
}

/* ---- out of memory ------------------------------------------------------ */

static set tiny;
static rag_bits tiny_bits;

static rag_status all_steps(const char *path, set *s, const rag_bits *bits)
{
    rag_vindex_build b = build_of(s, path);
    rag_vindex_info info;
    rag_vindex *v = NULL;
    rag_store_hit hits[5];
    float q[1024] = {1};
    size_t n = 0;
    rag_status st;

    TRY(rag_vindex_make(&info, &b, &err));
    TRY(rag_vindex_open(&v, path, s->dims, 7, key, &err));
    TRY(rag_vindex_search(hits, &n, 5, v, q, bits, &err));
    TRY(rag_vindex_verify(path, info.sha256, &err));
out:
    rag_vindex_close(v);
    return st;
}

static void test_oom(void **state)
{
    rag_bits all = all_of(&narrow);
    const char *path = in_folder(1, "oom");

    (void)state;
    tiny = set_new(50, 8);
    tiny_bits = all_of(&tiny);
    CHECK_OOM(all_steps(path, &tiny, &tiny_bits));
    CHECK_OOM(all_steps(path, &narrow, &all));
    assert_false(exists(in_folder(2, "oom.tmp")));
    bits_free(&tiny_bits);
    bits_free(&all);
    set_free(&tiny);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_flips_in_head),
        cmocka_unit_test(test_flips_in_lists),
        cmocka_unit_test(test_bounds_under_mac),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_bad_source),
        cmocka_unit_test(test_oom),
    };

    if (!set_up(argc, argv))
        return 1;
    if (argc == 3)
        return strcmp(argv[1], "full") == 0 ? make_on_full_disk()
                                            : make_and_die();
    if (make_many() != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, remove_all);
}
