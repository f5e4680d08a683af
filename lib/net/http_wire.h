#ifndef RAG_NET_HTTP_WIRE_H
#define RAG_NET_HTTP_WIRE_H

/*
 * http_wire — the half of http that knows libcurl: loading it, one try of one
 * request, what it sent back or how it failed. Private to http.c, which decides
 * what is tried when, how often and how long.
 *
 * Owns:    rag_http_wire, from _open to _close; all tries must be stopped.
 * Errors:  RAG_E_UNSUPPORTED (library missing or too old), RAG_E_NOMEM.
 * Threads: one wire per thread.
 */

#include "base/buf.h"
#include "net/fault.h"

typedef struct rag_http_wire rag_http_wire;

typedef struct rag_http_try {
    /* to be filled before _start */
    const char *url;       /* borrowed until _stop, as body */
    rag_str body;          /* POST; ptr NULL: GET */
    size_t max_body_bytes; /* in `in` at once, of a 2xx reply */
    size_t alive_bytes;    /* so many move mark_ms forward */
    /* what came of it */
    bool running;
    bool ended; /* complete or failed */
    rag_fault_kind fault;
    const char *why; /* for a fault; NUL-terminated, until the next _start */
    int os_errno;
    long status;            /* 0: no reply yet */
    int64_t retry_after_ms; /* -1: the server said nothing */
    size_t n_head_bytes;
    rag_buf in; /* of the body; http.c may take bytes out */
    int64_t start_ms;
    int64_t mark_ms; /* when the reply was last seen to get on */
    /* its own */
    void *easy;
    size_t n_marked;
    bool over_cap;
    char text[256];
} rag_http_try;

/* Monotonic. */
int64_t rag_http_wire_now_ms(void);
/* Version text of the library, or NULL and why. */
const char *rag_http_wire_library(rag_error *err);

/* key, ca_file: NULL for none. */
RAG_NODISCARD rag_status rag_http_wire_open(rag_http_wire **out,
                                            const char *key,
                                            const char *ca_file, bool loopback,
                                            int64_t connect_ms, rag_error *err);
void rag_http_wire_close(rag_http_wire *w);

/* in: initialised, with a cap of at least RAG_ERRTEXT_MAX_BODY. */
RAG_NODISCARD rag_status rag_http_wire_start(rag_http_wire *w, rag_http_try *t,
                                             rag_error *err);
/* The connection of a try that has not ended is closed. */
void rag_http_wire_stop(rag_http_wire *w, rag_http_try *t);
/* Moves bytes of all running tries. */
void rag_http_wire_work(rag_http_wire *w);
/* Until there is something to do, at most ms. */
void rag_http_wire_wait(rag_http_wire *w, int64_t ms);

#endif /* RAG_NET_HTTP_WIRE_H */
