#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>

#include "base/mem.h"

#define MAX_THREADS ((size_t)64)

typedef struct job {
    rag_pool_fn fn;
    void *arg;
} job;

struct rag_pool {
    pthread_mutex_t lock;
    pthread_cond_t not_empty;
    pthread_cond_t not_full;
    pthread_cond_t idle;
    job *ring; /* [cap] */
    size_t cap;
    size_t head;
    size_t count;
    size_t running;
    bool closing;
    size_t n_threads;
    pthread_t threads[MAX_THREADS];
};

static void *work(void *arg)
{
    rag_pool *p = arg;

    (void)pthread_mutex_lock(&p->lock);
    for (;;) {
        job j;

        while (p->count == 0 && !p->closing)
            (void)pthread_cond_wait(&p->not_empty, &p->lock);
        if (p->count == 0)
            break;
        j = p->ring[p->head];
        p->head = (p->head + 1) % p->cap;
        p->count--;
        p->running++;
        (void)pthread_cond_signal(&p->not_full);
        (void)pthread_mutex_unlock(&p->lock);
        j.fn(j.arg);
        (void)pthread_mutex_lock(&p->lock);
        p->running--;
        if (p->running == 0 && p->count == 0)
            (void)pthread_cond_broadcast(&p->idle);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

size_t rag_pool_cpus(void)
{
    cpu_set_t set;
    int n = 0;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    if (n < 1)
        return 1;
    return (size_t)n < MAX_THREADS ? (size_t)n : MAX_THREADS;
}

rag_status rag_pool_new(rag_pool **out, size_t n_threads, size_t queue_cap,
                        rag_error *err)
{
    rag_pool *p = rag_calloc(1, sizeof *p);
    sigset_t all;
    sigset_t before;

    *out = NULL;
    if (n_threads == 0)
        n_threads = rag_pool_cpus();
    if (n_threads > MAX_THREADS)
        n_threads = MAX_THREADS;
    if (queue_cap == 0)
        queue_cap = 1;
    if (p == NULL)
        return rag_fail_nomem(err);
    p->ring = rag_calloc(queue_cap, sizeof *p->ring);
    if (p->ring == NULL) {
        rag_free(p);
        return rag_fail_nomem(err);
    }
    p->cap = queue_cap;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->not_empty, NULL);
    (void)pthread_cond_init(&p->not_full, NULL);
    (void)pthread_cond_init(&p->idle, NULL);
    /* signals (Ctrl-C) go to the main thread */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    for (size_t i = 0; i < n_threads; i++) {
        if (pthread_create(&p->threads[p->n_threads], NULL, work, p) != 0)
            break;
        p->n_threads++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (p->n_threads == 0) {
        rag_pool_free(p);
        return rag_fail(err, RAG_E_IO, "cannot start a thread");
    }
    *out = p;
    return RAG_OK;
}

void rag_pool_submit(rag_pool *p, rag_pool_fn fn, void *arg)
{
    (void)pthread_mutex_lock(&p->lock);
    while (p->count == p->cap)
        (void)pthread_cond_wait(&p->not_full, &p->lock);
    p->ring[(p->head + p->count) % p->cap] = (job){fn, arg};
    p->count++;
    (void)pthread_cond_signal(&p->not_empty);
    (void)pthread_mutex_unlock(&p->lock);
}

void rag_pool_wait(rag_pool *p)
{
    (void)pthread_mutex_lock(&p->lock);
    while (p->count != 0 || p->running != 0)
        (void)pthread_cond_wait(&p->idle, &p->lock);
    (void)pthread_mutex_unlock(&p->lock);
}

void rag_pool_free(rag_pool *p)
{
    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->closing = true;
    (void)pthread_cond_broadcast(&p->not_empty);
    (void)pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->n_threads; i++)
        (void)pthread_join(p->threads[i], NULL);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->not_empty);
    (void)pthread_cond_destroy(&p->not_full);
    (void)pthread_cond_destroy(&p->idle);
    rag_free(p->ring);
    rag_free(p);
}

size_t rag_pool_threads(const rag_pool *p)
{
    return p->n_threads;
}
