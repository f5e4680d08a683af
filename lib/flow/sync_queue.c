#include "flow/sync_queue.h"

#include "base/mem.h"

/* Records ahead of the writer: enough to keep it busy. */
#define MAX_QUEUED 256
#define MAX_QUEUED_BYTES ((size_t)16 << 20)

void rag_sync_queue_init(rag_sync_queue *q)
{
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_cond_init(&q->filled, NULL);
    (void)pthread_cond_init(&q->drained, NULL);
}

void rag_sync_queue_dispose(rag_sync_queue *q)
{
    (void)pthread_mutex_destroy(&q->lock);
    (void)pthread_cond_destroy(&q->filled);
    (void)pthread_cond_destroy(&q->drained);
}

void rag_sync_queue_abandon(rag_sync_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->abandon = true;
    (void)pthread_cond_broadcast(&q->drained);
    (void)pthread_mutex_unlock(&q->lock);
}

rag_status rag_sync_put(rag_sync_queue *q, rag_sync_job *j, rag_ready *ready,
                        size_t bytes, rag_error *err)
{
    rag_sync_item *it = rag_calloc(1, sizeof *it);

    if (it == NULL) {
        rag_ready_free(ready);
        return rag_fail_nomem(err);
    }
    it->job = j;
    it->ready = ready;
    it->bytes = bytes;
    (void)pthread_mutex_lock(&q->lock);
    while (ready != NULL && !q->abandon &&
           (q->n_queued >= MAX_QUEUED ||
            (q->n_queued != 0 && q->queued_bytes + bytes > MAX_QUEUED_BYTES)))
        (void)pthread_cond_wait(&q->drained, &q->lock);
    if (q->abandon && ready != NULL) {
        (void)pthread_mutex_unlock(&q->lock);
        rag_ready_free(ready);
        rag_free(it);
        return rag_fail(err, RAG_E_CANCELLED, "interrupted");
    }
    if (q->tail != NULL)
        q->tail->next = it;
    else
        q->head = it;
    q->tail = it;
    q->n_queued++;
    q->queued_bytes += bytes;
    (void)pthread_cond_signal(&q->filled);
    (void)pthread_mutex_unlock(&q->lock);
    return RAG_OK;
}

rag_sync_item *rag_sync_take(rag_sync_queue *q, bool wait)
{
    rag_sync_item *it;

    (void)pthread_mutex_lock(&q->lock);
    while (wait && q->head == NULL)
        (void)pthread_cond_wait(&q->filled, &q->lock);
    it = q->head;
    if (it != NULL) {
        q->head = it->next;
        if (q->head == NULL)
            q->tail = NULL;
        q->n_queued--;
        q->queued_bytes -= it->bytes;
        (void)pthread_cond_broadcast(&q->drained);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return it;
}
