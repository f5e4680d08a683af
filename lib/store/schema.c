#include <string.h>

#include "store/store_priv.h"

/*
 * The tables, version by version. steps[i] makes version i + 1 out of version
 * i; a change of tables adds a step and never edits one that was released.
 *
 * Rows that belong to one document lie together: the ids of its text pieces and
 * sections are doc id << 24 | number, its chunks are the ids first_chunk ...
 * first_chunk + n_chunks - 1. So they need no index, and no foreign key, which
 * would need one; `rag doctor` checks them instead.
 */
static const char schema_1[] =
    "CREATE TABLE state("
    " id INTEGER PRIMARY KEY CHECK(id=1),"
    " change INTEGER NOT NULL DEFAULT 0,"
    " generation INTEGER NOT NULL DEFAULT 0,"
    " next_chunk INTEGER NOT NULL DEFAULT 1,"
    " next_vector INTEGER NOT NULL DEFAULT 1,"
    " n_files INTEGER NOT NULL DEFAULT 0,"
    " n_docs INTEGER NOT NULL DEFAULT 0,"
    " n_chunks INTEGER NOT NULL DEFAULT 0,"
    " n_failed INTEGER NOT NULL DEFAULT 0,"
    " n_skipped INTEGER NOT NULL DEFAULT 0,"
    " n_stale INTEGER NOT NULL DEFAULT 0,"
    " text_bytes INTEGER NOT NULL DEFAULT 0,"
    " index_seq INTEGER NOT NULL DEFAULT 0,"
    " index_generation INTEGER NOT NULL DEFAULT 0,"
    " index_space INTEGER NOT NULL DEFAULT 0,"
    " index_vectors INTEGER NOT NULL DEFAULT 0,"
    " index_bytes INTEGER NOT NULL DEFAULT 0,"
    " index_inode INTEGER NOT NULL DEFAULT 0,"
    " index_ctime_ns INTEGER NOT NULL DEFAULT 0,"
    " index_sha256 BLOB,"
    " index_kind TEXT NOT NULL DEFAULT '',"
    " words_version TEXT NOT NULL DEFAULT ''"
    ") STRICT;"
    "INSERT INTO state(id) VALUES(1);"
    "CREATE TABLE meta("
    " key TEXT PRIMARY KEY, value BLOB NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE root("
    " id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE,"
    " is_dir INTEGER NOT NULL, settings TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE file("
    " id INTEGER PRIMARY KEY,"
    " root_id INTEGER NOT NULL REFERENCES root(id),"
    " key BLOB NOT NULL,"
    " size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,"
    " ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,"
    " device INTEGER NOT NULL, looked_ns INTEGER NOT NULL,"
    " sha256 BLOB, result INTEGER NOT NULL, reason TEXT NOT NULL,"
    " fingerprint TEXT NOT NULL, type TEXT NOT NULL,"
    " UNIQUE(root_id, key)"
    ") STRICT;"
    /* state: 0 pending, 1 visible, 2 dead. file_id: of the visible one only,
     * so that a file has at most one */
    "CREATE TABLE version("
    " id INTEGER PRIMARY KEY,"
    " file_id INTEGER UNIQUE REFERENCES file(id),"
    " state INTEGER NOT NULL,"
    " root_id INTEGER NOT NULL, key BLOB NOT NULL,"
    " type TEXT NOT NULL DEFAULT '',"
    " n_docs INTEGER NOT NULL DEFAULT 0,"
    " n_chunks INTEGER NOT NULL DEFAULT 0,"
    " n_chars INTEGER NOT NULL DEFAULT 0,"
    " n_pages INTEGER NOT NULL DEFAULT 0,"
    " n_empty_pages INTEGER NOT NULL DEFAULT 0,"
    " text_bytes INTEGER NOT NULL DEFAULT 0,"
    " ingested_ns INTEGER NOT NULL DEFAULT 0,"
    " sha256 BLOB, warnings TEXT NOT NULL DEFAULT ''"
    ") STRICT;"
    "CREATE INDEX version_unseen ON version(state) WHERE state<>1;"
    "CREATE TABLE doc("
    " id INTEGER PRIMARY KEY,"
    " version_id INTEGER NOT NULL REFERENCES version(id),"
    " first_chunk INTEGER NOT NULL, n_chunks INTEGER NOT NULL,"
    " text_bytes INTEGER NOT NULL, record_line INTEGER NOT NULL,"
    " has_lines INTEGER NOT NULL, n_pages INTEGER NOT NULL,"
    " n_sections INTEGER NOT NULL,"
    " record_id TEXT NOT NULL, title TEXT NOT NULL, meta TEXT NOT NULL,"
    " page_starts BLOB NOT NULL"
    ") STRICT;"
    "CREATE INDEX doc_version ON doc(version_id);"
    "CREATE INDEX doc_record ON doc(version_id, record_id)"
    " WHERE record_id<>'';"
    "CREATE TABLE piece("
    " id INTEGER PRIMARY KEY, start INTEGER NOT NULL, body BLOB NOT NULL"
    ") STRICT;"
    "CREATE TABLE section("
    " id INTEGER PRIMARY KEY, parent INTEGER NOT NULL,"
    " level INTEGER NOT NULL, start INTEGER NOT NULL,"
    " \"end\" INTEGER NOT NULL, heading TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE chunk("
    " id INTEGER PRIMARY KEY, doc_id INTEGER NOT NULL,"
    " start INTEGER NOT NULL, \"end\" INTEGER NOT NULL,"
    " context_start INTEGER NOT NULL, context_end INTEGER NOT NULL,"
    " line INTEGER NOT NULL, line_end INTEGER NOT NULL,"
    " page INTEGER NOT NULL, page_end INTEGER NOT NULL,"
    " section INTEGER NOT NULL, n_tokens INTEGER NOT NULL,"
    " stable_id TEXT NOT NULL"
    ") STRICT;"
    /* bitmaps and numbers over chunk ids: id = kind << 32 | row */
    "CREATE TABLE bits(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE nums(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    /* state: 0 filling, 1 active, 2 dead */
    "CREATE TABLE space("
    " id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE,"
    " model TEXT NOT NULL, dims INTEGER NOT NULL, state INTEGER NOT NULL,"
    " n_vectors INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE TABLE vector("
    " id INTEGER PRIMARY KEY,"
    " space_id INTEGER NOT NULL REFERENCES space(id),"
    " key BLOB NOT NULL, data BLOB NOT NULL,"
    " UNIQUE(space_id, key)"
    ") STRICT;";

static const char *const steps[] = {schema_1};

#define SCHEMA_VERSION ((int64_t)(sizeof steps / sizeof steps[0]))

static rag_status pragma_int(int64_t *out, rag_store *s, const char *sql,
                             rag_error *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

    *out = 0;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            *out = sqlite3_column_int64(st, 0);
            rc = SQLITE_OK;
        } else if (rc == SQLITE_DONE) {
            rc = SQLITE_OK;
        }
    }
    if (rc != SQLITE_OK) {
        rag_status fail = rag_db_fail(s, rc, err);

        (void)sqlite3_finalize(st);
        return fail;
    }
    (void)sqlite3_finalize(st);
    return RAG_OK;
}

/* All missing steps in one transaction. */
static rag_status migrate(rag_store *s, int64_t from, rag_error *err)
{
    char sql[96];
    rag_status st;

    TRY(rag_db_exec(s, "BEGIN IMMEDIATE", err));
    for (int64_t v = from; v < SCHEMA_VERSION; v++) {
        TRY(rag_db_exec(s, steps[v], err));
        if (v == 0) /* its tables have their own version inside */
            TRY(rag_db_exec(s, rag_lex_schema, err));
    }
    (void)sqlite3_snprintf((int)sizeof sql, sql,
                           "PRAGMA application_id=%d;PRAGMA user_version=%lld",
                           RAG_DB_APPLICATION_ID, (long long)SCHEMA_VERSION);
    TRY(rag_db_exec(s, sql, err));
    TRY(rag_db_exec(s, "COMMIT", err));
out:
    if (st != RAG_OK && sqlite3_get_autocommit(s->db) == 0)
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

rag_status rag_schema_open(bool *empty, rag_store *s, rag_error *err)
{
    int64_t app;
    int64_t version;
    rag_status st;

    *empty = false;
    TRY(pragma_int(&app, s, "PRAGMA application_id", err));
    TRY(pragma_int(&version, s, "PRAGMA user_version", err));
    if (app == 0 && version == 0) {
        int64_t tables;

        TRY(pragma_int(&tables, s, "SELECT count(*) FROM sqlite_schema", err));
        if (tables != 0)
            return rag_fail(err, RAG_E_CORRUPT,
                            "%s is a database of another program", s->db_path);
        *empty = true;
        return s->opts.write ? migrate(s, 0, err) : RAG_OK;
    }
    if (app != RAG_DB_APPLICATION_ID)
        return rag_fail(err, RAG_E_CORRUPT,
                        "%s is a database of another program", s->db_path);
    if (version > SCHEMA_VERSION)
        return rag_fail(err, RAG_E_CORRUPT,
                        "the store %s was made by a newer version of rag "
                        "(schema %lld, this one knows %lld): use that version",
                        s->dir, (long long)version, (long long)SCHEMA_VERSION);
    if (version < 1)
        return rag_db_corrupt(s, "its schema version is not valid", err);
    if (version < SCHEMA_VERSION && !s->opts.write)
        return rag_fail(err, RAG_E_CORRUPT,
                        "the store %s was made by an older version of rag: "
                        "`rag ingest` brings it up to date",
                        s->dir);
    if (version < SCHEMA_VERSION)
        return migrate(s, version, err);
out:
    return st;
}

/* ---- the state row ----------------------------------------------------------
 */

static void copy_name(char *to, size_t cap, rag_str from)
{
    size_t n = from.len < cap - 1 ? from.len : cap - 1;

    if (n != 0)
        memcpy(to, from.ptr, n);
    to[n] = '\0';
}

rag_status rag_state_load(rag_store *s, rag_error *err)
{
    rag_state *t = &s->state;
    rag_q q = {0};
    bool row;
    rag_status st;

    TRY(rag_q_open(&q, s,
                   "SELECT change,generation,next_chunk,next_vector,n_files,"
                   "n_docs,n_chunks,n_failed,n_skipped,n_stale,text_bytes,"
                   "index_seq,index_generation,index_space,index_vectors,"
                   "index_bytes,index_inode,index_ctime_ns,index_sha256,"
                   "index_kind,words_version FROM state WHERE id=1",
                   err));
    TRY(rag_q_step(&row, &q, err));
    if (!row) {
        st = rag_db_corrupt(s, "its state row is missing", err);
        goto out;
    }
    t->change = rag_q_col(&q, 0);
    t->generation = rag_q_col(&q, 1);
    t->next_chunk = rag_q_col(&q, 2);
    t->next_vector = rag_q_col(&q, 3);
    t->n_files = rag_q_col(&q, 4);
    t->n_docs = rag_q_col(&q, 5);
    t->n_chunks = rag_q_col(&q, 6);
    t->n_failed = rag_q_col(&q, 7);
    t->n_skipped = rag_q_col(&q, 8);
    t->n_stale = rag_q_col(&q, 9);
    t->text_bytes = rag_q_col(&q, 10);
    t->index_seq = rag_q_col(&q, 11);
    t->index_generation = rag_q_col(&q, 12);
    t->index_space = rag_q_col(&q, 13);
    t->index_vectors = rag_q_col(&q, 14);
    t->index_bytes = rag_q_col(&q, 15);
    t->index_inode = rag_q_col(&q, 16);
    t->index_ctime_ns = rag_q_col(&q, 17);
    rag_q_sha256(t->index_sha256, &q, 18);
    copy_name(t->index_kind, sizeof t->index_kind, rag_q_str(&q, 19));
    copy_name(t->words_version, sizeof t->words_version, rag_q_str(&q, 20));
    if (t->next_chunk < 1 || t->next_chunk > RAG_MAX_CHUNK_ID ||
        t->next_vector < 1 || t->next_vector > RAG_MAX_VECTOR_ID + 1 ||
        t->index_seq < 0 || t->index_seq == INT64_MAX) {
        st = rag_db_corrupt(s, "its state row makes no sense", err);
        goto out;
    }
    s->state_loaded = true;
    s->state_dirty = false;
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_state_save(rag_store *s, rag_error *err)
{
    const rag_state *t = &s->state;
    rag_q q;
    rag_status st;

    TRY(rag_q_open(&q, s,
                   "UPDATE state SET change=?1,generation=?2,next_chunk=?3,"
                   "next_vector=?4,n_files=?5,n_docs=?6,n_chunks=?7,"
                   "n_failed=?8,n_skipped=?9,n_stale=?10,text_bytes=?11,"
                   "index_seq=?12,index_generation=?13,index_space=?14,"
                   "index_vectors=?15,index_bytes=?16,index_inode=?17,"
                   "index_ctime_ns=?18,index_sha256=?19,index_kind=?20,"
                   "words_version=?21 WHERE id=1",
                   err));
    rag_q_int(&q, t->change);
    rag_q_int(&q, t->generation);
    rag_q_int(&q, t->next_chunk);
    rag_q_int(&q, t->next_vector);
    rag_q_int(&q, t->n_files);
    rag_q_int(&q, t->n_docs);
    rag_q_int(&q, t->n_chunks);
    rag_q_int(&q, t->n_failed);
    rag_q_int(&q, t->n_skipped);
    rag_q_int(&q, t->n_stale);
    rag_q_int(&q, t->text_bytes);
    rag_q_int(&q, t->index_seq);
    rag_q_int(&q, t->index_generation);
    rag_q_int(&q, t->index_space);
    rag_q_int(&q, t->index_vectors);
    rag_q_int(&q, t->index_bytes);
    rag_q_int(&q, t->index_inode);
    rag_q_int(&q, t->index_ctime_ns);
    rag_q_blob(&q, rag_str_n((const char *)t->index_sha256, RAG_SHA256_BYTES));
    rag_q_text(&q, rag_str_of(t->index_kind));
    rag_q_text(&q, rag_str_of(t->words_version));
    TRY(rag_q_run(&q, err));
    s->state_dirty = false;
out:
    return st;
}
