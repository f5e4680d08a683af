#ifndef RAG_FLOW_SYNC_QUEUE_H
#define RAG_FLOW_SYNC_QUEUE_H

/*
 * sync_queue — what the readers of a sync made, on its way to the one thread
 * that writes. It is bounded: who puts a document waits while the writer is
 * behind. The end of a job is never held up, so that the writer always learns
 * of it.
 *
 * Owns:    what was put, until it is taken.
 * Errors:  RAG_E_NOMEM; RAG_E_CANCELLED after rag_sync_queue_abandon().
 * Threads: safe to share, but for _init and _dispose.
 * Limits:  MAX_QUEUED documents, MAX_QUEUED_BYTES of their text.
 */

#include <pthread.h>

#include "flow/ready.h"

typedef struct rag_sync_job rag_sync_job;

typedef struct rag_sync_item {
    struct rag_sync_item *next;
    rag_sync_job *job;
    rag_ready *ready; /* NULL: the job ended */
    size_t bytes;
} rag_sync_item;

typedef struct rag_sync_queue {
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t filled;
    pthread_cond_t drained;
    rag_sync_item *head;
    rag_sync_item *tail;
    size_t n_queued;
    size_t queued_bytes;
    bool abandon; /* the writer gave up: workers must not wait */
} rag_sync_queue;

void rag_sync_queue_init(rag_sync_queue *q);
void rag_sync_queue_dispose(rag_sync_queue *q); /* must be empty */

/* From a worker: waits while the writer is behind. ready, of `bytes`, is taken
 * over, also on failure; NULL: the job ended. */
RAG_NODISCARD rag_status rag_sync_put(rag_sync_queue *q, rag_sync_job *j,
                                      rag_ready *ready, size_t bytes,
                                      rag_error *err);
/* NULL when it is empty (wait: never). Item and document are the caller's, by
 * rag_free() and rag_ready_free(). */
rag_sync_item *rag_sync_take(rag_sync_queue *q, bool wait);
/* The writer takes no further document. */
void rag_sync_queue_abandon(rag_sync_queue *q);

#endif /* RAG_FLOW_SYNC_QUEUE_H */
