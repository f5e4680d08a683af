#ifndef RAG_FLOW_SYNC_H
#define RAG_FLOW_SYNC_H

/*
 * sync — one ingest: files that changed are read by worker threads, what they
 * make goes through a bounded queue to the caller's thread, which alone writes
 * to the store.
 *
 * Owns:    rag_sync from rag_sync_new() to rag_sync_free().
 * Errors:  those of the store; a file that cannot be read is no error here.
 * Threads: one object per thread; it starts its own workers.
 */

#include <sys/stat.h>

#include "flow/flow_priv.h"

typedef struct rag_sync rag_sync;

RAG_NODISCARD rag_status rag_sync_new(rag_sync **out, rag *r,
                                      const rag_ingest_opts *opts,
                                      const rag_ingest_watch *watch,
                                      rag_ingest_report *report,
                                      rag_error *err);
/* Waits for the workers. */
void rag_sync_free(rag_sync *s);

/* One regular file: unchanged files are counted, others go to the workers.
 * dir_fd: an open folder that `name` is below (borrowed until
 * rag_sync_finish()); root_path, key: what it is in the store. */
RAG_NODISCARD rag_status rag_sync_file(rag_sync *s, int dir_fd, rag_str name,
                                       int64_t root_id, rag_str root_path,
                                       rag_str key, const struct stat *sb,
                                       rag_error *err);
/* One document from a descriptor (a pipe's content); never "unchanged". */
RAG_NODISCARD rag_status rag_sync_fd(rag_sync *s, int fd, int64_t root_id,
                                     rag_str key, rag_error *err);
/* Waits for everything given so far and writes it. */
RAG_NODISCARD rag_status rag_sync_finish(rag_sync *s, rag_error *err);
/* Was this file of the store given to the sync? */
bool rag_sync_saw(const rag_sync *s, int64_t file_id);
/* Reports and counts a file that was not read. */
RAG_NODISCARD rag_status rag_sync_tell(rag_sync *s, rag_str root_path,
                                       rag_str key, rag_ingest_result result,
                                       rag_str reason, rag_error *err);

#endif /* RAG_FLOW_SYNC_H */
