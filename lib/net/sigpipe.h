#ifndef RAG_NET_SIGPIPE_H
#define RAG_NET_SIGPIPE_H

/*
 * sigpipe — a server that closes its end must not kill the process while TLS
 * writes. SIGPIPE is held back only between the two calls, in this thread, so
 * that the program's own pipes behave as usual.
 * Threads: one object per thread.
 */

#include <signal.h>
#include <stdbool.h>

typedef struct rag_sigpipe {
    sigset_t old;
    bool was_pending;
} rag_sigpipe;

void rag_sigpipe_hold(rag_sigpipe *g);
void rag_sigpipe_release(const rag_sigpipe *g);

#endif /* RAG_NET_SIGPIPE_H */
