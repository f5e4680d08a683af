#include "base/hash.h"

#include <nettle/hmac.h>
#include <nettle/sha2.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"

struct rag_sha256 {
    struct sha256_ctx ctx;
};

rag_sha256 *rag_sha256_new(void)
{
    rag_sha256 *h = rag_malloc(sizeof *h);

    if (h != NULL)
        sha256_init(&h->ctx);
    return h;
}

void rag_sha256_add(rag_sha256 *h, const void *bytes, size_t n)
{
    sha256_update(&h->ctx, n, bytes);
}

void rag_sha256_end(rag_sha256 *h, uint8_t out[RAG_SHA256_BYTES])
{
    sha256_digest(&h->ctx, RAG_SHA256_BYTES, out);
}

void rag_sha256_free(rag_sha256 *h)
{
    rag_free(h);
}

void rag_hash_sha256(uint8_t out[RAG_SHA256_BYTES], const void *bytes, size_t n)
{
    struct sha256_ctx ctx;

    sha256_init(&ctx);
    sha256_update(&ctx, n, bytes);
    sha256_digest(&ctx, RAG_SHA256_BYTES, out);
}

void rag_hash_hmac(uint8_t out[RAG_SHA256_BYTES], const void *key,
                   size_t key_bytes, const void *bytes, size_t n)
{
    struct hmac_sha256_ctx ctx;

    hmac_sha256_set_key(&ctx, key_bytes, key);
    hmac_sha256_update(&ctx, n, bytes);
    hmac_sha256_digest(&ctx, RAG_SHA256_BYTES, out);
}

uint64_t rag_hash_fast(const void *bytes, size_t n)
{
    return XXH3_64bits(bytes, n);
}

void rag_hash_hex(char *out, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}
