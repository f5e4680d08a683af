#ifndef RAG_CLI_OUT_H
#define RAG_CLI_OUT_H

/*
 * out — hits and names as JSON and as text, the same in every command.
 */

#include "base/json.h"
#include "cmd.h"

/* One hit as the contract's JSON object. query_no < 0: none. */
void out_hit_json(rag_jw *w, const char *key, const rag_hit *h,
                  int64_t query_no);
/* Its members that say where the passage is, from "document" to "chunk". */
void out_where_json(rag_jw *w, const rag_hit *h);
/* "manual.pdf, p. 12", "guide.md:120-134", "corpus.jsonl#ID" */
void out_place(rag_buf *b, const rag_hit *h);
/* Finishes w onto stdout with a newline. */
RAG_NODISCARD rag_status out_json(cmd_run *run, rag_jw *w, rag_error *err);
/* A failed query of a batch: an error object with its number, and a line on
 * stderr. */
void out_error_line(cmd_run *run, int64_t query_no, const rag_error *why);
/* The same of another thing than a query: "line" gives line_no. */
void out_error_no(cmd_run *run, const char *what, int64_t no,
                  const rag_error *why);
/* "document", and "document_b64" when it is not valid UTF-8. */
void out_name_json(rag_jw *w, rag_str name, rag_str bytes);
/* The same as "path". */
void out_path_json(rag_jw *w, rag_str path, rag_str bytes);
/* The members of a document's object. */
void out_document_json(rag_jw *w, const rag_document *d);
void out_str_or_null(rag_jw *w, const char *key, rag_str s);
/* "key": [a, b] */
void out_pair(rag_jw *w, const char *key, uint64_t a, uint64_t b);
/* A number that may be NaN: null. */
void out_num(rag_jw *w, const char *key, double v, int decimals);
/* What --b64 was given: appends the bytes. */
RAG_NODISCARD rag_status out_unbase64(rag_buf *b, rag_str text, rag_error *err);

#endif /* RAG_CLI_OUT_H */
