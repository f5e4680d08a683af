#include "net/sigpipe.h"

#include <pthread.h>
#include <time.h>

void rag_sigpipe_hold(rag_sigpipe *g)
{
    sigset_t set;

    (void)sigpending(&set);
    g->was_pending = sigismember(&set, SIGPIPE) == 1;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, &g->old);
}

void rag_sigpipe_release(const rag_sigpipe *g)
{
    const struct timespec zero = {0, 0};
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    while (!g->was_pending && sigtimedwait(&set, NULL, &zero) == SIGPIPE) {
    }
    (void)pthread_sigmask(SIG_SETMASK, &g->old, NULL);
}
