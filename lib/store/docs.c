#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "store/store_priv.h"

/* states of a version */
#define PENDING 0
#define VISIBLE 1
#define DEAD 2

/* what a row costs besides its text, for the size of a transaction */
#define ROW_BYTES 64

/* ---- a new version --------------------------------------------------------
 */

rag_status rag_store_version_begin(int64_t *version_id, rag_store *s,
                                   int64_t root_id, rag_str key, rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    *version_id = 0;
    TRY(rag_txn_begin(s, err));
    TRY(rag_q_open(
        &q, s, "INSERT INTO version(state,root_id,key) VALUES(0,?1,?2)", err));
    rag_q_int(&q, root_id);
    rag_q_blob(&q, key);
    TRY(rag_q_run(&q, err));
    *version_id = sqlite3_last_insert_rowid(s->db);
out:
    rag_q_close(&q);
    return rag_txn_done(s, st, ROW_BYTES, err);
}

typedef struct version_row {
    int64_t root_id;
    rag_str key; /* borrowed from the statement */
    int64_t state;
    int64_t n_docs;
    int64_t n_chunks;
    int64_t text_bytes;
} version_row;

static rag_status version_find(version_row *out, rag_q *q, rag_store *s,
                               int64_t version_id, rag_error *err)
{
    bool row;
    rag_status st;

    TRY(rag_q_open(q, s,
                   "SELECT root_id,key,state,n_docs,n_chunks,text_bytes"
                   " FROM version WHERE id=?1",
                   err));
    rag_q_int(q, version_id);
    TRY(rag_q_step(&row, q, err));
    if (!row)
        return rag_fail(err, RAG_E_NOTFOUND, "no such version in the store");
    out->root_id = rag_q_col(q, 0);
    out->key = rag_q_str(q, 1);
    out->state = rag_q_col(q, 2);
    out->n_docs = rag_q_col(q, 3);
    out->n_chunks = rag_q_col(q, 4);
    out->text_bytes = rag_q_col(q, 5);
out:
    return st;
}

/* ---- a document -----------------------------------------------------------
 */

static bool span_ok(uint64_t start, uint64_t end, size_t len)
{
    return start <= end && end <= len;
}

static rag_status check_doc(const rag_store *s, const rag_store_doc_in *d,
                            rag_error *err)
{
    const size_t max_rows = (size_t)1 << RAG_DOC_SHIFT;
    size_t len = d->text.len;

    if (len / (RAG_PIECE_BYTES - 3) >= max_rows || d->n_sections >= max_rows ||
        d->n_chunks >= (size_t)(RAG_MAX_CHUNK_ID - s->state.next_chunk))
        return rag_fail(err, RAG_E_LIMIT, "the document is too large to store");
    for (size_t i = 0; i < d->n_pages; i++)
        if (d->page_starts[i] > len)
            return rag_fail(err, RAG_E_INVAL, "a page lies outside the text");
    for (size_t i = 0; i < d->n_sections; i++) {
        const rag_store_section *x = &d->sections[i];

        if (!span_ok(x->start, x->end, len) ||
            (x->parent != UINT32_MAX && x->parent >= i))
            return rag_fail(err, RAG_E_INVAL,
                            "a section lies outside the text or its parent");
    }
    for (size_t i = 0; i < d->n_chunks; i++) {
        const rag_store_chunk_in *c = &d->chunks[i];

        if (!span_ok(c->start, c->end, len) ||
            !span_ok(c->context_start, c->context_end, len) ||
            (c->section != UINT32_MAX && c->section >= d->n_sections) ||
            memchr(c->stable_id, 0, sizeof c->stable_id) == NULL)
            return rag_fail(err, RAG_E_INVAL, "a chunk lies outside the text");
    }
    return RAG_OK;
}

static rag_status add_doc_row(int64_t *doc_id, rag_store *s, int64_t version_id,
                              const rag_store_doc_in *d, rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    TRY(rag_q_open(&q, s,
                   "INSERT INTO doc(version_id,first_chunk,n_chunks,"
                   "text_bytes,record_line,has_lines,n_pages,n_sections,"
                   "record_id,title,meta,page_starts)"
                   " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
                   err));
    rag_q_int(&q, version_id);
    rag_q_int(&q, s->state.next_chunk);
    rag_q_int(&q, (int64_t)d->n_chunks);
    rag_q_int(&q, (int64_t)d->text.len);
    rag_q_int(&q, (int64_t)d->record_line);
    rag_q_int(&q, d->has_lines);
    rag_q_int(&q, (int64_t)d->n_pages);
    rag_q_int(&q, (int64_t)d->n_sections);
    rag_q_text(&q, d->record_id);
    rag_q_text(&q, d->title);
    rag_q_text(&q, d->meta);
    rag_q_blob(&q, rag_str_n((const char *)d->page_starts,
                             d->n_pages * sizeof *d->page_starts));
    TRY(rag_q_run(&q, err));
    *doc_id = sqlite3_last_insert_rowid(s->db);
    if (*doc_id >= (int64_t)1 << (62 - RAG_DOC_SHIFT))
        st = rag_fail(err, RAG_E_LIMIT, "the store holds too many documents");
out:
    rag_q_close(&q);
    return st;
}

/* A piece is at most 3 bytes shorter than RAG_PIECE_BYTES, so that the piece of
 * an offset is found without an index. */
static size_t piece_end(rag_str text, size_t start)
{
    size_t end;

    if (text.len - start <= RAG_PIECE_BYTES)
        return text.len;
    end = rag_utf8_floor(text, start + RAG_PIECE_BYTES);
    return end + 3 >= start + RAG_PIECE_BYTES ? end : start + RAG_PIECE_BYTES;
}

static rag_status add_pieces(rag_store *s, int64_t doc_id, rag_str text,
                             rag_error *err)
{
    int64_t id = doc_id << RAG_DOC_SHIFT;
    size_t start = 0;
    rag_q q = {0};
    rag_status st = RAG_OK;

    while (start < text.len) {
        size_t end = piece_end(text, start);

        TRY(rag_txn_begin(s, err));
        TRY(rag_q_open(
            &q, s, "INSERT INTO piece(id,start,body) VALUES(?1,?2,?3)", err));
        rag_q_int(&q, id++);
        rag_q_int(&q, (int64_t)start);
        rag_q_blob(&q, rag_str_cut(text, start, end));
        TRY(rag_q_run(&q, err));
        TRY(rag_txn_done(s, RAG_OK, end - start, err));
        start = end;
    }
out:
    rag_q_close(&q);
    return st;
}

static rag_status add_sections(rag_store *s, int64_t doc_id,
                               const rag_store_doc_in *d, rag_error *err)
{
    rag_q q = {0};
    rag_status st = RAG_OK;

    for (size_t i = 0; i < d->n_sections; i++) {
        const rag_store_section *x = &d->sections[i];

        TRY(rag_txn_begin(s, err));
        TRY(rag_q_open(&q, s,
                       "INSERT INTO section(id,parent,level,start,\"end\","
                       "heading) VALUES(?1,?2,?3,?4,?5,?6)",
                       err));
        rag_q_int(&q, (doc_id << RAG_DOC_SHIFT) + (int64_t)i);
        rag_q_int(&q, x->parent == UINT32_MAX ? -1 : (int64_t)x->parent);
        rag_q_int(&q, x->level);
        rag_q_int(&q, (int64_t)x->start);
        rag_q_int(&q, (int64_t)x->end);
        rag_q_text(&q, x->heading);
        TRY(rag_q_run(&q, err));
        TRY(rag_txn_done(s, RAG_OK, x->heading.len + ROW_BYTES, err));
    }
out:
    rag_q_close(&q);
    return st;
}

static rag_status add_chunk(rag_store *s, int64_t id, int64_t doc_id,
                            const rag_store_chunk_in *c, rag_error *err)
{
    size_t id_len = strlen(c->stable_id);
    uint32_t tag = (uint32_t)rag_hash_fast(c->stable_id, id_len);
    rag_q q = {0};
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(rag_q_open(&q, s,
                   "INSERT INTO chunk(id,doc_id,start,\"end\",context_start,"
                   "context_end,line,line_end,page,page_end,section,n_tokens,"
                   "stable_id)"
                   " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
                   err));
    rag_q_int(&q, id);
    rag_q_int(&q, doc_id);
    rag_q_int(&q, (int64_t)c->start);
    rag_q_int(&q, (int64_t)c->end);
    rag_q_int(&q, (int64_t)c->context_start);
    rag_q_int(&q, (int64_t)c->context_end);
    rag_q_int(&q, (int64_t)c->line);
    rag_q_int(&q, (int64_t)c->line_end);
    rag_q_int(&q, c->page);
    rag_q_int(&q, c->page_end);
    rag_q_int(&q, c->section == UINT32_MAX ? -1 : (int64_t)c->section);
    rag_q_int(&q, c->n_tokens);
    rag_q_text(&q, rag_str_n(c->stable_id, id_len));
    TRY(rag_q_run(&q, err));
    TRY(rag_nums_set(&s->stable, s, id, tag, err));
    TRY(rag_lex_ready(s, err));
    TRY(rag_lex_add(s->lex, id, c->heading, c->body, err));
    TRY(rag_txn_done(s, RAG_OK, ROW_BYTES, err));
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_store_doc_add(rag_store *s, int64_t version_id,
                             const rag_store_doc_in *doc, rag_error *err)
{
    version_row v;
    int64_t doc_id;
    int64_t first;
    rag_q q = {0};
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(version_find(&v, &q, s, version_id, err));
    rag_q_close(&q);
    if (v.state != PENDING)
        return rag_fail(err, RAG_E_INVAL, "the version is not pending");
    TRY(check_doc(s, doc, err));
    TRY(add_doc_row(&doc_id, s, version_id, doc, err));
    /* the ids are taken in the transaction that holds the row: the parts may
     * be written over several */
    first = s->state.next_chunk;
    s->state.next_chunk += (int64_t)doc->n_chunks;
    s->state_dirty = true;
    TRY(add_pieces(s, doc_id, doc->text, err));
    TRY(add_sections(s, doc_id, doc, err));
    for (size_t i = 0; i < doc->n_chunks; i++) {
        rag_store_chunk_in c = doc->chunks[i];

        if (c.body.len == 0 && doc->render_body != NULL)
            TRY(doc->render_body(doc->render_ctx, &c.body, &c, err));
        TRY(add_chunk(s, first + (int64_t)i, doc_id, &c, err));
    }
out:
    rag_q_close(&q);
    return rag_txn_done(s, st, ROW_BYTES, err);
}

/* ---- becoming visible and invisible -----------------------------------------
 */

/* Sets the live bits of all chunks of a version and adds up its documents. */
static rag_status flip(version_row *sum, rag_store *s, int64_t version_id,
                       bool on, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    memset(sum, 0, sizeof *sum);
    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(rag_q_open(&q, s,
                   "SELECT first_chunk,n_chunks,text_bytes FROM doc"
                   " WHERE version_id=?1",
                   err));
    rag_q_int(&q, version_id);
    for (;;) {
        int64_t first;
        int64_t n;

        TRY(rag_q_step(&row, &q, err));
        if (!row)
            break;
        first = rag_q_col(&q, 0);
        n = rag_q_col(&q, 1);
        if (first < 1 || n < 0 || first > s->state.next_chunk ||
            n > s->state.next_chunk - first) {
            st = rag_db_corrupt(s, "a document's chunks make no sense", err);
            goto out;
        }
        TRY(rag_bitmap_set(&s->live, first, n, on, err));
        sum->n_docs++;
        sum->n_chunks += n;
        sum->text_bytes += rag_q_col(&q, 2);
    }
out:
    rag_q_close(&q);
    return st;
}

static void count_version(rag_store *s, const version_row *v, int64_t by)
{
    s->state.n_docs += by * v->n_docs;
    s->state.n_chunks += by * v->n_chunks;
    s->state.text_bytes += by * v->text_bytes;
    s->state_dirty = true;
}

static rag_status set_state(rag_store *s, int64_t version_id, int64_t state,
                            rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    TRY(rag_q_open(
        &q, s, "UPDATE version SET state=?2,file_id=NULL WHERE id=?1", err));
    rag_q_int(&q, version_id);
    rag_q_int(&q, state);
    TRY(rag_q_run(&q, err));
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_version_retire(rag_store *s, int64_t version_id, rag_error *err)
{
    version_row sum;
    rag_status st;

    TRY(flip(&sum, s, version_id, false, err));
    count_version(s, &sum, -1);
    TRY(set_state(s, version_id, DEAD, err));
out:
    return st;
}

static rag_status make_visible(rag_store *s, int64_t version_id,
                               int64_t file_id, const version_row *sum,
                               const rag_store_file *info, rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    TRY(rag_q_open(&q, s,
                   "UPDATE version SET state=1,file_id=?2,type=?3,n_docs=?4,"
                   "n_chunks=?5,n_chars=?6,n_pages=?7,n_empty_pages=?8,"
                   "text_bytes=?9,ingested_ns=?10,sha256=?11,warnings=?12"
                   " WHERE id=?1",
                   err));
    rag_q_int(&q, version_id);
    rag_q_int(&q, file_id);
    rag_q_text(&q, info->type);
    rag_q_int(&q, sum->n_docs);
    rag_q_int(&q, sum->n_chunks);
    rag_q_int(&q, info->n_chars);
    rag_q_int(&q, info->n_pages);
    rag_q_int(&q, info->n_empty_pages);
    rag_q_int(&q, sum->text_bytes);
    rag_q_int(&q, info->ingested_ns);
    rag_q_blob(&q,
               rag_str_n((const char *)info->look.sha256, RAG_SHA256_BYTES));
    rag_q_text(&q, info->warnings);
    TRY(rag_q_run(&q, err));
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_store_version_publish(rag_store *s, int64_t version_id,
                                     const rag_store_file *info, rag_error *err)
{
    rag_file_row f;
    version_row v;
    version_row sum;
    rag_q q = {0};
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(version_find(&v, &q, s, version_id, err));
    if (v.state != PENDING) {
        st = rag_fail(err, RAG_E_INVAL, "the version is not pending");
        goto out;
    }
    TRY(rag_file_row_of(&f, s, v.root_id, v.key, err));
    TRY(rag_file_row_put(&f, s, v.root_id, v.key, info, err));
    rag_file_row_count(s, &f, -1);
    if (f.version_id != 0)
        TRY(rag_version_retire(s, f.version_id, err));
    TRY(flip(&sum, s, version_id, true, err));
    TRY(make_visible(s, version_id, f.id, &sum, info, err));
    count_version(s, &sum, 1);
    f.version_id = version_id;
    rag_file_row_count(s, &f, 1);
    s->state.generation++;
out:
    rag_q_close(&q);
    return rag_txn_done(s, st, 4 * ROW_BYTES, err);
}

rag_status rag_store_version_drop(rag_store *s, int64_t version_id,
                                  rag_error *err)
{
    version_row v;
    rag_q q = {0};
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(version_find(&v, &q, s, version_id, err));
    rag_q_close(&q);
    if (v.state != PENDING)
        return rag_fail(err, RAG_E_INVAL, "the version is not pending");
    TRY(set_state(s, version_id, DEAD, err));
out:
    rag_q_close(&q);
    return rag_txn_done(s, st, ROW_BYTES, err);
}
