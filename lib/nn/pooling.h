#ifndef RAG_NN_POOLING_H
#define RAG_NN_POOLING_H

/*
 * pooling — a window's rows behind the last layer become one.
 *
 * Errors:  RAG_E_CORRUPT (the model gives no vector).
 * Threads: safe.
 */

#include "nn/weights.h"

/* Of the last layer's rows only one a window counts. Then the others give it
 * their keys and values and are done. */
bool rag_pooling_takes_one(const rag_weights_head *h);
/* Which row of a window of n; the heads of BERT and XLM-RoBERTa read the first,
 * whatever the pooling says. */
size_t rag_pooling_row(const rag_weights_head *h, size_t n);

/* v [hidden] = the one row that is left of a window, the greatest of each
 * column of its rows x [n x hidden], or their mean; how long v is does not
 * count. */
void rag_pooling_run(float *v, const rag_weights_head *h, const float *x,
                     size_t n);

/* v [n] to unit length; RAG_E_CORRUPT when it is zero or not finite. */
RAG_NODISCARD rag_status rag_pooling_normalise(float *v, size_t n,
                                               rag_error *err);

#endif /* RAG_NN_POOLING_H */
