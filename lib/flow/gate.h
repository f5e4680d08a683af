#ifndef RAG_FLOW_GATE_H
#define RAG_FLOW_GATE_H

/*
 * gate — between a model's stream and a person: held back as little as needed
 * so that nothing leaves that would have to be withdrawn.
 *
 * No partial `[`, no citation of a passage that does not exist, no escape or
 * invisible character, no image, no link whose URL stands in no passage, no
 * HTML element. The sign for "not in the documents" is recognised at the front.
 *
 * Owns:    rag_gate, from rag_gate_new() to rag_gate_free().
 * Errors:  RAG_E_NOMEM, RAG_E_LIMIT, and what the sink returns.
 * Threads: one object per thread.
 */

#include "base/buf.h"

/* What the prompt asks a model to say when the passages have no answer. */
#define RAG_GATE_NO_ANSWER "NOT_IN_DOCUMENTS"

typedef struct rag_gate rag_gate;

typedef struct rag_gate_opts {
    size_t n_passages;       /* valid citations are [1] … [n] */
    const rag_str *passages; /* [n_passages] texts, for URLs; borrowed */
    rag_status (*sink)(void *ctx, rag_str piece, rag_error *err);
    void *ctx;
} rag_gate_opts;

RAG_NODISCARD rag_status rag_gate_new(rag_gate **out, const rag_gate_opts *o,
                                      rag_error *err);
void rag_gate_free(rag_gate *g);
/* Valid UTF-8, in any pieces. */
RAG_NODISCARD rag_status rag_gate_add(rag_gate *g, rag_str piece,
                                      rag_error *err);
/* The stream ended: what is still held goes out as far as it may. */
RAG_NODISCARD rag_status rag_gate_end(rag_gate *g, rag_error *err);
/* The model said that there is no answer (and nothing was given to the sink).
 */
bool rag_gate_abstained(const rag_gate *g);

#endif /* RAG_FLOW_GATE_H */
