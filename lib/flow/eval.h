#ifndef RAG_FLOW_EVAL_H
#define RAG_FLOW_EVAL_H

/*
 * eval — how well searching does on judged questions. The measures are those of
 * trec_eval: nDCG with linear gains and log2 discounts, recall and average
 * precision over all relevant documents, the reciprocal rank of the first one.
 * rag_eval_beir() of rag.h runs a BEIR folder through them.
 *
 * Errors:  RAG_E_FORMAT (a line of queries or judgments), RAG_E_NOTFOUND, and
 *          those of ingest and search.
 * Threads: safe to share (the arithmetic); as rag (the rest).
 */

#include "rag.h"

/* Depth of the deepest measures, recall@100 and MAP@100. */
#define RAG_EVAL_DEPTH ((size_t)100)

/* One relevance judgment: what a qrels file says on a line. */
typedef struct rag_qrel {
    rag_str query;
    rag_str doc;
    double grade; /* above 0: relevant, and the gain of nDCG */
} rag_qrel;

/* The measures of one query, from
 *   gains    [n_gains] grades of what was found, best first; 0: not relevant
 *            or not judged
 *   grades   [n_grades] of everything judged for the query, in any order;
 *            reordered
 * and adds them to the sums in *sums (n_queries by one). */
void rag_eval_add(rag_eval_result *sums, const double *gains, size_t n_gains,
                  double *grades, size_t n_grades);
/* Sums become means. */
void rag_eval_mean(rag_eval_result *sums);

/* Lines `query doc grade` or `query 0 doc grade` (trec_eval's own form), by
 * tabs or blanks; a first line whose grade is no number is a header. Sorted by
 * query and doc; of one pair judged twice the last counts. The strings point
 * into text. *out is freed with rag_free(). */
RAG_NODISCARD rag_status rag_eval_qrels(rag_qrel **out, size_t *n, rag_str text,
                                        rag_error *err);

#endif /* RAG_FLOW_EVAL_H */
