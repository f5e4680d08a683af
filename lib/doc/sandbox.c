#include "doc/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/mem.h"

/* Library files, fonts and character maps are opened one at a time; pdftotext
 * never had more than 5 open. */
#define MAX_OPEN_FILES 32u
#define POLL_MS 50
/* The kernel's own limit on a filter program. */
#define MAX_FILTER_OPS 4096u
/* Where close_range(2) is missing, descriptors up to here are closed. */
#define MAX_CLOSE_FD 65536

/* Everything the child needs, made before the fork: between fork and exec only
 * async-signal-safe calls are allowed, because other threads may have held
 * any lock. */
struct job {
    const rag_sandbox_spec *spec;
    char *const *argv;
    char *const *envp;
    struct sock_fprog filter;              /* len 0: none */
    int in[2], out[2], said[2], status[2]; /* [0] read end, [1] write end */
    pid_t parent;
    pid_t pid; /* 0: not running */
    uint64_t deadline_ms;
    uint64_t n_out_bytes;
    size_t n_said;
    rag_sandbox_end *end;
};

/* What the child tells when it does not reach its exec. */
struct failure {
    int errnum;
    char step[16];
};

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

/* ---- the filter ---- */

/* What a reader of files does: nothing here changes the world outside the
 * process. Anything else fails with ENOSYS, so that libc falls back to the
 * older call where it has one. */
static const int allowed_calls[] = {
    SCMP_SYS(access),
    SCMP_SYS(arch_prctl),
    SCMP_SYS(brk),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fadvise64),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(futex),
    SCMP_SYS(getcwd),
    SCMP_SYS(getdents),
    SCMP_SYS(getdents64),
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getpgrp),
    SCMP_SYS(getpgid),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getuid),
    SCMP_SYS(lseek),
    SCMP_SYS(lstat),
    SCMP_SYS(madvise),
    SCMP_SYS(membarrier),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(nanosleep),
    SCMP_SYS(newfstatat),
    SCMP_SYS(poll),
    SCMP_SYS(pread64),
    SCMP_SYS(read),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(readv),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(stat),
    SCMP_SYS(statfs),
    SCMP_SYS(statx),
    SCMP_SYS(sysinfo),
    SCMP_SYS(time),
    SCMP_SYS(uname),
    SCMP_SYS(write),
    SCMP_SYS(writev),
};

/* The SCMP_A macros leave a field out, which clang warns of. */
static struct scmp_arg_cmp arg(unsigned n, enum scmp_compare op, scmp_datum_t a,
                               scmp_datum_t b)
{
    return (struct scmp_arg_cmp){
        .arg = n, .op = op, .datum_a = a, .datum_b = b};
}

/* The exec of this job and no other: its three pointers lie in our address
 * space, which the new program does not share. */
static int allow_one_exec(scmp_filter_ctx ctx, const struct job *j)
{
    const scmp_datum_t want[3] = {(scmp_datum_t)(uintptr_t)j->spec->argv[0],
                                  (scmp_datum_t)(uintptr_t)j->argv,
                                  (scmp_datum_t)(uintptr_t)j->envp};
    int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(execve), 3,
                              arg(0, SCMP_CMP_EQ, want[0], 0),
                              arg(1, SCMP_CMP_EQ, want[1], 0),
                              arg(2, SCMP_CMP_EQ, want[2], 0));

    for (unsigned i = 0; i < 3 && rc == 0; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execve), 1,
                              arg(i, SCMP_CMP_NE, want[i], 0));
    if (rc == 0)
        rc =
            seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execveat), 0);
    return rc;
}

static int add_rules(scmp_filter_ctx ctx, const struct job *j)
{
    const scmp_datum_t write_bits = O_ACCMODE | O_CREAT | O_TRUNC;
    /* opening for reading, asking what a descriptor is (isatty), reading a
     * limit */
    const struct {
        int call;
        struct scmp_arg_cmp when;
    } some[] = {
        {SCMP_SYS(open), arg(1, SCMP_CMP_MASKED_EQ, write_bits, O_RDONLY)},
        {SCMP_SYS(openat), arg(2, SCMP_CMP_MASKED_EQ, write_bits, O_RDONLY)},
        {SCMP_SYS(ioctl), arg(1, SCMP_CMP_EQ, TCGETS, 0)},
        {SCMP_SYS(prlimit64), arg(2, SCMP_CMP_EQ, 0, 0)},
    };
    int rc = 0;

    for (size_t i = 0;
         i < sizeof allowed_calls / sizeof *allowed_calls && rc == 0; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed_calls[i], 0);
    for (size_t i = 0; i < sizeof some / sizeof *some && rc == 0; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, some[i].call, 1,
                              some[i].when);
    return rc == 0 ? allow_one_exec(ctx, j) : rc;
}

/* libseccomp writes programs to descriptors only. */
static rag_status read_program(struct sock_fprog *out, int fd, rag_error *err)
{
    off_t size = lseek(fd, 0, SEEK_END);
    size_t n = size > 0 ? (size_t)size : 0;
    struct sock_filter *ops;

    if (n == 0 || n % sizeof *ops != 0 || n / sizeof *ops > MAX_FILTER_OPS)
        return rag_fail(err, RAG_E_IO, "seccomp filter has an odd size");
    ops = rag_malloc(n);
    if (ops == NULL)
        return rag_fail_nomem(err);
    if (pread(fd, ops, n, 0) != (ssize_t)n) {
        rag_free(ops);
        return rag_fail(err, RAG_E_IO, "cannot read the seccomp filter back");
    }
    out->filter = ops;
    out->len = (unsigned short)(n / sizeof *ops);
    return RAG_OK;
}

static rag_status make_filter(struct job *j, rag_error *err)
{
    rag_status st;
    int rc;
    int fd;
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));

    if (ctx == NULL)
        return rag_fail_nomem(err);
    rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0)
        rc = add_rules(ctx, j);
    fd = memfd_create("rag-filter", MFD_CLOEXEC);
    if (rc == 0 && fd < 0)
        rc = -errno;
    if (rc == 0)
        rc = seccomp_export_bpf(ctx, fd);
    st = rc == 0 ? read_program(&j->filter, fd, err)
                 : rag_fail_errno(err, -rc, "cannot build the seccomp filter");
    if (fd >= 0)
        close(fd);
    seccomp_release(ctx);
    return st;
}

/* Asked in the parent, so that the child has nothing to decide. */
static bool have_seccomp(void)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* ---- the child, from fork to exec ---- */

static void give_up(int status_fd, const char *step)
{
    struct failure f = {.errnum = errno};
    ssize_t n;

    for (size_t i = 0; i + 1 < sizeof f.step && step[i] != '\0'; i++)
        f.step[i] = step[i];
    n = write(status_fd, &f, sizeof f);
    _exit(n == (ssize_t)sizeof f ? 127 : 126);
}

/* 0, 1, 2 are the job's, 3 the status pipe until exec; the rest is closed. The
 * detour over high numbers is for parents whose own 0, 1 or 2 are closed. */
static int place_fds(const struct job *j)
{
    int high[4] = {j->spec->in_fd >= 0 ? j->spec->in_fd : j->in[0], j->out[1],
                   j->said[1], j->status[1]};

    for (int i = 0; i < 4; i++) {
        high[i] = fcntl(high[i], F_DUPFD_CLOEXEC, 10);
        if (high[i] < 0)
            give_up(j->status[1], "dup");
    }
    for (int i = 0; i < 3; i++)
        if (dup2(high[i], i) < 0)
            give_up(high[3], "dup2");
    if (dup3(high[3], 3, O_CLOEXEC) < 0)
        give_up(high[3], "dup3");
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 4u, ~0u, 0u) == 0)
        return 3;
#endif
    for (int fd = 4; fd < MAX_CLOSE_FD; fd++)
        close(fd);
    return 3;
}

static void limit(int status_fd, __rlimit_resource_t what, rlim_t soft,
                  rlim_t hard)
{
    struct rlimit old;
    struct rlimit r;

    if (getrlimit(what, &old) != 0)
        give_up(status_fd, "getrlimit");
    /* only ever lower: a hard limit of the user's may be below ours */
    r.rlim_max = old.rlim_max < hard ? old.rlim_max : hard;
    r.rlim_cur = soft < r.rlim_max ? soft : r.rlim_max;
    if (setrlimit(what, &r) != 0)
        give_up(status_fd, "setrlimit");
}

static void set_limits(const struct job *j, int status_fd)
{
    const rag_sandbox_spec *s = j->spec;

    limit(status_fd, RLIMIT_CPU, s->max_cpu_secs, s->max_cpu_secs + 1u);
    limit(status_fd, RLIMIT_FSIZE, 0, 0);
    limit(status_fd, RLIMIT_CORE, 0, 0);
    limit(status_fd, RLIMIT_NPROC, 0, 0);
    limit(status_fd, RLIMIT_NOFILE, MAX_OPEN_FILES, MAX_OPEN_FILES);
    if (s->max_memory_bytes != 0)
        limit(status_fd, RLIMIT_AS, s->max_memory_bytes, s->max_memory_bytes);
}

/* Handlers and ignored signals of the program are not the child's. */
static void reset_signals(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        sigaction(s, &dfl, NULL); /* fails for KILL and STOP, rightly */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child(const struct job *j)
{
    int status_fd;

    setpgid(0, 0);
    reset_signals();
    status_fd = place_fds(j);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        give_up(status_fd, "pdeathsig");
    if (getppid() != j->parent)
        _exit(126); /* it died before the line above */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        give_up(status_fd, "no_new_privs");
    set_limits(j, status_fd);
    if (j->filter.len != 0 &&
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &j->filter, 0, 0) != 0)
        give_up(status_fd, "seccomp");
    execve(j->spec->argv[0], j->argv, j->envp);
    give_up(status_fd, "exec");
}

/* ---- the parent ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_pipe(int fds[2])
{
    close_fd(&fds[0]);
    close_fd(&fds[1]);
}

static rag_status open_pipes(struct job *j, rag_error *err)
{
    if (pipe2(j->in, O_CLOEXEC) != 0 || pipe2(j->out, O_CLOEXEC) != 0 ||
        pipe2(j->said, O_CLOEXEC) != 0 || pipe2(j->status, O_CLOEXEC) != 0)
        return rag_fail_errno(err, errno, "cannot make a pipe to a child");
    /* an empty stdin is a pipe that nobody writes to */
    close_fd(&j->in[1]);
    return RAG_OK;
}

/* Waits for exec (the pipe closes) or for the reason why there was none. */
static rag_status check_start(struct job *j, rag_error *err)
{
    struct failure f = {0};
    ssize_t n;

    do {
        n = read(j->status[0], &f, sizeof f);
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        return RAG_OK;
    if (n != (ssize_t)sizeof f)
        return rag_fail(err, RAG_E_IO, "cannot start %s", j->spec->argv[0]);
    f.step[sizeof f.step - 1] = '\0';
    return rag_fail_errno(err, f.errnum, "cannot start %s (%s)",
                          j->spec->argv[0], f.step);
}

static rag_status start(struct job *j, rag_error *err)
{
    j->parent = getpid();
    j->deadline_ms = now_ms() + j->spec->max_wall_ms;
    j->pid = fork();
    if (j->pid == 0)
        child(j);
    if (j->pid < 0) {
        j->pid = 0;
        return rag_fail_errno(err, errno, "cannot start a child process");
    }
    setpgid(j->pid, j->pid); /* in both, so that neither can be too late */
    close_fd(&j->in[0]);
    close_fd(&j->out[1]);
    close_fd(&j->said[1]);
    close_fd(&j->status[1]);
    return check_start(j, err);
}

static rag_status take_out(struct job *j, rag_str bytes, rag_error *err)
{
    j->n_out_bytes += bytes.len;
    if (j->n_out_bytes > j->spec->max_out_bytes)
        return rag_fail(err, RAG_E_LIMIT, "gives more than %llu MB of output",
                        (unsigned long long)(j->spec->max_out_bytes >> 20));
    if (j->spec->on_out == NULL)
        return RAG_OK;
    return j->spec->on_out(j->spec->out_ctx, bytes, err);
}

static void take_said(struct job *j, rag_str bytes)
{
    size_t room = RAG_SANDBOX_SAID_BYTES - j->n_said;
    size_t n = bytes.len < room ? bytes.len : room;

    memcpy(j->end->said + j->n_said, bytes.ptr, n);
    j->n_said += n;
}

/* One read of what poll announced; the descriptor is closed at its end. */
static rag_status take(struct job *j, int *fd, rag_error *err)
{
    char buf[65536];
    ssize_t n = read(*fd, buf, sizeof buf);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return RAG_OK;
    if (n < 0)
        return rag_fail_errno(err, errno, "cannot read from a child");
    if (n == 0) {
        close_fd(fd);
        return RAG_OK;
    }
    if (fd == &j->out[0])
        return take_out(j, rag_str_n(buf, (size_t)n), err);
    take_said(j, rag_str_n(buf, (size_t)n));
    return RAG_OK;
}

static rag_status check_time(const struct job *j, rag_error *err)
{
    const rag_sandbox_spec *s = j->spec;

    if (s->cancelled != NULL && s->cancelled(s->cancel_ctx))
        return rag_fail(err, RAG_E_CANCELLED, "cancelled");
    if (now_ms() >= j->deadline_ms)
        return rag_fail(err, RAG_E_LIMIT, "takes longer than %u s",
                        s->max_wall_ms / 1000u);
    return RAG_OK;
}

/* Reads both pipes until the child has closed them. */
static rag_status pump(struct job *j, rag_error *err)
{
    rag_status st = RAG_OK;

    while (st == RAG_OK && (j->out[0] >= 0 || j->said[0] >= 0)) {
        struct pollfd p[2] = {{.fd = j->out[0], .events = POLLIN},
                              {.fd = j->said[0], .events = POLLIN}};

        if (poll(p, 2, POLL_MS) < 0 && errno != EINTR)
            return rag_fail_errno(err, errno, "cannot wait for a child");
        st = check_time(j, err);
        if (st == RAG_OK && p[0].revents != 0)
            st = take(j, &j->out[0], err);
        if (st == RAG_OK && p[1].revents != 0)
            st = take(j, &j->said[0], err);
    }
    return st;
}

static rag_status note_end(struct job *j, int ws, const struct rusage *use,
                           rag_error *err)
{
    j->pid = 0;
    j->end->exit_code = WIFEXITED(ws) ? WEXITSTATUS(ws) : -1;
    j->end->term_signal = WIFSIGNALED(ws) ? WTERMSIG(ws) : 0;
    j->end->peak_bytes = (uint64_t)use->ru_maxrss * 1024u;
    if (j->end->term_signal == SIGXCPU ||
        (j->end->term_signal == SIGKILL &&
         (uint64_t)use->ru_utime.tv_sec + (uint64_t)use->ru_stime.tv_sec >=
             j->spec->max_cpu_secs))
        return rag_fail(err, RAG_E_LIMIT, "needs more than %u s of CPU time",
                        j->spec->max_cpu_secs);
    return RAG_OK;
}

/* A child that has closed its pipes is about to end, or plays for time. */
static rag_status reap(struct job *j, rag_error *err)
{
    struct rusage use;
    int ws = 0;
    rag_status st = RAG_OK;

    while (st == RAG_OK) {
        pid_t got = wait4(j->pid, &ws, WNOHANG, &use);
        struct timespec nap = {.tv_nsec = 200000};

        if (got == j->pid)
            return note_end(j, ws, &use, err);
        if (got < 0 && errno != EINTR) {
            st = rag_fail_errno(err, errno, "cannot wait for a child");
            break;
        }
        nanosleep(&nap, NULL);
        st = check_time(j, err);
    }
    return st;
}

static void kill_child(struct job *j)
{
    int ws;

    if (j->pid == 0)
        return;
    kill(-j->pid, SIGKILL);
    kill(j->pid, SIGKILL); /* should it not have reached its group yet */
    while (waitpid(j->pid, &ws, 0) < 0 && errno == EINTR)
        ;
    j->pid = 0;
}

rag_status rag_sandbox_run(rag_sandbox_end *out, const rag_sandbox_spec *spec,
                           rag_error *err)
{
    char *no_env[] = {NULL};
    struct job j = {.spec = spec,
                    .envp = no_env,
                    .in = {-1, -1},
                    .out = {-1, -1},
                    .said = {-1, -1},
                    .status = {-1, -1},
                    .end = out};
    rag_status st;

    memset(out, 0, sizeof *out);
    out->exit_code = -1;
    /* execve wants pointers it promises not to write through */
    memcpy(&j.argv, &spec->argv, sizeof j.argv);
    out->unfiltered = !have_seccomp();
    if (!out->unfiltered)
        TRY(make_filter(&j, err));
    TRY(open_pipes(&j, err));
    TRY(start(&j, err));
    TRY(pump(&j, err));
    TRY(reap(&j, err));
out:
    kill_child(&j);
    close_pipe(j.in);
    close_pipe(j.out);
    close_pipe(j.said);
    close_pipe(j.status);
    rag_free(j.filter.filter);
    return st;
}
