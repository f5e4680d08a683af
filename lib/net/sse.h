#ifndef RAG_NET_SSE_H
#define RAG_NET_SSE_H

/*
 * sse — bytes of a stream become events: server-sent events and JSON lines.
 *
 * Pure and incremental: an event may be cut between any two bytes. Lines end
 * with LF, CRLF or CR; comments and unknown fields are dropped; several data
 * lines are joined with LF. What the callback gets is not checked UTF-8.
 *
 * Owns:    its buffers, from _init to _dispose.
 * Errors:  RAG_E_LIMIT (an event over the cap), RAG_E_NOMEM, what the callback
 *          returns.
 * Threads: one object per thread.
 */

#include "base/buf.h"

typedef enum rag_sse_kind {
    RAG_SSE_EVENTS, /* text/event-stream */
    RAG_SSE_LINES   /* one JSON value a line */
} rag_sse_kind;

typedef struct rag_sse {
    rag_sse_kind kind;
    rag_buf line;  /* of the line that is not complete yet */
    rag_buf data;  /* joined data of the event that is not complete yet */
    rag_buf event; /* its "event:" field */
    bool has_data;
    bool skip_lf; /* the last byte was CR: a following LF belongs to it */
    bool started; /* behind a byte order mark */
} rag_sse;

/* type is "" for JSON lines and events without a name; both are borrowed for
 * the call. Anything but RAG_OK ends the feeding. */
typedef rag_status (*rag_sse_fn)(void *ctx, rag_str type, rag_str data,
                                 rag_error *err);

/* No event, and no line of one, may be longer than max_event_bytes. */
void rag_sse_init(rag_sse *s, rag_sse_kind kind, size_t max_event_bytes);
void rag_sse_dispose(rag_sse *s);

RAG_NODISCARD rag_status rag_sse_feed(rag_sse *s, rag_str bytes, rag_sse_fn fn,
                                      void *ctx, rag_error *err);
/* The stream is over: an event whose closing blank line (or a JSON line whose
 * line end) is missing is given out too. */
RAG_NODISCARD rag_status rag_sse_end(rag_sse *s, rag_sse_fn fn, void *ctx,
                                     rag_error *err);

#endif /* RAG_NET_SSE_H */
