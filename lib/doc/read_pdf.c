#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "doc/pdf_text.h"
#include "doc/read_pdf.h"
#include "doc/sandbox.h"
#include "doc/sniff.h"

/* A manual of 10,000 pages with pictures; above, it is refused by name. */
#define MAX_FILE_BYTES ((size_t)1 << 30)
/* -bbox-layout prints some 55 KB a page (619 pages: 34 MB). */
#define MAX_OUT_BYTES ((uint64_t)1 << 30)
/* pdftotext takes 15 MB for 619 pages; the rest is for hostile streams. */
#define MAX_MEMORY_BYTES ((uint64_t)1 << 30)
#define MAX_CPU_SECS 60u
#define MAX_WALL_MS 120000u

struct feed {
    rag_pdf_layout *layout;
};

static rag_status feed(void *ctx, rag_str bytes, rag_error *err)
{
    struct feed *f = ctx;

    return rag_pdf_layout_feed(f->layout, bytes, err);
}

static const char *find_program(void)
{
    /* a fixed path: the environment must not choose what parses files */
    static const char *const paths[] = {"/usr/bin/pdftotext",
                                        "/usr/local/bin/pdftotext"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    return NULL;
}

/* poppler's reason: the line of stderr that says more than "Syntax Warning". */
static rag_str reason(const char *said)
{
    rag_str rest = rag_str_of(said);
    rag_str best = rag_str_n("", 0);
    rag_str line;

    while (rag_str_next_line(&line, &rest)) {
        bool warning = rag_str_starts(line, "Syntax Warning");

        line = rag_str_trim(line);
        if (line.len == 0 || warning)
            continue;
        best = line;
        if (!rag_str_starts(line, "Syntax Error"))
            break;
    }
    return best;
}

static rag_status fail_with(rag_error *err, rag_status code, const char *what,
                            const char *said)
{
    rag_str why = reason(said);
    rag_buf shown;

    rag_buf_init(&shown, 4 * RAG_SANDBOX_SAID_BYTES);
    rag_utf8_show(&shown, rag_str_cut(why, 0, 200), false);
    rag_fail(err, code, "%s%s%s", what, shown.len > 0 ? ": " : "", shown.ptr);
    rag_buf_dispose(&shown);
    return code;
}

static bool said(const rag_sandbox_end *end, const char *words)
{
    return strstr(end->said, words) != NULL;
}

/* What the child's end means. */
static rag_status judge(const rag_sandbox_end *end, rag_error *err)
{
    if (end->exit_code == 0)
        return RAG_OK;
    if (said(end, "Incorrect password") || end->exit_code == 3)
        return rag_fail(err, RAG_E_PROTECTED,
                        "is protected by a password: save it without one");
    if (said(end, "bad_alloc") || said(end, "Out of memory"))
        return rag_fail(err, RAG_E_LIMIT,
                        "needs more than %llu MB of memory to read",
                        (unsigned long long)(MAX_MEMORY_BYTES >> 20));
    if (end->exit_code < 0)
        return rag_fail(err, RAG_E_FORMAT,
                        "broken PDF: pdftotext ended by signal %d",
                        end->term_signal);
    return fail_with(err, RAG_E_FORMAT, "broken PDF", end->said);
}

static rag_status run(rag_sandbox_end *end, rag_pdf_layout *layout,
                      const rag_source *src, rag_error *err)
{
    /* by name pdftotext reads the parts it needs; stdin it copies whole into
     * memory, so that is the way only where there is no /proc (a chroot) */
    bool by_name = access("/proc/self/fd/0", F_OK) == 0 || errno == EACCES;
    const char *program = find_program();
    const char *argv[] = {program,
                          "-bbox-layout",
                          "-enc",
                          "UTF-8",
                          by_name ? "/proc/self/fd/0" : "-",
                          "-",
                          NULL};
    struct feed f = {.layout = layout};
    rag_sandbox_spec spec = {.argv = argv,
                             .in_fd = src->fd,
                             .max_out_bytes = MAX_OUT_BYTES,
                             .max_memory_bytes = MAX_MEMORY_BYTES,
                             .max_cpu_secs = MAX_CPU_SECS,
                             .max_wall_ms = MAX_WALL_MS,
                             .on_out = feed,
                             .out_ctx = &f,
                             .cancelled = src->opts->cancelled,
                             .cancel_ctx = src->opts->cancel_ctx};

    if (program == NULL)
        return rag_fail(err, RAG_E_IO,
                        "reading PDF needs pdftotext: install the package "
                        "poppler-utils");
    if (lseek(src->fd, 0, SEEK_SET) != 0)
        return rag_fail_errno(err, errno, "cannot rewind the file");
    return rag_sandbox_run(end, &spec, err);
}

rag_status rag_read_pdf_layout(rag_pdf_layout *out, bool *unfiltered,
                               const rag_source *src, rag_error *err)
{
    rag_sandbox_end end;
    rag_status st;
    size_t limit = rag_source_limit(src, MAX_FILE_BYTES);

    if (src->n_bytes > limit)
        return rag_fail(err, RAG_E_LIMIT, "PDF of more than %zu MB",
                        limit >> 20);
    TRY(run(&end, out, src, err));
    *unfiltered = end.unfiltered;
    TRY(judge(&end, err));
    st = rag_pdf_layout_end(out, err);
out:
    return st;
}

static rag_status read_pdf(const rag_source *src, rag_doc_sink sink, void *ctx,
                           rag_error *err)
{
    rag_pdf_layout layout;
    rag_builder b;
    rag_doc *doc;
    bool unfiltered = false;
    rag_status st;

    st = rag_builder_init(&b, RAG_DOC_PDF, RAG_PDF_MAX_TEXT_BYTES, err);
    if (st != RAG_OK)
        return st;
    rag_pdf_layout_init(&layout);
    TRY(rag_read_pdf_layout(&layout, &unfiltered, src, err));
    TRY(rag_pdf_text_build(&b, &layout, NULL, err));
    if (unfiltered)
        rag_builder_warn(&b, "read without a system call filter: this kernel "
                             "has no seccomp");
    rag_pdf_layout_dispose(&layout);
    TRY(rag_builder_finish(&doc, &b, err));
    st = sink(ctx, doc, err);
out:
    rag_pdf_layout_dispose(&layout);
    rag_builder_dispose(&b);
    return st;
}

/* Covers what pdf_layout.c, pdf_text.c and their steps make of a file. */
const rag_reader rag_reader_pdf = {.name = "pdf",
                                   .version = "pdf/1",
                                   .type = RAG_DOC_PDF,
                                   .sniff = rag_sniff_pdf,
                                   .read = read_pdf};
