#include "base/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/mem.h"

/* big enough that small results need one block, small enough not to matter */
#define BLOCK_BYTES ((size_t)4096)

struct rag_arena_block {
    struct rag_arena_block *next;
    size_t used;
    size_t cap;
    max_align_t data[];
};

void rag_arena_init(rag_arena *a)
{
    a->head = NULL;
}

void rag_arena_dispose(rag_arena *a)
{
    struct rag_arena_block *b = a->head;

    while (b != NULL) {
        struct rag_arena_block *next = b->next;

        rag_free(b);
        b = next;
    }
    a->head = NULL;
}

void *rag_arena_alloc(rag_arena *a, size_t n_bytes)
{
    struct rag_arena_block *b = a->head;
    size_t need;
    unsigned char *p;

    if (!rag_add_ok(&need, n_bytes, alignof(max_align_t) - 1))
        return NULL;
    need -= need % alignof(max_align_t);
    if (need == 0)
        need = alignof(max_align_t);
    if (b == NULL || b->cap - b->used < need) {
        size_t cap =
            b != NULL && b->cap < (size_t)1 << 20 ? b->cap * 2 : BLOCK_BYTES;
        size_t total;

        if (cap < need)
            cap = need;
        if (!rag_add_ok(&total, sizeof *b, cap))
            return NULL;
        b = rag_malloc(total);
        if (b == NULL)
            return NULL;
        b->next = a->head;
        b->used = 0;
        b->cap = cap;
        a->head = b;
    }
    p = (unsigned char *)b->data + b->used;
    b->used += need;
    memset(p, 0, need);
    return p;
}

void *rag_arena_array(rag_arena *a, size_t n_things, size_t thing_bytes)
{
    size_t n;

    return rag_mul_ok(&n, n_things, thing_bytes) ? rag_arena_alloc(a, n) : NULL;
}

char *rag_arena_strndup(rag_arena *a, const char *s, size_t len)
{
    size_t n;
    char *p = rag_add_ok(&n, len, 1) ? rag_arena_alloc(a, n) : NULL;

    if (p != NULL && len != 0)
        memcpy(p, s, len);
    return p;
}

char *rag_arena_strdup(rag_arena *a, const char *s)
{
    return rag_arena_strndup(a, s, strlen(s));
}

bool rag_arena_str(rag_arena *a, rag_str *out, rag_str s)
{
    char *p = rag_arena_strndup(a, s.ptr, s.len);

    if (p == NULL)
        return false;
    *out = rag_str_n(p, s.len);
    return true;
}
