#include <string.h>

#include "base/mem.h"
#include "store/store_priv.h"

/* ---- text as read ---------------------------------------------------------
 */

/* Appends what [*at, end) has of a piece and moves *at on; a piece before *at
 * has nothing of it. */
static rag_status take_piece(rag_buf *out, uint64_t *at, uint64_t end,
                             uint64_t start, rag_str body)
{
    uint64_t upto;

    if (start > *at || body.len > RAG_PIECE_BYTES)
        return RAG_E_CORRUPT;
    if (start + body.len <= *at)
        return RAG_OK;
    upto = start + body.len < end ? start + body.len : end;
    rag_buf_adds(
        out, rag_str_cut(body, (size_t)(*at - start), (size_t)(upto - start)));
    *at = upto;
    return RAG_OK;
}

rag_status rag_text_append(rag_buf *out, rag_store *s, int64_t doc_id,
                           uint64_t start, uint64_t end, rag_error *err)
{
    uint64_t at = start;
    int64_t base;
    rag_q q = {0};
    bool row;
    rag_status st = RAG_OK;

    if (start >= end)
        return RAG_OK;
    if (doc_id < 1 || doc_id >= (int64_t)1 << (62 - RAG_DOC_SHIFT) ||
        end / RAG_PIECE_BYTES >= (uint64_t)1 << RAG_DOC_SHIFT)
        return rag_db_corrupt(s, "a span makes no sense", err);
    base = doc_id << RAG_DOC_SHIFT;
    TRY(rag_q_open(&q, s,
                   "SELECT start,body FROM piece WHERE id>=?1 AND id<=?2"
                   " ORDER BY id",
                   err));
    /* no piece is longer than RAG_PIECE_BYTES: the one of `start` is this or
     * a later one */
    rag_q_int(&q, base + (int64_t)(start / RAG_PIECE_BYTES));
    rag_q_int(&q, base + ((int64_t)1 << RAG_DOC_SHIFT) - 1);
    while (at < end) {
        TRY(rag_q_step(&row, &q, err));
        st = row ? take_piece(out, &at, end, rag_q_u64(&q, 0), rag_q_str(&q, 1))
                 : RAG_E_CORRUPT;
        if (st == RAG_E_CORRUPT) {
            st = rag_db_corrupt(s, "text of a document is missing", err);
            goto out;
        }
        TRY(rag_buf_status(out, err));
    }
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_store_text(rag_buf *out, rag_store *s, int64_t doc_id,
                          uint64_t start, uint64_t end, rag_error *err)
{
    rag_q q = {0};
    uint64_t len;
    bool row;
    rag_status st = rag_view_begin(s, err);

    if (st != RAG_OK)
        return st;
    TRY(rag_q_open(&q, s, "SELECT text_bytes FROM doc WHERE id=?1", err));
    rag_q_int(&q, doc_id);
    TRY(rag_q_step(&row, &q, err));
    if (!row) {
        st = rag_fail(err, RAG_E_NOTFOUND, "no such document in the store");
        goto out;
    }
    len = rag_q_u64(&q, 0);
    rag_q_close(&q);
    TRY(rag_text_append(out, s, doc_id, start, end < len ? end : len, err));
out:
    rag_q_close(&q);
    rag_view_end(s);
    return st;
}

rag_status rag_store_pages(rag_buf *out, rag_store *s, int64_t doc_id,
                           rag_error *err)
{
    rag_q q = {0};
    rag_str v;
    bool row;
    rag_status st;

    TRY(rag_q_open(&q, s, "SELECT page_starts,n_pages FROM doc WHERE id=?1",
                   err));
    rag_q_int(&q, doc_id);
    TRY(rag_q_step(&row, &q, err));
    if (!row) {
        st = rag_fail(err, RAG_E_NOTFOUND, "no such document in the store");
        goto out;
    }
    v = rag_q_str(&q, 0);
    if (v.len / sizeof(uint64_t) != rag_q_u64(&q, 1) ||
        v.len % sizeof(uint64_t) != 0) {
        st = rag_db_corrupt(s, "the pages of a document make no sense", err);
        goto out;
    }
    rag_buf_adds(out, v);
    st = rag_buf_status(out, err);
out:
    rag_q_close(&q);
    return st;
}

/* ---- a chunk --------------------------------------------------------------
 */

/* A span's text, in the arena. */
static rag_status span_text(rag_str *out, rag_arena *arena, rag_store *s,
                            int64_t doc_id, uint64_t start, uint64_t end,
                            rag_error *err)
{
    rag_buf text;
    rag_status st;

    *out = rag_str_n("", 0);
    if (start == end)
        return RAG_OK;
    rag_buf_init(&text, (size_t)(end - start));
    TRY(rag_text_append(&text, s, doc_id, start, end, err));
    if (!rag_arena_str(arena, out, rag_buf_str(&text)))
        st = rag_fail_nomem(err);
out:
    rag_buf_dispose(&text);
    return st;
}

/* From the innermost section outwards; then turned round. */
static rag_status read_headings(rag_store_chunk *c, rag_arena *arena,
                                rag_store *s, int64_t section, rag_error *err)
{
    rag_str found[RAG_MAX_HEADINGS];
    size_t n = 0;
    rag_q q = {0};
    bool row;
    rag_status st = RAG_OK;

    for (int64_t at = section; at >= 0 && n < RAG_MAX_HEADINGS;) {
        int64_t parent;

        TRY(rag_q_open(&q, s,
                       "SELECT parent,start,\"end\",heading FROM section"
                       " WHERE id=?1",
                       err));
        rag_q_int(&q, (c->doc_id << RAG_DOC_SHIFT) + at);
        TRY(rag_q_step(&row, &q, err));
        parent = row ? rag_q_col(&q, 0) : 0;
        if (!row || parent >= at || at >= (int64_t)1 << RAG_DOC_SHIFT) {
            st = rag_db_corrupt(s, "the headings of a chunk are missing", err);
            goto out;
        }
        if (at == section) {
            c->section_start = rag_q_u64(&q, 1);
            c->section_end = rag_q_u64(&q, 2);
        }
        if (!rag_arena_str(arena, &found[n++], rag_q_str(&q, 3))) {
            st = rag_fail_nomem(err);
            goto out;
        }
        rag_q_close(&q);
        at = parent;
    }
    if (n == 0)
        goto out;
    c->headings = rag_arena_array(arena, n, sizeof *c->headings);
    if (c->headings == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        c->headings[i] = found[n - 1 - i];
    c->n_headings = n;
out:
    rag_q_close(&q);
    return st;
}

#define CHUNK_SQL                                                              \
    "SELECT c.doc_id,c.start,c.\"end\",c.context_start,c.context_end,c.line,"  \
    "c.line_end,c.page,c.page_end,c.section,c.n_tokens,c.stable_id,"           \
    "d.text_bytes,d.has_lines,d.record_id,d.title,v.file_id,v.type,v.sha256,"  \
    "f.key,f.result,f.size_bytes,f.mtime_ns,f.ctime_ns,f.inode,f.device,"      \
    "f.looked_ns,f.sha256,r.path"                                              \
    " FROM chunk c JOIN doc d ON d.id=c.doc_id"                                \
    " JOIN version v ON v.id=d.version_id JOIN file f ON f.id=v.file_id"       \
    " JOIN root r ON r.id=f.root_id WHERE c.id=?1"

static void read_look(rag_store_look *look, rag_q *q, int i)
{
    look->size_bytes = rag_q_col(q, i);
    look->mtime_ns = rag_q_col(q, i + 1);
    look->ctime_ns = rag_q_col(q, i + 2);
    look->inode = (uint64_t)rag_q_col(q, i + 3);
    look->device = (uint64_t)rag_q_col(q, i + 4);
    look->looked_ns = rag_q_col(q, i + 5);
    rag_q_sha256(look->sha256, q, i + 6);
}

static rag_file_result result_of(int64_t v)
{
    return v == RAG_FILE_OK        ? RAG_FILE_OK
           : v == RAG_FILE_SKIPPED ? RAG_FILE_SKIPPED
                                   : RAG_FILE_FAILED;
}

/* The row of CHUNK_SQL; false: out of memory. */
static bool read_chunk(rag_store_chunk *c, rag_arena *a, rag_q *q)
{
    c->doc_id = rag_q_col(q, 0);
    c->start = rag_q_u64(q, 1);
    c->end = rag_q_u64(q, 2);
    c->context_start = rag_q_u64(q, 3);
    c->context_end = rag_q_u64(q, 4);
    c->line = rag_q_u64(q, 5);
    c->line_end = rag_q_u64(q, 6);
    c->page = rag_q_u32(q, 7);
    c->page_end = rag_q_u32(q, 8);
    c->n_tokens = rag_q_u32(q, 10);
    c->has_lines = rag_q_col(q, 13) != 0;
    c->file_id = rag_q_col(q, 16);
    rag_q_sha256(c->sha256, q, 18);
    c->result = result_of(rag_q_col(q, 20));
    read_look(&c->look, q, 21);
    return rag_arena_str(a, &c->stable_id, rag_q_str(q, 11)) &&
           rag_arena_str(a, &c->record_id, rag_q_str(q, 14)) &&
           rag_arena_str(a, &c->title, rag_q_str(q, 15)) &&
           rag_arena_str(a, &c->type, rag_q_str(q, 17)) &&
           rag_arena_str(a, &c->key, rag_q_str(q, 19)) &&
           rag_arena_str(a, &c->root_path, rag_q_str(q, 28));
}

rag_status rag_store_chunk_get(rag_store_chunk *out, rag_arena *arena,
                               rag_store *s, int64_t chunk_id, rag_error *err)
{
    int64_t section;
    uint64_t len;
    rag_q q = {0};
    bool row;
    rag_status st = rag_view_begin(s, err);

    memset(out, 0, sizeof *out);
    if (st != RAG_OK)
        return st;
    out->id = chunk_id;
    TRY(rag_q_open(&q, s, CHUNK_SQL, err));
    rag_q_int(&q, chunk_id);
    TRY(rag_q_step(&row, &q, err));
    if (!row) {
        st = rag_fail(err, RAG_E_NOTFOUND, "no visible chunk %lld",
                      (long long)chunk_id);
        goto out;
    }
    section = rag_q_col(&q, 9);
    len = rag_q_u64(&q, 12);
    if (!read_chunk(out, arena, &q)) {
        st = rag_fail_nomem(err);
        goto out;
    }
    rag_q_close(&q);
    if (out->start > out->end || out->end > len ||
        out->context_start > out->context_end || out->context_end > len) {
        st = rag_db_corrupt(s, "a chunk lies outside its text", err);
        goto out;
    }
    TRY(read_headings(out, arena, s, section, err));
    TRY(span_text(&out->text, arena, s, out->doc_id, out->start, out->end,
                  err));
    TRY(span_text(&out->context, arena, s, out->doc_id, out->context_start,
                  out->context_end, err));
out:
    rag_q_close(&q);
    rag_view_end(s);
    return st;
}

/* ---- by stable id ---------------------------------------------------------
 */

static rag_status is_it(bool *yes, rag_store *s, int64_t chunk_id,
                        rag_str stable_id, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    *yes = false;
    TRY(rag_q_open(&q, s, "SELECT stable_id FROM chunk WHERE id=?1", err));
    rag_q_int(&q, chunk_id);
    TRY(rag_q_step(&row, &q, err));
    *yes = row && rag_str_eq(rag_q_str(&q, 0), stable_id);
out:
    rag_q_close(&q);
    return st;
}

/* An index over stable ids would make every transaction touch hundreds of its
 * pages at random; instead their 32-bit hashes lie in rows by chunk id, 4 bytes
 * each, and are read from one end to the other: 4 MB for a million chunks. */
static rag_status find_stable(int64_t *chunk_id, rag_store *s,
                              rag_str stable_id, rag_error *err)
{
    uint32_t want = (uint32_t)rag_hash_fast(stable_id.ptr, stable_id.len);
    rag_q q = {0};
    bool row;
    rag_status st;

    TRY(rag_q_open(&q, s,
                   "SELECT id,data FROM nums WHERE id BETWEEN 0 AND 4294967295"
                   " ORDER BY id",
                   err));
    for (;;) {
        int64_t first;
        rag_str v;

        TRY(rag_q_step(&row, &q, err));
        if (!row)
            break;
        first = rag_q_col(&q, 0) * (int64_t)RAG_NUMS_IDS;
        v = rag_q_str(&q, 1);
        for (size_t i = 0; i < v.len; i += 4) {
            const unsigned char *p = (const unsigned char *)v.ptr + i;
            uint32_t tag = p[0];
            int64_t id = first + (int64_t)(i / 4);
            bool yes;

            /* zeros at the end are not stored */
            for (size_t k = 1; k < 4 && i + k < v.len; k++)
                tag |= (uint32_t)p[k] << (8 * k);
            if (tag != want || !rag_bitmap_get(&s->live, id))
                continue;
            TRY(is_it(&yes, s, id, stable_id, err));
            if (yes) {
                *chunk_id = id;
                goto out;
            }
        }
    }
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_store_chunk_of(int64_t *chunk_id, bool *found, rag_store *s,
                              rag_str stable_id, rag_error *err)
{
    rag_status st;

    *chunk_id = 0;
    *found = false;
    /* the row being filled is in memory only */
    TRY(rag_txn_commit(s, err));
    st = rag_view_begin(s, err);
    if (st != RAG_OK)
        return st;
    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(find_stable(chunk_id, s, stable_id, err));
    *found = *chunk_id != 0;
out:
    rag_view_end(s);
    return st;
}

/* ---- documents ---------------------------------------------------------- */

#define DOC_COLUMNS                                                            \
    "d.id,v.file_id,r.path,f.key,v.type,d.record_id,d.record_line,d.title,"    \
    "d.meta,d.text_bytes,d.n_chunks,d.n_pages,d.has_lines,v.ingested_ns,"      \
    "f.result,f.size_bytes,f.mtime_ns,f.ctime_ns,f.inode,f.device,"            \
    "f.looked_ns,f.sha256,d.first_chunk"

static void read_doc(rag_store_doc *d, rag_q *q)
{
    memset(d, 0, sizeof *d);
    d->id = rag_q_col(q, 0);
    d->file_id = rag_q_col(q, 1);
    d->root_path = rag_q_str(q, 2);
    d->key = rag_q_str(q, 3);
    d->type = rag_q_str(q, 4);
    d->record_id = rag_q_str(q, 5);
    d->record_line = rag_q_u64(q, 6);
    d->title = rag_q_str(q, 7);
    d->meta = rag_q_str(q, 8);
    d->text_bytes = rag_q_u64(q, 9);
    d->n_chunks = rag_q_u64(q, 10);
    d->n_pages = rag_q_u32(q, 11);
    d->has_lines = rag_q_col(q, 12) != 0;
    d->ingested_ns = rag_q_col(q, 13);
    d->result = result_of(rag_q_col(q, 14));
    read_look(&d->look, q, 15);
}

rag_status rag_docs_each(rag_store *s, int64_t file_id, rag_docs_fn fn,
                         void *ctx, rag_error *err)
{
    rag_store_doc d;
    rag_q q = {0};
    bool row;
    rag_status st;

    if (file_id != 0) {
        TRY(rag_q_open(&q, s,
                       "SELECT " DOC_COLUMNS
                       " FROM version v CROSS JOIN file f ON f.id=v.file_id"
                       " CROSS JOIN root r ON r.id=f.root_id"
                       " CROSS JOIN doc d ON d.version_id=v.id"
                       " WHERE v.file_id=?1 ORDER BY d.id",
                       err));
        rag_q_int(&q, file_id);
    } else {
        TRY(rag_q_open(&q, s,
                       "SELECT " DOC_COLUMNS
                       " FROM root r CROSS JOIN file f ON f.root_id=r.id"
                       " CROSS JOIN version v ON v.file_id=f.id"
                       " CROSS JOIN doc d ON d.version_id=v.id"
                       " ORDER BY r.path,f.key,d.id",
                       err));
    }
    for (;;) {
        TRY(rag_q_step(&row, &q, err));
        if (!row)
            break;
        read_doc(&d, &q);
        TRY(fn(ctx, &d, rag_q_col(&q, 22), err));
    }
out:
    rag_q_close(&q);
    return st;
}

typedef struct plain {
    rag_store_doc_fn fn;
    void *ctx;
} plain;

static rag_status call_plain(void *ctx, const rag_store_doc *d,
                             int64_t first_chunk, rag_error *err)
{
    const plain *p = ctx;

    (void)first_chunk;
    return p->fn(p->ctx, d, err);
}

rag_status rag_store_docs(rag_store *s, int64_t file_id, rag_store_doc_fn fn,
                          void *ctx, rag_error *err)
{
    plain p = {fn, ctx};
    rag_status st = rag_view_begin(s, err);

    if (st != RAG_OK)
        return st;
    st = rag_docs_each(s, file_id, call_plain, &p, err);
    rag_view_end(s);
    return st;
}

rag_status rag_store_doc_find(rag_store_doc *out, bool *found, rag_arena *arena,
                              rag_store *s, int64_t file_id, rag_str record_id,
                              rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    *found = false;
    memset(out, 0, sizeof *out);
    TRY(rag_q_open(&q, s,
                   record_id.len != 0
                       ? "SELECT " DOC_COLUMNS
                         " FROM version v JOIN file f ON f.id=v.file_id"
                         " JOIN root r ON r.id=f.root_id"
                         " JOIN doc d ON d.version_id=v.id"
                         " WHERE v.file_id=?1 AND d.record_id=?2"
                         " AND d.record_id<>'' ORDER BY d.id LIMIT 1"
                       : "SELECT " DOC_COLUMNS
                         " FROM version v JOIN file f ON f.id=v.file_id"
                         " JOIN root r ON r.id=f.root_id"
                         " JOIN doc d ON d.version_id=v.id"
                         " WHERE v.file_id=?1 AND d.record_id=''"
                         " ORDER BY d.id LIMIT 1",
                   err));
    rag_q_int(&q, file_id);
    if (record_id.len != 0)
        rag_q_text(&q, record_id);
    TRY(rag_q_step(found, &q, err));
    if (!*found)
        goto out;
    read_doc(out, &q);
    if (!rag_arena_str(arena, &out->root_path, out->root_path) ||
        !rag_arena_str(arena, &out->key, out->key) ||
        !rag_arena_str(arena, &out->type, out->type) ||
        !rag_arena_str(arena, &out->record_id, out->record_id) ||
        !rag_arena_str(arena, &out->title, out->title) ||
        !rag_arena_str(arena, &out->meta, out->meta))
        st = rag_fail_nomem(err);
out:
    rag_q_close(&q);
    return st;
}
