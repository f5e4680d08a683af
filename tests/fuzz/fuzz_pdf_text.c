#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "doc/pdf_text.h"

/* What pdftotext prints about a hostile file, made text. The first byte says
 * into how large pieces the stream is cut. */

static void must(int truth)
{
    if (!truth)
        __builtin_trap();
}

static void check(const rag_doc *d)
{
    size_t at = 0;

    must(rag_utf8_valid(rag_str_n(d->text, d->text_len)));
    for (size_t i = 0; i < d->n_pages; i++) {
        must(d->page_starts[i] >= at && d->page_starts[i] <= d->text_len);
        at = d->page_starts[i];
    }
    at = 0;
    for (size_t i = 0; i < d->n_blocks; i++) {
        must(d->blocks[i].start >= at && d->blocks[i].end > d->blocks[i].start);
        at = d->blocks[i].end;
    }
    must(at <= d->text_len);
    must(d->n_empty_pages <= d->n_pages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_pdf_layout l;
    rag_builder b;
    rag_doc *d = NULL;
    size_t step = size > 0 ? (size_t)data[0] * 8 + 1 : 1;
    rag_str all;
    rag_status st;

    if (size == 0)
        return 0;
    all = rag_str_n((const char *)data + 1, size - 1);
    if (rag_builder_init(&b, RAG_DOC_PDF, RAG_PDF_MAX_TEXT_BYTES, NULL) !=
        RAG_OK)
        return 0;
    rag_pdf_layout_init(&l);
    for (size_t i = 0; i < all.len; i += step)
        TRY(rag_pdf_layout_feed(&l, rag_str_cut(all, i, i + step), NULL));
    TRY(rag_pdf_text_build(&b, &l, NULL, NULL));
    TRY(rag_builder_finish(&d, &b, NULL));
    check(d);
    rag_doc_free(d);
out:
    rag_pdf_layout_dispose(&l);
    rag_builder_dispose(&b);
    (void)st;
    return 0;
}
