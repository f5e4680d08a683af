#ifndef RAG_NET_RETRY_H
#define RAG_NET_RETRY_H

/*
 * retry — when a failed request is tried again. Pure.
 * Threads: safe to share.
 */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/str.h"

/* Pauses stop growing here. */
#define RAG_RETRY_MAX_PAUSE_MS ((int64_t)20 * 1000)

/* Statuses of servers that are busy or restarting: 429, 500, 502, 503, 504. */
bool rag_retry_status(long status);

/* Milliseconds of a Retry-After value: seconds, or an HTTP date after now (0
 * when it is past). -1: neither. */
int64_t rag_retry_after_ms(rag_str value, time_t now);

/* The pause behind the n-th try (from 1): base_ms doubled each time, times
 * 0.5 to 1.5 by random (so that clients do not come back together). */
int64_t rag_retry_pause_ms(int64_t base_ms, size_t n_tries, uint64_t random);

#endif /* RAG_NET_RETRY_H */
