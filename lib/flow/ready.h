#ifndef RAG_FLOW_READY_H
#define RAG_FLOW_READY_H

/*
 * ready — a document that was read becomes what the store takes: chunks with
 * lines, pages, ids and the words to index. Pure work, done in the reader
 * threads.
 *
 * Owns:    rag_ready with its rag_doc, until rag_ready_free().
 * Errors:  RAG_E_NOMEM.
 * Threads: one object per thread.
 */

#include "doc/chunk.h"
#include "store/store.h"

typedef struct rag_ready {
    rag_arena arena;
    rag_doc *doc;
    rag_store_doc_in in; /* points into all of the above */
    rag_buf body;        /* of the chunk being written, when not kept */
    uint64_t n_chars;    /* code points of the text */
    uint64_t n_tokens;   /* of the chunks, estimated */
} rag_ready;

/* doc is taken over, also on failure. path: the document's full path, which
 * its chunks' stable ids are made of. */
RAG_NODISCARD rag_status rag_ready_new(rag_ready **out, rag_doc *doc,
                                       const rag_chunk_opts *opts, rag_str path,
                                       rag_error *err);
void rag_ready_free(rag_ready *r);

#endif /* RAG_FLOW_READY_H */
