/* AMX as the operating system gives it: asked for, refused, shared by threads,
 * interrupted, inherited. Needs a processor that has it, else it skips;
 * tests/nn/amx_emulated.py runs it under an emulator. */
#include "test.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nn/kern_tiers.h"

#define ROWS ((size_t)48)
#define QUADS ((size_t)24)
#define THREADS 6
#define ROUNDS 40

typedef struct sample {
    int8_t *a;
    int8_t *w; /* aligned to 64 */
    int32_t sum[ROWS];
    int32_t want[ROWS * RAG_KERN_PANEL];
    int32_t got[ROWS * RAG_KERN_PANEL];
} sample;

static void make(sample *s, uint32_t seed)
{
    s->a = rag_malloc(ROWS * QUADS * 4);
    assert_int_equal(posix_memalign((void **)&s->w, 64, QUADS * 128), 0);
    for (size_t i = 0; i < ROWS * QUADS * 4; i++) {
        seed = seed * 1664525u + 1013904223u;
        s->a[i] = (int8_t)((int32_t)(seed >> 16) % 255 - 127);
    }
    for (size_t i = 0; i < QUADS * 128; i++) {
        seed = seed * 1664525u + 1013904223u;
        s->w[i] = (int8_t)((int32_t)(seed >> 16) % 255 - 127);
    }
    memset(s->sum, 0, sizeof s->sum);
    rag_kern_scalar.gemm(s->want, s->a, QUADS * 4, s->sum, ROWS, s->w, QUADS);
}

static void drop(sample *s)
{
    rag_free(s->a);
    free(s->w);
}

/* Products of n_rows rows, of one half of the weights and of all. */
static bool is_right(sample *s, size_t n_rows)
{
    memset(s->got, 0x55, sizeof s->got);
    rag_kern_amx.gemm(s->got, s->a, QUADS * 4, s->sum, n_rows, s->w, QUADS);
    /* mostly the shapes stay for the next product */
    if (n_rows % 3 == 0)
        rag_kern_end(&rag_kern_amx);
    return memcmp(s->got, s->want, n_rows * RAG_KERN_PANEL * 4) == 0;
}

static void *work(void *arg)
{
    sample *s = arg;
    uintptr_t wrong = 0;

    for (size_t i = 0; i < ROUNDS; i++) {
        wrong += !is_right(s, 1 + (i * 7) % ROWS);
        (void)sched_yield();
    }
    return (void *)wrong;
}

/* Every thread has tiles of its own, whichever took them first. */
static void test_threads(void **state)
{
    static sample s[THREADS];
    pthread_t t[THREADS];

    (void)state;
    for (uint32_t i = 0; i < THREADS; i++) {
        make(&s[i], i + 1);
        assert_int_equal(pthread_create(&t[i], NULL, work, &s[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong;

        assert_int_equal(pthread_join(t[i], &wrong), 0);
        assert_null(wrong);
        drop(&s[i]);
    }
}

static sample inner;
static volatile sig_atomic_t n_signals;
static volatile sig_atomic_t n_wrong;

/* gemm is not for handlers, as it keeps shapes: this one ends the run that it
 * interrupts, which then sets them anew. */
static void on_alarm(int number)
{
    (void)number;
    n_signals = n_signals + 1;
    rag_kern_end(&rag_kern_amx);
    n_wrong = n_wrong + !is_right(&inner, 1 + (size_t)n_signals % ROWS);
    rag_kern_end(&rag_kern_amx);
}

/* A signal in the middle of a product, whose handler takes the tiles too, on a
 * stack of its own: as large as the kernel says that one must be. */
static void test_signals(void **state)
{
    static sample s;
    size_t n_bytes = getauxval(AT_MINSIGSTKSZ) + 65536;
    stack_t stack = {.ss_sp = rag_malloc(n_bytes), .ss_size = n_bytes};
    stack_t off = {.ss_flags = SS_DISABLE};
    struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_ONSTACK};
    struct itimerval every = {{0, 500}, {0, 500}};
    struct itimerval never = {{0, 0}, {0, 0}};
    size_t wrong = 0;

    (void)state;
    /* the frame holds the tiles' 8192 bytes besides */
    assert_true(getauxval(AT_MINSIGSTKSZ) > 8192);
    make(&s, 77);
    make(&inner, 78);
    assert_int_equal(sigaltstack(&stack, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &act, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
    for (size_t i = 0; n_signals < 50 && i < 1000000; i++)
        wrong += !is_right(&s, 1 + i % ROWS);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaltstack(&off, NULL), 0);
    assert_true(n_signals >= 50);
    assert_int_equal(wrong, 0);
    assert_int_equal(n_wrong, 0);
    rag_free(stack.ss_sp);
    drop(&s);
    drop(&inner);
}

/* How the child ended that runs f. */
static int status_of(void (*f)(void))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        f();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void in_child(void)
{
    sample s;

    make(&s, 5);
    if (!rag_cpu_has(RAG_CPU_AMX) || !is_right(&s, ROWS))
        _exit(1);
}

/* This program anew, which has not asked for the tiles yet. */
static int status_as(const char *what)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        (void)execl("/proc/self/exe", "t_amx", what, (char *)NULL);
        _exit(9);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* A child may use the tiles; so may another program, that asks anew. */
static void test_children(void **state)
{
    (void)state;
    assert_int_equal(status_of(in_child), 0);
    assert_int_equal(status_as("child"), 0);
}

/* As where a container's filter knows no such request. */
static void forbid(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog all = {sizeof code / sizeof code[0], code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) != 0)
        _exit(3);
}

static void refused(void)
{
    forbid();
    if (rag_cpu_has(RAG_CPU_AMX) || rag_cpu_best() != RAG_CPU_AVX512 ||
        strcmp(rag_kern_chosen()->name, "avx512") != 0)
        _exit(1);
    if (setenv("RAG_CPU", "amx", 1) != 0 || rag_cpu_chosen() != RAG_CPU_AVX512)
        _exit(1);
}

/* A signal stack that the tiles do not fit on: the kernel refuses. */
static void too_small(void)
{
    static char room[4096];
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room};

    if (sigaltstack(&stack, NULL) != 0)
        return; /* a kernel that allows no such stack at all */
    if (rag_cpu_has(RAG_CPU_AMX) ||
        strcmp(rag_kern_chosen()->name, "avx512") != 0)
        _exit(1);
}

static void unasked(void)
{
    sample s;

    make(&s, 6);
    (void)is_right(&s, ROWS);
    drop(&s);
}

static void test_refusal(void **state)
{
    int status = status_as("unasked");

    (void)state;
    assert_int_equal(status_of(refused), 0);
    assert_int_equal(status_as("small"), 0);
    /* who does not ask may not: rag_cpu_has() is what asks */
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
}

static void test_choice(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("RAG_CPU"), 0);
    assert_int_equal(rag_cpu_best(), RAG_CPU_AMX);
    assert_true(rag_kern_amx_works());
    assert_string_equal(rag_kern_chosen()->name, "amx");
    assert_int_equal(setenv("RAG_CPU", "avx512", 1), 0);
    assert_string_equal(rag_kern_chosen()->name, "avx512");
    assert_int_equal(unsetenv("RAG_CPU"), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusal),  cmocka_unit_test(test_choice),
        cmocka_unit_test(test_threads),  cmocka_unit_test(test_signals),
        cmocka_unit_test(test_children),
    };

    if (argc == 2) {
        if (strcmp(argv[1], "child") == 0)
            in_child();
        else if (strcmp(argv[1], "small") == 0)
            too_small();
        else
            unasked();
        return 0;
    }
    if (!rag_cpu_has(RAG_CPU_AMX)) {
        printf("skipped: no AMX\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
