#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/buf.h"
#include "doc/sandbox.h"

/* The limits must really bite: each case runs the helper, which tries what the
 * case is named after. */

struct run {
    rag_sandbox_spec spec;
    rag_sandbox_end end;
    rag_buf out;
    rag_error err;
    const char *argv[4];
    rag_status sink_says;
};

static rag_status sink(void *ctx, rag_str bytes, rag_error *err)
{
    struct run *r = ctx;

    if (r->sink_says != RAG_OK)
        return rag_fail(err, r->sink_says, "sink had enough");
    rag_buf_adds(&r->out, bytes);
    return RAG_OK;
}

static void prepare(struct run *r, const char *what, const char *arg)
{
    memset(r, 0, sizeof *r);
    rag_buf_init(&r->out, 1u << 24);
    r->argv[0] = RAG_TEST_CHILD;
    r->argv[1] = what;
    r->argv[2] = arg;
    r->spec = (rag_sandbox_spec){.argv = r->argv,
                                 .in_fd = -1,
                                 .max_out_bytes = 1u << 20,
                                 .max_memory_bytes = 256u << 20,
                                 .max_cpu_secs = 20,
                                 .max_wall_ms = 60000,
                                 .on_out = sink,
                                 .out_ctx = r};
}

static rag_status run(struct run *r)
{
    return rag_sandbox_run(&r->end, &r->spec, &r->err);
}

static void says(const char *what, const char *arg, const char *expected)
{
    struct run r;

    prepare(&r, what, arg);
    OK(run(&r), &r.err);
    if (r.end.unfiltered) {
        print_message("no seccomp here: %s not checked\n", what);
    } else {
        assert_int_equal(r.end.exit_code, 0);
        assert_string_equal(r.out.ptr, expected);
    }
    rag_buf_dispose(&r.out);
}

static void limited(struct run *r, rag_status want, const char *word)
{
    assert_int_equal(run(r), want);
    assert_non_null(strstr(r->err.msg, word));
    rag_buf_dispose(&r->out);
}

static void test_surroundings(void **state)
{
    (void)state;
    setenv("RAG_SECRET", "x", 1);
    says("env", NULL, "end\n");
    says("group", NULL, "yes\n");
}

static void test_no_leaked_fds(void **state)
{
    int more[8];

    (void)state;
    for (int i = 0; i < 8; i++)
        more[i] = open("/", O_RDONLY | O_DIRECTORY); /* not CLOEXEC */
    says("fds", NULL, "0 1 2 ");
    for (int i = 0; i < 8; i++)
        close(more[i]);
}

static void test_signals_are_reset(void **state)
{
    sigset_t set;
    sigset_t old;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, &old);
    says("signals", NULL, "end\n");
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGPIPE, SIG_DFL);
}

static void test_forbidden(void **state)
{
    (void)state;
    says("inet", NULL, "no\n");
    says("unix", NULL, "no\n");
    says("fork", NULL, "no\n");
    says("thread", NULL, "no\n");
    says("ptrace", NULL, "no\n");
    says("kill", NULL, "no\n");
    says("limit", NULL, "no\n");
    says("read-file", NULL, "yes\n");
}

static void test_no_writing(void **state)
{
    char path[] = "/tmp/rag-t-sandbox-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    says("write-file", path, "no\n");
    says("unlink", path, "no\n");
    assert_int_equal(unlink(path), 0);
}

static void test_second_exec_kills(void **state)
{
    struct run r;

    (void)state;
    prepare(&r, "exec", NULL);
    OK(run(&r), &r.err);
    if (!r.end.unfiltered) {
        assert_int_equal(r.end.term_signal, SIGSYS);
        assert_int_equal(r.end.exit_code, -1);
        assert_int_equal(r.out.len, 0);
    }
    rag_buf_dispose(&r.out);
}

static void test_memory_cap(void **state)
{
    struct run r;
    long mb;

    (void)state;
    prepare(&r, "memory", NULL);
    OK(run(&r), &r.err);
    mb = strtol(r.out.ptr, NULL, 10);
    assert_true(mb > 100 && mb < 256);
    assert_true(r.end.peak_bytes > 100u << 20);
    rag_buf_dispose(&r.out);
}

static void test_output_cap(void **state)
{
    struct run r;

    (void)state;
    prepare(&r, "flood", NULL);
    limited(&r, RAG_E_LIMIT, "more than 1 MB");
    assert_true(r.out.len <= 1u << 20);
}

static void test_stderr_flood_is_cut(void **state)
{
    struct run r;

    (void)state;
    prepare(&r, "flood-stderr", NULL);
    r.spec.max_wall_ms = 300;
    assert_int_equal(run(&r), RAG_E_LIMIT);
    assert_int_equal(strlen(r.end.said), RAG_SANDBOX_SAID_BYTES);
    rag_buf_dispose(&r.out);
}

static void test_time_caps(void **state)
{
    struct run r;

    (void)state;
    prepare(&r, "hang", NULL);
    r.spec.max_wall_ms = 1000;
    limited(&r, RAG_E_LIMIT, "takes longer than 1 s");
    prepare(&r, "hang-closed", NULL);
    r.spec.max_wall_ms = 1000;
    limited(&r, RAG_E_LIMIT, "takes longer than 1 s");
    prepare(&r, "spin", NULL);
    r.spec.max_cpu_secs = 1;
    limited(&r, RAG_E_LIMIT, "more than 1 s of CPU");
}

static bool cancel_second_time(void *ctx)
{
    return ++*(int *)ctx > 1;
}

static void test_cancel(void **state)
{
    struct run r;
    int asked = 0;

    (void)state;
    prepare(&r, "hang", NULL);
    r.spec.cancelled = cancel_second_time;
    r.spec.cancel_ctx = &asked;
    limited(&r, RAG_E_CANCELLED, "cancelled");
    assert_int_equal(asked, 2);
}

static void test_sink_stops(void **state)
{
    struct run r;

    (void)state;
    prepare(&r, "flood", NULL);
    r.sink_says = RAG_E_FORMAT;
    limited(&r, RAG_E_FORMAT, "sink had enough");
}

static void test_ends(void **state)
{
    struct run r;

    (void)state;
    prepare(&r, "exit-7", NULL);
    OK(run(&r), &r.err);
    assert_int_equal(r.end.exit_code, 7);
    prepare(&r, "complain", NULL);
    OK(run(&r), &r.err);
    assert_int_equal(r.end.exit_code, 1);
    assert_string_equal(r.end.said, "first line\nsecond line\n");
    prepare(&r, "crash", NULL);
    OK(run(&r), &r.err);
    assert_true(r.end.term_signal == SIGILL || r.end.term_signal == SIGTRAP);
    prepare(&r, "env", NULL);
    r.argv[0] = RAG_TEST_CHILD "-not-there";
    limited(&r, RAG_E_NOTFOUND, "cannot start");
}

static void test_stdin(void **state)
{
    char path[] = "/tmp/rag-t-sandbox-XXXXXX";
    struct run r;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "what was given", 14), 14);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    prepare(&r, "echo", NULL);
    r.spec.in_fd = fd;
    OK(run(&r), &r.err);
    assert_string_equal(r.out.ptr, "what was given");
    rag_buf_dispose(&r.out);
    says("echo", NULL, ""); /* none given: an empty one */
    close(fd);
    unlink(path);
}

/* A parent that was started with its own 0, 1 and 2 closed. */
static void test_parent_without_stdio(void **state)
{
    int keep[3];
    struct run r;
    rag_status st;

    (void)state;
    for (int i = 0; i < 3; i++)
        keep[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
    for (int i = 0; i < 3; i++)
        close(i);
    prepare(&r, "fds", NULL);
    st = run(&r);
    for (int i = 0; i < 3; i++) {
        dup2(keep[i], i);
        close(keep[i]);
    }
    OK(st, &r.err);
    assert_string_equal(r.out.ptr, "0 1 2 ");
    rag_buf_dispose(&r.out);
}

static int count_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_nothing_left_behind(void **state)
{
    int before = count_fds();
    struct run r;

    (void)state;
    prepare(&r, "flood", NULL);
    limited(&r, RAG_E_LIMIT, "");
    prepare(&r, "env", NULL);
    OK(run(&r), &r.err);
    rag_buf_dispose(&r.out);
    assert_int_equal(count_fds(), before);
}

static rag_status run_fresh(void)
{
    struct run r;
    rag_status st;

    prepare(&r, "env", NULL);
    r.spec.on_out = NULL;
    st = run(&r);
    rag_buf_dispose(&r.out);
    return st;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    CHECK_OOM(run_fresh());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_surroundings),
        cmocka_unit_test(test_no_leaked_fds),
        cmocka_unit_test(test_signals_are_reset),
        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_no_writing),
        cmocka_unit_test(test_second_exec_kills),
        cmocka_unit_test(test_memory_cap),
        cmocka_unit_test(test_output_cap),
        cmocka_unit_test(test_stderr_flood_is_cut),
        cmocka_unit_test(test_time_caps),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_sink_stops),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_stdin),
        cmocka_unit_test(test_parent_without_stdio),
        cmocka_unit_test(test_nothing_left_behind),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
