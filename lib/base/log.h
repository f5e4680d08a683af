#ifndef RAG_BASE_LOG_H
#define RAG_BASE_LOG_H

/*
 * log — what the library has to say besides its results. It goes to one sink
 * that the program sets; without a sink it is dropped. Never stdout.
 * Keys and Authorization headers must not be passed here.
 * Threads: safe to share after rag_log_to().
 */

#include "base/status.h"

typedef enum rag_log_level {
    RAG_LOG_DEBUG,
    RAG_LOG_INFO,
    RAG_LOG_WARN
} rag_log_level;

typedef void (*rag_log_fn)(void *ctx, rag_log_level level, const char *msg);

void rag_log_to(rag_log_fn fn, void *ctx, rag_log_level least);
void rag_log(rag_log_level level, const char *fmt, ...) RAG_PRINTF(2, 3);

#endif /* RAG_BASE_LOG_H */
