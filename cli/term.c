#include "term.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cmd.h"

/* a document's passage at once */
#define MAX_SHOWN_BYTES ((size_t)256 << 20)

static volatile sig_atomic_t n_interrupts;

static void on_interrupt(int sig)
{
    (void)sig;
    if (n_interrupts++ > 0)
        _exit(EXIT_INTERRUPTED);
}

/* What the parent chose to ignore (a shell's `&` without job control, nohup)
 * stays ignored. */
static void catch_one(int sig, const struct sigaction *sa)
{
    struct sigaction was;

    if (sigaction(sig, NULL, &was) == 0 && was.sa_handler == SIG_IGN)
        return;
    (void)sigaction(sig, sa, NULL);
}

void term_catch_interrupt(void)
{
    struct sigaction sa;

    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_interrupt;
    catch_one(SIGINT, &sa);
    catch_one(SIGTERM, &sa);
}

bool term_interrupted(void *unused)
{
    (void)unused;
    return n_interrupts != 0;
}

bool term_init(term *t, const char *color, bool quiet, bool verbose)
{
    const char *no_color = getenv("NO_COLOR");
    const char *name = getenv("TERM");

    memset(t, 0, sizeof *t);
    t->out_tty = isatty(STDOUT_FILENO) != 0;
    t->err_tty = isatty(STDERR_FILENO) != 0;
    t->quiet = quiet;
    t->verbose = verbose;
    if (color == NULL || strcmp(color, "auto") == 0)
        t->color = t->out_tty && (no_color == NULL || no_color[0] == '\0') &&
                   name != NULL && strcmp(name, "dumb") != 0;
    else if (strcmp(color, "always") == 0)
        t->color = true;
    else if (strcmp(color, "never") != 0)
        return false;
    return true;
}

static void check_out(term *t)
{
    if (t->out_errno == 0 && ferror(stdout) != 0)
        t->out_errno = errno != 0 ? errno : EIO;
    if (t->out_errno == EPIPE) {
        /* nobody reads any more: end as SIGPIPE does, without a word */
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
        _exit(141);
    }
}

void term_out(term *t, rag_str s)
{
    if (t->out_errno != 0 || s.len == 0)
        return;
    errno = 0;
    if (fwrite(s.ptr, 1, s.len, stdout) != s.len)
        check_out(t);
}

void term_outz(term *t, const char *s)
{
    term_out(t, rag_str_of(s));
}

void term_flush(term *t)
{
    if (t->out_errno != 0)
        return;
    errno = 0;
    if (fflush(stdout) != 0)
        check_out(t);
}

static void shown(term *t, rag_str s, bool lines)
{
    rag_buf b;

    rag_buf_init(&b, MAX_SHOWN_BYTES);
    rag_utf8_show(&b, s, lines);
    term_out(t, b.failed == RAG_OK ? rag_buf_str(&b)
                                   : RAG_STR_LIT("(text too long to show)"));
    rag_buf_dispose(&b);
}

void term_text(term *t, rag_str s)
{
    shown(t, s, true);
}

void term_styled(term *t, term_style style, rag_str s)
{
    static const char *const codes[] = {"", "\033[1m", "\033[2m", "\033[36m",
                                        "\033[33m"};

    if (t->color && style != TERM_PLAIN)
        term_outz(t, codes[style]);
    shown(t, s, false);
    if (t->color && style != TERM_PLAIN)
        term_outz(t, "\033[0m");
}

static void say(term *t, const char *fmt, va_list ap) RAG_PRINTF(2, 0);

static void say(term *t, const char *fmt, va_list ap)
{
    char line[2048];
    rag_buf b;
    int n;

    term_progress_end(t);
    term_flush(t); /* what was said before stands before */
    n = vsnprintf(line, sizeof line, fmt, ap);
    if (n < 0)
        return;
    rag_buf_init(&b, sizeof line * 8);
    rag_utf8_show(&b, rag_str_of(line), false);
    (void)fprintf(stderr, "%s\n", b.ptr);
    rag_buf_dispose(&b);
}

void term_warn(term *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(t, fmt, ap);
    va_end(ap);
}

void term_info(term *t, const char *fmt, ...)
{
    va_list ap;

    if (t->quiet)
        return;
    va_start(ap, fmt);
    say(t, fmt, ap);
    va_end(ap);
}

void term_verbose(term *t, const char *fmt, ...)
{
    va_list ap;

    if (!t->verbose)
        return;
    va_start(ap, fmt);
    say(t, fmt, ap);
    va_end(ap);
}

static double now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

void term_progress(term *t, const rag_ingest_progress *p)
{
    double now = now_ms();
    double rate = p->seconds > 0.2 ? (double)p->done / p->seconds : 0;

    if (!t->err_tty || t->quiet ||
        (t->progress_shown && now - t->progress_last_ms < 100))
        return;
    t->progress_last_ms = now;
    t->progress_shown = true;
    (void)fprintf(stderr, "\r\033[K%s %llu", p->phase,
                  (unsigned long long)p->done);
    if (p->total != 0)
        (void)fprintf(stderr, " of %llu", (unsigned long long)p->total);
    if (rate > 0)
        (void)fprintf(stderr, ", %.0f/s", rate);
    if (rate > 0 && p->total > p->done) {
        unsigned long left =
            (unsigned long)((double)(p->total - p->done) / rate + 0.5);

        (void)fprintf(stderr, ", %lu:%02lu left", left / 60, left % 60);
    }
    (void)fflush(stderr);
}

void term_progress_end(term *t)
{
    if (t->progress_shown)
        (void)fputs("\r\033[K", stderr);
    t->progress_shown = false;
}

int term_finish(term *t, int code)
{
    term_progress_end(t);
    term_flush(t);
    errno = 0;
    if (fclose(stdout) != 0 && t->out_errno == 0)
        t->out_errno = errno != 0 ? errno : EIO;
    /* EBADF: started with stdout closed; nobody wanted the answer */
    if (t->out_errno == 0)
        return code;
    if (t->out_errno == EPIPE)
        return 141;
    (void)fprintf(stderr, "rag: cannot write the output: %s\n",
                  strerror(t->out_errno));
    return EXIT_MACHINE;
}
