#include <string.h>

#include "base/base64.h"
#include "out.h"

typedef struct flags {
    bool raw;
    bool b64;
} flags;

static flags f;

static const opt options[] = {
    {OPT_FLAG, 0, "raw", &f.raw, NULL,
     "the text byte for byte (positions in JSON count in it)"},
    {OPT_FLAG, 0, "b64", &f.b64, NULL,
     "DOC is a whole name in base64 (document_b64 of --json)"},
    OPT_END,
};

static rag_status shown_json(cmd_run *run, const rag_shown *s, rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "schema", "rag.show/1");
    out_document_json(w, &s->doc);
    out_pair(w, "bytes", s->start, s->end);
    if (s->has_lines && s->line != 0)
        rag_jw_int(w, "line", (int64_t)s->line);
    else
        rag_jw_null(w, "line");
    rag_jw_str(w, "text", s->text);
    rag_jw_end(w);
    st = out_json(run, w, err);
    rag_jw_free(w);
    return st;
}

static void shown_text(term *t, const rag_shown *s)
{
    if (s->doc.stale != NULL)
        term_info(t, "rag: %s: %s", s->doc.name.ptr,
                  strcmp(s->doc.stale, "gone") == 0
                      ? "the file is gone, this is what was read"
                  : strcmp(s->doc.stale, "broken") == 0
                      ? "the file can no longer be read, this is the last "
                        "good version"
                      : "the file changed since, 'rag ingest' reads it again");
    if (f.raw) {
        term_out(t, s->text);
        return;
    }
    term_text(t, s->text);
    if (s->text.len != 0 && s->text.ptr[s->text.len - 1] != '\n')
        term_outz(t, "\n");
}

static rag_status show(bool *none, cmd_run *run, rag_error *err)
{
    rag_str name = rag_str_of(run->argv[0]);
    rag_shown *s = NULL;
    rag *r = NULL;
    rag_status st;
    rag_buf bytes;

    rag_buf_init(&bytes, (size_t)1 << 20);
    if (f.b64) {
        TRY(out_unbase64(&bytes, name, err));
        name = rag_buf_str(&bytes);
    }
    TRY(cmd_open(&r, run, RAG_OPEN_READ, 0, err));
    st = rag_show(&s, r, name, f.b64, err);
    *none = st == RAG_E_NOTFOUND;
    if (st != RAG_OK)
        goto out;
    if (run->global->json || run->global->jsonl)
        TRY(shown_json(run, s, err));
    else
        shown_text(run->term, s);
out:
    rag_shown_free(s);
    rag_close(r);
    rag_buf_dispose(&bytes);
    return st;
}

static int run_show(cmd_run *run, rag_error *err)
{
    bool none = false;

    if (run->argc != 1)
        return cmd_usage(run, "show takes one document: rag show DOC (rag ls "
                              "lists them)");
    if (f.raw && (run->global->json || run->global->jsonl))
        return cmd_usage(run, "--raw goes without --json and --jsonl");
    if (show(&none, run, err) == RAG_OK)
        return EXIT_OK;
    if (!none)
        return exit_of(err->code);
    (void)cmd_fail_as(run, err, EXIT_NOTHING);
    rag_error_clear(err);
    return EXIT_NOTHING;
}

extern const cmd cmd_show;
const cmd cmd_show = {
    "show",
    "DOC[#ID][#pN][:LINES]",
    "text as the tool sees it",
    "  rag show guide.md:120-134\n"
    "  rag show manual.pdf#p12\n"
    "  rag show corpus.jsonl#42\n"
    "  rag show --raw page.html | wc -c\n",
    options,
    run_show,
};
