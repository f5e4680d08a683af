#include <string.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/mem.h"
#include "out.h"

typedef struct flags {
    bool dry_run;
    bool ignore;
    bool b64;
    size_t wait_s;
} flags;

static flags f;

static const opt options[] = {
    {OPT_FLAG, 'n', "dry-run", &f.dry_run, NULL,
     "say what would be forgotten, write nothing"},
    {OPT_FLAG, 0, "ignore", &f.ignore, NULL,
     "and leave them out of every later ingest of this store"},
    {OPT_FLAG, 0, "b64", &f.b64, NULL,
     "GLOBs are whole names in base64 (document_b64 of --json)"},
    {OPT_SIZE, 0, "wait", &f.wait_s, "SECS",
     "wait for another rag that writes"},
    OPT_END,
};

typedef struct remover {
    cmd_run *run;
    rag_jw *w; /* --json */
    rag_buf text;
} remover;

static rag_status on_document(void *ctx, const rag_document *d, rag_error *err)
{
    remover *m = ctx;

    if (m->w == NULL) {
        rag_buf_adds(&m->text, d->name);
        rag_buf_addc(&m->text, '\0');
        return rag_buf_status(&m->text, err);
    }
    rag_jw_obj(m->w, NULL);
    out_name_json(m->w, d->name, d->name_bytes);
    rag_jw_end(m->w);
    return RAG_OK;
}

/* Names are printed when they are gone, not before. */
static void removed_text(remover *m, const rag_rm_report *rep)
{
    term *t = m->run->term;
    rag_str rest = rag_buf_str(&m->text);

    while (rest.len != 0) {
        size_t n = rag_str_find_char(rest, '\0');

        term_styled(t, TERM_PLAIN, rag_str_cut(rest, 0, n));
        term_outz(t, "\n");
        rest = rag_str_cut(rest, n + 1, rest.len);
    }
    if (rep->n_files == 0)
        return;
    term_info(t, "%llu file%s %s %s", (unsigned long long)rep->n_files,
              rep->n_files == 1 ? "" : "s",
              f.dry_run ? "would be removed from" : "removed from",
              settings_store(m->run->settings));
    if (rep->n_come_back != 0)
        term_info(t,
                  "%llu still lie%s in a known folder: the next 'rag ingest' "
                  "brings %s back (--ignore keeps %s out)",
                  (unsigned long long)rep->n_come_back,
                  rep->n_come_back == 1 ? "s" : "",
                  rep->n_come_back == 1 ? "it" : "them",
                  rep->n_come_back == 1 ? "it" : "them");
}

static rag_status removed_json(remover *m, const rag_rm_report *rep,
                               rag_error *err)
{
    rag_jw_end(m->w);
    rag_jw_int(m->w, "removed", (int64_t)rep->n_files);
    rag_jw_int(m->w, "come_back", (int64_t)rep->n_come_back);
    rag_jw_bool(m->w, "ignored", f.ignore);
    rag_jw_bool(m->w, "dry_run", f.dry_run);
    rag_jw_end(m->w);
    return out_json(m->run, m->w, err);
}

static rag_status forget(rag_rm_report *rep, remover *m, const rag_rm_opts *o,
                         rag_error *err)
{
    rag *r = NULL;
    rag_status st;

    if (m->run->global->json || m->run->global->jsonl) {
        m->w = rag_jw_new();
        if (m->w == NULL)
            return rag_fail_nomem(err);
        rag_jw_obj(m->w, NULL);
        rag_jw_strz(m->w, "schema", "rag.rm/1");
        rag_jw_array(m->w, "documents");
    }
    TRY(cmd_open(&r, m->run, f.dry_run ? RAG_OPEN_READ : RAG_OPEN_WRITE,
                 f.wait_s, err));
    term_catch_interrupt();
    TRY(rag_rm(rep, r, o, on_document, m, err));
    if (m->w != NULL)
        st = removed_json(m, rep, err);
    else
        removed_text(m, rep);
out:
    rag_close(r);
    return st;
}

/* The names that --b64 gives, in the arena. */
static rag_status decode(const char **out, rag_arena *a, const char *text,
                         rag_error *err)
{
    rag_status st;
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 20);
    TRY(out_unbase64(&b, rag_str_of(text), err));
    *out = rag_arena_strndup(a, b.ptr, b.len);
    if (*out == NULL)
        st = rag_fail_nomem(err);
out:
    rag_buf_dispose(&b);
    return st;
}

static int run_rm(cmd_run *run, rag_error *err)
{
    remover m = {.run = run};
    rag_rm_report rep = {0, 0};
    rag_rm_opts o = {.dry_run = f.dry_run, .ignore = f.ignore, .bytes = f.b64};
    opt_list globs = {NULL, 0, 0};
    rag_status st = RAG_OK;
    rag_arena a;

    if (run->argc == 0)
        return cmd_usage(run, "rm needs a document or a GLOB (rag ls lists "
                              "the documents)");
    rag_arena_init(&a);
    rag_buf_init(&m.text, (size_t)1 << 30);
    for (int i = 0; i < run->argc; i++) {
        if (!rag_mem_grow(&globs.items, &globs.cap, globs.n + 1,
                          sizeof *globs.items)) {
            st = rag_fail_nomem(err);
            goto out;
        }
        globs.items[globs.n] = run->argv[i];
        if (f.b64)
            TRY(decode(&globs.items[globs.n], &a, run->argv[i], err));
        globs.n++;
    }
    o.globs = globs.items;
    o.n_globs = globs.n;
    TRY(forget(&rep, &m, &o, err));
    if (rep.n_files == 0)
        term_info(run->term, "rag: no document matches %s%s", run->argv[0],
                  run->argc > 1 ? " or the others" : "");
out:
    rag_jw_free(m.w);
    rag_buf_dispose(&m.text);
    opt_list_free(&globs);
    rag_arena_dispose(&a);
    if (st != RAG_OK)
        return exit_of(st);
    return rep.n_files != 0 ? EXIT_OK : EXIT_NOTHING;
}

extern const cmd cmd_rm;
const cmd cmd_rm = {
    "rm",
    "GLOB...",
    "forget documents (the files stay where they are)",
    "  rag rm old.md\n"
    "  rag rm 'drafts/**' --ignore\n"
    "  rag rm -n '*.log'\n",
    options,
    run_rm,
};
