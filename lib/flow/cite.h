#ifndef RAG_FLOW_CITE_H
#define RAG_FLOW_CITE_H

/*
 * cite — does a passage carry a sentence? Pure text work, no model: every
 * number and code of the sentence must stand in the passage, and enough of its
 * words. The quote is the passage's sentence that shares most with it.
 *
 * Owns:    rag_cite, from rag_cite_new() to rag_cite_free().
 * Errors:  RAG_E_NOMEM.
 * Threads: one object per thread.
 */

#include "base/arena.h"
#include "base/status.h"

typedef struct rag_cite rag_cite;

typedef struct rag_cite_check {
    double cover;       /* share of the sentence's words found, 0..1 */
    bool numbers_ok;    /* every number and code is there */
    bool verbatim;      /* the sentence stands there word for word */
    size_t quote_start; /* bytes in the passage; equal: none */
    size_t quote_end;
} rag_cite_check;

/* Words a sentence must share with what it cites, to be supported, to be
 * partly so. docs/benchmarks.md, "Citations". */
#define RAG_CITE_SUPPORTED 0.6
#define RAG_CITE_PARTLY 0.35

rag_cite *rag_cite_new(void); /* NULL: out of memory */
void rag_cite_free(rag_cite *c);

/* sentence: without its [n]. */
RAG_NODISCARD rag_status rag_cite_compare(rag_cite_check *out, rag_cite *c,
                                          rag_str sentence, rag_str passage,
                                          rag_error *err);
/* "supported", "partly", "unsupported". Static. */
const char *rag_cite_support(const rag_cite_check *k);

#endif /* RAG_FLOW_CITE_H */
