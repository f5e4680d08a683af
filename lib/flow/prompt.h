#ifndef RAG_FLOW_PROMPT_H
#define RAG_FLOW_PROMPT_H

/*
 * prompt — a question and its passages become messages within the model's
 * token budget. Passages are fenced as data by a delimiter that nobody could
 * guess; text that looks like it, and invisible characters, are taken out.
 *
 * Owns:    rag_prompt until rag_prompt_dispose().
 * Errors:  RAG_E_NOMEM, RAG_E_LIMIT (not one passage fits).
 */

#include "flow/flow_priv.h"

typedef struct rag_prompt {
    rag_buf system;
    rag_buf user;
    size_t n_passages; /* the first so many hits are in it */
    size_t n_tokens;   /* estimated */
} rag_prompt;

RAG_NODISCARD rag_status rag_prompt_make(rag_prompt *out, const rag *r,
                                         rag_str question, rag_str extra,
                                         const rag_hits *hits, rag_error *err);
void rag_prompt_dispose(rag_prompt *p);
/* Version of the wording, for logs and caches. */
const char *rag_prompt_version(void);

#endif /* RAG_FLOW_PROMPT_H */
