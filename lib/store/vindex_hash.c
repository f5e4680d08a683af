#include "store/vindex_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* One read. */
#define HASH_BYTES ((size_t)256 << 10)

rag_status rag_vindex_hash(uint8_t out[RAG_SHA256_BYTES], int fd,
                           const char *path, const rag_vindex_build *b,
                           rag_error *err)
{
    rag_sha256 *h = rag_sha256_new();
    uint8_t *bytes = rag_malloc(HASH_BYTES);
    rag_status st = RAG_OK;
    off_t at = 0;

    if (h == NULL || bytes == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (;;) {
        ssize_t k = pread(fd, bytes, HASH_BYTES, at);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            st = rag_fail_errno(err, errno, "cannot read %s", path);
            goto out;
        }
        if (k == 0)
            break;
        rag_sha256_add(h, bytes, (size_t)k);
        at += k;
        if (b != NULL && b->cancelled != NULL && b->cancelled(b->cancel_ctx)) {
            st = rag_fail(err, RAG_E_CANCELLED, "cancelled");
            goto out;
        }
    }
    rag_sha256_end(h, out);
out:
    rag_sha256_free(h);
    rag_free(bytes);
    return st;
}

rag_status rag_vindex_verify(const char *path,
                             const uint8_t want[RAG_SHA256_BYTES],
                             rag_error *err)
{
    uint8_t got[RAG_SHA256_BYTES];
    rag_status st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return rag_fail(err, RAG_E_INDEX, "cannot open %s: %s", path,
                        errno == ENOENT ? "no such file" : "not allowed");
    st = rag_vindex_hash(got, fd, path, NULL, err);
    (void)close(fd); /* only read from */
    if (st == RAG_OK && memcmp(got, want, sizeof got) != 0)
        st = rag_fail(err, RAG_E_INDEX,
                      "%s: not the bytes that were written: damaged", path);
    return st;
}
