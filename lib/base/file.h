#ifndef RAG_BASE_FILE_H
#define RAG_BASE_FILE_H

/*
 * file — reading with caps, mapping, replacing a file in one step, folders.
 *
 * Paths are bytes, NUL-terminated. Everything created here is private to the
 * user (files 0600, folders 0700).
 * Errors:  RAG_E_IO, RAG_E_NOTFOUND, RAG_E_LIMIT, RAG_E_NOMEM.
 * Threads: safe to share.
 */

#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"

/* Appends the whole regular file (or what a descriptor still has). A file
 * longer than max_bytes is RAG_E_LIMIT and names the limit. */
RAG_NODISCARD rag_status rag_file_read(rag_buf *out, const char *path,
                                       size_t max_bytes, rag_error *err);
RAG_NODISCARD rag_status rag_file_read_fd(rag_buf *out, int fd,
                                          const char *name, size_t max_bytes,
                                          rag_error *err);

/* Writes all n bytes, going on after EINTR and short writes. */
RAG_NODISCARD rag_status rag_file_write_fd(int fd, const void *bytes, size_t n,
                                           const char *name, rag_error *err);

/* Temporary file beside path, fsync, rename, fsync of the folder: afterwards
 * path holds either the old bytes or all the new ones. */
RAG_NODISCARD rag_status rag_file_replace(const char *path, const void *bytes,
                                          size_t n, rag_error *err);
/* The last two steps, for a writer that fills its own temporary file. */
RAG_NODISCARD rag_status rag_file_commit(int fd, const char *tmp_path,
                                         const char *path, rag_error *err);

/* A read-only mapping of a whole file. */
typedef struct rag_map {
    const unsigned char *ptr; /* [len]; NULL when len is 0 */
    size_t len;
} rag_map;

RAG_NODISCARD rag_status rag_file_map(rag_map *out, const char *path,
                                      rag_error *err);
void rag_file_unmap(rag_map *m);

/* mkdir -p; the new parts are 0700. */
RAG_NODISCARD rag_status rag_file_mkdirs(const char *path, rag_error *err);

/* Names in a folder, sorted by bytes, without "." and "..". */
typedef struct rag_names {
    char **list; /* [n] */
    size_t n;
    size_t cap;
} rag_names;

/* Reads the folder open at fd (taken over) to its end; on failure *out is
 * empty. */
RAG_NODISCARD rag_status rag_file_list(rag_names *out, int fd, rag_error *err);
void rag_names_dispose(rag_names *l);

/* dir + "/" + name, to be freed with rag_free(); NULL: out of memory. */
char *rag_file_join(const char *dir, const char *name);
/* realpath(3), to be freed with rag_free(). */
RAG_NODISCARD rag_status rag_file_real(char **out, const char *path,
                                       rag_error *err);
/* The part behind the last '/'. Borrowed. */
const char *rag_file_base(const char *path);

#endif /* RAG_BASE_FILE_H */
