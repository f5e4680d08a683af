#ifndef RAG_FLOW_GONE_H
#define RAG_FLOW_GONE_H

/*
 * gone — after a folder was walked: which files of the store were not there.
 * They are removed; what a filter left out or could not be looked at is kept;
 * when most of it would go, nothing is removed and it is said.
 *
 * Errors:  those of the store, RAG_E_NOMEM.
 * Threads: one object per thread.
 */

#include "base/walk.h"
#include "flow/sync.h"

/* Files of a root; their keys, behind the prefix, are below the walked folder.
 */
typedef struct rag_gone_part {
    int64_t root_id;
    rag_str prefix; /* empty: the root is that folder */
} rag_gone_part;

typedef struct rag_gone {
    rag_store *store;
    rag_sync *sync; /* knows what was seen; finished */
    rag_walk *walk;
    const rag_ingest_opts *opts;
    const rag_ingest_watch *watch;
    rag_ingest_report *report;
    rag_str root_path;
    rag_str sub; /* only below this key of the root; empty: all */
    const rag_gone_part *parts; /* [n_parts] */
    size_t n_parts;
} rag_gone;

RAG_NODISCARD rag_status rag_gone_remove(const rag_gone *g, rag_error *err);

#endif /* RAG_FLOW_GONE_H */
