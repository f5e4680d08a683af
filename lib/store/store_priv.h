#ifndef RAG_STORE_STORE_PRIV_H
#define RAG_STORE_STORE_PRIV_H

/*
 * store_priv — what the files of this room share: the open store, statements,
 * the gathered transaction, bitmaps and number pages over chunk ids.
 *
 * Threads: one store per thread.
 */

#include <sqlite3.h>

#include "store/lexical.h"
#include "store/store.h"
#include "store/vindex.h"

/* ---- caps ---------------------------------------------------------------- */

/* "RAG1": so that another program's database is never taken for a store */
#define RAG_DB_APPLICATION_ID 0x52414731
/* text as read is kept in rows of this size: a hit reads one or two of them,
 * and a row never needs a large allocation */
#define RAG_PIECE_BYTES ((size_t)16384)
/* pieces and sections of one document: 2^24 rows below its id */
#define RAG_DOC_SHIFT 24
/* chunk ids: bitmaps over them stay below 256 MB even when the database lies */
#define RAG_MAX_CHUNK_ID ((int64_t)1 << 31)
/* vector ids are kept as 32 bits */
#define RAG_MAX_VECTOR_ID ((int64_t)UINT32_MAX)
/* the largest vector: what the index file takes */
#define RAG_MAX_DIMS ((size_t)8192)
/* headings above one chunk: deeper nesting is a damaged parent chain */
#define RAG_MAX_HEADINGS 64
/* ids in one row of a bitmap (2 KB) and of a number page (2 KB): several rows
 * share a database page, and a small change rewrites little */
#define RAG_BITS_IDS ((size_t)16384)
#define RAG_NUMS_IDS ((size_t)512)
/* rows deleted in one step when the dead are swept */
#define RAG_SWEEP_ROWS 2000

/* ---- pieces of state ------------------------------------------------------
 */

/* The one row of table `state`. */
typedef struct rag_state {
    int64_t change;     /* commits */
    int64_t generation; /* of what is visible */
    int64_t next_chunk; /* ids are never used twice */
    int64_t next_vector;
    int64_t n_files;
    int64_t n_docs;
    int64_t n_chunks;
    int64_t n_failed;
    int64_t n_skipped;
    int64_t n_stale;
    int64_t text_bytes;
    int64_t index_seq;        /* generations ever given to an index file */
    int64_t index_generation; /* 0: there is no index file */
    int64_t index_space;
    int64_t index_vectors;
    int64_t index_bytes;
    int64_t index_inode;    /* of the file as built: unchanged, it needs no */
    int64_t index_ctime_ns; /* second look at all its bytes */
    uint8_t index_sha256[RAG_SHA256_BYTES];
    char index_kind[32];
    char words_version[32];
} rag_state;

/* A bitmap over chunk ids, kept in rows of table `bits`. */
typedef struct rag_bitmap {
    uint8_t *bits; /* [n_bytes], a multiple of a row */
    size_t n_bytes;
    uint8_t *dirty; /* [n_bytes / row] */
    uint64_t n_set;
    int64_t kind;
    bool loaded;
} rag_bitmap;

/* kinds of bitmaps and number pages */
#define RAG_BITS_LIVE ((int64_t)0)
#define RAG_BITS_EMBEDDED(space_id) (2 * (space_id) + 1)
#define RAG_BITS_INDEXED(space_id) (2 * (space_id) + 2)
#define RAG_NUMS_STABLE ((int64_t)0) /* hashes of stable ids */
#define RAG_NUMS_VECTORS(space_id) (space_id)

/* One row of table `nums` at a time: 32-bit numbers over chunk ids. */
typedef struct rag_nums {
    uint8_t bytes[RAG_NUMS_IDS * 4]; /* little endian */
    int64_t kind;
    int64_t no; /* the row held; -1: none */
    bool dirty;
} rag_nums;

/* An embedding space in use: the active one, or one that fills beside it. */
typedef struct rag_space {
    int64_t id; /* 0: slot is free */
    size_t dims;
    char *fingerprint;
    char *model;
    rag_bitmap embedded;
    rag_nums vectors;
} rag_space;

struct rag_stmt {
    const char *sql; /* a literal: its address is the key */
    sqlite3_stmt *st;
};

#define RAG_MAX_STMTS 96 /* more than there are different ones */

struct rag_store {
    sqlite3 *db;
    char *dir;
    char *db_path;
    char *state_dir; /* or NULL */
    rag_store_opts opts;
    int lock_fd; /* -1: reader */
    bool in_txn; /* a writing transaction is open */
    bool wrote;  /* something was committed */
    unsigned read_depth;
    int64_t changes_at_begin;
    uint64_t began_ms;
    size_t gathered_bytes;
    int64_t first_of_run; /* first chunk id that this writer may give */
    unsigned n_segments;  /* of words, since the last merge */
    struct rag_stmt stmts[RAG_MAX_STMTS];
    size_t n_stmts;
    rag_state state;
    bool state_loaded;
    bool state_dirty;
    rag_bitmap live;
    rag_bitmap indexed; /* of the active space */
    rag_nums stable;
    int64_t active_space; /* -1: not looked up */
    rag_space spaces[2];  /* [0] the active one */
    rag_lex *lex;
    rag_vindex *vindex;
    int64_t vindex_generation; /* of the file that is mapped */
    int64_t vindex_failed;     /* generation that could not be; 0: none */
    rag_arena borrowed;        /* strings of rag_store_file_find() */
};

/* ---- db.c: statements, errors, transactions --------------------------------
 */

/* A statement in use. Bindings go from left to right; an error of theirs comes
 * out at the first step. */
typedef struct rag_q {
    rag_store *s;
    sqlite3_stmt *st;
    int n;  /* bound so far */
    int rc; /* first failed binding */
    bool temporary;
} rag_q;

rag_status rag_db_fail(rag_store *s, int rc, rag_error *err);
rag_status rag_db_corrupt(const rag_store *s, const char *what, rag_error *err);
rag_status rag_db_exec(rag_store *s, const char *sql, rag_error *err);

rag_status rag_q_open(rag_q *q, rag_store *s, const char *sql, rag_error *err);
void rag_q_int(rag_q *q, int64_t v);
void rag_q_null(rag_q *q);
/* Borrowed until the statement is closed. */
void rag_q_text(rag_q *q, rag_str v);
void rag_q_blob(rag_q *q, rag_str v);
rag_status rag_q_step(bool *row, rag_q *q, rag_error *err);
/* Runs to the end; closes. */
rag_status rag_q_run(rag_q *q, rag_error *err);
/* Ready to bind and step again. */
void rag_q_again(rag_q *q);
void rag_q_close(rag_q *q); /* a zeroed one: nothing */
int64_t rag_q_col(rag_q *q, int i);
uint64_t rag_q_u64(rag_q *q, int i); /* negative reads as 0 */
uint32_t rag_q_u32(rag_q *q, int i); /* out of range reads as 0 */
rag_str rag_q_str(rag_q *q, int i);  /* borrowed until the next step */
void rag_q_sha256(uint8_t out[RAG_SHA256_BYTES], rag_q *q, int i);

/* Begins the gathered transaction if none is open; RAG_E_INVAL for a reader. */
rag_status rag_txn_begin(rag_store *s, rag_error *err);
rag_status rag_txn_commit(rag_store *s, rag_error *err);
/* Undoes all since the last commit. */
void rag_txn_abort(rag_store *s);
/* End of a writing step: after a failure everything is undone (RAG_E_INVAL and
 * RAG_E_NOTFOUND come before the first write and undo nothing); else the
 * transaction is committed when it is old or large enough. */
rag_status rag_txn_done(rag_store *s, rag_status st, size_t bytes,
                        rag_error *err);
/* Begin and end of a reading call: one consistent view, caches up to date. */
rag_status rag_view_begin(rag_store *s, rag_error *err);
void rag_view_end(rag_store *s);
void rag_cache_drop(rag_store *s);
uint64_t rag_now_ms(void);
bool rag_cancelled(const rag_store *s);
rag_status rag_fail_cancelled(rag_error *err);

/* ---- schema.c ----------------------------------------------------------- */

/* Checks the version; a writer makes or migrates the tables. *empty: nothing
 * in the file yet (a reader's answer is then RAG_E_NOTFOUND). */
rag_status rag_schema_open(bool *empty, rag_store *s, rag_error *err);
rag_status rag_state_load(rag_store *s, rag_error *err);
rag_status rag_state_save(rag_store *s, rag_error *err);

/* ---- bits.c ---------------------------------------------------------------
 */

rag_status rag_bitmap_load(rag_bitmap *b, rag_store *s, int64_t kind,
                           rag_error *err);
void rag_bitmap_drop(rag_bitmap *b);
bool rag_bitmap_get(const rag_bitmap *b, int64_t id);
rag_status rag_bitmap_set(rag_bitmap *b, int64_t first, int64_t n, bool on,
                          rag_error *err);
rag_status rag_bitmap_save(rag_bitmap *b, rag_store *s, rag_error *err);
rag_bits rag_bitmap_bits(const rag_bitmap *b);
/* Bits of a that are also in b, and not in c (b, c may be NULL). */
uint64_t rag_bitmap_count(const rag_bitmap *a, const rag_bitmap *b,
                          const rag_bitmap *c);

rag_status rag_nums_get(uint32_t *out, rag_nums *m, rag_store *s, int64_t id,
                        rag_error *err);
rag_status rag_nums_set(rag_nums *m, rag_store *s, int64_t id, uint32_t v,
                        rag_error *err);
rag_status rag_nums_save(rag_nums *m, rag_store *s, rag_error *err);
void rag_nums_drop(rag_nums *m);

/* ---- roots.c ------------------------------------------------------------ */

/* What the counters need to know of a file. */
typedef struct rag_file_row {
    int64_t id; /* 0: there is none */
    int64_t result;
    int64_t version_id;
} rag_file_row;

rag_status rag_file_row_of(rag_file_row *out, rag_store *s, int64_t root_id,
                           rag_str key, rag_error *err);
/* Writes the look, result, reason, fingerprint, type; inserts when f->id is 0.
 * Counters follow. */
rag_status rag_file_row_put(rag_file_row *f, rag_store *s, int64_t root_id,
                            rag_str key, const rag_store_file *info,
                            rag_error *err);
/* Adds (+1) or takes away (-1) what a file counts for. */
void rag_file_row_count(rag_store *s, const rag_file_row *f, int64_t by);

/* ---- docs.c ---------------------------------------------------------------
 */

/* The version and its chunks become invisible; its rows are swept later. */
rag_status rag_version_retire(rag_store *s, int64_t version_id, rag_error *err);

/* ---- passages.c -----------------------------------------------------------
 */

/* Visible documents with the first of their chunk ids. */
typedef rag_status (*rag_docs_fn)(void *ctx, const rag_store_doc *d,
                                  int64_t first_chunk, rag_error *err);
rag_status rag_docs_each(rag_store *s, int64_t file_id, rag_docs_fn fn,
                         void *ctx, rag_error *err);
rag_status rag_text_append(rag_buf *out, rag_store *s, int64_t doc_id,
                           uint64_t start, uint64_t end, rag_error *err);

/* ---- candidates.c ---------------------------------------------------------
 */

struct rag_store_filter {
    uint8_t *bits; /* [n_bytes] */
    size_t n_bytes;
    uint64_t n_set;
};

rag_status rag_lex_ready(rag_store *s, rag_error *err);

/* ---- spaces.c --------------------------------------------------------------
 */

/* The space's slot with its bitmap loaded; id 0: the active one (*out NULL
 * when there is none). */
rag_status rag_space_use(rag_space **out, rag_store *s, int64_t space_id,
                         rag_error *err);
void rag_spaces_drop(rag_store *s);

/* ---- vectors.c -------------------------------------------------------------
 */

/* Calls fn with up to RAG_SCAN_ROWS vectors at a time for the chunks given. */
#define RAG_SCAN_ROWS ((size_t)256)
typedef rag_status (*rag_scan_fn)(void *ctx, const int64_t *chunk_ids,
                                  const uint16_t *rows, size_t n,
                                  rag_error *err);
/* chunk_ids [n] ascending, each embedded. */
rag_status rag_vectors_scan(rag_store *s, rag_space *sp,
                            const int64_t *chunk_ids, size_t n, rag_scan_fn fn,
                            void *ctx, rag_error *err);

/* ---- dense.c ------------------------------------------------------------ */

/* Path of an index file; rag_free(). NULL: out of memory. */
char *rag_index_path(const rag_store *s, int64_t generation);
/* Is there a file that can be trusted? Maps it. NULL: none (no failure). */
rag_status rag_index_use(rag_vindex **out, rag_store *s, rag_space *sp,
                         rag_error *err);
void rag_index_close(rag_store *s);
rag_status rag_index_rebuild(rag_store *s, rag_error *err);
/* The file's hash against the one recorded; quick when its inode and ctime are
 * the recorded ones, unless `fully`. */
rag_status rag_index_verify(rag_store *s, bool fully, rag_error *err);
/* Removes files of other generations. */
void rag_index_remove_old(rag_store *s);

/* ---- sweep.c --------------------------------------------------------------
 */

/* Rows of versions that are not visible, in small transactions. */
rag_status rag_sweep_versions(rag_store *s, rag_error *err);
/* Vectors that nobody refers to, when they are many; dead spaces. */
rag_status rag_sweep_vectors(rag_store *s, rag_error *err);

/* ---- tidy.c ---------------------------------------------------------------
 */

rag_status rag_words_rebuild(rag_store *s, rag_error *err);

#endif /* RAG_STORE_STORE_PRIV_H */
