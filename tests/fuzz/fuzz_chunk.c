#include <stdlib.h>
#include <string.h>

#include "../unit/chunk_doc.h"
#include "base/sentence.h"

/* Any text as a document, with and without blocks: what must hold of chunks
 * holds. The first byte chooses how. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(rag_str text, rag_doc_type type, bool blocks,
                  const rag_chunk_opts *opts)
{
    made_doc *m = made_new(text, type, blocks);
    rag_chunks *c = NULL;
    rag_buf in;

    if (rag_chunk_doc(&c, &m->doc, opts, NULL) != RAG_OK)
        abort();
    if (made_wrong(&m->doc, c) != NULL)
        abort();
    rag_buf_init(&in, (size_t)1 << 28);
    for (size_t i = 0; i < c->n_chunks; i++)
        made_input(&in, &m->doc, c, i);
    if (in.failed != RAG_OK)
        abort();
    rag_buf_dispose(&in);
    rag_chunks_free(c);
    made_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const rag_chunk_opts small = {.min_tokens = 20, .max_tokens = 32};
    rag_buf b;
    size_t at = 0;
    size_t last = 0;
    size_t start;
    size_t end;

    if (size == 0)
        return 0;
    rag_buf_init(&b, (size_t)1 << 26);
    rag_utf8_scrub(&b, rag_str_n((const char *)data + 1, size - 1));
    check(rag_buf_str(&b), data[0] & 1 ? RAG_DOC_CSV : RAG_DOC_MARKDOWN,
          data[0] & 2, data[0] & 4 ? NULL : &small);
    while (rag_sentence_next(&start, &end, rag_buf_str(&b), &at)) {
        if (start < last || end <= start || end > b.len)
            abort();
        last = end;
    }
    rag_buf_dispose(&b);
    return 0;
}
