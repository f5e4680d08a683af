#ifndef RAG_FLOW_FIT_H
#define RAG_FLOW_FIT_H

/*
 * fit — does a passage fit the window of the built-in model? Chunks are cut by
 * an estimate; where that is too low (lists of names, digits, Base64) the
 * model's own tokenizer says so, and the chunker halves them.
 *
 * Owns:    rag_fit, from rag_fit_new() to rag_fit_free().
 * Errors:  RAG_E_NOMEM.
 * Threads: safe to share after _new; one counts at a time.
 */

#include "doc/chunk.h"
#include "flow/flow_priv.h"

typedef struct rag_fit rag_fit;

/* *out NULL: the settings name no built-in model, or its file cannot be used
 * (which the embedder tells). */
RAG_NODISCARD rag_status rag_fit_new(rag_fit **out, const rag_config *cfg,
                                     rag_error *err);
void rag_fit_free(rag_fit *f);

/* For rag_chunk_opts. ctx: a rag_fit. A passage whose title, headings and table
 * header alone fill half of the window fits with half a window of its own: no
 * cutting would help more. */
bool rag_fit_fits(void *ctx, const rag_chunk_parts *parts);

#endif /* RAG_FLOW_FIT_H */
