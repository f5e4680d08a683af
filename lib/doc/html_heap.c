#include "doc/html_heap.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define SLAB_BYTES ((size_t)256 << 10)

/* A piece's class, before its first byte; the free list's link after it. Eight
 * bytes are the largest alignment of anything that gumbo keeps. */
typedef struct rag_html_piece {
    uint64_t class;
    struct rag_html_piece *next;
} piece;

typedef struct rag_html_slab {
    struct rag_html_slab *next;
} slab;

/* Classes of 32, 48, 64, 96, 128 ... bytes, the last beyond the heap. */
static size_t class_bytes(size_t k)
{
    return (k % 2 == 0 ? (size_t)32 : (size_t)48) << (k / 2);
}

_Noreturn static void give_up(rag_html_heap *h, rag_status why)
{
    h->why = why;
    longjmp(h->back, 1);
}

static char *new_slab(rag_html_heap *h, size_t n)
{
    slab *s;

    if (n > h->max_bytes - h->total)
        give_up(h, RAG_E_LIMIT);
    s = rag_malloc(sizeof *s + n);
    if (s == NULL)
        give_up(h, RAG_E_NOMEM);
    s->next = h->slabs;
    h->slabs = s;
    h->total += n;
    return (char *)(s + 1);
}

void *rag_html_heap_alloc(void *heap, size_t n_bytes)
{
    rag_html_heap *h = heap;
    size_t k = 0;
    size_t need;
    void *p;

    while (k < RAG_HTML_HEAP_CLASSES &&
           class_bytes(k) - sizeof(uint64_t) < n_bytes)
        k++;
    if (k == RAG_HTML_HEAP_CLASSES)
        give_up(h, RAG_E_LIMIT);
    if (h->free_list[k] != NULL) {
        piece *f = h->free_list[k];

        h->free_list[k] = f->next;
        return &f->next;
    }
    need = class_bytes(k);
    if (need > SLAB_BYTES / 4) {
        p = new_slab(h, need);
    } else {
        if (h->left < need) {
            h->at = new_slab(h, SLAB_BYTES);
            h->left = SLAB_BYTES;
        }
        p = h->at;
        h->at += need;
        h->left -= need;
    }
    ((piece *)p)->class = k;
    return &((piece *)p)->next;
}

void rag_html_heap_drop(void *heap, void *ptr)
{
    rag_html_heap *h = heap;
    piece *f;

    if (ptr == NULL)
        return;
    f = (piece *)(void *)((char *)ptr - sizeof(uint64_t));
    f->next = h->free_list[f->class];
    h->free_list[f->class] = f;
}

void rag_html_heap_init(rag_html_heap *h, size_t max_bytes)
{
    memset(h, 0, sizeof *h);
    h->max_bytes = max_bytes;
}

void rag_html_heap_dispose(rag_html_heap *h)
{
    while (h->slabs != NULL) {
        slab *next = h->slabs->next;

        rag_free(h->slabs);
        h->slabs = next;
    }
}
