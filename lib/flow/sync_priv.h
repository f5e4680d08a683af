#ifndef RAG_FLOW_SYNC_PRIV_H
#define RAG_FLOW_SYNC_PRIV_H

/*
 * What the files of a sync share: sync.c decides what is to be read and hands
 * it out, sync_read.c is the workers, sync_write.c puts into the store what
 * they made.
 *
 * Threads: a job is its worker's from rag_pool_submit() until its end was put
 * into the queue, and the caller's thread's before and after; version_id and
 * what follows is always the caller's. The rest of rag_sync is the caller's,
 * but for what does not change: r, opts, chunk_opts, fit.
 */

#include "base/pool.h"
#include "flow/fit.h"
#include "flow/sync.h"
#include "flow/sync_queue.h"

struct rag_sync_job {
    rag_sync *s;
    int dir_fd;
    char *name;
    char *root_path;
    char *path; /* full */
    char *key;
    int64_t root_id;
    int fd; /* >= 0: read this one */
    uint64_t cost_bytes;
    rag_store_look look;
    /* what the store had */
    bool had_version;
    bool may_equal; /* equal bytes need no new version */
    uint8_t old_sha[RAG_SHA256_BYTES];
    /* what the worker found */
    bool same;
    bool partial; /* good records stored, err says what of the bad ones */
    rag_status st;
    rag_error err;
    /* what the writer made */
    int64_t version_id;
    uint64_t n_docs, n_chunks, n_chars, n_pages, n_empty_pages;
    const char *type;
    rag_buf warnings; /* one a line */
};

struct rag_sync {
    rag *r;
    const rag_ingest_opts *opts;
    const rag_ingest_watch *watch;
    rag_ingest_report *report;
    rag_chunk_opts chunk_opts;
    rag_fit *fit; /* NULL: no built-in model */
    rag_pool *pool;
    double began_ms;
    uint8_t *saw; /* bit per file id */
    size_t saw_bytes;

    size_t n_open; /* jobs given out */
    uint64_t open_bytes;
    uint64_t n_given;
    uint64_t n_ended;

    rag_sync_queue queue;
};

/* ---- sync.c ------------------------------------------------------------- */

/* What made a stored version: another text here means that it is read again.
 * type NULL: no reader got that far, so every reader counts. */
void rag_sync_fingerprint(rag_buf *out, const rag_sync *s, const char *type);
void rag_sync_job_free(rag_sync_job *j);

/* ---- sync_read.c -------------------------------------------------------- */

/* For rag_pool_submit(): reads the file of a job and puts what it made, and at
 * last its end, into the queue. */
void rag_sync_work(void *job);
/* What a file looks like now, its hash apart. */
void rag_sync_look(rag_store_look *look, const struct stat *sb);
int64_t rag_sync_ns(struct timespec t);

/* ---- sync_write.c ------------------------------------------------------- */

/* Writes what has arrived; wait: at least one item. */
RAG_NODISCARD rag_status rag_sync_drain(rag_sync *s, bool wait, rag_error *err);
/* Counts the file and reports it under its name, which is filled in here. */
RAG_NODISCARD rag_status rag_sync_report(rag_sync *s, rag_str root, rag_str key,
                                         rag_ingest_file *f, rag_str warnings,
                                         rag_error *err);

#endif /* RAG_FLOW_SYNC_PRIV_H */
