#include "flow/ready.h"

#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

/* rendered rows and breadcrumbs of one chunk: a chunk is at most some KB, a
 * CSV row may repeat long header names */
#define MAX_RENDERED_BYTES ((size_t)64 << 20)
/* Rendered bodies (CSV rows with their header names) that a document may keep
 * in memory; of a larger one they are made again when they are written. */
#define MAX_KEPT_BYTES ((size_t)8 << 20)
/* hexadecimal digits of a stable id: 80 bits, no clash in 10^9 chunks */
#define STABLE_DIGITS 20

void rag_ready_free(rag_ready *r)
{
    if (r == NULL)
        return;
    rag_doc_free(r->doc);
    rag_buf_dispose(&r->body);
    rag_arena_dispose(&r->arena);
    rag_free(r);
}

/* Counts '\n' in text[from, to). */
static uint64_t newlines(const char *text, size_t from, size_t to)
{
    uint64_t n = 0;

    while (from < to) {
        const char *nl = memchr(text + from, '\n', to - from);

        if (nl == NULL)
            break;
        n++;
        from = (size_t)(nl - text) + 1;
    }
    return n;
}

typedef struct line_cursor {
    size_t at;
    uint64_t line; /* of byte `at`, from 1 */
} line_cursor;

static uint64_t line_at(line_cursor *c, const char *text, size_t at)
{
    if (at >= c->at)
        c->line += newlines(text, c->at, at);
    else
        c->line -= newlines(text, at, c->at);
    c->at = at;
    return c->line;
}

static void set_lines(rag_ready *r, rag_store_chunk_in *in, size_t n)
{
    const rag_doc *d = r->doc;
    line_cursor c = {0, 1};

    for (size_t i = 0; i < n; i++) {
        if (d->record_line != 0) {
            in[i].line = in[i].line_end = d->record_line;
        } else if (d->has_lines) {
            size_t last = (size_t)in[i].end;

            in[i].line = line_at(&c, d->text, (size_t)in[i].start);
            /* a final newline belongs to its line */
            if (last > in[i].start && d->text[last - 1] == '\n')
                last--;
            in[i].line_end =
                in[i].line + newlines(d->text, (size_t)in[i].start, last);
        }
        if (d->n_pages != 0) {
            in[i].page = rag_doc_page_at(d, (size_t)in[i].start);
            in[i].page_end = rag_doc_page_at(
                d,
                (size_t)(in[i].end > in[i].start ? in[i].end - 1 : in[i].end));
        }
    }
}

/* How often the same text came before, by an open table of hashes. */
static rag_status set_ids(rag_ready *r, rag_store_chunk_in *in, size_t n,
                          rag_str path, rag_error *err)
{
    struct entry {
        uint64_t hash;
        uint32_t count;
    } * table;
    rag_sha256 *h = rag_sha256_new();
    size_t cap = 16;

    while (cap < n * 2)
        cap *= 2;
    table = rag_calloc(cap, sizeof *table);
    if (table == NULL || h == NULL) {
        rag_free(table);
        rag_sha256_free(h);
        return rag_fail_nomem(err);
    }
    for (size_t i = 0; i < n; i++) {
        const char *text = r->doc->text + in[i].start;
        size_t len = (size_t)(in[i].end - in[i].start);
        uint64_t hash = rag_hash_fast(text, len);
        size_t slot = (size_t)hash & (cap - 1);
        uint8_t digest[RAG_SHA256_BYTES];
        uint8_t no[4];

        if (hash == 0)
            hash = 1;
        while (table[slot].hash != 0 && table[slot].hash != hash)
            slot = (slot + 1) & (cap - 1);
        table[slot].hash = hash;
        for (int b = 0; b < 4; b++)
            no[b] = (uint8_t)(table[slot].count >> (8 * b));
        table[slot].count++;
        rag_sha256_add(h, path.ptr, path.len);
        rag_sha256_add(h, "", 1);
        rag_sha256_add(h, r->doc->record_id.ptr, r->doc->record_id.len);
        rag_sha256_add(h, "", 1);
        rag_sha256_add(h, text, len);
        rag_sha256_add(h, no, sizeof no);
        rag_sha256_end(h, digest);
        rag_hash_hex(in[i].stable_id, digest, STABLE_DIGITS / 2);
    }
    rag_free(table);
    rag_sha256_free(h);
    return RAG_OK;
}

/* Headings of a section, outermost first; *n of them. */
static rag_status path_of(rag_str **out, size_t *n, rag_ready *r,
                          uint32_t section, rag_error *err)
{
    size_t depth = 0;

    for (uint32_t s = section; s != UINT32_MAX; s = r->in.sections[s].parent)
        depth++;
    *n = depth;
    *out = rag_arena_array(&r->arena, depth, sizeof **out);
    if (*out == NULL)
        return rag_fail_nomem(err);
    for (uint32_t s = section; s != UINT32_MAX; s = r->in.sections[s].parent)
        (*out)[--depth] = r->in.sections[s].heading;
    return RAG_OK;
}

/* A span with what its table or CSV header adds. */
static void add_body(rag_buf *out, const rag_ready *r,
                     const rag_store_chunk_in *in)
{
    rag_str text = rag_str_n(r->doc->text, r->doc->text_len);
    rag_chunk_parts p = {.type = r->doc->type};

    p.body = rag_str_cut(text, (size_t)in->start, (size_t)in->end);
    p.context =
        rag_str_cut(text, (size_t)in->context_start, (size_t)in->context_end);
    rag_chunk_body(out, &p);
}

static rag_status render_body(void *ctx, rag_str *body,
                              const rag_store_chunk_in *in, rag_error *err)
{
    rag_ready *r = ctx;

    rag_buf_clear(&r->body);
    add_body(&r->body, r, in);
    *body = rag_buf_str(&r->body);
    return rag_buf_status(&r->body, err);
}

/* The words to index: the breadcrumb (shared by the chunks of a section) and
 * the body (the span itself where nothing has to be added). */
static rag_status set_words(rag_ready *r, rag_store_chunk_in *in, size_t n,
                            rag_error *err)
{
    rag_chunk_parts p = {.type = r->doc->type, .title = r->doc->title};
    rag_str *headings;
    uint32_t section = 0;
    bool have = false;
    size_t kept = 0;
    rag_str crumb = RAG_STR_LIT("");
    rag_str text = rag_str_n(r->doc->text, r->doc->text_len);
    rag_status st = RAG_OK;
    rag_buf b;

    rag_buf_init(&b, MAX_RENDERED_BYTES);
    for (size_t i = 0; i < n; i++) {
        if (!have || in[i].section != section) {
            section = in[i].section;
            have = true;
            TRY(path_of(&headings, &p.n_headings, r, section, err));
            p.headings = headings;
            rag_buf_clear(&b);
            rag_chunk_breadcrumb(&b, &p);
            TRY(rag_buf_status(&b, err));
            if (!rag_arena_str(&r->arena, &crumb, rag_buf_str(&b))) {
                st = rag_fail_nomem(err);
                goto out;
            }
        }
        in[i].heading = crumb;
        if (in[i].context_start == in[i].context_end) {
            in[i].body =
                rag_str_cut(text, (size_t)in[i].start, (size_t)in[i].end);
            continue;
        }
        if (kept > MAX_KEPT_BYTES) {
            r->in.render_body = render_body;
            r->in.render_ctx = r;
            continue;
        }
        rag_buf_clear(&b);
        add_body(&b, r, &in[i]);
        kept += b.len;
        TRY(rag_buf_status(&b, err));
        if (!rag_arena_str(&r->arena, &in[i].body, rag_buf_str(&b))) {
            st = rag_fail_nomem(err);
            goto out;
        }
    }
out:
    rag_buf_dispose(&b);
    return st;
}

static rag_status set_sections(rag_ready *r, const rag_chunks *chunks,
                               rag_error *err)
{
    size_t n = chunks->n_sections;
    rag_store_section *s = rag_arena_array(&r->arena, n, sizeof *s);

    if (s == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const rag_section *from = &chunks->sections[i];

        s[i] = (rag_store_section){from->parent, from->level, from->heading,
                                   from->start, from->end};
    }
    r->in.sections = s;
    r->in.n_sections = n;
    return RAG_OK;
}

/* Front matter and the like as one JSON object; nothing: empty. */
static rag_status set_meta(rag_ready *r, rag_error *err)
{
    rag_status st;
    rag_jw *w;
    rag_buf b;

    if (r->doc->n_meta == 0)
        return RAG_OK;
    w = rag_jw_new();
    if (w == NULL)
        return rag_fail_nomem(err);
    rag_buf_init(&b, MAX_RENDERED_BYTES);
    rag_jw_obj(w, NULL);
    for (size_t i = 0; i < r->doc->n_meta; i++) {
        char *key = rag_arena_strndup(&r->arena, r->doc->meta_keys[i].ptr,
                                      r->doc->meta_keys[i].len);

        if (key == NULL) {
            st = rag_fail_nomem(err);
            goto out;
        }
        rag_jw_str(w, key, r->doc->meta_values[i]);
    }
    rag_jw_end(w);
    TRY(rag_jw_finish(&b, w, false, err));
    if (!rag_arena_str(&r->arena, &r->in.meta, rag_buf_str(&b)))
        st = rag_fail_nomem(err);
out:
    rag_buf_dispose(&b);
    rag_jw_free(w);
    return st;
}

static rag_status set_pages(rag_ready *r, rag_error *err)
{
    uint64_t *p = rag_arena_array(&r->arena, r->doc->n_pages, sizeof *p);

    if (p == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < r->doc->n_pages; i++)
        p[i] = r->doc->page_starts[i];
    r->in.page_starts = p;
    r->in.n_pages = r->doc->n_pages;
    return RAG_OK;
}

/* Spans, sections and counts; the chunker's own arrays are gone afterwards. */
static rag_status set_chunks(rag_ready *r, rag_store_chunk_in **out,
                             const rag_chunk_opts *opts, rag_error *err)
{
    rag_chunks *chunks = NULL;
    rag_store_chunk_in *in;
    rag_status st;

    TRY(rag_chunk_doc(&chunks, r->doc, opts, err));
    TRY(set_sections(r, chunks, err));
    in = rag_arena_array(&r->arena, chunks->n_chunks, sizeof *in);
    if (in == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < chunks->n_chunks; i++) {
        const rag_chunk *c = &chunks->chunks[i];

        in[i].start = c->start;
        in[i].end = c->end;
        in[i].context_start = c->context_start;
        in[i].context_end = c->context_end;
        in[i].section = c->section;
        in[i].n_tokens = c->n_tokens;
        r->n_tokens += c->n_tokens;
    }
    r->in.chunks = *out = in;
    r->in.n_chunks = chunks->n_chunks;
out:
    rag_chunks_free(chunks);
    return st;
}

rag_status rag_ready_new(rag_ready **out, rag_doc *doc,
                         const rag_chunk_opts *opts, rag_str path,
                         rag_error *err)
{
    rag_ready *r = rag_calloc(1, sizeof *r);
    rag_store_chunk_in *in = NULL;
    rag_status st;

    *out = NULL;
    if (r == NULL) {
        rag_doc_free(doc);
        return rag_fail_nomem(err);
    }
    rag_arena_init(&r->arena);
    rag_buf_init(&r->body, MAX_RENDERED_BYTES);
    r->doc = doc;
    TRY(set_chunks(r, &in, opts, err));
    set_lines(r, in, r->in.n_chunks);
    TRY(set_ids(r, in, r->in.n_chunks, path, err));
    TRY(set_words(r, in, r->in.n_chunks, err));
    TRY(set_meta(r, err));
    TRY(set_pages(r, err));
    r->in.record_id = doc->record_id;
    r->in.record_line = doc->record_line;
    r->in.title = doc->title;
    r->in.text = rag_str_n(doc->text, doc->text_len);
    r->in.has_lines = doc->has_lines;
    r->n_chars = rag_utf8_count(r->in.text);
    *out = r;
    r = NULL;
out:
    rag_ready_free(r);
    return st;
}
