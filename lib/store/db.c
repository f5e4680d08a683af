#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "store/store_priv.h"

/* a gathered transaction is committed when it is this old or this large: one
 * fsync (5 ms) is then no bottleneck, and a crash costs little */
#define TXN_MS 200
#define TXN_BYTES ((size_t)8 << 20)
/* words gathered in memory for one segment */
#define TXN_WORD_BYTES ((size_t)16 << 20)
/* segments of words written by this run before they are merged */
#define MANY_SEGMENTS 16

uint64_t rag_now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

bool rag_cancelled(const rag_store *s)
{
    return s->opts.cancelled != NULL && s->opts.cancelled(s->opts.cancel_ctx);
}

rag_status rag_fail_cancelled(rag_error *err)
{
    return rag_fail(err, RAG_E_CANCELLED, "interrupted");
}

/* ---- errors ---------------------------------------------------------------
 */

static rag_status fail_full(const rag_store *s, rag_error *err)
{
    return rag_fail(err, RAG_E_IO,
                    "no space left for the store %s: free some and run again "
                    "(what was committed is safe)",
                    s->dir);
}

static rag_status fail_io(rag_store *s, int ext, rag_error *err)
{
    int sys = s->db != NULL ? sqlite3_system_errno(s->db) : 0;

    /* SQLite keeps no errno when -shm cannot be made longer */
    if (sys == ENOSPC || sys == EDQUOT || sys == EFBIG ||
        ext == SQLITE_IOERR_SHMSIZE)
        return fail_full(s, err);
    if (sys == EACCES || sys == EPERM || sys == EROFS)
        return rag_fail(err, RAG_E_IO, "no permission for the store %s: %s",
                        s->dir, strerror(sys));
    return rag_fail(err, RAG_E_IO,
                    "the disk of the store %s is full or failed: %s", s->dir,
                    sys != 0 ? strerror(sys) : sqlite3_errmsg(s->db));
}

static rag_status fail_open(rag_store *s, rag_error *err)
{
    return rag_fail(err, RAG_E_IO,
                    "cannot open the store %s: no permission, or its -wal and "
                    "-shm files are missing (a command of its owner makes "
                    "them)",
                    s->dir);
}

rag_status rag_db_fail(rag_store *s, int rc, rag_error *err)
{
    int ext = s->db != NULL ? sqlite3_extended_errcode(s->db) : rc;

    if ((ext & 0xff) != (rc & 0xff))
        ext = rc;
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return rag_fail_nomem(err);
    case SQLITE_FULL:
        return fail_full(s, err);
    case SQLITE_IOERR:
        if (ext == SQLITE_IOERR_NOMEM)
            return rag_fail_nomem(err);
        /* a file cut short: pages that the header promises are not there */
        if (ext == SQLITE_IOERR_SHORT_READ || ext == SQLITE_IOERR_CORRUPTFS)
            return rag_db_corrupt(s, "the file is cut short", err);
        return fail_io(s, ext, err);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return fail_open(s, err);
    case SQLITE_READONLY:
        return rag_fail(err, RAG_E_IO,
                        "no permission to write the store %s: %s", s->dir,
                        sqlite3_errmsg(s->db));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return rag_db_corrupt(s, sqlite3_errmsg(s->db), err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return rag_fail(err, RAG_E_BUSY,
                        "the store %s is busy: another program holds its "
                        "database; try again",
                        s->dir);
    case SQLITE_INTERRUPT:
        return rag_fail_cancelled(err);
    case SQLITE_TOOBIG:
        return rag_fail(err, RAG_E_LIMIT,
                        "a value is too large for the store %s", s->dir);
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_SCHEMA:
        /* every statement is a constant: a missing table or column means that
         * the tables are not those that this program made */
        return rag_db_corrupt(s, sqlite3_errmsg(s->db), err);
    default:
        return rag_fail(err, RAG_E_DB, "the store %s: %s (SQLite code %d)",
                        s->dir, s->db != NULL ? sqlite3_errmsg(s->db) : "?",
                        ext);
    }
}

rag_status rag_db_corrupt(const rag_store *s, const char *what, rag_error *err)
{
    return rag_fail(err, RAG_E_CORRUPT,
                    "the store %s is damaged: %s; see `rag doctor`", s->dir,
                    what);
}

rag_status rag_db_exec(rag_store *s, const char *sql, rag_error *err)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? RAG_OK : rag_db_fail(s, rc, err);
}

/* ---- statements --------------------------------------------------------- */

static rag_status prepare(sqlite3_stmt **out, rag_store *s, const char *sql,
                          unsigned flags, rag_error *err)
{
    int rc = sqlite3_prepare_v3(s->db, sql, -1, flags, out, NULL);

    return rc == SQLITE_OK ? RAG_OK : rag_db_fail(s, rc, err);
}

rag_status rag_q_open(rag_q *q, rag_store *s, const char *sql, rag_error *err)
{
    rag_status st;
    size_t i;

    memset(q, 0, sizeof *q);
    q->s = s;
    for (i = 0; i < s->n_stmts && s->stmts[i].sql != sql; i++)
        ;
    if (i < s->n_stmts && sqlite3_stmt_busy(s->stmts[i].st) == 0) {
        q->st = s->stmts[i].st;
        return RAG_OK;
    }
    /* a callback asks the same thing while it is being answered, or the
     * table is full: one for this call */
    q->temporary = i < s->n_stmts || i == RAG_MAX_STMTS;
    st = prepare(&q->st, s, sql, q->temporary ? 0 : SQLITE_PREPARE_PERSISTENT,
                 err);
    if (st != RAG_OK) {
        q->st = NULL;
        return st;
    }
    if (!q->temporary) {
        s->stmts[i].sql = sql;
        s->stmts[i].st = q->st;
        s->n_stmts++;
    }
    return RAG_OK;
}

static void bound(rag_q *q, int rc)
{
    if (rc != SQLITE_OK && q->rc == SQLITE_OK)
        q->rc = rc;
}

void rag_q_int(rag_q *q, int64_t v)
{
    bound(q, sqlite3_bind_int64(q->st, ++q->n, v));
}

void rag_q_null(rag_q *q)
{
    bound(q, sqlite3_bind_null(q->st, ++q->n));
}

void rag_q_text(rag_q *q, rag_str v)
{
    bound(q, sqlite3_bind_text64(q->st, ++q->n, v.ptr != NULL ? v.ptr : "",
                                 v.len, SQLITE_STATIC, SQLITE_UTF8));
}

void rag_q_blob(rag_q *q, rag_str v)
{
    bound(q, sqlite3_bind_blob64(q->st, ++q->n, v.ptr != NULL ? v.ptr : "",
                                 v.len, SQLITE_STATIC));
}

rag_status rag_q_step(bool *row, rag_q *q, rag_error *err)
{
    int rc = q->rc != SQLITE_OK ? q->rc : sqlite3_step(q->st);

    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        return RAG_OK;
    return rag_db_fail(q->s, rc, err);
}

void rag_q_again(rag_q *q)
{
    if (q->st != NULL)
        (void)sqlite3_reset(q->st);
    q->n = 0;
    q->rc = SQLITE_OK;
}

void rag_q_close(rag_q *q)
{
    if (q->st == NULL)
        return;
    if (q->temporary) {
        (void)sqlite3_finalize(q->st);
    } else {
        (void)sqlite3_reset(q->st);
        (void)sqlite3_clear_bindings(q->st);
    }
    q->st = NULL;
}

rag_status rag_q_run(rag_q *q, rag_error *err)
{
    bool row = true;
    rag_status st = RAG_OK;

    while (row && st == RAG_OK)
        st = rag_q_step(&row, q, err);
    rag_q_close(q);
    return st;
}

int64_t rag_q_col(rag_q *q, int i)
{
    return sqlite3_column_int64(q->st, i);
}

uint64_t rag_q_u64(rag_q *q, int i)
{
    int64_t v = sqlite3_column_int64(q->st, i);

    return v < 0 ? 0 : (uint64_t)v;
}

uint32_t rag_q_u32(rag_q *q, int i)
{
    int64_t v = sqlite3_column_int64(q->st, i);

    return v < 0 || v > (int64_t)UINT32_MAX ? 0 : (uint32_t)v;
}

rag_str rag_q_str(rag_q *q, int i)
{
    const void *p = sqlite3_column_blob(q->st, i);
    int n = sqlite3_column_bytes(q->st, i);

    return rag_str_n(p, p == NULL || n < 0 ? 0 : (size_t)n);
}

void rag_q_sha256(uint8_t out[RAG_SHA256_BYTES], rag_q *q, int i)
{
    rag_str v = rag_q_str(q, i);

    memset(out, 0, RAG_SHA256_BYTES);
    if (v.len == RAG_SHA256_BYTES)
        memcpy(out, v.ptr, RAG_SHA256_BYTES);
}

/* ---- the gathered transaction ----------------------------------------------
 */

rag_status rag_txn_begin(rag_store *s, rag_error *err)
{
    rag_status st = RAG_OK;

    if (!s->opts.write)
        return rag_fail(err, RAG_E_INVAL,
                        "the store %s was opened for reading only", s->dir);
    if (s->read_depth != 0)
        return rag_fail(err, RAG_E_INVAL, "writing inside a reading call");
    if (s->in_txn)
        return RAG_OK;
    TRY(rag_db_exec(s, "BEGIN IMMEDIATE", err));
    s->in_txn = true;
    s->began_ms = rag_now_ms();
    s->gathered_bytes = 0;
    s->changes_at_begin = sqlite3_total_changes64(s->db);
    if (!s->state_loaded) {
        st = rag_state_load(s, err);
        if (st != RAG_OK)
            rag_txn_abort(s);
    }
    if (st == RAG_OK && s->first_of_run == 0)
        s->first_of_run = s->state.next_chunk;
out:
    return st;
}

static rag_status save_caches(rag_store *s, rag_error *err)
{
    rag_status st;

    if (s->lex != NULL && rag_lex_pending_bytes(s->lex) != 0) {
        TRY(rag_lex_flush(s->lex, err));
        s->n_segments++;
    }
    TRY(rag_bitmap_save(&s->live, s, err));
    TRY(rag_bitmap_save(&s->indexed, s, err));
    TRY(rag_nums_save(&s->stable, s, err));
    for (size_t i = 0; i < 2; i++) {
        TRY(rag_bitmap_save(&s->spaces[i].embedded, s, err));
        TRY(rag_nums_save(&s->spaces[i].vectors, s, err));
    }
    if (s->state_dirty ||
        sqlite3_total_changes64(s->db) != s->changes_at_begin) {
        s->state.change++;
        TRY(rag_state_save(s, err));
        s->wrote = true;
    }
out:
    return st;
}

static rag_status commit(rag_store *s, rag_error *err)
{
    rag_status st;

    TRY(save_caches(s, err));
    TRY(rag_db_exec(s, "COMMIT", err));
    s->in_txn = false;
out:
    if (st != RAG_OK)
        rag_txn_abort(s);
    return st;
}

/* Every commit with words makes a small segment; in a long run they are merged
 * as they become many, in transactions of their own. */
static rag_status merge_some(rag_store *s, rag_error *err)
{
    bool more = true;
    rag_bits keep;
    uint8_t *bits = NULL;
    rag_status st = RAG_OK;

    s->n_segments = 0;
    while (more && !rag_cancelled(s)) {
        TRY(rag_txn_begin(s, err));
        TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
        /* besides the visible ones those of versions not yet published: all
         * of them are of this run */
        keep.n_bytes = (size_t)s->state.next_chunk / 8 + 1;
        keep.n_set = 0;
        keep.bits = bits = rag_calloc(keep.n_bytes, 1);
        if (bits == NULL) {
            st = rag_fail_nomem(err);
            goto out;
        }
        if (s->live.n_bytes != 0)
            memcpy(bits, s->live.bits,
                   s->live.n_bytes < keep.n_bytes ? s->live.n_bytes
                                                  : keep.n_bytes);
        for (int64_t id = s->first_of_run; id < s->state.next_chunk; id++)
            bits[id / 8] |= (uint8_t)(1u << ((unsigned)id % 8u));
        TRY(rag_lex_merge(&more, s->lex, &keep, false, err));
        TRY(commit(s, err));
        rag_free(bits);
        bits = NULL;
    }
out:
    rag_free(bits);
    if (st != RAG_OK)
        rag_txn_abort(s);
    return st;
}

rag_status rag_txn_commit(rag_store *s, rag_error *err)
{
    rag_status st;

    if (!s->in_txn)
        return RAG_OK;
    TRY(commit(s, err));
    if (s->n_segments >= MANY_SEGMENTS && s->read_depth == 0)
        TRY(merge_some(s, err));
out:
    return st;
}

void rag_txn_abort(rag_store *s)
{
    if (!s->in_txn)
        return;
    /* SQLite may have rolled back by itself (full disk): then this fails */
    if (sqlite3_get_autocommit(s->db) == 0)
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    s->in_txn = false;
    if (s->lex != NULL)
        rag_lex_forget(s->lex);
    rag_cache_drop(s);
}

rag_status rag_txn_done(rag_store *s, rag_status st, size_t bytes,
                        rag_error *err)
{
    if (st == RAG_E_INVAL || st == RAG_E_NOTFOUND)
        return st; /* seen before anything was written */
    if (st != RAG_OK) {
        rag_txn_abort(s);
        return st;
    }
    s->gathered_bytes += bytes;
    if (!s->in_txn)
        return RAG_OK;
    if (s->gathered_bytes < TXN_BYTES && rag_now_ms() - s->began_ms < TXN_MS &&
        (s->lex == NULL || rag_lex_pending_bytes(s->lex) < TXN_WORD_BYTES))
        return RAG_OK;
    return rag_txn_commit(s, err);
}

/* ---- one view for a reading call --------------------------------------------
 */

/* Forgets what was kept of the database's content. */
void rag_cache_drop(rag_store *s)
{
    s->state_loaded = false;
    s->state_dirty = false;
    rag_bitmap_drop(&s->live);
    rag_bitmap_drop(&s->indexed);
    rag_nums_drop(&s->stable);
    rag_spaces_drop(s);
}

/* Did another process commit since the caches were filled? */
static rag_status catch_up(rag_store *s, rag_error *err)
{
    int64_t before = s->state.change;
    bool had = s->state_loaded;
    rag_status st;

    TRY(rag_state_load(s, err));
    if (had && s->state.change == before)
        return RAG_OK;
    rag_bitmap_drop(&s->live);
    rag_bitmap_drop(&s->indexed);
    rag_nums_drop(&s->stable);
    rag_spaces_drop(s);
    rag_lex_free(s->lex); /* it may know segments that are gone */
    s->lex = NULL;
out:
    return st;
}

rag_status rag_view_begin(rag_store *s, rag_error *err)
{
    rag_status st;

    if (s->read_depth++ != 0)
        return RAG_OK;
    if (s->opts.write) {
        /* nobody else writes: the caches are right as they are */
        st = s->state_loaded ? RAG_OK : rag_state_load(s, err);
        if (st != RAG_OK)
            s->read_depth = 0;
        return st;
    }
    /* an end that had no memory for its COMMIT left the old view open */
    if (sqlite3_get_autocommit(s->db) == 0)
        TRY(rag_db_exec(s, "COMMIT", err));
    TRY(rag_db_exec(s, "BEGIN", err));
    TRY(catch_up(s, err));
out:
    if (st != RAG_OK) {
        s->read_depth = 1;
        rag_view_end(s);
    }
    return st;
}

void rag_view_end(rag_store *s)
{
    if (s->read_depth == 0 || --s->read_depth != 0 || s->opts.write)
        return;
    if (sqlite3_get_autocommit(s->db) == 0)
        (void)sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
}
