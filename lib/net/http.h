#ifndef RAG_NET_HTTP_H
#define RAG_NET_HTTP_H

/*
 * http — requests to one server, several in flight, each streamed or whole.
 *
 * A client is bound to one base URL and one key, so a key can go to no other
 * host. The library libcurl.so.4 is loaded by the first client, not linked: it
 * would cost every start of the program 4-5 ms.
 *
 * Always: certificates verified, only http and https, no redirects, no .netrc,
 * plain http only to loopback (unless allowed), proxies from the environment
 * (never for loopback), no total time limit but one for the connection, one
 * for the first byte, and a lowest speed after it.
 *
 * A request is tried again (connection failures, replies broken off, 429, 500,
 * 502, 503, 504) only while nothing of its answer was given out, with growing
 * pauses, or when the server says (Retry-After, which holds back all requests
 * of the client).
 *
 * Owns:    rag_http, from rag_http_new() to rag_http_free().
 * Errors:  RAG_E_INVAL (URL, key), RAG_E_UNSUPPORTED (no libcurl), RAG_E_NET,
 *          RAG_E_AUTH (401, 403), RAG_E_REMOTE (other error replies),
 *          RAG_E_LIMIT (body over its cap), RAG_E_CANCELLED, RAG_E_NOMEM.
 * Threads: one client per thread.
 */

#include "base/buf.h"

typedef struct rag_http rag_http;

typedef struct rag_http_opts {
    const char *key;     /* "Authorization: Bearer"; NULL or "": none */
    const char *ca_file; /* NULL: the system's certificates */
    bool allow_http;     /* plain http to other than loopback */
    size_t n_in_flight;  /* requests at once; 0: 4 */
    size_t n_retries;    /* after the first try; SIZE_MAX: none; 0: 3 */
    int64_t connect_ms;  /* 0: 10 s */
    int64_t first_ms;    /* until the first byte of a reply; 0: 300 s */
    int64_t idle_ms;     /* window of the lowest speed; 0: 60 s */
    int64_t backoff_ms;  /* pause before the first retry; 0: 250 ms */
    bool (*cancelled)(void *ctx); /* asked every 50 ms; may be NULL */
    void *cancel_ctx;
} rag_http_opts;

/* How a request ended; borrowed for the call. */
typedef struct rag_http_reply {
    rag_status st; /* RAG_OK: 2xx and complete; else err holds the message */
    long status;   /* HTTP status, 0: none arrived */
    rag_str body;  /* whole; of a streamed 2xx reply empty; of an error reply
                      its first RAG_ERRTEXT_MAX_BODY bytes */
    bool streamed; /* something was given to data */
    double ms;     /* from the start of the last try */
} rag_http_reply;

/* Bytes of a 2xx reply as they arrive. Anything but RAG_OK stops the request,
 * which then ends with that status. */
typedef rag_status (*rag_http_data)(void *ctx, rag_str bytes, rag_error *err);

/* The request is over. What it returns other than RAG_OK stops all requests of
 * the client and is returned by rag_http_run(); a failed request that it
 * answers with RAG_OK is dealt with. May start further requests. */
typedef rag_status (*rag_http_done)(void *ctx, const rag_http_reply *reply,
                                    rag_error *err);

/* Is it worth trying an error reply (429, 5xx) again? */
typedef bool (*rag_http_again)(void *ctx, const rag_http_reply *reply);

typedef struct rag_http_request {
    const char *path; /* behind the base URL: "/embeddings"; copied */
    rag_str body;     /* JSON for POST, borrowed until done; ptr NULL: GET */
    size_t max_body_bytes; /* of the reply */
    bool once;             /* no retries */
    rag_http_data data;    /* NULL: the reply is collected for done */
    rag_http_done done;
    rag_http_again again; /* NULL: always */
    void *ctx;
} rag_http_request;

/* base_url: as rag_url_normalise() gives it. */
RAG_NODISCARD rag_status rag_http_new(rag_http **out, const char *base_url,
                                      const rag_http_opts *opts,
                                      rag_error *err);
void rag_http_free(rag_http *h);

/* Queues a request; it travels in rag_http_run(). */
RAG_NODISCARD rag_status rag_http_start(rag_http *h, const rag_http_request *r,
                                        rag_error *err);
/* Works until every request is done. On failure the requests left are dropped
 * without their done. */
RAG_NODISCARD rag_status rag_http_run(rag_http *h, rag_error *err);

/* Drops everything that was queued, without its done. */
void rag_http_drop(rag_http *h);

/* host[:port] for messages. Borrowed from the client. */
const char *rag_http_host(const rag_http *h);
/* "libcurl/7.88.1 OpenSSL/3.0.19 ..." (loads the library), or NULL and why. */
const char *rag_http_library(rag_error *err);

#endif /* RAG_NET_HTTP_H */
