#ifndef RAG_NET_FAULT_H
#define RAG_NET_FAULT_H

/*
 * fault — how a request failed, and the line that says so. Pure.
 * Threads: safe to share.
 */

#include <stdbool.h>

#include "base/status.h"
#include "base/str.h"

typedef enum rag_fault_kind {
    RAG_FAULT_NONE,     /* a reply came; its status may still be an error */
    RAG_FAULT_NO_HOST,  /* the name is unknown */
    RAG_FAULT_NO_PROXY, /* the proxy's name is unknown */
    RAG_FAULT_NO_CONNECTION, /* refused, unreachable */
    RAG_FAULT_CONNECT_LATE,
    RAG_FAULT_FIRST_LATE, /* no first byte in time */
    RAG_FAULT_BODY_LATE,  /* too slow after it */
    RAG_FAULT_BROKEN,     /* the connection broke off */
    RAG_FAULT_CERTIFICATE,
    RAG_FAULT_CA_FILE,
    RAG_FAULT_TOO_MUCH, /* body over its cap */
    RAG_FAULT_NOMEM,
    RAG_FAULT_OTHER
} rag_fault_kind;

typedef struct rag_fault {
    rag_fault_kind kind;
    const char *host; /* host[:port] */
    rag_str key;      /* blotted out of what the server says; may be empty */
    rag_str why;      /* the network library's words */
    int os_errno;     /* 0: none */
    int64_t limit_ms; /* of the _LATE kinds */
    size_t max_bytes; /* of _TOO_MUCH */
    long status;      /* HTTP status of _NONE */
    rag_str body;     /* of an error reply */
    int64_t retry_after_ms; /* -1: not said */
} rag_fault;

/* RAG_OK for _NONE with a 2xx status, else the code and its message. */
rag_status rag_fault_explain(const rag_fault *f, rag_error *err);

/* Did the connection fail in a way that may pass? */
bool rag_fault_passes(rag_fault_kind kind);

#endif /* RAG_NET_FAULT_H */
