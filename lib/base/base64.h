#ifndef RAG_BASE_BASE64_H
#define RAG_BASE_BASE64_H

/*
 * base64 — names that are no UTF-8, as they travel in JSON and on the command
 * line (RFC 4648, with padding, without line ends).
 * Errors:  RAG_E_FORMAT.
 * Threads: safe to share.
 */

#include "base/buf.h"

void rag_base64_add(rag_buf *out, rag_str bytes);
/* Appends the bytes; white space in text is skipped, padding must be there. */
RAG_NODISCARD rag_status rag_base64_decode(rag_buf *out, rag_str text,
                                           rag_error *err);

#endif /* RAG_BASE_BASE64_H */
