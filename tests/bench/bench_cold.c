/*
 * bench_cold — whole processes, run in turn, timed from outside.
 *
 * usage: bench_cold [-n RUNS] [-x DIR] EMPTY [-- NAME BAR_MS COMMAND
 * [ARG]...]...
 *
 * Every round starts EMPTY (a program that does nothing) and then each command
 * once, so that all of them see the same machine. -x removes DIR before each
 * command (not timed). For each is printed the median and the smallest wall
 * time, the median CPU time (children counted), page faults, the peak resident
 * set, and whether the median is within BAR_MS. The bars of short commands are
 * meant for a machine where an empty process takes 0.6 ms: what EMPTY takes
 * more or less is taken off. BAR_MS 0: only measured.
 *
 * Ends with 1 when a bar was missed, with 2 when a command failed (exit 0, 1
 * and 3 are results of rag, not failures).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 32
#define EMPTY_MS 0.6

typedef struct command {
    const char *name;
    double bar_ms;
    char **argv;
    double *wall_ms;
    double *cpu_ms;
    long n_faults;
    long peak_kb;
} command;

static posix_spawn_file_actions_t to_null;

static double ms_of(struct timespec t)
{
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double cpu_of(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e3 +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e3;
}

static void run(command *c, size_t round)
{
    struct timespec began;
    struct timespec ended;
    struct rusage u;
    int status;
    pid_t pid;

    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    if (posix_spawn(&pid, c->argv[0], &to_null, NULL, c->argv, environ) != 0 ||
        wait4(pid, &status, 0, &u) != pid) {
        perror(c->argv[0]);
        exit(2);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    if (!WIFEXITED(status) ||
        (WEXITSTATUS(status) > 1 && WEXITSTATUS(status) != 3)) {
        fprintf(stderr, "%s: status %x\n", c->name, (unsigned)status);
        exit(2);
    }
    c->wall_ms[round] = ms_of(ended) - ms_of(began);
    c->cpu_ms[round] = cpu_of(&u);
    c->n_faults = u.ru_minflt + u.ru_majflt;
    c->peak_kb = u.ru_maxrss > c->peak_kb ? u.ru_maxrss : c->peak_kb;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return n % 2 != 0 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static int drop(const char *path, const struct stat *sb, int type,
                struct FTW *at)
{
    (void)sb;
    (void)type;
    (void)at;
    return remove(path);
}

static void make_room(command *c, size_t runs)
{
    c->wall_ms = calloc(runs, sizeof *c->wall_ms);
    c->cpu_ms = calloc(runs, sizeof *c->cpu_ms);
    if (c->wall_ms == NULL || c->cpu_ms == NULL) {
        perror("bench_cold");
        exit(2);
    }
}

/* Cuts argv at each "--" into commands; the first is EMPTY. */
static size_t parse(command *list, int argc, char **argv)
{
    size_t n = 0;
    int i = 0;

    list[n++] = (command){.name = "empty process", .argv = argv};
    while (i < argc) {
        if (strcmp(argv[i], "--") != 0) {
            i++;
            continue;
        }
        argv[i] = NULL;
        if (argc - i < 4 || n == MAX_COMMANDS)
            return 0;
        list[n++] = (command){.name = argv[i + 1],
                              .bar_ms = strtod(argv[i + 2], NULL),
                              .argv = argv + i + 3};
        i += 3;
    }
    return n;
}

static int report(command *c, size_t runs, double empty_ms)
{
    double wall = median(c->wall_ms, runs);
    double fair = c->bar_ms > 0 ? wall - (empty_ms - EMPTY_MS) : wall;

    printf("%-44s %9.2f %9.2f %9.2f %8ld %8.1f", c->name, wall, c->wall_ms[0],
           median(c->cpu_ms, runs), c->n_faults, (double)c->peak_kb / 1024);
    if (c->bar_ms > 0)
        printf(" %9.2f %8.1f  %s", fair, c->bar_ms,
               fair <= c->bar_ms ? "ok" : "MISSED");
    printf("\n");
    return c->bar_ms > 0 && fair > c->bar_ms;
}

int main(int argc, char **argv)
{
    command list[MAX_COMMANDS];
    const char *fresh = NULL;
    size_t runs = 51;
    double empty_ms;
    int missed = 0;
    size_t n = 0;
    int opt;

    while ((opt = getopt(argc, argv, "+n:x:")) != -1) {
        if (opt == 'n')
            runs = strtoul(optarg, NULL, 10);
        else if (opt == 'x')
            fresh = optarg;
        else
            return 2;
    }
    if (optind < argc && runs > 0 && runs < 1000000)
        n = parse(list, argc - optind, argv + optind);
    if (n == 0) {
        fprintf(stderr, "usage: bench_cold [-n RUNS] [-x DIR] EMPTY "
                        "[-- NAME BAR_MS COMMAND [ARG]...]...\n");
        return 2;
    }
    (void)posix_spawn_file_actions_init(&to_null);
    (void)posix_spawn_file_actions_addopen(&to_null, 1, "/dev/null", O_WRONLY,
                                           0);
    (void)posix_spawn_file_actions_addopen(&to_null, 0, "/dev/null", O_RDONLY,
                                           0);
    for (size_t i = 0; i < n; i++)
        make_room(&list[i], runs);
    for (size_t r = 0; r < runs; r++)
        for (size_t i = 0; i < n; i++) {
            if (fresh != NULL && i != 0)
                (void)nftw(fresh, drop, 16, FTW_DEPTH | FTW_PHYS);
            run(&list[i], r);
        }
    printf("%-44s %9s %9s %9s %8s %8s %9s %8s\n", "ms", "median", "least",
           "CPU", "faults", "peak MB", "judged", "bar");
    empty_ms = median(list[0].wall_ms, runs);
    for (size_t i = 0; i < n; i++)
        missed |= report(&list[i], runs, empty_ms);
    return missed;
}
