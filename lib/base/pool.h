#ifndef RAG_BASE_POOL_H
#define RAG_BASE_POOL_H

/*
 * pool — worker threads behind a bounded queue. The only place that starts
 * threads.
 *
 * Owns:    its threads, until rag_pool_free(), which first finishes the queue.
 * Errors:  RAG_E_NOMEM, RAG_E_IO when no thread can be started.
 * Threads: submit from any thread.
 */

#include "base/status.h"

typedef struct rag_pool rag_pool;
typedef void (*rag_pool_fn)(void *arg);

/* n_threads 0: one for every CPU this process may use (at most 64). */
RAG_NODISCARD rag_status rag_pool_new(rag_pool **out, size_t n_threads,
                                      size_t queue_cap, rag_error *err);
/* Waits while the queue is full. */
void rag_pool_submit(rag_pool *p, rag_pool_fn fn, void *arg);
/* Waits until the queue is empty and nothing runs. */
void rag_pool_wait(rag_pool *p);
void rag_pool_free(rag_pool *p);
size_t rag_pool_threads(const rag_pool *p);
/* CPUs this process may use, at least 1. */
size_t rag_pool_cpus(void);

#endif /* RAG_BASE_POOL_H */
