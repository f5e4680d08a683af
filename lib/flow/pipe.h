#ifndef RAG_FLOW_PIPE_H
#define RAG_FLOW_PIPE_H

/*
 * pipe — a document that comes through a pipe, in memory that behaves like a
 * file: readers want to go back in it.
 *
 * Owns:    the descriptor in *out is the caller's, by close(2).
 * Errors:  RAG_E_IO, RAG_E_CANCELLED, RAG_E_NOMEM, RAG_E_LIMIT.
 * Threads: safe.
 * Limits:  MAX_PIPE_BYTES.
 */

#include "flow/flow_priv.h"

/* Reads fd to its end, with an eye on Ctrl-C while nothing comes. *out: -1 on
 * failure. */
RAG_NODISCARD rag_status rag_pipe_spool(int *out, const rag *r, int fd,
                                        rag_error *err);

#endif /* RAG_FLOW_PIPE_H */
