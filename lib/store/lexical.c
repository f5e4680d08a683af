#include "store/lex_priv.h"

#include "base/mem.h"

const char rag_lex_schema[] =
    "CREATE TABLE lex_segment(\n"
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  state INTEGER NOT NULL,\n"
    "  n_chunks INTEGER NOT NULL,\n"
    "  first_chunk INTEGER NOT NULL,\n"
    "  last_chunk INTEGER NOT NULL,\n"
    "  into_segment INTEGER NOT NULL DEFAULT 0,\n"
    "  next_word INTEGER NOT NULL DEFAULT 0,\n"
    "  next_list INTEGER NOT NULL DEFAULT 0\n"
    ") STRICT;\n"
    "CREATE TABLE lex_chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL)"
    " STRICT;\n"
    "CREATE TABLE lex_block(id INTEGER PRIMARY KEY, data BLOB NOT NULL)"
    " STRICT;\n"
    "CREATE TABLE lex_list(id INTEGER PRIMARY KEY, data BLOB NOT NULL)"
    " STRICT;\n";

/* rows of a segment lie in [?1, ?2); at most ?3 of them go at once */
#define DEL_SOME(table)                                                        \
    "DELETE FROM " table " WHERE id IN (SELECT id FROM " table                 \
    " WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3)"

static const char *const texts[RAG_LEX_SQL_COUNT] = {
    [RAG_LEX_SQL_SEGMENTS] =
        "SELECT id, state, n_chunks, into_segment, next_word, next_list"
        " FROM lex_segment ORDER BY first_chunk, id",
    [RAG_LEX_SQL_CHUNKS] =
        "SELECT data FROM lex_chunk WHERE id >= ?1 AND id < ?2 ORDER BY id",
    [RAG_LEX_SQL_BLOCK] = "SELECT id, data FROM lex_block"
                          " WHERE id >= ?1 AND id <= ?2"
                          " ORDER BY id DESC LIMIT 1",
    [RAG_LEX_SQL_NEXT_BLOCK] = "SELECT id, data FROM lex_block"
                               " WHERE id > ?1 AND id < ?2"
                               " ORDER BY id LIMIT 1",
    [RAG_LEX_SQL_LIST] = "SELECT data FROM lex_list WHERE id = ?1",
    [RAG_LEX_SQL_ADD_SEGMENT] =
        "INSERT INTO lex_segment(state, n_chunks, first_chunk, last_chunk)"
        " VALUES(?1, ?2, ?3, ?4)",
    [RAG_LEX_SQL_ADD_CHUNKS] = "INSERT INTO lex_chunk(id, data) VALUES(?1, ?2)",
    [RAG_LEX_SQL_ADD_BLOCK] = "INSERT INTO lex_block(id, data) VALUES(?1, ?2)",
    [RAG_LEX_SQL_ADD_LIST] = "INSERT INTO lex_list(id, data) VALUES(?1, ?2)",
    [RAG_LEX_SQL_LAST_CHUNK] = "SELECT max(last_chunk) FROM lex_segment",
    [RAG_LEX_SQL_CLAIM] =
        "UPDATE lex_segment SET into_segment = ?2 WHERE id = ?1",
    [RAG_LEX_SQL_PROGRESS] =
        "UPDATE lex_segment SET next_word = ?2, next_list = ?3 WHERE id = ?1",
    [RAG_LEX_SQL_FINISH] = "UPDATE lex_segment SET state = 0 WHERE id = ?1",
    [RAG_LEX_SQL_RETIRE] = "UPDATE lex_segment SET state = 2, into_segment = 0"
                           " WHERE into_segment = ?1",
    [RAG_LEX_SQL_RETIRE_ONE] =
        "UPDATE lex_segment SET state = 2, into_segment = 0 WHERE id = ?1",
    [RAG_LEX_SQL_DEL_BLOCKS] = DEL_SOME("lex_block"),
    [RAG_LEX_SQL_DEL_LISTS] = DEL_SOME("lex_list"),
    [RAG_LEX_SQL_DEL_CHUNKS] = DEL_SOME("lex_chunk"),
    [RAG_LEX_SQL_DEL_SEGMENT] = "DELETE FROM lex_segment WHERE id = ?1",
};

static rag_status fail_db(rag_error *err, rag_lex *x, int rc)
{
    rag_status code = RAG_E_DB;

    switch (rc & 0xFF) {
    case SQLITE_NOMEM:
        return rag_fail_nomem(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        code = RAG_E_BUSY;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
        code = RAG_E_CORRUPT;
        break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        code = RAG_E_IO;
        break;
    default:
        break;
    }
    return rag_fail(err, code, "words index: %s", sqlite3_errmsg(x->db));
}

rag_status rag_lex_corrupt(rag_error *err, int64_t segment, const char *what)
{
    return rag_fail(err, RAG_E_CORRUPT,
                    "words index, segment %lld: %s; `rag doctor --repair` "
                    "builds it again",
                    (long long)segment, what);
}

rag_status rag_lex_sql_get(sqlite3_stmt **out, rag_lex *x,
                           enum rag_lex_sql which, rag_error *err)
{
    if (x->sql[which] == NULL) {
        int rc =
            sqlite3_prepare_v3(x->db, texts[which], -1,
                               SQLITE_PREPARE_PERSISTENT, &x->sql[which], NULL);

        if (rc != SQLITE_OK)
            return fail_db(err, x, rc);
    }
    *out = x->sql[which];
    (void)sqlite3_reset(*out); /* an old failure was told when it happened */
    return RAG_OK;
}

rag_status rag_lex_sql_step(bool *row, rag_lex *x, sqlite3_stmt *stmt,
                            rag_error *err)
{
    int rc = sqlite3_step(stmt);
    rag_status st;

    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        return RAG_OK;
    st = rc == SQLITE_DONE ? RAG_OK : fail_db(err, x, rc);
    (void)sqlite3_reset(stmt);
    return st;
}

rag_status rag_lex_sql_run(rag_lex *x, sqlite3_stmt *stmt, rag_error *err)
{
    bool row;
    rag_status st = rag_lex_sql_step(&row, x, stmt, err);

    (void)sqlite3_reset(stmt);
    return st;
}

rag_status rag_lex_sql_blob(rag_lex_bytes *out, sqlite3_stmt *stmt, int column,
                            rag_error *err)
{
    const void *ptr = sqlite3_column_blob(stmt, column);
    int n = sqlite3_column_bytes(stmt, column);

    if (sqlite3_column_type(stmt, column) != SQLITE_BLOB || n < 0 ||
        (size_t)n > RAG_LEX_MAX_ROW_BYTES)
        return rag_fail(err, RAG_E_CORRUPT, "words index: damaged row");
    if (ptr == NULL && n != 0)
        return rag_fail_nomem(err);
    *out = rag_lex_codec_bytes(ptr, (size_t)n);
    return RAG_OK;
}

rag_status rag_lex_new(rag_lex **out, sqlite3 *db, rag_error *err)
{
    rag_lex *x = rag_calloc(1, sizeof *x);

    *out = NULL;
    if (x == NULL)
        return rag_fail_nomem(err);
    x->db = db;
    rag_buf_init(&x->piece, RAG_LEX_MAX_ROW_BYTES);
    x->words = rag_words_new();
    if (x->words == NULL) {
        rag_lex_free(x);
        return rag_fail_nomem(err);
    }
    *out = x;
    return RAG_OK;
}

void rag_lex_free(rag_lex *x)
{
    if (x == NULL)
        return;
    for (size_t i = 0; i < RAG_LEX_SQL_COUNT; i++)
        sqlite3_finalize(x->sql[i]);
    rag_lex_gather_dispose(&x->pending);
    rag_lex_read_forget(x);
    rag_words_free(x->words);
    rag_buf_dispose(&x->piece);
    rag_free(x);
}

void rag_lex_forget(rag_lex *x)
{
    rag_lex_gather_dispose(&x->pending);
    rag_lex_read_forget(x);
}

rag_status rag_lex_drop_all(rag_lex *x, rag_error *err)
{
    static const char sql[] = "DELETE FROM lex_block;DELETE FROM lex_list;"
                              "DELETE FROM lex_chunk;DELETE FROM lex_segment";
    int rc;

    rag_lex_forget(x);
    rc = sqlite3_exec(x->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? RAG_OK : fail_db(err, x, rc);
}

/* ---- integrity ----------------------------------------------------------- */

static rag_status check_list(rag_lex *x, const rag_lex_segment *s,
                             const rag_lex_list *list, rag_error *err)
{
    rag_lex_cursor c;
    rag_lex_block b;
    rag_status st;

    rag_lex_cursor_init(&c, s, list);
    do {
        TRY(rag_lex_cursor_next(&b, &c, x, err));
    } while (b.n != 0);
out:
    return st;
}

/* Decodes a dictionary row and its lists. The row is copied, because lists are
 * read with other statements in between. */
static rag_status check_row(uint64_t *n_postings, uint64_t *last_word,
                            rag_lex *x, const rag_lex_segment *s, rag_str row,
                            rag_error *err)
{
    rag_lex_bytes in = rag_lex_codec_bytes(row.ptr, row.len);
    uint64_t word = *last_word;
    rag_lex_list list;
    rag_status st = RAG_OK;

    while (rag_lex_read_entry(&list, &word, &in, s, &st, err)) {
        TRY(check_list(x, s, &list, err));
        *n_postings += list.n;
    }
    *last_word = word;
out:
    return st;
}

static rag_status check_segment(uint64_t *n_postings, rag_lex *x,
                                const rag_lex_segment *s, rag_error *err)
{
    int64_t base = s->id << RAG_LEX_WORD_BITS;
    int64_t at = base - 1;
    uint64_t last = 0;
    bool row = true;
    rag_buf copy;
    rag_status st = RAG_OK;

    rag_buf_init(&copy, RAG_LEX_MAX_ROW_BYTES);
    while (row) {
        sqlite3_stmt *stmt;
        rag_lex_bytes in;

        TRY(rag_lex_sql_get(&stmt, x, RAG_LEX_SQL_NEXT_BLOCK, err));
        sqlite3_bind_int64(stmt, 1, at);
        sqlite3_bind_int64(stmt, 2, (s->id + 1) << RAG_LEX_WORD_BITS);
        TRY(rag_lex_sql_step(&row, x, stmt, err));
        if (!row)
            break;
        at = sqlite3_column_int64(stmt, 0);
        if (at - base < (int64_t)last) {
            st = rag_lex_corrupt(err, s->id, "words out of order");
            goto out;
        }
        TRY(rag_lex_sql_blob(&in, stmt, 1, err));
        rag_buf_clear(&copy);
        rag_buf_add(&copy, in.ptr, (size_t)(in.end - in.ptr));
        TRY(rag_buf_status(&copy, err));
        last = (uint64_t)(at - base);
        TRY(check_row(n_postings, &last, x, s, rag_buf_str(&copy), err));
        last++;
    }
out:
    rag_buf_dispose(&copy);
    return st;
}

rag_status rag_lex_check(uint64_t *n_postings, rag_lex *x, const rag_bits *live,
                         rag_error *err)
{
    uint64_t n_live = 0;
    uint64_t n_set = 0;
    rag_status st;

    *n_postings = 0;
    rag_lex_read_forget(x);
    TRY(rag_lex_read_segments(x, err));
    for (size_t i = 0; i < x->segments.n; i++) {
        rag_lex_segment *s = &x->segments.ptr[i];

        if (s->state != RAG_LEX_WHOLE)
            continue;
        TRY(rag_lex_read_chunks(x, s, err));
        rag_lex_read_live(s, live);
        n_live += s->n_live;
        TRY(check_segment(n_postings, x, s, err));
    }
    for (size_t i = 0; i < live->n_bytes; i++)
        n_set += (uint64_t)__builtin_popcount(live->bits[i]);
    if (n_live != n_set)
        st = rag_fail(err, RAG_E_CORRUPT,
                      "words index: holds %llu of %llu visible chunks; `rag "
                      "doctor --repair` builds it again",
                      (unsigned long long)n_live, (unsigned long long)n_set);
out:
    return st;
}
