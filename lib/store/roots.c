#include <string.h>

#include "base/mem.h"
#include "store/store_priv.h"

/* ---- roots ----------------------------------------------------------------
 */

rag_status rag_store_roots(rag_store *s, rag_store_root_fn fn, void *ctx,
                           rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st = rag_view_begin(s, err);

    if (st != RAG_OK)
        return st;
    TRY(rag_q_open(
        &q, s, "SELECT id,path,is_dir,settings FROM root ORDER BY path", err));
    for (;;) {
        rag_store_root r;

        TRY(rag_q_step(&row, &q, err));
        if (!row)
            break;
        r.id = rag_q_col(&q, 0);
        r.path = rag_q_str(&q, 1);
        r.is_dir = rag_q_col(&q, 2) != 0;
        r.settings = rag_q_str(&q, 3);
        TRY(fn(ctx, &r, err));
    }
out:
    rag_q_close(&q);
    rag_view_end(s);
    return st;
}

rag_status rag_store_root_put(int64_t *id, rag_store *s, rag_str path,
                              bool is_dir, rag_str settings, rag_error *err)
{
    rag_q q = {0};
    bool row;
    bool same = false;
    rag_status st;

    *id = 0;
    TRY(rag_q_open(&q, s, "SELECT id,is_dir,settings FROM root WHERE path=?1",
                   err));
    rag_q_blob(&q, path);
    TRY(rag_q_step(&row, &q, err));
    if (row) {
        *id = rag_q_col(&q, 0);
        same = (rag_q_col(&q, 1) != 0) == is_dir &&
               rag_str_eq(rag_q_str(&q, 2), settings);
    }
    rag_q_close(&q);
    if (same)
        return RAG_OK;
    TRY(rag_txn_begin(s, err));
    TRY(rag_q_open(&q, s,
                   "INSERT INTO root(path,is_dir,settings) VALUES(?1,?2,?3)"
                   " ON CONFLICT(path) DO UPDATE SET is_dir=?2,settings=?3",
                   err));
    rag_q_blob(&q, path);
    rag_q_int(&q, is_dir);
    rag_q_text(&q, settings);
    TRY(rag_q_run(&q, err));
    if (*id == 0)
        *id = sqlite3_last_insert_rowid(s->db);
out:
    rag_q_close(&q);
    return rag_txn_done(s, st, 64, err);
}

rag_status rag_store_root_drop(rag_store *s, int64_t id, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    TRY(rag_q_open(&q, s, "SELECT 1 FROM file WHERE root_id=?1 LIMIT 1", err));
    rag_q_int(&q, id);
    TRY(rag_q_step(&row, &q, err));
    rag_q_close(&q);
    if (row)
        return rag_fail(err, RAG_E_INVAL,
                        "the root still holds files: it cannot be dropped");
    TRY(rag_txn_begin(s, err));
    TRY(rag_q_open(&q, s, "DELETE FROM root WHERE id=?1", err));
    rag_q_int(&q, id);
    TRY(rag_q_run(&q, err));
out:
    rag_q_close(&q);
    return rag_txn_done(s, st, 64, err);
}

/* ---- files ----------------------------------------------------------------
 */

#define FILE_COLUMNS                                                           \
    "f.id,f.root_id,f.key,f.size_bytes,f.mtime_ns,f.ctime_ns,f.inode,"         \
    "f.device,f.looked_ns,f.sha256,f.result,f.reason,f.fingerprint,f.type,"    \
    "v.id,v.n_docs,v.n_chunks,v.n_chars,v.n_pages,v.n_empty_pages,"            \
    "v.ingested_ns,v.warnings,v.sha256,v.type"                                 \
    " FROM file f LEFT JOIN version v ON v.file_id=f.id "

static void read_file(rag_store_file *f, rag_q *q)
{
    memset(f, 0, sizeof *f);
    f->id = rag_q_col(q, 0);
    f->root_id = rag_q_col(q, 1);
    f->key = rag_q_str(q, 2);
    f->look.size_bytes = rag_q_col(q, 3);
    f->look.mtime_ns = rag_q_col(q, 4);
    f->look.ctime_ns = rag_q_col(q, 5);
    f->look.inode = (uint64_t)rag_q_col(q, 6);
    f->look.device = (uint64_t)rag_q_col(q, 7);
    f->look.looked_ns = rag_q_col(q, 8);
    rag_q_sha256(f->look.sha256, q, 9);
    switch (rag_q_col(q, 10)) {
    case RAG_FILE_OK:
        f->result = RAG_FILE_OK;
        break;
    case RAG_FILE_SKIPPED:
        f->result = RAG_FILE_SKIPPED;
        break;
    default:
        f->result = RAG_FILE_FAILED;
        break;
    }
    f->reason = rag_q_str(q, 11);
    f->fingerprint = rag_q_str(q, 12);
    f->version_id = rag_q_col(q, 14);
    f->type = rag_q_str(q, f->version_id != 0 ? 23 : 13);
    f->n_docs = rag_q_col(q, 15);
    f->n_chunks = rag_q_col(q, 16);
    f->n_chars = rag_q_col(q, 17);
    f->n_pages = rag_q_col(q, 18);
    f->n_empty_pages = rag_q_col(q, 19);
    f->ingested_ns = rag_q_col(q, 20);
    f->warnings = rag_q_str(q, 21);
    rag_q_sha256(f->version_sha256, q, 22);
}

/* The strings of f move into memory that outlives the statement. */
static bool keep(rag_store_file *f, rag_store *s)
{
    rag_arena *a = &s->borrowed;

    rag_arena_dispose(a);
    rag_arena_init(a);
    return rag_arena_str(a, &f->key, f->key) &&
           rag_arena_str(a, &f->reason, f->reason) &&
           rag_arena_str(a, &f->fingerprint, f->fingerprint) &&
           rag_arena_str(a, &f->type, f->type) &&
           rag_arena_str(a, &f->warnings, f->warnings);
}

rag_status rag_store_file_find(rag_store_file *out, bool *found, rag_store *s,
                               int64_t root_id, rag_str key, rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    *found = false;
    TRY(rag_q_open(
        &q, s, "SELECT " FILE_COLUMNS "WHERE f.root_id=?1 AND f.key=?2", err));
    rag_q_int(&q, root_id);
    rag_q_blob(&q, key);
    TRY(rag_q_step(found, &q, err));
    if (*found) {
        read_file(out, &q);
        if (!keep(out, s))
            st = rag_fail_nomem(err);
    }
out:
    rag_q_close(&q);
    return st;
}

static rag_status each_file(rag_q *q, rag_store_file_fn fn, void *ctx,
                            rag_error *err)
{
    rag_store_file f;
    bool row;
    rag_status st;

    for (;;) {
        TRY(rag_q_step(&row, q, err));
        if (!row)
            break;
        read_file(&f, q);
        TRY(fn(ctx, &f, err));
    }
out:
    return st;
}

rag_status rag_store_files(rag_store *s, int64_t root_id, rag_store_file_fn fn,
                           void *ctx, rag_error *err)
{
    rag_q q = {0};
    rag_status st = rag_view_begin(s, err);

    if (st != RAG_OK)
        return st;
    if (root_id != 0) {
        TRY(rag_q_open(&q, s,
                       "SELECT " FILE_COLUMNS "WHERE f.root_id=?1"
                       " ORDER BY f.key",
                       err));
        rag_q_int(&q, root_id);
    } else {
        TRY(rag_q_open(&q, s, "SELECT " FILE_COLUMNS "ORDER BY f.root_id,f.key",
                       err));
    }
    TRY(each_file(&q, fn, ctx, err));
out:
    rag_q_close(&q);
    rag_view_end(s);
    return st;
}

/* ---- the file row and the counters that follow it ---------------------------
 */

rag_status rag_file_row_of(rag_file_row *out, rag_store *s, int64_t root_id,
                           rag_str key, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    memset(out, 0, sizeof *out);
    TRY(rag_q_open(&q, s,
                   "SELECT f.id,f.result,v.id FROM file f LEFT JOIN version v"
                   " ON v.file_id=f.id WHERE f.root_id=?1 AND f.key=?2",
                   err));
    rag_q_int(&q, root_id);
    rag_q_blob(&q, key);
    TRY(rag_q_step(&row, &q, err));
    if (row) {
        out->id = rag_q_col(&q, 0);
        out->result = rag_q_col(&q, 1);
        out->version_id = rag_q_col(&q, 2);
    }
out:
    rag_q_close(&q);
    return st;
}

void rag_file_row_count(rag_store *s, const rag_file_row *f, int64_t by)
{
    if (f->id == 0)
        return;
    s->state.n_files += f->version_id != 0 ? by : 0;
    s->state.n_failed += f->result == RAG_FILE_FAILED ? by : 0;
    s->state.n_skipped += f->result == RAG_FILE_SKIPPED ? by : 0;
    s->state.n_stale +=
        f->result == RAG_FILE_FAILED && f->version_id != 0 ? by : 0;
    s->state_dirty = true;
}

static void bind_sha256(rag_q *q, const uint8_t sha[RAG_SHA256_BYTES])
{
    static const uint8_t zero[RAG_SHA256_BYTES];

    if (memcmp(sha, zero, sizeof zero) == 0)
        rag_q_null(q);
    else
        rag_q_blob(q, rag_str_n((const char *)sha, RAG_SHA256_BYTES));
}

rag_status rag_file_row_put(rag_file_row *f, rag_store *s, int64_t root_id,
                            rag_str key, const rag_store_file *info,
                            rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    rag_file_row_count(s, f, -1);
    TRY(rag_q_open(&q, s,
                   f->id != 0
                       ? "UPDATE file SET root_id=?1,key=?2,size_bytes=?3,"
                         "mtime_ns=?4,ctime_ns=?5,inode=?6,device=?7,"
                         "looked_ns=?8,sha256=?9,result=?10,reason=?11,"
                         "fingerprint=?12,type=?13 WHERE id=?14"
                       : "INSERT INTO file(root_id,key,size_bytes,mtime_ns,"
                         "ctime_ns,inode,device,looked_ns,sha256,result,"
                         "reason,fingerprint,type)"
                         " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
                   err));
    rag_q_int(&q, root_id);
    rag_q_blob(&q, key);
    rag_q_int(&q, info->look.size_bytes);
    rag_q_int(&q, info->look.mtime_ns);
    rag_q_int(&q, info->look.ctime_ns);
    rag_q_int(&q, (int64_t)info->look.inode);
    rag_q_int(&q, (int64_t)info->look.device);
    rag_q_int(&q, info->look.looked_ns);
    bind_sha256(&q, info->look.sha256);
    rag_q_int(&q, info->result);
    rag_q_text(&q, info->reason);
    rag_q_text(&q, info->fingerprint);
    rag_q_text(&q, info->type);
    if (f->id != 0)
        rag_q_int(&q, f->id);
    TRY(rag_q_run(&q, err));
    if (f->id == 0)
        f->id = sqlite3_last_insert_rowid(s->db);
    f->result = info->result;
    rag_file_row_count(s, f, 1);
out:
    rag_q_close(&q);
    return st;
}

/* ---- changes of files --------------------------------------------------- */

rag_status rag_store_file_note(rag_store *s, int64_t root_id, rag_str key,
                               const rag_store_file *info, rag_error *err)
{
    rag_file_row f;
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(rag_file_row_of(&f, s, root_id, key, err));
    TRY(rag_file_row_put(&f, s, root_id, key, info, err));
out:
    return rag_txn_done(s, st, 256, err);
}

static rag_status row_by_id(rag_file_row *out, rag_store *s, int64_t file_id,
                            rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    memset(out, 0, sizeof *out);
    TRY(rag_q_open(&q, s,
                   "SELECT f.id,f.result,v.id FROM file f LEFT JOIN version v"
                   " ON v.file_id=f.id WHERE f.id=?1",
                   err));
    rag_q_int(&q, file_id);
    TRY(rag_q_step(&row, &q, err));
    if (row) {
        out->id = rag_q_col(&q, 0);
        out->result = rag_q_col(&q, 1);
        out->version_id = rag_q_col(&q, 2);
    } else {
        st = rag_fail(err, RAG_E_NOTFOUND, "no such file in the store");
    }
out:
    rag_q_close(&q);
    return st;
}

static rag_status remove_row(rag_store *s, const rag_file_row *f,
                             rag_error *err)
{
    rag_q q = {0};
    rag_status st = RAG_OK;

    rag_file_row_count(s, f, -1);
    if (f->version_id != 0)
        TRY(rag_version_retire(s, f->version_id, err));
    TRY(rag_q_open(&q, s, "DELETE FROM file WHERE id=?1", err));
    rag_q_int(&q, f->id);
    TRY(rag_q_run(&q, err));
    s->state.generation++;
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_store_file_remove(rag_store *s, int64_t file_id, rag_error *err)
{
    rag_file_row f;
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(row_by_id(&f, s, file_id, err));
    TRY(remove_row(s, &f, err));
out:
    return rag_txn_done(s, st, 256, err);
}

rag_status rag_store_file_move(rag_store *s, int64_t file_id, int64_t root_id,
                               rag_str key, rag_error *err)
{
    rag_file_row f;
    rag_file_row there;
    rag_q q = {0};
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(row_by_id(&f, s, file_id, err));
    TRY(rag_file_row_of(&there, s, root_id, key, err));
    if (there.id != 0 && there.id != f.id)
        TRY(remove_row(s, &there, err)); /* what moves here replaces it */
    TRY(rag_q_open(&q, s, "UPDATE file SET root_id=?1,key=?2 WHERE id=?3",
                   err));
    rag_q_int(&q, root_id);
    rag_q_blob(&q, key);
    rag_q_int(&q, file_id);
    TRY(rag_q_run(&q, err));
    s->state.generation++;
    s->state_dirty = true;
out:
    rag_q_close(&q);
    return rag_txn_done(s, st, 256, err);
}
