#include "store_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

/*
 * Stores that the user may only read: another user's, or on a read-only mount.
 * Needs root to become somebody else; skipped otherwise.
 */

#define NOBODY 65534

static void give_to_all(const fix *f)
{
    static const char *const names[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    char path[120];

    assert_int_equal(chmod(f->base, 0755), 0);
    assert_int_equal(chmod(f->dir, 0755), 0);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        assert_int_equal(chmod(path, 0644), 0);
    }
}

/* What a reader without rights must see; the exit code says where it failed. */
static int look(const fix *f, uint64_t want, bool as_nobody)
{
    rag_store_opts o = {.write = false};
    rag_store_hit hits[3];
    rag_store_term term = fix_term("shared");
    rag_error err = {RAG_OK, ""};
    rag_store *s = NULL;
    float query[FIX_DIMS];
    const char *warning;
    uint64_t df;
    uint64_t n_live;
    size_t n;

    if (as_nobody && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        return 2;
    if (rag_store_open(&s, f->dir, &o, &err) != RAG_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 3;
    }
    if (rag_store_term_counts(&df, &n_live, s, &term, 1, &err) != RAG_OK ||
        df != want)
        return 4;
    fix_vector(query, 2, 0);
    if (rag_store_dense(hits, &n, 3, s, query, FIX_DIMS, NULL, &warning,
                        &err) != RAG_OK ||
        n != 3 || hits[0].chunk_id != 2 || warning == NULL)
        return 5;
    rag_store_close(s);
    if (fix_open(&s, f, true, &err) != RAG_E_IO)
        return 6;
    return 0;
}

static void child_looks(const fix *f, uint64_t want)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(look(f, want, true));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void fill(fix *f)
{
    rag_store_space sp;

    fix_init(f);
    OK(rag_store_space_put(&sp, f->s, RAG_STR_LIT("m"), RAG_STR_LIT("t:m"),
                           FIX_DIMS, &f->err),
       &f->err);
    OK(fix_put(f->s, f->root, "a.txt", "ay", 6, &f->err), &f->err);
    (void)fix_embed(f->s, sp.id, 0, &f->err);
    OK(rag_store_tidy(f->s, false, &f->err), &f->err);
}

static bool not_root(void)
{
    if (geteuid() == 0)
        return false;
    print_message("skipped: only root can become another user\n");
    return true;
}

static void test_other_user(void **state)
{
    fix f;

    (void)state;
    if (not_root())
        skip();
    fill(&f);
    rag_store_close(f.s);
    f.s = NULL;
    give_to_all(&f);
    child_looks(&f, 6); /* the owner is away */
    fix_reopen(&f, true);
    child_looks(&f, 6); /* open */
    OK(fix_put(f.s, f.root, "b.txt", "bee", 3, &f.err), &f.err);
    child_looks(&f, 6); /* in a transaction */
    OK(rag_store_flush(f.s, &f.err), &f.err);
    child_looks(&f, 9); /* after it, the log not yet written back */
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    fix_reopen(&f, true);
    child_looks(&f, 9);
    fix_done(&f);
}

/* In a mount namespace of its own; 77: this machine does not allow it. */
static int look_read_only(const fix *f, bool alone)
{
    static const char *const names[] = {"store.db-wal", "store.db-shm"};
    char path[120];

    for (size_t i = 0; alone && i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        if (unlink(path) != 0)
            return 7;
    }
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(f->dir, f->dir, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, f->dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0)
        return 77;
    return look(f, 6, false);
}

static void test_read_only_mount(void **state)
{
    fix f;
    int status;

    (void)state;
    if (not_root())
        skip();
    fill(&f);
    rag_store_close(f.s);
    f.s = NULL;
    for (int alone = 0; alone < 2; alone++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
            _exit(look_read_only(&f, alone == 1));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77) {
            print_message("skipped: no mount namespaces here\n");
            fix_done(&f);
            skip();
        }
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    fix_done(&f);
}

/* Waiting for the lock: too short, then long enough; and called off. */
static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static void test_wait(void **state)
{
    fix f;
    rag_store *s = NULL;
    rag_store_opts o = {.write = true, .wait_ms = 60};
    char c = 0;
    int to[2];
    int from[2];
    pid_t pid;

    (void)state;
    fix_init(&f);
    rag_store_close(f.s);
    f.s = NULL;
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (fix_open(&f.s, &f, true, &f.err) != RAG_OK)
            _exit(1);
        (void)!write(to[1], "x", 1);
        (void)!read(from[0], &c, 1);
        (void)usleep(150000);
        _exit(0); /* the kernel unlocks, as for one that was killed */
    }
    assert_int_equal(read(to[0], &c, 1), 1);
    assert_int_equal(rag_store_open(&s, f.dir, &o, &f.err), RAG_E_BUSY);
    o.wait_ms = 60000;
    o.cancelled = always;
    assert_int_equal(rag_store_open(&s, f.dir, &o, &f.err), RAG_E_CANCELLED);
    o.cancelled = NULL;
    assert_int_equal(write(from[1], "x", 1), 1);
    OK(rag_store_open(&s, f.dir, &o, &f.err), &f.err);
    rag_store_close(s);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    fix_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_user),
        cmocka_unit_test(test_read_only_mount),
        cmocka_unit_test(test_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
