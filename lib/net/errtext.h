#ifndef RAG_NET_ERRTEXT_H
#define RAG_NET_ERRTEXT_H

/*
 * errtext — what a server says in an error reply, fit for one line.
 * Threads: safe to share.
 */

#include "base/buf.h"
#include "base/json.h"

/* Longer texts of servers are cut: the line must stay readable. */
#define RAG_ERRTEXT_MAX_BYTES 240u
/* More of an error reply is not read. */
#define RAG_ERRTEXT_MAX_BODY ((size_t)64 * 1024)

/* The message inside a parsed error reply: error.message, error (a string),
 * message, detail. Empty: none. Borrowed from root. */
rag_str rag_errtext_find(const rag_json *root);

/* out [RAG_ERRTEXT_MAX_BYTES + 8]: the reply's message, or the first line of
 * its text, on one line without control characters, cut; secret (may be
 * empty) is blotted out. Empty when there is nothing to show. */
void rag_errtext_show(char *out, rag_str body, rag_str secret);

#endif /* RAG_NET_ERRTEXT_H */
