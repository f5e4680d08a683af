#ifndef RAG_DOC_HTML_HEAP_H
#define RAG_DOC_HTML_HEAP_H

/*
 * html_heap — memory for a parser that checks no allocation: dropped as a
 * whole, capped, and left by a jump when it is full or the machine is.
 *
 * The caller sets `back` with setjmp(3) before it calls the parser; after the
 * jump `why` says RAG_E_NOMEM or RAG_E_LIMIT. Nothing but memory of this heap
 * may be held by the frames in between.
 *
 * Owns:    everything it gave out, until rag_html_heap_dispose().
 * Threads: one object per thread.
 */

#include <setjmp.h>

#include "base/status.h"

#define RAG_HTML_HEAP_CLASSES 46

typedef struct rag_html_heap {
    struct rag_html_slab *slabs;
    char *at; /* in the newest slab */
    size_t left;
    size_t total; /* bytes of all slabs */
    size_t max_bytes;
    struct rag_html_piece *free_list[RAG_HTML_HEAP_CLASSES];
    rag_status why; /* of the jump */
    jmp_buf back;
} rag_html_heap;

void rag_html_heap_init(rag_html_heap *h, size_t max_bytes);
void rag_html_heap_dispose(rag_html_heap *h);

/* What parsers call to get and to give back memory, 8 bytes aligned; heap is a
 * rag_html_heap. Never NULL: it jumps. */
void *rag_html_heap_alloc(void *heap, size_t n_bytes);
void rag_html_heap_drop(void *heap, void *ptr);

#endif /* RAG_DOC_HTML_HEAP_H */
