/* What t_sandbox runs inside the sandbox: tries one thing and says how it
 * went, on stdout, as "yes" or "no" (or what the case names). */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static int say(int did)
{
    puts(did ? "yes" : "no");
    return 0;
}

static int show_env(void)
{
    for (char **e = environ; *e != NULL; e++)
        puts(*e);
    puts("end");
    return 0;
}

static int show_fds(void)
{
    for (int fd = 0; fd < 65536; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("%d ", fd);
    return 0;
}

static int show_signals(void)
{
    sigset_t now;

    sigprocmask(SIG_SETMASK, NULL, &now);
    for (int s = 1; s < 32; s++) {
        struct sigaction a;

        if (sigaction(s, NULL, &a) == 0 && a.sa_handler != SIG_DFL)
            printf("handler %d ", s);
        if (sigismember(&now, s) == 1)
            printf("masked %d ", s);
    }
    puts("end");
    return 0;
}

/* MB that could be had, up to 4096 */
static int eat_memory(void)
{
    int mb = 0;

    while (mb < 4096) {
        char *p = malloc(1u << 20);

        if (p == NULL)
            break;
        memset(p, 1, 1u << 20);
        mb++;
    }
    printf("%d\n", mb);
    return 0;
}

static int echo(void)
{
    char buf[4096];
    ssize_t n;

    while ((n = read(0, buf, sizeof buf)) > 0)
        if (write(1, buf, (size_t)n) != n)
            return 1;
    return 0;
}

static int flood(int fd)
{
    static char buf[65536];

    memset(buf, 'x', sizeof buf);
    while (write(fd, buf, sizeof buf) > 0)
        ;
    return 0;
}

static int spin(void)
{
    for (volatile unsigned long n = 0;; n++)
        ;
}

static int hang(int close_first)
{
    if (close_first) {
        close(1);
        close(2);
    }
    for (;;)
        sleep(1000);
}

static void *nothing(void *arg)
{
    return arg;
}

static int try_thread(void)
{
    pthread_t t;

    return say(pthread_create(&t, NULL, nothing, NULL) == 0);
}

static int raise_limit(void)
{
    struct rlimit r = {1 << 20, 1 << 20};

    return say(setrlimit(RLIMIT_FSIZE, &r) == 0);
}

static int run_other(const char *self)
{
    char *argv[] = {NULL, NULL, NULL};
    char word[] = "env";

    argv[0] = word;
    argv[1] = word;
    execve(self, argv, environ);
    return say(0);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

#define CASE(name, call)                                                       \
    if (strcmp(what, name) == 0)                                               \
        return (call);
    CASE("env", show_env())
    CASE("fds", show_fds())
    CASE("signals", show_signals())
    CASE("memory", eat_memory())
    CASE("echo", echo())
    CASE("flood", flood(1))
    CASE("flood-stderr", (flood(2), 0))
    CASE("spin", spin())
    CASE("hang", hang(0))
    CASE("hang-closed", hang(1))
    CASE("exec", run_other(argv[0]))
    CASE("inet", say(socket(AF_INET, SOCK_STREAM, 0) >= 0))
    CASE("unix", say(socket(AF_UNIX, SOCK_STREAM, 0) >= 0))
    CASE("fork", say(fork() >= 0))
    CASE("thread", try_thread())
    CASE("ptrace", say(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0))
    CASE("kill", say(kill(getppid(), 0) == 0))
    CASE("limit", raise_limit())
    CASE("read-file", say(open("/", O_RDONLY | O_DIRECTORY) >= 0))
    CASE("write-file", say(open(argv[2], O_WRONLY | O_CREAT, 0600) >= 0))
    CASE("unlink", say(unlink(argv[2]) == 0))
    CASE("group", say(getpgrp() == getpid()))
    CASE("exit-7", 7)
    if (strcmp(what, "complain") == 0) {
        fputs("first line\nsecond line\n", stderr);
        return 1;
    }
    if (strcmp(what, "crash") == 0)
        __builtin_trap();
    return 99;
}
