#ifndef RAG_BASE_HASH_H
#define RAG_BASE_HASH_H

/*
 * hash — SHA-256 and HMAC-SHA-256 (nettle), and a fast 64-bit hash (XXH3) for
 * tables. The fast one is stored on disk (word keys), so it never changes.
 * Threads: one object per thread; the one-shot functions are safe to share.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define RAG_SHA256_BYTES 32u

typedef struct rag_sha256 rag_sha256;

rag_sha256 *rag_sha256_new(void); /* NULL: out of memory */
void rag_sha256_add(rag_sha256 *h, const void *bytes, size_t n);
/* Writes the digest and starts anew. */
void rag_sha256_end(rag_sha256 *h, uint8_t out[RAG_SHA256_BYTES]);
void rag_sha256_free(rag_sha256 *h);

void rag_hash_sha256(uint8_t out[RAG_SHA256_BYTES], const void *bytes,
                     size_t n);
void rag_hash_hmac(uint8_t out[RAG_SHA256_BYTES], const void *key,
                   size_t key_bytes, const void *bytes, size_t n);
uint64_t rag_hash_fast(const void *bytes, size_t n);

/* 2 * n hexadecimal digits and a NUL. */
void rag_hash_hex(char *out, const uint8_t *bytes, size_t n);

#endif /* RAG_BASE_HASH_H */
