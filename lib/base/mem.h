#ifndef RAG_BASE_MEM_H
#define RAG_BASE_MEM_H

/*
 * mem — the only caller of malloc in the project.
 *
 * Errors:  NULL means out of memory or that the size overflows; callers turn
 *          it into rag_fail_nomem().
 * Threads: safe to share; the counters are atomic.
 */

#include <stdbool.h>
#include <stddef.h>

/* Never returns NULL for 0 bytes unless out of memory. */
void *rag_malloc(size_t n_bytes);
void *rag_calloc(size_t n_things, size_t thing_bytes);
void *rag_realloc(void *p, size_t n_bytes);
/* realloc of n_things * thing_bytes, NULL when the product overflows. */
void *rag_realloc_array(void *p, size_t n_things, size_t thing_bytes);
void rag_free(void *p);

/* Gives free memory back to the system, where the C library can. */
void rag_mem_trim(void);
/* For the whole process, from now on: large blocks go back to the system as
 * soon as they are freed, where the C library can. For work that holds large
 * blocks one after another and must stay within a bound. */
void rag_mem_return_large(void);

/* Copies of text, NUL-terminated, to be freed with rag_free(). */
char *rag_strdup(const char *s);
char *rag_strndup(const char *s, size_t len);

/* Grows *p (cap things of thing_bytes) so that it holds at least need things,
 * by at least half. false: out of memory, *p and *cap unchanged. */
bool rag_mem_grow(void *p_to_pointer, size_t *cap, size_t need,
                  size_t thing_bytes);

/* false when a * b or a + b does not fit into size_t. */
bool rag_mul_ok(size_t *out, size_t a, size_t b);
bool rag_add_ok(size_t *out, size_t a, size_t b);

/* For tests: blocks alive now; fail the n-th allocation from now on (once;
 * 0 switches off). */
size_t rag_mem_live(void);
void rag_mem_fail_at(size_t nth);

#endif /* RAG_BASE_MEM_H */
