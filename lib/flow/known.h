#ifndef RAG_FLOW_KNOWN_H
#define RAG_FLOW_KNOWN_H

/*
 * known — the roots that the store knows: which one a path belongs to, the
 * filters each was last synced with, and whether a path that is missing now
 * was ever there.
 *
 * Owns:    rag_known, {NULL, 0, 0} at first, until rag_known_dispose().
 * Errors:  those of the store, RAG_E_NOMEM.
 * Threads: one object per thread.
 */

#include "flow/flow_priv.h"

typedef struct rag_known_root {
    int64_t id;
    char *path;
    bool is_dir;
    char *settings;
} rag_known_root;

typedef struct rag_known {
    rag_known_root *list; /* [n] */
    size_t n;
    size_t cap;
} rag_known;

/* Reads them again; s NULL is not allowed. */
RAG_NODISCARD rag_status rag_known_load(rag_known *k, rag_store *s,
                                        rag_error *err);
/* One that was just made. */
RAG_NODISCARD rag_status rag_known_add(rag_known *k, int64_t id,
                                       const char *path, bool is_dir,
                                       rag_error *err);
void rag_known_dispose(rag_known *k);

/* Is path below (or the same as) folder? *rest: the part below. */
bool rag_known_below(rag_str *rest, const char *folder, const char *path);
/* The root that path lies in: an exact one first, else the folder above it;
 * *key: the part below. NULL: none. */
const rag_known_root *rag_known_of(rag_str *key, const rag_known *k,
                                   const char *path);

/* The filters of a run as text, for a later `rag ingest` without a path. */
RAG_NODISCARD rag_status rag_known_settings(rag_buf *out,
                                            const rag_ingest_opts *o,
                                            rag_error *err);
/* The run's options with a root's stored filters. */
RAG_NODISCARD rag_status rag_known_options(rag_ingest_opts *o, const char *text,
                                           rag_arena *a, rag_error *err);

/* Full path of something that may be missing: links of the part that exists
 * are resolved. rag_free(). */
RAG_NODISCARD rag_status rag_known_full(char **out, const char *given,
                                        const char *cwd, rag_error *err);
/* Is a missing path a root, or did the store have files there? */
RAG_NODISCARD rag_status rag_known_was_there(bool *yes, const rag_known *k,
                                             rag_store *s, const char *path,
                                             rag_error *err);

#endif /* RAG_FLOW_KNOWN_H */
