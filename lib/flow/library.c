/* What is in the store, as people see it: list, show, forget, count. */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "flow/flow_priv.h"

#define MAX_NAME_BYTES ((size_t)1 << 17)
#define MAX_TEXT_BYTES ((size_t)1 << 31)

static rag_status describe(rag_document *out, rag_arena *a, rag *r,
                           const rag_store_doc *d, bool check_stale,
                           rag_error *err)
{
    memset(out, 0, sizeof *out);
    out->type = d->type;
    out->title = d->title;
    out->record_id = d->record_id;
    out->text_bytes = d->text_bytes;
    out->n_chunks = d->n_chunks;
    out->n_pages = d->n_pages;
    out->ingested_ns = d->ingested_ns;
    out->mtime_ns = d->look.mtime_ns;
    if (check_stale)
        out->stale = rag_flow_stale(d->root_path, d->key, &d->look, d->result);
    return rag_flow_shown(&out->name, &out->name_bytes, a, r, d->root_path,
                          d->key, d->record_id, err);
}

typedef struct lister {
    rag *r;
    const char *glob;
    bool check_stale;
    rag_document_fn fn;
    void *ctx;
} lister;

static rag_status list_one(void *ctx, const rag_store_doc *d, rag_error *err)
{
    lister *l = ctx;
    rag_document doc;
    rag_arena a;
    rag_status st;

    if (rag_flow_cancelled(l->r))
        return rag_fail(err, RAG_E_CANCELLED, "interrupted");
    if (l->glob != NULL && !rag_flow_means(l->r, rag_str_of(l->glob), d))
        return RAG_OK;
    rag_arena_init(&a);
    st = describe(&doc, &a, l->r, d, l->check_stale, err);
    if (st == RAG_OK)
        st = l->fn(l->ctx, &doc, err);
    rag_arena_dispose(&a);
    return st;
}

rag_status rag_list(rag *r, const char *glob, bool check_stale,
                    rag_document_fn fn, void *ctx, rag_error *err)
{
    lister l = {r, glob, check_stale, fn, ctx};

    return rag_store_docs(r->store, 0, list_one, &l, err);
}

/* ---- show --------------------------------------------------------------- */

typedef struct finder {
    rag *r;
    rag_str name;    /* what is looked for */
    bool exact_path; /* name is a full path */
    bool found;
    rag_arena *arena;
    rag_store_doc doc; /* strings in the arena */
    size_t n_near;
    rag_buf near;
} finder;

static bool keep_doc(rag_store_doc *to, const rag_store_doc *d, rag_arena *a)
{
    *to = *d;
    return rag_arena_str(a, &to->root_path, d->root_path) &&
           rag_arena_str(a, &to->key, d->key) &&
           rag_arena_str(a, &to->type, d->type) &&
           rag_arena_str(a, &to->record_id, d->record_id) &&
           rag_arena_str(a, &to->title, d->title) &&
           rag_arena_str(a, &to->meta, d->meta);
}

static rag_status find_one(void *ctx, const rag_store_doc *d, rag_error *err)
{
    finder *f = ctx;

    if (f->found)
        return RAG_OK;
    if (rag_flow_named(f->r, f->name, d)) {
        if (!keep_doc(&f->doc, d, f->arena))
            return rag_fail_nomem(err);
        f->found = true;
    }
    return RAG_OK;
}

/* A few names that hold the last part of what was asked for. */
static rag_status find_near(void *ctx, const rag_store_doc *d, rag_error *err)
{
    finder *f = ctx;
    rag_str base = f->name;
    size_t hash = rag_str_find_char(base, '#');

    (void)err;
    if (f->n_near == 3)
        return RAG_OK;
    base = rag_str_cut(base, 0, hash);
    for (size_t i = base.len; i-- > 0;)
        if (base.ptr[i] == '/') {
            base = rag_str_cut(base, i + 1, base.len);
            break;
        }
    if (base.len == 0 || rag_str_find(d->key, base) == SIZE_MAX)
        return RAG_OK;
    if (f->n_near++ != 0)
        rag_buf_addz(&f->near, ", ");
    rag_flow_name(&f->near, f->r, d->root_path, d->key, d->record_id);
    return RAG_OK;
}

static rag_status look_up(bool *found, finder *f, rag_str name, rag_error *err)
{
    rag_status st;

    f->name = name;
    f->found = false;
    st = rag_store_docs(f->r->store, 0, find_one, f, err);
    *found = f->found;
    return st;
}

typedef struct parts {
    rag_str doc;
    uint64_t page; /* 0: none */
    uint64_t line; /* 0: none */
    uint64_t line_end;
} parts;

/* Takes one ":LINES" or "#pN" off the right end; false when there is none. */
static bool cut_part(parts *p)
{
    size_t i = p->doc.len;
    rag_str tail;
    size_t dash;

    while (i > 0 && p->doc.ptr[i - 1] != ':' && p->doc.ptr[i - 1] != '#')
        i--;
    if (i == 0)
        return false;
    tail = rag_str_cut(p->doc, i, p->doc.len);
    if (p->doc.ptr[i - 1] == '#') {
        if (p->page != 0 || tail.len < 2 || tail.ptr[0] != 'p' ||
            !rag_str_u64(&p->page, rag_str_cut(tail, 1, tail.len)) ||
            p->page == 0) {
            p->page = 0;
            return false;
        }
    } else {
        if (p->line != 0)
            return false;
        dash = rag_str_find_char(tail, '-');
        if (!rag_str_u64(&p->line, rag_str_cut(tail, 0, dash)) ||
            p->line == 0) {
            p->line = 0;
            return false;
        }
        p->line_end = p->line;
        if (dash != SIZE_MAX &&
            (!rag_str_u64(&p->line_end,
                          rag_str_cut(tail, dash + 1, tail.len)) ||
             p->line_end < p->line)) {
            p->line = p->line_end = 0;
            return false;
        }
    }
    p->doc = rag_str_cut(p->doc, 0, i - 1);
    return true;
}

static rag_status page_span(uint64_t *start, uint64_t *end, rag *r,
                            const rag_store_doc *d, uint64_t page,
                            rag_error *err)
{
    uint64_t v;
    rag_status st;
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 28);
    TRY(rag_store_pages(&b, r->store, d->id, err));
    if (page > b.len / sizeof v) {
        st = rag_fail(err, RAG_E_NOTFOUND, "page %llu of %zu",
                      (unsigned long long)page, b.len / sizeof v);
        goto out;
    }
    memcpy(&v, b.ptr + (size_t)(page - 1) * sizeof v, sizeof v);
    *start = v;
    *end = d->text_bytes;
    if (page < b.len / sizeof v) {
        memcpy(&v, b.ptr + (size_t)page * sizeof v, sizeof v);
        *end = v;
    }
out:
    rag_buf_dispose(&b);
    return st;
}

/* Narrows text (which begins at *start) to lines. */
static rag_status cut_lines(rag_str *text, uint64_t *start, const parts *p,
                            rag_error *err)
{
    uint64_t line = 1;
    size_t from = SIZE_MAX;
    size_t at = 0;

    while (at <= text->len) {
        size_t nl;

        if (at != 0 && at == text->len) { /* behind the last line's end */
            if (from != SIZE_MAX)
                break;
            line--;
        }
        if (line == p->line && from == SIZE_MAX)
            from = at;
        nl = rag_str_find_char(rag_str_cut(*text, at, text->len), '\n');
        if (nl == SIZE_MAX || line == p->line_end) {
            if (from == SIZE_MAX)
                return rag_fail(
                    err, RAG_E_NOTFOUND, "line %llu: the text has %llu",
                    (unsigned long long)p->line, (unsigned long long)line);
            at = nl == SIZE_MAX ? text->len : at + nl + 1;
            break;
        }
        at += nl + 1;
        line++;
    }
    *start += from;
    *text = rag_str_cut(*text, from, at);
    return RAG_OK;
}

static rag_status load_shown(rag_shown *s, rag *r, const rag_store_doc *d,
                             const parts *p, rag_error *err)
{
    rag_status st;
    rag_str text;
    rag_buf b;

    rag_buf_init(&b, MAX_TEXT_BYTES);
    TRY(describe(&s->doc, &s->arena, r, d, true, err));
    s->start = 0;
    s->end = d->text_bytes;
    s->has_lines = d->has_lines;
    if (p->page != 0)
        TRY(page_span(&s->start, &s->end, r, d, p->page, err));
    TRY(rag_store_text(&b, r->store, d->id, s->start, s->end, err));
    text = rag_buf_str(&b);
    if (p->line != 0)
        TRY(cut_lines(&text, &s->start, p, err));
    s->end = s->start + text.len;
    s->line = p->line != 0 ? p->line : (p->page == 0 ? 1 : 0);
    if (!rag_arena_str(&s->arena, &s->text, text))
        st = rag_fail_nomem(err);
out:
    rag_buf_dispose(&b);
    return st;
}

rag_status rag_show(rag_shown **out, rag *r, rag_str name, bool bytes,
                    rag_error *err)
{
    rag_shown *s = rag_calloc(1, sizeof *s);
    finder f = {.r = r};
    parts p = {.doc = name};
    bool found;
    rag_status st;

    *out = NULL;
    if (s == NULL)
        return rag_fail_nomem(err);
    rag_arena_init(&s->arena);
    f.arena = &s->arena;
    rag_buf_init(&f.near, MAX_NAME_BYTES * 4);
    TRY(look_up(&found, &f, p.doc, err));
    while (!found && !bytes && cut_part(&p))
        TRY(look_up(&found, &f, p.doc, err));
    if (!found) {
        f.name = name;
        TRY(rag_store_docs(r->store, 0, find_near, &f, err));
        st = rag_fail(err, RAG_E_NOTFOUND,
                      "no document '%.*s' in the store%s%s (rag ls lists them)",
                      (int)(name.len < 200 ? name.len : 200), name.ptr,
                      f.n_near != 0 ? "; near: " : "", f.near.ptr);
        goto out;
    }
    TRY(load_shown(s, r, &f.doc, &p, err));
    *out = s;
    s = NULL;
out:
    rag_buf_dispose(&f.near);
    rag_shown_free(s);
    return st;
}

void rag_shown_free(rag_shown *s)
{
    if (s == NULL)
        return;
    rag_arena_dispose(&s->arena);
    rag_free(s);
}

/* ---- rm ----------------------------------------------------------------- */

typedef struct victim {
    int64_t file_id;
    rag_str root;
    rag_str key;
} victim;

typedef struct remover {
    rag *r;
    const rag_rm_opts *o;
    rag_document_fn fn;
    void *ctx;
    rag_rm_report *report;
    rag_arena arena;
    victim *list;
    size_t n;
    size_t cap;
} remover;

static rag_status choose(void *ctx, const rag_store_doc *d, rag_error *err)
{
    remover *m = ctx;
    rag_store_doc whole = *d;
    rag_document doc;
    bool hit = false;
    rag_arena a;
    rag_status st;

    /* a record goes with its file */
    whole.record_id = RAG_STR_LIT("");
    for (size_t i = 0; i < m->o->n_globs && !hit; i++) {
        rag_str g = rag_str_of(m->o->globs[i]);

        hit = m->o->bytes ? rag_flow_named(m->r, g, &whole)
                          : rag_flow_named(m->r, g, &whole) ||
                                rag_flow_means(m->r, g, &whole);
    }
    if (!hit || (m->n != 0 && m->list[m->n - 1].file_id == d->file_id))
        return RAG_OK;
    if (!rag_mem_grow(&m->list, &m->cap, m->n + 1, sizeof *m->list) ||
        !rag_arena_str(&m->arena, &m->list[m->n].root, d->root_path) ||
        !rag_arena_str(&m->arena, &m->list[m->n].key, d->key))
        return rag_fail_nomem(err);
    m->list[m->n++].file_id = d->file_id;
    rag_arena_init(&a);
    st = describe(&doc, &a, m->r, &whole, false, err);
    if (st == RAG_OK && m->fn != NULL)
        st = m->fn(m->ctx, &doc, err);
    rag_arena_dispose(&a);
    return st;
}

static rag_status ignore_too(remover *m, rag_error *err)
{
    rag_str *paths = rag_arena_array(&m->arena, m->n, sizeof *paths);
    rag_status st = RAG_OK;
    rag_buf b;

    if (paths == NULL)
        return rag_fail_nomem(err);
    rag_buf_init(&b, MAX_NAME_BYTES);
    for (size_t i = 0; i < m->n; i++) {
        rag_buf_clear(&b);
        rag_flow_path(&b, m->list[i].root, m->list[i].key);
        TRY(rag_buf_status(&b, err));
        if (!rag_arena_str(&m->arena, &paths[i], rag_buf_str(&b))) {
            st = rag_fail_nomem(err);
            goto out;
        }
    }
    st = rag_flow_ignored_change(m->r->store, paths, m->n, true, err);
out:
    rag_buf_dispose(&b);
    return st;
}

static bool lies_there(const victim *v)
{
    struct stat sb;
    bool yes;
    rag_buf b;

    rag_buf_init(&b, MAX_NAME_BYTES);
    rag_flow_path(&b, v->root, v->key);
    yes = b.ptr[0] == '/' && stat(b.ptr, &sb) == 0;
    rag_buf_dispose(&b);
    return yes;
}

rag_status rag_rm(rag_rm_report *out, rag *r, const rag_rm_opts *opts,
                  rag_document_fn fn, void *ctx, rag_error *err)
{
    remover m = {.r = r, .o = opts, .fn = fn, .ctx = ctx, .report = out};
    rag_status st;

    memset(out, 0, sizeof *out);
    rag_arena_init(&m.arena);
    TRY(rag_store_docs(r->store, 0, choose, &m, err));
    out->n_files = m.n;
    for (size_t i = 0; i < m.n; i++) {
        if (!opts->ignore && lies_there(&m.list[i]))
            out->n_come_back++;
        if (!opts->dry_run)
            TRY(rag_store_file_remove(r->store, m.list[i].file_id, err));
    }
    if (opts->dry_run)
        goto out;
    if (opts->ignore && m.n != 0)
        TRY(ignore_too(&m, err));
    TRY(rag_store_flush(r->store, err));
    st = rag_store_tidy(r->store, false, err);
out:
    rag_free(m.list);
    rag_arena_dispose(&m.arena);
    return st;
}

/* ---- state -------------------------------------------------------------- */

static rag_status add_root(void *ctx, const rag_store_root *root,
                           rag_error *err)
{
    rag_state *s = ctx;
    rag_str *grown;

    if (root->path.len == 0 || root->path.ptr[0] != '/')
        return RAG_OK;
    grown = rag_arena_array(&s->arena, s->n_roots + 1, sizeof *grown);
    if (grown == NULL ||
        !rag_arena_str(&s->arena, &grown[s->n_roots], root->path))
        return rag_fail_nomem(err);
    if (s->n_roots != 0)
        memcpy(grown, s->roots, s->n_roots * sizeof *grown);
    s->roots = grown;
    s->n_roots++;
    return RAG_OK;
}

static bool say(rag_state *s, rag_str *to, const char *text)
{
    return rag_arena_str(&s->arena, to, rag_str_of(text));
}

rag_status rag_state_get(rag_state **out, rag *r, rag_error *err)
{
    rag_state *s = rag_calloc(1, sizeof *s);
    rag_store_stats st_;
    rag_store_space space;
    rag_embedder *e;
    rag_status st;

    *out = NULL;
    if (s == NULL)
        return rag_fail_nomem(err);
    rag_arena_init(&s->arena);
    TRY(rag_store_stats_get(&st_, r->store, err));
    TRY(rag_store_space_active(&space, r->store, err));
    s->n_files = st_.n_files;
    s->n_documents = st_.n_docs;
    s->n_chunks = st_.n_chunks;
    s->n_vectors = st_.n_vectors;
    s->n_failed = st_.n_failed;
    s->n_skipped = st_.n_skipped;
    s->n_stale = st_.n_stale;
    s->text_bytes = st_.text_bytes;
    s->store_bytes = st_.store_bytes;
    s->generation = st_.generation;
    s->index_vectors = st_.index_vectors;
    s->index_bytes = st_.index_bytes;
    s->index_fresh = st_.index_fresh;
    s->dims = space.dims;
    s->n_missing =
        st_.n_chunks > st_.n_vectors ? st_.n_chunks - st_.n_vectors : 0;
    if (!rag_arena_str(&s->arena, &s->store_embed_model,
                       space.id != 0 ? space.model : RAG_STR_LIT("")) ||
        !say(s, &s->store, rag_store_dir(r->store)) ||
        !say(s, &s->index_kind, st_.index_kind) ||
        !say(s, &s->chat_model,
             r->cfg.chat_model != NULL ? r->cfg.chat_model : "none") ||
        !say(s, &s->rerank_model,
             r->cfg.rerank_model != NULL ? r->cfg.rerank_model : "none")) {
        st = rag_fail_nomem(err);
        goto out;
    }
    /* a model that cannot be opened is still named */
    st = rag_flow_embedder(&e, r, err);
    if (st != RAG_OK && st != RAG_E_NOMEM) {
        rag_error_clear(err);
        st = RAG_OK;
    }
    if (st == RAG_OK && !say(s, &s->embed_model,
                             r->embed_model != NULL ? r->embed_model : "none"))
        st = rag_fail_nomem(err);
    if (st == RAG_OK)
        st = rag_store_roots(r->store, add_root, s, err);
    if (st != RAG_OK)
        goto out;
    *out = s;
    s = NULL;
out:
    rag_state_free(s);
    return st;
}

void rag_state_free(rag_state *s)
{
    if (s == NULL)
        return;
    rag_arena_dispose(&s->arena);
    rag_free(s);
}
