#ifndef RAG_MODEL_ENDPOINT_H
#define RAG_MODEL_ENDPOINT_H

/*
 * endpoint — where a provider lives, and which URL a setting means.
 * Threads: safe to share.
 */

#include "base/status.h"

typedef struct rag_endpoint {
    const char *url;      /* when nothing is set */
    unsigned port;        /* when neither scheme nor port is given; 0: none */
    const char *floor;    /* path of a URL that has none: "/v1" */
    const char *strip[2]; /* endings of a URL that do not belong there */
} rag_endpoint;

extern const rag_endpoint rag_endpoint_openai;
extern const rag_endpoint rag_endpoint_ollama;

/* The base URL that setting (NULL or "": not set) means. *out: rag_free(). */
RAG_NODISCARD rag_status rag_endpoint_url(char **out, const rag_endpoint *ep,
                                          const char *setting, rag_error *err);

#endif /* RAG_MODEL_ENDPOINT_H */
