#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <string.h>

/* rag_mem_return_large(): blocks from this size on have pages of their own; so
 * much free memory may stay at the end of the heap. */
#define LARGE_BYTES (256 << 10)
#define KEPT_BYTES (1 << 20)

static atomic_size_t n_live;
static atomic_size_t fail_in; /* 0: never; 1: the next one */

static bool must_fail(void)
{
    size_t left = atomic_load_explicit(&fail_in, memory_order_relaxed);

    while (left != 0)
        if (atomic_compare_exchange_weak(&fail_in, &left, left - 1))
            return left == 1;
    return false;
}

static void count_one(void)
{
    atomic_fetch_add_explicit(&n_live, 1, memory_order_relaxed);
}

void *rag_malloc(size_t n_bytes)
{
    void *p;

    if (must_fail())
        return NULL;
    p = malloc(n_bytes != 0 ? n_bytes : 1);
    if (p != NULL)
        count_one();
    return p;
}

void *rag_calloc(size_t n_things, size_t thing_bytes)
{
    void *p;

    if (must_fail())
        return NULL;
    if (n_things == 0 || thing_bytes == 0)
        n_things = thing_bytes = 1;
    p = calloc(n_things, thing_bytes);
    if (p != NULL)
        count_one();
    return p;
}

void *rag_realloc(void *p, size_t n_bytes)
{
    void *q;

    if (p == NULL)
        return rag_malloc(n_bytes);
    if (must_fail())
        return NULL;
    q = realloc(p, n_bytes != 0 ? n_bytes : 1);
    return q;
}

void *rag_realloc_array(void *p, size_t n_things, size_t thing_bytes)
{
    size_t n;

    if (!rag_mul_ok(&n, n_things, thing_bytes))
        return NULL;
    return rag_realloc(p, n);
}

void rag_free(void *p)
{
    if (p == NULL)
        return;
    atomic_fetch_sub_explicit(&n_live, 1, memory_order_relaxed);
    free(p);
}

char *rag_strndup(const char *s, size_t len)
{
    char *d;
    size_t n;

    if (!rag_add_ok(&n, len, 1))
        return NULL;
    d = rag_malloc(n);
    if (d == NULL)
        return NULL;
    if (len != 0)
        memcpy(d, s, len);
    d[len] = '\0';
    return d;
}

void rag_mem_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

void rag_mem_return_large(void)
{
#ifdef __GLIBC__
    /* Left alone, glibc raises the first bound to the largest block ever
     * freed, and what is freed later stays in the heap. */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

char *rag_strdup(const char *s)
{
    return rag_strndup(s, strlen(s));
}

bool rag_mem_grow(void *p_to_pointer, size_t *cap, size_t need,
                  size_t thing_bytes)
{
    void *old;
    void *grown;
    size_t want;

    if (need <= *cap)
        return true;
    if (!rag_add_ok(&want, *cap, *cap / 2))
        return false;
    if (want < need)
        want = need;
    if (want < 8)
        want = 8;
    memcpy(&old, p_to_pointer, sizeof old);
    grown = rag_realloc_array(old, want, thing_bytes);
    if (grown == NULL)
        return false;
    memcpy(p_to_pointer, &grown, sizeof grown);
    *cap = want;
    return true;
}

bool rag_mul_ok(size_t *out, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool rag_add_ok(size_t *out, size_t a, size_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

size_t rag_mem_live(void)
{
    return atomic_load(&n_live);
}

void rag_mem_fail_at(size_t nth)
{
    atomic_store(&fail_in, nth);
}
