#include "store_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store_shim.h"

/*
 * The same small life of a store, ended at many points: killed, or with a
 * write that fails. Afterwards every version is whole or invisible, and what
 * was flushed is there.
 */

#define N_A 150u
#define N_B 40u

/* Says over fd how far it came: '1', '2', ... after each flush. */
static rag_status live_through(const fix *f, int fd, rag_error *err)
{
    rag_store *s = NULL;
    rag_store_space sp;
    rag_store_file file;
    int64_t root;
    bool found;
    rag_status st;

    TRY(fix_open(&s, f, true, err));
    TRY(rag_store_root_put(&root, s, RAG_STR_LIT("/docs"), true,
                           RAG_STR_LIT(""), err));
    TRY(rag_store_space_put(&sp, s, RAG_STR_LIT("m"), RAG_STR_LIT("t:m"),
                            FIX_DIMS, err));
    TRY(fix_put(s, root, "a.txt", "first", N_A, err));
    TRY(rag_store_flush(s, err));
    (void)!write(fd, "1", 1);
    TRY(fix_put(s, root, "b.txt", "bee", N_B, err));
    TRY(fix_put(s, root, "a.txt", "second", N_A, err));
    TRY(rag_store_flush(s, err));
    (void)!write(fd, "2", 1);
    {
        float v[FIX_DIMS];
        uint8_t key[RAG_STORE_KEY_BYTES];
        int64_t id = 0;
        size_t n = 1;

        while (n != 0) {
            TRY(rag_store_unembedded(&id, &n, 1, s, sp.id, id, err));
            fix_vector(v, id, 0);
            fix_key(key, id, 0);
            if (n != 0)
                TRY(rag_store_vectors_put(s, sp.id, &id, key, v, 1, err));
        }
    }
    TRY(rag_store_flush(s, err));
    (void)!write(fd, "3", 1);
    TRY(rag_store_tidy(s, false, err));
    TRY(rag_store_file_find(&file, &found, s, root, RAG_STR_LIT("b.txt"), err));
    if (found)
        TRY(rag_store_file_remove(s, file.id, err));
    TRY(rag_store_flush(s, err));
    (void)!write(fd, "4", 1);
    TRY(rag_store_tidy(s, false, err));
out:
    rag_store_close(s);
    return st;
}

/* All or nothing of each version, and at least what step `told` flushed. */
static void check_after(fix *f, char told)
{
    uint64_t first;
    uint64_t second;
    uint64_t bee;
    rag_status st;

    st = fix_open(&f->s, f, false, &f->err);
    if (st == RAG_E_NOTFOUND) {
        assert_int_equal(told, '0');
        return;
    }
    if (st != RAG_OK)
        fail_msg("reader: %s", f->err.msg);
    first = fix_df(f->s, "wordfirst", &f->err);
    second = fix_df(f->s, "wordsecond", &f->err);
    bee = fix_df(f->s, "wordbee", &f->err);
    assert_true(first == 0 || first == N_A);
    assert_true(second == 0 || second == N_A);
    assert_true(bee == 0 || bee == N_B);
    assert_true(first == 0 || second == 0);
    if (told >= '1')
        assert_true(first + second == N_A);
    if (told >= '2')
        assert_true(second == N_A);
    if (told == '2' || told == '3')
        assert_true(bee == N_B || told == '3');
    if (told >= '4')
        assert_int_equal(bee, 0);
    fix_sound(f->s, &f->err);
    rag_store_close(f->s);
    /* and the next writer goes on */
    OK(fix_open(&f->s, f, true, &f->err), &f->err);
    OK(rag_store_root_put(&f->root, f->s, RAG_STR_LIT("/docs"), true,
                          RAG_STR_LIT(""), &f->err),
       &f->err);
    OK(fix_put(f->s, f->root, "c.txt", "after", 5, &f->err), &f->err);
    OK(rag_store_tidy(f->s, false, &f->err), &f->err);
    assert_int_equal(fix_df(f->s, "wordafter", &f->err), 5);
    fix_sound(f->s, &f->err);
    rag_store_close(f->s);
    f->s = NULL;
}

static void fresh(fix *f)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->base, sizeof f->base, "/tmp/rag_crash_XXXXXX");
    assert_non_null(folder_new(f->base));
    (void)snprintf(f->dir, sizeof f->dir, "%s/st", f->base);
    (void)snprintf(f->state, sizeof f->state, "%s/state", f->base);
}

/* Runs the life in a child that is killed at the k-th event; true: it came to
 * its end. */
static bool killed_at(fix *f, long k, char *told)
{
    int fd[2];
    int status;
    pid_t pid;
    char c;

    assert_int_equal(pipe(fd), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        rag_error err = {RAG_OK, ""};

        (void)close(fd[0]);
        shim_set(k, SHIM_KILL, 0);
        _exit(live_through(f, fd[1], &err) == RAG_OK ? 0 : 1);
    }
    (void)close(fd[1]);
    *told = '0';
    while (read(fd[0], &c, 1) == 1)
        *told = c;
    (void)close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFEXITED(status);
}

static void test_killed(void **state)
{
    bool whole = false;
    unsigned n = 0;

    (void)state;
    shim_install();
    for (long k = 1; !whole; k += 1 + k / 12) {
        fix f;
        char told;

        fresh(&f);
        whole = killed_at(&f, k, &told);
        shim_set(0, SHIM_KILL, 0);
        check_after(&f, told);
        fix_done(&f);
        n++;
    }
    assert_true(n > 10);
}

/* Killed by the clock, wherever it is: also between SQLite's writes, in the
 * making of the index file. */
static void test_killed_any_time(void **state)
{
    (void)state;
    shim_install();
    shim_set(0, SHIM_KILL, 0);
    for (unsigned us = 500; us < 200000; us += us / 2) {
        fix f;
        char told = '0';
        char c;
        int fd[2];
        pid_t pid;

        fresh(&f);
        assert_int_equal(pipe(fd), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            rag_error err = {RAG_OK, ""};

            (void)close(fd[0]);
            for (;;)
                if (live_through(&f, fd[1], &err) != RAG_OK)
                    _exit(1);
        }
        (void)close(fd[1]);
        (void)usleep(us);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while (read(fd[0], &c, 1) == 1)
            told = c;
        (void)close(fd[0]);
        /* later rounds start from the first files again */
        check_after(&f, told == '0' ? '0' : '1');
        fix_done(&f);
    }
}

static void fail_all(shim_how how, int stays)
{
    bool whole = false;
    unsigned n_failed = 0;

    for (long k = 1; !whole; k += 1 + k / 8) {
        fix f;
        size_t live = rag_mem_live();
        rag_error err = {RAG_OK, ""};
        int fd = open("/dev/null", O_WRONLY);
        rag_status st;

        fresh(&f);
        shim_set(k, how, stays);
        st = live_through(&f, fd, &err);
        whole = shim.seen < k;
        shim_set(0, how, 0);
        (void)close(fd);
        assert_int_equal(rag_mem_live(), live);
        if (st != RAG_OK) {
            n_failed++;
            if (st != RAG_E_IO)
                fail_msg("event %ld: %s: %s", k, rag_status_name(st), err.msg);
            if (how == SHIM_FULL)
                assert_non_null(strstr(err.msg, "no space left"));
        }
        check_after(&f, '0');
        fix_done(&f);
    }
    assert_true(n_failed > 5);
}

static void test_write_fails(void **state)
{
    (void)state;
    shim_install();
    fail_all(SHIM_IOERR, 0);
    fail_all(SHIM_IOERR, 1);
    fail_all(SHIM_FULL, 1);
}

/* A limit on the size of files stands for a full disk. */
static void test_disk_full(void **state)
{
    for (rlim_t kb = 8; kb <= 1024; kb *= 2) {
        fix f;
        int status;
        pid_t pid;

        (void)state;
        fresh(&f);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            struct rlimit limit = {kb * 1024, kb * 1024};
            rag_error err = {RAG_OK, ""};
            rag_status st;

            (void)signal(SIGXFSZ, SIG_IGN);
            (void)setrlimit(RLIMIT_FSIZE, &limit);
            st = live_through(&f, open("/dev/null", O_WRONLY), &err);
            if (st == RAG_OK)
                _exit(0);
            if (st == RAG_E_IO && (strstr(err.msg, "no space") != NULL ||
                                   strstr(err.msg, "full") != NULL))
                _exit(1);
            (void)fprintf(stderr, "%d KB: %s\n", (int)kb, err.msg);
            _exit(2);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_in_range(WEXITSTATUS(status), 0, 1);
        if (kb <= 64)
            assert_int_equal(WEXITSTATUS(status), 1);
        check_after(&f, '0');
        fix_done(&f);
    }
}

/* ---- damage ---------------------------------------------------------------
 */

static rag_status swallow_doc(void *ctx, const rag_store_doc *d, rag_error *err)
{
    (void)ctx;
    (void)d;
    (void)err;
    return RAG_OK;
}

static rag_status swallow_file(void *ctx, const rag_store_file *d,
                               rag_error *err)
{
    (void)ctx;
    (void)d;
    (void)err;
    return RAG_OK;
}

static void read_everything(rag_store *s)
{
    rag_error err;
    rag_store_hit hits[20];
    rag_store_term terms[2];
    rag_store_stats stats;
    rag_store_chunk chunk;
    rag_arena arena;
    rag_buf buf;
    fix_said said;
    float query[FIX_DIMS];
    int64_t id;
    bool found;
    size_t n;
    rag_status st;

    terms[0] = fix_term("shared");
    terms[1] = fix_term("wordsecond");
    fix_vector(query, 3, 0);
    (void)!rag_store_files(s, 0, swallow_file, NULL, &err);
    (void)!rag_store_docs(s, 0, swallow_doc, NULL, &err);
    (void)!rag_store_stats_get(&stats, s, &err);
    (void)!rag_store_dense(hits, &n, 20, s, query, FIX_DIMS, NULL, NULL, &err);
    (void)!rag_store_chunk_of(&id, &found, s, RAG_STR_LIT("second-5"), &err);
    st = rag_store_lexical(hits, &n, 20, s, terms, 2, NULL, &err);
    for (size_t i = 0; st == RAG_OK && i < n; i++) {
        rag_arena_init(&arena);
        rag_buf_init(&buf, 1 << 20);
        if (rag_store_chunk_get(&chunk, &arena, s, hits[i].chunk_id, &err) ==
            RAG_OK) {
            (void)!rag_store_text(&buf, s, chunk.doc_id, 0, 100000, &err);
            rag_buf_clear(&buf);
            (void)!rag_store_pages(&buf, s, chunk.doc_id, &err);
        }
        rag_buf_dispose(&buf);
        rag_arena_dispose(&arena);
    }
    memset(&said, 0, sizeof said);
    (void)!rag_store_check(s, false, fix_say, &said, &err);
}

static size_t slurp(char **out, const char *path)
{
    FILE *fp = fopen(path, "rb");
    size_t n;

    assert_non_null(fp);
    assert_int_equal(fseek(fp, 0, SEEK_END), 0);
    n = (size_t)ftell(fp);
    rewind(fp);
    *out = malloc(n);
    assert_non_null(*out);
    assert_int_equal(fread(*out, 1, n, fp), n);
    (void)fclose(fp);
    return n;
}

static void spill(const char *path, const char *p, size_t n)
{
    FILE *fp = fopen(path, "wb");

    assert_non_null(fp);
    assert_int_equal(fwrite(p, 1, n, fp), n);
    assert_int_equal(fclose(fp), 0);
}

/* Bytes of the database turned, cut off, zeroed: errors, never a crash, and no
 * memory lost. */
static void test_damaged(void **state)
{
    fix f;
    char path[120];
    char *good;
    char *bad;
    size_t n;
    uint64_t x = 42;
    rag_error err = {RAG_OK, ""};

    (void)state;
    shim_set(0, SHIM_KILL, 0);
    fresh(&f);
    OK(live_through(&f, open("/dev/null", O_WRONLY), &err), &err);
    (void)snprintf(path, sizeof path, "%s/store.db", f.dir);
    n = slurp(&good, path);
    bad = malloc(n);
    assert_non_null(bad);
    for (unsigned round = 0; round < 160; round++) {
        size_t live = rag_mem_live();
        size_t len = n;
        rag_store *s = NULL;
        rag_status st;

        memcpy(bad, good, n);
        for (unsigned i = 0; i <= round % 5; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            bad[(x >> 20) % n] ^= (char)(1u << (x >> 60));
        }
        if (round % 7 == 3)
            len = (x >> 20) % n;
        if (round % 7 == 5)
            memset(bad + (x >> 20) % (n - 5000), 0, 5000);
        spill(path, bad, len);
        st = fix_open(&s, &f, false, &err);
        if (st == RAG_OK) {
            read_everything(s);
        } else if (st != RAG_E_CORRUPT && st != RAG_E_NOTFOUND) {
            fail_msg("round %u: %s: %s", round, rag_status_name(st), err.msg);
        }
        rag_store_close(s);
        s = NULL;
        if (round % 4 == 0 && fix_open(&s, &f, true, &err) == RAG_OK) {
            fix_said said;

            memset(&said, 0, sizeof said);
            (void)!fix_put(s, 1, "new.txt", "new", 30, &err);
            (void)!rag_store_tidy(s, false, &err);
            (void)!rag_store_check(s, true, fix_say, &said, &err);
            rag_store_close(s);
        }
        assert_int_equal(rag_mem_live(), live);
    }
    free(good);
    free(bad);
    fix_done(&f);
}

/* ---- out of memory ---------------------------------------------------------
 */

static rag_status use_a_little(const fix *f, rag_error *err)
{
    rag_store *s = NULL;
    rag_store_hit hits[5];
    rag_store_chunk chunk;
    rag_store_stats stats;
    rag_store_space sp;
    rag_store_term term = {12345, RAG_TERM_SHOULD, 1.0f, 1};
    rag_arena arena;
    float query[FIX_DIMS];
    uint8_t key[RAG_STORE_KEY_BYTES];
    int64_t root;
    int64_t id;
    size_t n;
    rag_status st;

    rag_arena_init(&arena);
    TRY(fix_open(&s, f, true, err));
    TRY(rag_store_root_put(&root, s, RAG_STR_LIT("/docs"), true,
                           RAG_STR_LIT(""), err));
    TRY(rag_store_space_put(&sp, s, RAG_STR_LIT("m"), RAG_STR_LIT("t:m"),
                            FIX_DIMS, err));
    TRY(fix_put(s, root, "a.txt", "ay", 3, err));
    TRY(rag_store_unembedded(&id, &n, 1, s, sp.id, 0, err));
    fix_vector(query, 1, 0);
    fix_key(key, 1, 0);
    if (n != 0)
        TRY(rag_store_vectors_put(s, sp.id, &id, key, query, 1, err));
    TRY(rag_store_flush(s, err));
    TRY(rag_store_dense(hits, &n, 5, s, query, FIX_DIMS, NULL, NULL, err));
    if (n != 0)
        TRY(rag_store_chunk_get(&chunk, &arena, s, hits[0].chunk_id, err));
    TRY(rag_store_lexical(hits, &n, 5, s, &term, 1, NULL, err));
    TRY(rag_store_stats_get(&stats, s, err));
out:
    rag_store_close(s);
    rag_arena_dispose(&arena);
    return st;
}

/* Each allocation fails once. SQLite does without some, so that a run may end
 * well although one failed: the loop ends when many in a row do. */
static void test_out_of_memory(void **state)
{
    fix f;
    rag_error err = {RAG_OK, ""};
    unsigned n_ok = 0;
    unsigned n_failed = 0;

    (void)state;
    shim_set(0, SHIM_KILL, 0);
    fresh(&f);
    OK(use_a_little(&f, &err), &err);
    for (size_t k = 1; n_ok < 30; k += 1 + k / 60) {
        size_t live = rag_mem_live();
        rag_status st;

        rag_mem_fail_at(k);
        st = use_a_little(&f, &err);
        rag_mem_fail_at(0);
        assert_int_equal(rag_mem_live(), live);
        if (st == RAG_OK) {
            n_ok++;
            continue;
        }
        n_ok = 0;
        n_failed++;
        if (st != RAG_E_NOMEM)
            fail_msg("allocation %zu: %s: %s", k, rag_status_name(st), err.msg);
    }
    assert_true(n_failed > 50);
    OK(fix_open(&f.s, &f, true, &f.err), &f.err);
    fix_sound(f.s, &f.err);
    fix_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_killed_any_time),
        cmocka_unit_test(test_write_fails),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_out_of_memory),
    };
    fix f;
    rag_error err;

    /* the store must set up SQLite before the shim asks it for anything */
    memset(&f, 0, sizeof f);
    (void)snprintf(f.dir, sizeof f.dir, "/nonexistent");
    (void)!fix_open(&f.s, &f, false, &err);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
