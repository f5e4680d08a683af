#include "flow/ready.h"

#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

/* rendered rows and breadcrumbs of one chunk: a chunk is at most some KB, a
 * CSV row may repeat long header names */
#define MAX_RENDERED_BYTES ((size_t)64 << 20)
/* hexadecimal digits of a stable id: 80 bits, no clash in 10^9 chunks */
#define STABLE_DIGITS 20

void rag_ready_free(rag_ready *r)
{
    if (r == NULL)
        return;
    rag_chunks_free(r->chunks);
    rag_doc_free(r->doc);
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

    for (uint32_t s = section; s != UINT32_MAX;
         s = r->chunks->sections[s].parent)
        depth++;
    *n = depth;
    *out = rag_arena_array(&r->arena, depth, sizeof **out);
    if (*out == NULL)
        return rag_fail_nomem(err);
    for (uint32_t s = section; s != UINT32_MAX;
         s = r->chunks->sections[s].parent)
        (*out)[--depth] = r->chunks->sections[s].heading;
    return RAG_OK;
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
    rag_str crumb = RAG_STR_LIT("");
    rag_status st = RAG_OK;
    rag_buf b;

    rag_buf_init(&b, MAX_RENDERED_BYTES);
    for (size_t i = 0; i < n; i++) {
        rag_str text = rag_str_n(r->doc->text, r->doc->text_len);

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
        p.body = rag_str_cut(text, (size_t)in[i].start, (size_t)in[i].end);
        p.context = rag_str_cut(text, (size_t)in[i].context_start,
                                (size_t)in[i].context_end);
        if (p.context.len == 0) {
            in[i].body = p.body;
            continue;
        }
        rag_buf_clear(&b);
        rag_chunk_body(&b, &p);
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

static rag_status set_sections(rag_ready *r, rag_error *err)
{
    size_t n = r->chunks->n_sections;
    rag_store_section *s = rag_arena_array(&r->arena, n, sizeof *s);

    if (s == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const rag_section *from = &r->chunks->sections[i];

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

rag_status rag_ready_new(rag_ready **out, rag_doc *doc,
                         const rag_chunk_opts *opts, rag_str path,
                         rag_error *err)
{
    rag_ready *r = rag_calloc(1, sizeof *r);
    rag_store_chunk_in *in;
    rag_status st;

    *out = NULL;
    if (r == NULL) {
        rag_doc_free(doc);
        return rag_fail_nomem(err);
    }
    rag_arena_init(&r->arena);
    r->doc = doc;
    TRY(rag_chunk_doc(&r->chunks, doc, opts, err));
    in = rag_arena_array(&r->arena, r->chunks->n_chunks, sizeof *in);
    if (in == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < r->chunks->n_chunks; i++) {
        const rag_chunk *c = &r->chunks->chunks[i];

        in[i].start = c->start;
        in[i].end = c->end;
        in[i].context_start = c->context_start;
        in[i].context_end = c->context_end;
        in[i].section = c->section;
        in[i].n_tokens = c->n_tokens;
        r->n_tokens += c->n_tokens;
    }
    set_lines(r, in, r->chunks->n_chunks);
    TRY(set_ids(r, in, r->chunks->n_chunks, path, err));
    TRY(set_words(r, in, r->chunks->n_chunks, err));
    TRY(set_sections(r, err));
    TRY(set_meta(r, err));
    TRY(set_pages(r, err));
    r->in.record_id = doc->record_id;
    r->in.record_line = doc->record_line;
    r->in.title = doc->title;
    r->in.text = rag_str_n(doc->text, doc->text_len);
    r->in.has_lines = doc->has_lines;
    r->in.chunks = in;
    r->in.n_chunks = r->chunks->n_chunks;
    r->n_chars = rag_utf8_count(r->in.text);
    *out = r;
    r = NULL;
out:
    rag_ready_free(r);
    return st;
}
