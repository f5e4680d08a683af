#include "doc/charset.h"

/* Positions and memory allow more; but a text is held in memory while it is
 * cut, and a machine that may spend half a gigabyte on one file is common. */
#define RAG_TEXT_MAX_BYTES ((size_t)512 << 20)

static bool sniff_text(const rag_source *src)
{
    return rag_charset_is_text(src->head);
}

static rag_status read_text(const rag_source *src, rag_doc_sink sink, void *ctx,
                            rag_error *err)
{
    rag_builder b;
    rag_doc *doc;
    rag_status st;

    TRY(rag_builder_init(&b, RAG_DOC_TEXT, SIZE_MAX, err));
    TRY(rag_charset_read(&b, src, RAG_TEXT_MAX_BYTES, "text", NULL, err));
    b.doc->has_lines = true;
    TRY(rag_builder_finish(&doc, &b, err));
    st = sink(ctx, doc, err);
out:
    rag_builder_dispose(&b);
    return st;
}

const rag_reader rag_reader_text = {.name = "text",
                                    .version = "text/1",
                                    .type = RAG_DOC_TEXT,
                                    .sniff = sniff_text,
                                    .read = read_text};
