#ifndef RAG_NN_LABELS_H
#define RAG_NN_LABELS_H

/*
 * labels — the head of a cross-encoder: a pooled row becomes logits. In floats
 * and in one order, for it runs once a pair: the same bits on every tier.
 *
 * Errors:  RAG_E_CORRUPT (what comes out is no number).
 * Threads: safe to share.
 */

#include "nn/kern.h"
#include "nn/weights.h"

/*   logits   [n_labels]
 *   row      [hidden] the pooled row
 *   scratch  [hidden] */
RAG_NODISCARD rag_status rag_labels_run(float *logits, const rag_weights *w,
                                        const rag_kern *kern, const float *row,
                                        float *scratch, rag_error *err);

#endif /* RAG_NN_LABELS_H */
