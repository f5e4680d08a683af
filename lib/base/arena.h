#ifndef RAG_BASE_ARENA_H
#define RAG_BASE_ARENA_H

/*
 * arena — allocate many, free once. Results (rag_doc, hits, answers) hold one;
 * their strings live and die with it.
 *
 * Owns:    everything it gave out, until rag_arena_dispose().
 * Errors:  NULL means out of memory.
 * Threads: one object per thread.
 */

#include <stddef.h>

#include "base/str.h"

typedef struct rag_arena {
    struct rag_arena_block *head;
} rag_arena;

void rag_arena_init(rag_arena *a);
void rag_arena_dispose(rag_arena *a);

/* Aligned for any type; zeroed. */
void *rag_arena_alloc(rag_arena *a, size_t n_bytes);
void *rag_arena_array(rag_arena *a, size_t n_things, size_t thing_bytes);
/* NUL-terminated copies. */
char *rag_arena_strndup(rag_arena *a, const char *s, size_t len);
char *rag_arena_strdup(rag_arena *a, const char *s);
/* Copies s; false: out of memory. */
_Bool rag_arena_str(rag_arena *a, rag_str *out, rag_str s);

#endif /* RAG_BASE_ARENA_H */
