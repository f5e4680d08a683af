#ifndef RAG_FLOW_CITE_H
#define RAG_FLOW_CITE_H

/*
 * cite — does a passage carry a sentence? Pure text work, no model.
 *
 * Every number with its unit, every code and every name of the sentence must
 * stand in the passage, enough of its other words, and nothing that it says may
 * be denied there ("is not", "않는다") or be said the other way round
 * ("decreases"). The quote is the passage's sentence that shares most with it.
 * What it cannot see: who did what to whom, and anything said in words that the
 * passage does not use. Of a Korean sentence on an English passage only
 * numbers, codes and Latin names can be compared: it is partly supported at
 * most. How often all this is right: docs/benchmarks.md, "Citations".
 *
 * Owns:    rag_cite, from rag_cite_new() to rag_cite_free().
 * Errors:  RAG_E_NOMEM.
 * Threads: one object per thread.
 */

#include "base/arena.h"
#include "base/status.h"

typedef struct rag_cite rag_cite;

typedef struct rag_cite_check {
    double score;       /* how well the passage carries it, 0..1 */
    double cover;       /* share of the sentence's word weight found, 0..1 */
    double quote_cover; /* the same in the quote alone */
    bool numbers_ok;    /* every number, unit and code is there */
    bool verbatim;      /* the sentence stands there word for word */
    uint32_t n_numbers; /* numbers, units and codes that are not there */
    uint32_t n_names;   /* names that are not there */
    bool foreign;      /* another script: only numbers, codes, names compared */
    uint32_t n_denied; /* words denied, or turned round, on one side only */
    uint32_t n_exchanged; /* other words stand there between the same ones */
    uint32_t n_missing;   /* words of which the passage has nothing */
    uint32_t n_content;   /* words that say something */
    size_t quote_start;   /* bytes in the passage; equal: none */
    size_t quote_end;
} rag_cite_check;

/* From which score on a sentence is supported, or partly so. */
#define RAG_CITE_SUPPORTED 0.7
#define RAG_CITE_PARTLY 0.4

rag_cite *rag_cite_new(void); /* NULL: out of memory */
void rag_cite_free(rag_cite *c);

/* sentence: without its [n]. about: what is known of the passage besides
 * (title, headings, a table's header): its words count as the passage's, but
 * nothing there is quoted. */
RAG_NODISCARD rag_status rag_cite_compare(rag_cite_check *out, rag_cite *c,
                                          rag_str sentence, rag_str passage,
                                          rag_str about, rag_error *err);
/* "supported", "partly", "unsupported". Static. */
const char *rag_cite_support(const rag_cite_check *k);

#endif /* RAG_FLOW_CITE_H */
