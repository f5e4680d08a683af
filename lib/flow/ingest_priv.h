#ifndef RAG_FLOW_INGEST_PRIV_H
#define RAG_FLOW_INGEST_PRIV_H

/* What the files of an ingest share: ingest.c decides which roots there are and
 * what happens to each, ingest_walk.c reads one of them, ingest_merge.c joins
 * roots that lie below another. */

#include "flow/known.h"
#include "flow/sync.h"

/* One ingest. */
typedef struct rag_ingest_run {
    rag *r;
    const rag_ingest_opts *opts;
    const rag_ingest_watch *watch;
    rag_ingest_report *report;
    rag_sync *sync;
    rag_flow_ignored ignored; /* by `rag rm --ignore` */
    const rag_known *known;   /* roots of the store; none without one */
    int slash; /* "/", that single files are opened below; or -1 */
    /* the root being walked */
    int fd;
    int64_t root_id;
    rag_str root_path;
} rag_ingest_run;

/* ---- ingest_walk.c ------------------------------------------------------ */

/* Reads the folder, or its part below sub, and removes what is gone from it. A
 * folder that cannot be opened is reported, no error. */
RAG_NODISCARD rag_status rag_ingest_dir(rag_ingest_run *u, const char *root,
                                        rag_str sub, rag_error *err);
/* Reads a single file, in its root (folder) or as a root of its own. It is read
 * with others that follow: the caller ends with rag_sync_finish(). */
RAG_NODISCARD rag_status rag_ingest_file_at(rag_ingest_run *u, const char *path,
                                            const char *root, rag_str key,
                                            rag_error *err);
/* Reports a root that is not there, or not as it was. */
RAG_NODISCARD rag_status rag_ingest_missing(rag_ingest_run *u, const char *path,
                                            const char *why, rag_error *err);
/* The same, by errno. */
RAG_NODISCARD rag_status rag_ingest_missing_errno(rag_ingest_run *u,
                                                  const char *path,
                                                  const char *what, int errnum,
                                                  rag_error *err);

/* ---- ingest_merge.c ----------------------------------------------------- */

/* Would a new root at `path` swallow this one? *prefix: where it lies in it. */
bool rag_ingest_swallows(rag_str *prefix, const char *path,
                         const rag_known_root *root);
/* Files of roots below `path` become files of root_id: overlapping roots hold
 * a file once. */
RAG_NODISCARD rag_status rag_ingest_merge(rag_store *s, const rag_known *k,
                                          int64_t root_id, const char *path,
                                          rag_error *err);

#endif /* RAG_FLOW_INGEST_PRIV_H */
