#ifndef RAG_TESTS_READING_H
#define RAG_TESTS_READING_H

/* What the fuzz targets of lib/doc share: bytes through one reader, and the
 * rule that every span of a document keeps. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/utf8.h"
#include "doc/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline rag_status check_doc(void *ctx, rag_doc *d, rag_error *err)
{
    rag_str text = rag_str_n(d->text, d->text_len);
    size_t at = 0;

    (void)ctx;
    (void)err;
    if (!rag_utf8_valid(text) || memchr(text.ptr, 0, text.len) != NULL)
        abort();
    for (size_t i = 0; i < d->n_blocks; i++) {
        const rag_block *b = &d->blocks[i];

        if (b->start < at || b->end <= b->start || b->end > text.len ||
            !rag_utf8_is_grapheme_break(text, b->start) ||
            !rag_utf8_is_grapheme_break(text, b->end))
            abort();
        at = b->end;
        if (b->head != UINT32_MAX &&
            (b->head >= i || d->blocks[b->head].kind != RAG_BLOCK_TABLE_HEAD))
            abort();
    }
    rag_doc_free(d);
    return RAG_OK;
}

static inline int read_as(const char *type, const char *name,
                          const uint8_t *data, size_t size)
{
    rag_doc_opts opts = {.type = type};
    rag_error err;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0)
        return 0;
    if (write(fd, data, size) == (ssize_t)size &&
        rag_doc_read(fd, name, &opts, check_doc, NULL, &err) != RAG_OK &&
        err.msg[0] == '\0')
        abort(); /* a failure without a word */
    (void)close(fd);
    return 0;
}

#endif /* RAG_TESTS_READING_H */
