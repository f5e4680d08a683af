#ifndef RAG_MODEL_GLUE_H
#define RAG_MODEL_GLUE_H

/*
 * glue — makes JSON of servers that cut characters readable, and puts the
 * characters together again.
 *
 * Some servers stream bytes of tokens, so that one event ends in the middle of
 * a character and is no valid UTF-8. rag_glue_protect() writes stray bytes as
 * private characters (U+10FF80..U+10FFFF), which pass the JSON parser;
 * rag_glue_add() turns them back into bytes and gives out whole characters
 * only. Pure.
 *
 * Owns:    its buffers, from _init to _dispose.
 * Errors:  RAG_E_NOMEM, RAG_E_LIMIT.
 * Threads: one object per thread.
 */

#include "base/buf.h"

typedef struct rag_glue {
    rag_buf bytes; /* raw text; begins with what was held back */
    rag_buf out;   /* what rag_glue_add() gives */
} rag_glue;

void rag_glue_init(rag_glue *g, size_t max_bytes);
void rag_glue_dispose(rag_glue *g);

/* Appends JSON text to out so that it can be parsed: stray bytes as above,
 * escaped NULs and lone surrogates as U+FFFD. *was_split: private characters
 * were written. */
void rag_glue_protect(rag_buf *out, bool *was_split, rag_str json);

/* piece: a string of that JSON. *whole is valid UTF-8, perhaps empty, borrowed
 * until the next call; the beginning of a character is held back. */
RAG_NODISCARD rag_status rag_glue_add(rag_str *whole, rag_glue *g,
                                      rag_str piece, bool was_split,
                                      rag_error *err);
/* What is held back, as U+FFFD. */
RAG_NODISCARD rag_status rag_glue_end(rag_str *whole, rag_glue *g,
                                      rag_error *err);

#endif /* RAG_MODEL_GLUE_H */
