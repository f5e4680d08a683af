#ifndef RAG_BASE_BUF_H
#define RAG_BASE_BUF_H

/*
 * buf — growing bytes, always born with a cap, with a sticky error.
 *
 * Append without checking; ask rag_buf_status() once at the end. After a
 * failure (out of memory, cap) the content is empty and stays so. The content
 * is always NUL-terminated behind its last byte.
 *
 * Owns:    its bytes, until rag_buf_dispose() or rag_buf_take().
 * Errors:  RAG_E_NOMEM, RAG_E_LIMIT.
 * Threads: one object per thread.
 */

#include "base/status.h"
#include "base/str.h"

typedef struct rag_buf {
    char *ptr; /* [len], NUL behind it; never NULL after _init */
    size_t len;
    size_t cap;       /* bytes allocated, 0 when none */
    size_t max_bytes; /* the cap it was born with */
    rag_status failed;
} rag_buf;

void rag_buf_init(rag_buf *b, size_t max_bytes);
void rag_buf_dispose(rag_buf *b);
void rag_buf_clear(rag_buf *b); /* empty, error forgotten, memory kept */

void rag_buf_add(rag_buf *b, const void *bytes, size_t n);
void rag_buf_addz(rag_buf *b, const char *nul_terminated);
void rag_buf_adds(rag_buf *b, rag_str s);
void rag_buf_addc(rag_buf *b, char c);
void rag_buf_addf(rag_buf *b, const char *fmt, ...) RAG_PRINTF(2, 3);
void rag_buf_trunc(rag_buf *b, size_t len); /* only shortens */

/* Room for n more bytes: a pointer to write to, followed by rag_buf_wrote();
 * NULL after a failure. */
char *rag_buf_reserve(rag_buf *b, size_t n);
void rag_buf_wrote(rag_buf *b, size_t n);

rag_str rag_buf_str(const rag_buf *b); /* borrowed until the next change */
RAG_NODISCARD rag_status rag_buf_status(const rag_buf *b, rag_error *err);

/* The bytes become the caller's (rag_free()); the buffer is empty again.
 * NULL when it had failed. len may be NULL. */
char *rag_buf_take(rag_buf *b, size_t *len);

#endif /* RAG_BASE_BUF_H */
