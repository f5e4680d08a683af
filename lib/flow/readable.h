#ifndef RAG_FLOW_READABLE_H
#define RAG_FLOW_READABLE_H

/*
 * readable — words of a source as a person reads them in an answer: on one
 * line, without the marks of lists, emphasis, links and inline HTML. Pure text
 * work.
 *
 * Threads: safe to share.
 */

#include "base/buf.h"

/* Appends a sentence: "* **Paths** are [here](x.md)" -> "Paths are here". */
void rag_readable_sentence(rag_buf *out, rag_str s);

/* Appends code or a list as it stands, without invisible characters. */
void rag_readable_block(rag_buf *out, rag_str s);

#endif /* RAG_FLOW_READABLE_H */
