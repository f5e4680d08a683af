#ifndef RAG_CLI_LINES_H
#define RAG_CLI_LINES_H

/*
 * lines — standard input line by line, as it comes: a program that writes a
 * question and waits for its answer gets one. Ctrl-C ends the wait.
 *
 * Errors:  RAG_E_CANCELLED, RAG_E_LIMIT (a line), RAG_E_IO, RAG_E_NOMEM.
 */

#include "base/buf.h"

/* A line longer than this is no question and no passage. */
#define LINES_MAX_BYTES ((size_t)16 << 20)

typedef struct lines {
    rag_buf in;  /* read, not yet given out */
    size_t used; /* its bytes that were given out */
    bool end;
    bool skip; /* the rest of a line that was too long */
} lines;

void lines_init(lines *l);
void lines_dispose(lines *l);
/* The next line without its end (\n or \r\n); waits for it. Borrowed until the
 * next call. *got false: there is none. RAG_E_LIMIT: this line is too long; the
 * next call goes on behind it. */
RAG_NODISCARD rag_status lines_next(rag_str *line, bool *got, lines *l,
                                    rag_error *err);
/* Can lines_next() go on without waiting? */
bool lines_ready(lines *l);
/* All of standard input; over max_bytes: RAG_E_LIMIT. */
RAG_NODISCARD rag_status lines_all(rag_buf *out, size_t max_bytes,
                                   rag_error *err);

#endif /* RAG_CLI_LINES_H */
