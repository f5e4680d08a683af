#ifndef RAG_BASE_WALK_H
#define RAG_BASE_WALK_H

/*
 * walk — lists a folder tree in a fixed order, never leaving it, and remembers
 * what it saw so well that a file's absence can be told from its not having
 * been looked at.
 *
 * Folders are opened relative to each other without following links (unless
 * follow); loops are broken by (device, inode); special files are harmless.
 *
 * Owns:    rag_walk, from rag_walk_new() to rag_walk_free().
 * Errors:  RAG_E_NOMEM and what the callback returns. Folders that cannot be
 *          listed are no error of the walk: they are reported and remembered.
 * Threads: one object per thread.
 */

#include <sys/stat.h>

#include "base/status.h"
#include "base/str.h"

typedef struct rag_walk_opts {
    bool hidden;
    bool follow;
    bool gitignore;
    const char *const *include; /* [n_include]; none: everything */
    size_t n_include;
    const char *const *exclude;
    size_t n_exclude;
    /* leaves out one key more; may be NULL */
    bool (*left_out)(void *ctx, rag_str key);
    void *left_out_ctx;
    dev_t not_dev; /* a folder that is never entered (the store's own) */
    ino_t not_ino; /* 0: none */
    bool (*cancelled)(void *ctx);
    void *cancel_ctx;
} rag_walk_opts;

typedef struct rag_walk rag_walk;

/* A regular file. key: its path below the root, borrowed for the call. */
typedef rag_status (*rag_walk_file_fn)(void *ctx, rag_str key,
                                       const struct stat *sb, rag_error *err);
/* A folder that could not be listed, or an entry that could not be looked at:
 * key ("" for the root) and why. */
typedef rag_status (*rag_walk_trouble_fn)(void *ctx, rag_str key,
                                          const char *why, rag_error *err);

rag_walk *rag_walk_new(void); /* NULL: out of memory */
void rag_walk_free(rag_walk *w);

/* Walks root_fd (an open folder, borrowed) below `sub` (a folder's key, "" for
 * all of it). Ignore files of the folders above sub count. */
RAG_NODISCARD rag_status rag_walk_run(rag_walk *w, int root_fd, rag_str sub,
                                      const rag_walk_opts *opts,
                                      rag_walk_file_fn file,
                                      rag_walk_trouble_fn trouble, void *ctx,
                                      rag_error *err);

typedef enum rag_walk_verdict {
    RAG_WALK_GONE,    /* its folder was listed to the end, it was not there */
    RAG_WALK_LEFT,    /* there, but left out by the filters of this walk */
    RAG_WALK_UNKNOWN, /* not looked at, or its folder could not be listed */
    RAG_WALK_THERE    /* given to the file callback */
} rag_walk_verdict;

/* After the walk: what it says of a key. */
rag_walk_verdict rag_walk_ask(rag_walk *w, rag_str key);

/* Opens a file below root_fd by its key, read-only, never through a link
 * (unless follow) and never blocking on a FIFO; -1 and errno on failure. */
int rag_walk_open(int root_fd, const char *key, bool follow);

#endif /* RAG_BASE_WALK_H */
