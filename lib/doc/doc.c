#include "doc/doc.h"

#include <sys/stat.h>

#include "base/mem.h"
#include "doc/read_pdf.h"
#include "doc/reader.h"
#include "doc/sniff.h"

/* Asked in this order; the last takes every text. */
static const rag_reader *const readers[] = {
    &rag_reader_pdf, &rag_reader_html,     &rag_reader_records, &rag_reader_csv,
    &rag_reader_tsv, &rag_reader_markdown, &rag_reader_text,
};
#define N_READERS (sizeof readers / sizeof readers[0])

/* Covers the order above, sniff.c and rag_charset_is_text(). */
#define SNIFF_VERSION "sniff/1"

static const char *const type_names[] = {
    [RAG_DOC_TEXT] = "text",       [RAG_DOC_MARKDOWN] = "markdown",
    [RAG_DOC_HTML] = "html",       [RAG_DOC_PDF] = "pdf",
    [RAG_DOC_RECORDS] = "records", [RAG_DOC_CSV] = "csv",
    [RAG_DOC_TSV] = "tsv",
};

const char *rag_doc_type_name(rag_doc_type t)
{
    return type_names[t];
}

bool rag_doc_type_of(rag_doc_type *out, rag_str name)
{
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (rag_str_eqz(name, type_names[i])) {
            *out = (rag_doc_type)i;
            return true;
        }
    }
    return false;
}

static const rag_reader *reader_of(rag_doc_type t)
{
    for (size_t i = 0; i < N_READERS; i++)
        if (readers[i]->type == t)
            return readers[i];
    return NULL;
}

const char *rag_doc_reader_version(rag_doc_type t)
{
    const rag_reader *r = reader_of(t);

    return r != NULL ? r->version : "none/0";
}

const char *rag_doc_sniff_version(void)
{
    return SNIFF_VERSION;
}

/* The reader that opts or the content asks for. */
static rag_status choose(const rag_reader **out, const rag_source *src,
                         rag_error *err)
{
    const char *asked = src->opts->type;
    const char *foreign;
    rag_doc_type t;

    *out = NULL;
    if (asked != NULL) {
        if (rag_doc_type_of(&t, rag_str_of(asked)))
            *out = reader_of(t);
        if (*out == NULL)
            return rag_fail(err, RAG_E_INVAL, "no reader is named '%s'", asked);
        return RAG_OK;
    }
    foreign = rag_sniff_foreign(src);
    if (foreign != NULL)
        return rag_fail(err, RAG_E_UNSUPPORTED, "%s: no reader in this version",
                        foreign);
    for (size_t i = 0; i < N_READERS; i++) {
        if (readers[i]->sniff(src)) {
            *out = readers[i];
            return RAG_OK;
        }
    }
    return rag_fail(err, RAG_E_UNSUPPORTED, "binary data of an unknown kind");
}

rag_status rag_doc_read(int fd, const char *name, const rag_doc_opts *opts,
                        rag_doc_sink sink, void *ctx, rag_error *err)
{
    static const rag_doc_opts defaults;
    rag_source src = {
        .fd = fd, .name = name, .opts = opts != NULL ? opts : &defaults};
    const rag_reader *reader;
    struct stat sb;
    char *head = NULL;
    size_t n = 0;
    rag_status st;

    if (fstat(fd, &sb) != 0 || !S_ISREG(sb.st_mode))
        return rag_fail(err, RAG_E_INVAL, "not a regular file");
    src.n_bytes = (uint64_t)sb.st_size;
    if (src.n_bytes == 0)
        return rag_fail(err, RAG_E_EMPTY, "empty");
    n = src.n_bytes < RAG_READER_HEAD_BYTES ? (size_t)src.n_bytes
                                            : RAG_READER_HEAD_BYTES;
    head = rag_malloc(n);
    if (head == NULL)
        return rag_fail_nomem(err);
    TRY(rag_source_read(&n, &src, head, n, 0, err));
    src.head = rag_str_n(head, n);
    TRY(choose(&reader, &src, err));
    st = reader->read(&src, sink, ctx, err);
out:
    rag_free(head);
    return st;
}

void rag_doc_free(rag_doc *doc)
{
    if (doc == NULL)
        return;
    rag_free(doc->text);
    rag_arena_dispose(&doc->arena);
    rag_free(doc);
}

uint32_t rag_doc_page_at(const rag_doc *doc, size_t at)
{
    size_t lo = 0;
    size_t hi = doc->n_pages;

    /* the number of pages that begin at or before `at` */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (doc->page_starts[mid] <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (uint32_t)lo;
}
