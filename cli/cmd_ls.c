#include <stdio.h>
#include <string.h>
#include <time.h>

#include "out.h"

typedef struct flags {
    bool full;
    bool nul;
    bool stale;
} flags;

static flags f;

static const opt options[] = {
    {OPT_FLAG, 'l', "long", &f.full, NULL,
     "type, chunks, size, time of the ingest, title"},
    {OPT_FLAG, 0, "stale", &f.stale, NULL,
     "only those whose file changed, is gone, or became unreadable"},
    {OPT_FLAG, '0', "null", &f.nul, NULL,
     "names as they are, each ended by NUL (for xargs -0)"},
    OPT_END,
};

typedef struct lister {
    cmd_run *run;
    rag_jw *all; /* --json: the array being built */
    uint64_t n;
} lister;

static void time_text(char out[32], int64_t ns)
{
    time_t t = (time_t)(ns / 1000000000);
    struct tm tm;

    if (localtime_r(&t, &tm) == NULL ||
        strftime(out, 32, "%Y-%m-%d %H:%M", &tm) == 0)
        out[0] = '\0';
}

static void size_text(char out[16], uint64_t n)
{
    static const char *const unit[] = {"B", "K", "M", "G", "T"};
    double v = (double)n;
    size_t u = 0;
    int w;

    while (v >= 1000 && u + 1 < sizeof unit / sizeof *unit) {
        v /= 1000;
        u++;
    }
    w = snprintf(out, 16, u != 0 && v < 10 ? "%.1f%s" : "%.0f%s", v, unit[u]);
    (void)w; /* fits */
}

static void full_line(term *t, const rag_document *d)
{
    char line[128];
    char when[32];
    char size[16];
    int n;

    time_text(when, d->ingested_ns);
    size_text(size, d->text_bytes);
    n = snprintf(line, sizeof line, "%-8.*s %6llu %6s  %s  ", (int)d->type.len,
                 d->type.ptr, (unsigned long long)d->n_chunks, size, when);
    if (n > 0)
        term_outz(t, line);
    term_styled(t, TERM_PATH, d->name);
    if (d->stale != NULL) {
        term_outz(t, "  ");
        term_styled(t, TERM_WARN, rag_str_of(d->stale));
    }
    if (d->title.len != 0) {
        term_outz(t, "  ");
        term_styled(t, TERM_DIM, d->title);
    }
    term_outz(t, "\n");
}

static rag_status on_document(void *ctx, const rag_document *d, rag_error *err)
{
    lister *l = ctx;
    term *t = l->run->term;
    rag_status st = RAG_OK;

    if (f.stale && d->stale == NULL)
        return RAG_OK;
    l->n++;
    if (l->run->global->jsonl) {
        rag_jw *w = rag_jw_new();

        if (w == NULL)
            return rag_fail_nomem(err);
        rag_jw_obj(w, NULL);
        out_document_json(w, d);
        rag_jw_end(w);
        st = out_json(l->run, w, err);
        rag_jw_free(w);
    } else if (l->all != NULL) {
        rag_jw_obj(l->all, NULL);
        out_document_json(l->all, d);
        rag_jw_end(l->all);
    } else if (f.nul) {
        term_out(t, d->name_bytes.len != 0 ? d->name_bytes : d->name);
        term_out(t, rag_str_n("", 1));
    } else if (f.full) {
        full_line(t, d);
    } else {
        term_styled(t, TERM_PLAIN, d->name);
        term_outz(t, "\n");
    }
    return st;
}

static rag_status list(lister *l, const char *glob, rag_error *err)
{
    bool look =
        f.full || f.stale || l->run->global->json || l->run->global->jsonl;
    rag *r = NULL;
    rag_status st;

    TRY(cmd_open(&r, l->run, RAG_OPEN_READ, 0, err));
    term_catch_interrupt();
    if (l->run->global->json) {
        l->all = rag_jw_new();
        if (l->all == NULL) {
            st = rag_fail_nomem(err);
            goto out;
        }
        rag_jw_obj(l->all, NULL);
        rag_jw_strz(l->all, "schema", "rag.ls/1");
        rag_jw_array(l->all, "documents");
    }
    TRY(rag_list(r, glob, look, on_document, l, err));
    if (l->all != NULL) {
        rag_jw_end(l->all);
        rag_jw_end(l->all);
        st = out_json(l->run, l->all, err);
    }
out:
    rag_jw_free(l->all);
    rag_close(r);
    return st;
}

static int run_ls(cmd_run *run, rag_error *err)
{
    lister l = {.run = run};

    if (run->argc > 1)
        return cmd_usage(run, "ls takes one GLOB (quote it: rag ls '*.pdf')");
    if (f.nul && (run->global->json || run->global->jsonl || f.full))
        return cmd_usage(run, "--null goes without --json, --jsonl and --long");
    if (list(&l, run->argc == 1 ? run->argv[0] : NULL, err) != RAG_OK)
        return exit_of(err->code);
    if (l.n == 0 && run->argc == 1)
        term_info(run->term, "rag: no document matches %s", run->argv[0]);
    else if (l.n == 0)
        term_info(run->term, "rag: no document");
    return l.n != 0 ? EXIT_OK : EXIT_NOTHING;
}

extern const cmd cmd_ls;
const cmd cmd_ls = {
    "ls",
    "[GLOB]",
    "documents in the store",
    "  rag ls\n"
    "  rag ls -l 'manuals/**'\n"
    "  rag ls --stale\n"
    "  rag ls -0 '*.tmp' | xargs -0 rag rm\n",
    options,
    run_ls,
};
