#include "net/fault.h"

#include <string.h>

#include "net/errtext.h"

bool rag_fault_passes(rag_fault_kind kind)
{
    return kind == RAG_FAULT_NO_HOST || kind == RAG_FAULT_NO_CONNECTION ||
           kind == RAG_FAULT_BROKEN;
}

static rag_status status_error(const rag_fault *f, rag_error *err)
{
    char text[RAG_ERRTEXT_MAX_BYTES + 8];
    const char *sep;

    if (f->status >= 200 && f->status < 300)
        return RAG_OK;
    rag_errtext_show(text, f->body, f->key);
    sep = text[0] != '\0' ? ": " : "";
    if (f->status == 401 || f->status == 403)
        return rag_fail(err, RAG_E_AUTH, "%s: %s (%ld)%s%s", f->host,
                        f->key.len != 0 ? "the API key was refused"
                                        : "an API key is needed",
                        f->status, sep, text);
    if (f->status >= 300 && f->status < 400)
        return rag_fail(err, RAG_E_REMOTE,
                        "%s: the server points elsewhere (%ld), which is not "
                        "followed: set the URL to its final address",
                        f->host, f->status);
    if (f->status == 429 && f->retry_after_ms >= 0)
        return rag_fail(err, RAG_E_REMOTE,
                        "%s: too many requests (429), try again in %.0f s%s%s",
                        f->host, (double)f->retry_after_ms / 1000, sep, text);
    return rag_fail(err, RAG_E_REMOTE, "%s: the server answered %ld%s%s",
                    f->host, f->status, sep, text);
}

rag_status rag_fault_explain(const rag_fault *f, rag_error *err)
{
    double limit = (double)f->limit_ms / 1000;
    char why[RAG_ERRTEXT_MAX_BYTES + 8];

    rag_errtext_show(why, f->why, f->key);
    switch (f->kind) {
    case RAG_FAULT_NO_HOST:
        return rag_fail(err, RAG_E_NET,
                        "%s: no such host: check the URL and the network",
                        f->host);
    case RAG_FAULT_NO_PROXY:
        return rag_fail(err, RAG_E_NET,
                        "%s: the proxy of the environment is unknown (%s)",
                        f->host, why);
    case RAG_FAULT_NO_CONNECTION:
        return rag_fail(err, RAG_E_NET,
                        "%s: no connection (%s): is the server running there?",
                        f->host,
                        f->os_errno != 0 ? strerror(f->os_errno) : why);
    case RAG_FAULT_CONNECT_LATE:
        return rag_fail(err, RAG_E_NET,
                        "%s: no connection within %.3g s: is the server "
                        "reachable?",
                        f->host, limit);
    case RAG_FAULT_FIRST_LATE:
        return rag_fail(err, RAG_E_NET, "%s: no answer within %.3g s", f->host,
                        limit);
    case RAG_FAULT_BODY_LATE:
        return rag_fail(err, RAG_E_NET,
                        "%s: the answer stopped for more than %.3g s", f->host,
                        limit);
    case RAG_FAULT_BROKEN:
        return rag_fail(err, RAG_E_NET, "%s: the connection broke off (%s)",
                        f->host, why);
    case RAG_FAULT_CERTIFICATE:
        return rag_fail(err, RAG_E_NET,
                        "%s: its certificate is not trusted (%s): name its "
                        "authority's file with ca_file",
                        f->host, why);
    case RAG_FAULT_CA_FILE:
        return rag_fail(err, RAG_E_INVAL, "%s: unusable ca_file (%s)", f->host,
                        why);
    case RAG_FAULT_TOO_MUCH:
        return rag_fail(err, RAG_E_LIMIT,
                        "%s: the reply is over its cap of %zu bytes", f->host,
                        f->max_bytes);
    case RAG_FAULT_NOMEM:
        return rag_fail_nomem(err);
    case RAG_FAULT_OTHER:
        return rag_fail(err, RAG_E_NET, "%s: the connection failed (%s)",
                        f->host, why);
    case RAG_FAULT_NONE:
        break;
    }
    return status_error(f, err);
}
