#ifndef RAG_NET_URL_H
#define RAG_NET_URL_H

/*
 * url — base URLs of servers: checked, and brought into one form.
 *
 * Everything that a person or a variable may write (no scheme, 0.0.0.0, a
 * trailing slash, quotes) is turned into scheme://host[:port][/path].
 * Threads: safe to share.
 */

#include "base/buf.h"

/* A longer URL is nobody's base URL. */
#define RAG_URL_MAX_BYTES 2048u

typedef struct rag_url {
    rag_str scheme;    /* "http" or "https" as written */
    rag_str host;      /* without brackets */
    rag_str authority; /* host[:port], as shown in messages */
    rag_str path;      /* with its leading '/', or empty */
    bool tls;
    bool loopback; /* localhost, 127.0.0.0/8, ::1 */
} rag_url;

/* Takes an absolute http(s) URL apart; out borrows from text. RAG_E_INVAL:
 * another scheme, user:password, query, fragment, control characters, white
 * space, a wrong port. Messages never show the user:password part. */
RAG_NODISCARD rag_status rag_url_parse(rag_url *out, const char *text,
                                       rag_error *err);

/* The form the rest of the program uses. Surrounding white space and quotes
 * and trailing slashes go; a missing scheme becomes http; an empty host,
 * 0.0.0.0 and [::] (a listening address) become loopback. default_port (0:
 * none) is added when neither a scheme nor a port was written (OLLAMA_HOST).
 * *out: rag_free(). */
RAG_NODISCARD rag_status rag_url_normalise(char **out, const char *text,
                                           unsigned default_port,
                                           rag_error *err);

#endif /* RAG_NET_URL_H */
