/* What a bug report needs to say: libraries, rules, CPU tier. */

#include <stdio.h>

#include "base/words.h"
#include "doc/doc.h"
#include "doc/read_pdf.h"
#include "flow/flow_priv.h"
#include "nn/cpu.h"
#include "nn/encoder.h"

void rag_version_build(rag_version_fn fn, void *ctx)
{
    char tier[160];
    char tool[RAG_READ_PDF_VERSION_BYTES];
    rag_error err = {RAG_OK, ""};
    const char *curl = rag_embed_http_library(&err);
    int n;

    fn(ctx, "rag", rag_version());
    fn(ctx, "compiler", __VERSION__);
    n = snprintf(tier, sizeof tier, "%s (the machine has %s%s)",
                 rag_encoder_tier(), rag_cpu_name(rag_cpu_best()),
                 rag_cpu_is_named() ? "" : "; RAG_CPU names no tier");
    (void)n; /* fits */
    fn(ctx, "cpu tier", tier);
    fn(ctx, "sqlite", rag_store_sqlite_version());
    fn(ctx, "faiss", rag_store_faiss_version());
    fn(ctx, "libcurl", curl != NULL ? curl : err.msg);
    rag_error_clear(&err);
    fn(ctx, "pdftotext",
       rag_read_pdf_version(tool, &err) == RAG_OK ? tool : err.msg);
    for (int t = RAG_DOC_TEXT; t <= RAG_DOC_TSV; t++)
        fn(ctx, "reader", rag_doc_reader_version((rag_doc_type)t));
    fn(ctx, "file types", rag_doc_sniff_version());
    fn(ctx, "chunker", rag_chunk_version());
    fn(ctx, "word rules", rag_words_version());
}
