#ifndef RAG_STORE_STORE_H
#define RAG_STORE_STORE_H

/*
 * store — everything kept on disk, and nothing else. SQLite is the only truth;
 * the FAISS file beside it is a cache.
 *
 * A *file* (root + key, bytes as in the file system) has at most one visible
 * *version*; a version holds one *document*, or one for each record of a record
 * file; a document holds its text as read, sections and *chunks* (spans). Chunk
 * ids are small positive integers, never used twice; three bitmaps over them
 * say which are live (visible), embedded (have a vector in the active space)
 * and indexed (are in the FAISS file). Making a version visible and its
 * predecessor invisible is a flip of bits in one small transaction.
 *
 * Writes are gathered: several small documents share a transaction, which the
 * store commits by itself (time, size) or at rag_store_flush(), which a caller
 * does before it waits for something else (a network call). When a write fails
 * everything since the last commit is undone. After kill -9 every version is
 * whole or invisible; what was never published is swept by the next
 * rag_store_tidy().
 *
 * Owns:    rag_store, from rag_store_open() to rag_store_close().
 * Errors:  RAG_E_BUSY, RAG_E_CORRUPT, RAG_E_NOTFOUND (no store there), RAG_E_IO
 *          (disk full, permission), RAG_E_DB, RAG_E_NOMEM, RAG_E_MISMATCH.
 * Threads: one store per thread.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"

typedef struct rag_store rag_store;
struct rag_store_chunk;

typedef struct rag_store_opts {
    bool write;            /* takes the writer's lock */
    bool create;           /* makes the store when there is none */
    unsigned wait_ms;      /* for the lock; 0: RAG_E_BUSY at once */
    const char *state_dir; /* where the user's index key lives; NULL: no index
                            * file is ever trusted */
    bool (*cancelled)(void *ctx); /* asked in long loops; may be NULL */
    void *cancel_ctx;
    /* Appends what the words index saw of a stored chunk when it came in
     * (chunk_in.heading and .body). Asked when that index must be built again:
     * other word rules, repair. NULL: it cannot be built again here. */
    void (*render)(rag_buf *heading, rag_buf *body,
                   const struct rag_store_chunk *chunk);
} rag_store_opts;

RAG_NODISCARD rag_status rag_store_open(rag_store **out, const char *dir,
                                        const rag_store_opts *opts,
                                        rag_error *err);
/* Commits nothing that was not flushed. */
void rag_store_close(rag_store *s);
const char *rag_store_dir(const rag_store *s);

/* Commits what was gathered. */
RAG_NODISCARD rag_status rag_store_flush(rag_store *s, rag_error *err);

/* A consistent view for several reads (a search): begin, reads, end. */
RAG_NODISCARD rag_status rag_store_read_begin(rag_store *s, rag_error *err);
void rag_store_read_end(rag_store *s);

/* Settings of the store itself. get appends; a missing key appends nothing and
 * sets *found false. */
RAG_NODISCARD rag_status rag_store_meta_get(rag_buf *out, bool *found,
                                            rag_store *s, const char *key,
                                            rag_error *err);
RAG_NODISCARD rag_status rag_store_meta_set(rag_store *s, const char *key,
                                            rag_str value, rag_error *err);

/* ---- roots and files ---------------------------------------------------- */

typedef struct rag_store_root {
    int64_t id;
    rag_str path; /* real path, bytes */
    bool is_dir;
    rag_str settings; /* the filters it was last synced with, one line */
} rag_store_root;

typedef rag_status (*rag_store_root_fn)(void *ctx, const rag_store_root *r,
                                        rag_error *err);
RAG_NODISCARD rag_status rag_store_roots(rag_store *s, rag_store_root_fn fn,
                                         void *ctx, rag_error *err);
/* Finds or adds. */
RAG_NODISCARD rag_status rag_store_root_put(int64_t *id, rag_store *s,
                                            rag_str path, bool is_dir,
                                            rag_str settings, rag_error *err);
/* Removes a root that holds no file any more. */
RAG_NODISCARD rag_status rag_store_root_drop(rag_store *s, int64_t id,
                                             rag_error *err);

typedef enum rag_file_result {
    RAG_FILE_OK,
    RAG_FILE_FAILED, /* could not be read; with a version: that one is stale */
    RAG_FILE_SKIPPED /* no reader, empty, ... */
} rag_file_result;

/* What the last look at a file said. */
typedef struct rag_store_look {
    int64_t size_bytes;
    int64_t mtime_ns;
    int64_t ctime_ns;
    uint64_t inode;
    uint64_t device;
    int64_t looked_ns;                /* wall clock of the look */
    uint8_t sha256[RAG_SHA256_BYTES]; /* of the file's bytes; zero: not known */
} rag_store_look;

typedef struct rag_store_file {
    int64_t id;
    int64_t root_id;
    rag_str key; /* path below the root, bytes; empty: the root is the file */
    rag_store_look look;
    rag_file_result result;
    rag_str reason;      /* of FAILED and SKIPPED */
    rag_str fingerprint; /* reader, chunker, settings that made it */
    rag_str type;        /* reader name, or empty */
    int64_t version_id;  /* the visible one; 0: none */
    int64_t n_docs;
    int64_t n_chunks;
    int64_t n_chars; /* code points of text */
    int64_t n_pages;
    int64_t n_empty_pages;
    int64_t ingested_ns; /* wall clock of the visible version */
    rag_str warnings;    /* one a line */
    uint8_t version_sha256[RAG_SHA256_BYTES]; /* bytes the version came from */
} rag_store_file;

/* found false: not there. Strings are borrowed until the next call on s. */
RAG_NODISCARD rag_status rag_store_file_find(rag_store_file *out, bool *found,
                                             rag_store *s, int64_t root_id,
                                             rag_str key, rag_error *err);
typedef rag_status (*rag_store_file_fn)(void *ctx, const rag_store_file *f,
                                        rag_error *err);
/* Every file of a root (0: of all), by root and key. fn may not write. */
RAG_NODISCARD rag_status rag_store_files(rag_store *s, int64_t root_id,
                                         rag_store_file_fn fn, void *ctx,
                                         rag_error *err);

/* ---- writing ------------------------------------------------------------ */

typedef struct rag_store_section {
    uint32_t parent; /* index in the same array, or UINT32_MAX */
    uint32_t level;
    rag_str heading;
    uint64_t start; /* bytes in text */
    uint64_t end;
} rag_store_section;

typedef struct rag_store_chunk_in {
    uint64_t start; /* bytes in text */
    uint64_t end;
    uint64_t context_start; /* equal: none */
    uint64_t context_end;
    uint64_t line; /* 1-based, inclusive; 0: none */
    uint64_t line_end;
    uint32_t page; /* 1-based; 0: none */
    uint32_t page_end;
    uint32_t section; /* index, or UINT32_MAX */
    uint32_t n_tokens;
    char stable_id[24]; /* what people and scripts see; NUL-terminated */
    rag_str heading;    /* breadcrumb, for the words index */
    rag_str body;       /* as indexed, for the words index */
} rag_store_chunk_in;

typedef struct rag_store_doc_in {
    rag_str record_id; /* empty: none */
    uint64_t record_line;
    rag_str title; /* from the content; empty: none */
    rag_str text;  /* as read */
    rag_str meta;  /* JSON object or empty */
    bool has_lines;
    const uint64_t *page_starts; /* [n_pages] */
    size_t n_pages;
    const rag_store_section *sections; /* [n_sections] */
    size_t n_sections;
    const rag_store_chunk_in *chunks; /* [n_chunks] */
    size_t n_chunks;
    /* Not NULL: makes the body of a chunk whose own is empty, just before it is
     * indexed, so that a large document's bodies are never all in memory;
     * borrowed until the next call. */
    rag_status (*render_body)(void *ctx, rag_str *body,
                              const rag_store_chunk_in *chunk, rag_error *err);
    void *render_ctx;
} rag_store_doc_in;

/* A new, invisible version of a file. */
RAG_NODISCARD rag_status rag_store_version_begin(int64_t *version_id,
                                                 rag_store *s, int64_t root_id,
                                                 rag_str key, rag_error *err);
/* A document of it with all its chunks; their words go to the index. */
RAG_NODISCARD rag_status rag_store_doc_add(rag_store *s, int64_t version_id,
                                           const rag_store_doc_in *doc,
                                           rag_error *err);
/* Makes it the visible one; info: look, result OK, fingerprint, type, n_*,
 * warnings (ids are not read). */
RAG_NODISCARD rag_status rag_store_version_publish(rag_store *s,
                                                   int64_t version_id,
                                                   const rag_store_file *info,
                                                   rag_error *err);
/* Forgets an unpublished version. */
RAG_NODISCARD rag_status rag_store_version_drop(rag_store *s,
                                                int64_t version_id,
                                                rag_error *err);
/* Remembers a look without a new version: failed, skipped, or touched but
 * equal. The visible version, if any, stays. Makes the file row if needed. */
RAG_NODISCARD rag_status rag_store_file_note(rag_store *s, int64_t root_id,
                                             rag_str key,
                                             const rag_store_file *info,
                                             rag_error *err);
/* The file and its version disappear. */
RAG_NODISCARD rag_status rag_store_file_remove(rag_store *s, int64_t file_id,
                                               rag_error *err);
/* The file is now known under another root or key (moved). */
RAG_NODISCARD rag_status rag_store_file_move(rag_store *s, int64_t file_id,
                                             int64_t root_id, rag_str key,
                                             rag_error *err);

/* ---- vectors ------------------------------------------------------------ */

/* A space is one embedding fingerprint. The active one is what searches use;
 * a second one fills beside it during --reembed. */
typedef struct rag_store_space {
    int64_t id; /* 0: none yet */
    size_t dims;
    rag_str fingerprint; /* borrowed until the space changes */
    rag_str model;       /* as the settings name it: "builtin:e5-small" */
} rag_store_space;

RAG_NODISCARD rag_status rag_store_space_active(rag_store_space *out,
                                                rag_store *s, rag_error *err);
/* Finds or makes the space of a fingerprint. It becomes active at once when
 * there is no active one. */
RAG_NODISCARD rag_status rag_store_space_put(rag_store_space *out, rag_store *s,
                                             rag_str fingerprint, rag_str model,
                                             size_t dims, rag_error *err);
/* Makes a space active in one transaction; the other's vectors are swept
 * later. RAG_E_INVAL while a live chunk lacks a vector in it. */
RAG_NODISCARD rag_status rag_store_space_switch(rag_store *s, int64_t space_id,
                                                rag_error *err);

/* Live chunks without a vector in the space (0: the active one; when there is
 * none, every live chunk): ids above after_id, at most cap, ascending. */
RAG_NODISCARD rag_status rag_store_unembedded(int64_t *ids, size_t *n,
                                              size_t cap, rag_store *s,
                                              int64_t space_id,
                                              int64_t after_id, rag_error *err);
RAG_NODISCARD rag_status rag_store_unembedded_count(uint64_t *n, rag_store *s,
                                                    int64_t space_id,
                                                    rag_error *err);

#define RAG_STORE_KEY_BYTES RAG_SHA256_BYTES

/* Gives chunks the vectors that are stored under their keys already.
 * keys [n x 32]; hit[i]: it was there. */
RAG_NODISCARD rag_status rag_store_vectors_reuse(bool *hit, rag_store *s,
                                                 int64_t space_id,
                                                 const int64_t *chunk_ids,
                                                 const uint8_t *keys, size_t n,
                                                 rag_error *err);
/* Stores new vectors (float32 in, float16 kept) and gives them to the chunks.
 * vectors [n x dims], unit length. */
RAG_NODISCARD rag_status rag_store_vectors_put(rag_store *s, int64_t space_id,
                                               const int64_t *chunk_ids,
                                               const uint8_t *keys,
                                               const float *vectors, size_t n,
                                               rag_error *err);

/* Rebuilds the FAISS file when the unindexed vectors exceed the bound (or
 * always); sweeps what nobody refers to; merges word segments. Called at the
 * end of an ingest. */
RAG_NODISCARD rag_status rag_store_tidy(rag_store *s, bool rebuild_index,
                                        rag_error *err);

/* ---- reading ------------------------------------------------------------ */

/* A chunk with all that a hit shows; strings live in the arena given. */
typedef struct rag_store_chunk {
    int64_t id;
    int64_t doc_id;
    int64_t file_id;
    rag_str stable_id;
    rag_str root_path; /* real path of the root */
    rag_str key;       /* below it */
    rag_str type;      /* reader name */
    rag_str record_id;
    rag_str title;
    rag_str *headings; /* [n_headings] outermost first */
    size_t n_headings;
    uint64_t section_start; /* span of the innermost section; equal: none */
    uint64_t section_end;
    uint64_t start;
    uint64_t end;
    uint64_t context_start;
    uint64_t context_end;
    uint64_t line;
    uint64_t line_end;
    uint32_t page;
    uint32_t page_end;
    uint32_t n_tokens;
    bool has_lines;
    rag_str text;           /* of the span */
    rag_str context;        /* of the context span */
    rag_store_look look;    /* of the visible version's file, for `stale` */
    rag_file_result result; /* FAILED: the version shown is stale */
    uint8_t sha256[RAG_SHA256_BYTES]; /* of the file's bytes as read */
} rag_store_chunk;

RAG_NODISCARD rag_status rag_store_chunk_get(rag_store_chunk *out,
                                             rag_arena *arena, rag_store *s,
                                             int64_t chunk_id, rag_error *err);
/* The live chunk of a stable id; found false: none. */
RAG_NODISCARD rag_status rag_store_chunk_of(int64_t *chunk_id, bool *found,
                                            rag_store *s, rag_str stable_id,
                                            rag_error *err);

typedef struct rag_store_doc {
    int64_t id;
    int64_t file_id;
    rag_str root_path;
    rag_str key;
    rag_str type;
    rag_str record_id;
    uint64_t record_line;
    rag_str title;
    rag_str meta;
    uint64_t text_bytes;
    uint64_t n_chunks;
    uint32_t n_pages;
    bool has_lines;
    int64_t ingested_ns;
    rag_store_look look;
    rag_file_result result;
} rag_store_doc;

typedef rag_status (*rag_store_doc_fn)(void *ctx, const rag_store_doc *d,
                                       rag_error *err);
/* Every visible document (of one file when file_id is not 0), by root, key and
 * record order. */
RAG_NODISCARD rag_status rag_store_docs(rag_store *s, int64_t file_id,
                                        rag_store_doc_fn fn, void *ctx,
                                        rag_error *err);
/* One record of a file by its id (empty: the file's only document). */
RAG_NODISCARD rag_status rag_store_doc_find(rag_store_doc *out, bool *found,
                                            rag_arena *arena, rag_store *s,
                                            int64_t file_id, rag_str record_id,
                                            rag_error *err);
/* Appends bytes [start, end) of a document's text as read. */
RAG_NODISCARD rag_status rag_store_text(rag_buf *out, rag_store *s,
                                        int64_t doc_id, uint64_t start,
                                        uint64_t end, rag_error *err);
/* page_starts of a document, appended as uint64_t. */
RAG_NODISCARD rag_status rag_store_pages(rag_buf *out, rag_store *s,
                                         int64_t doc_id, rag_error *err);

/* ---- searching ---------------------------------------------------------- */

/* Chunks that a search may return: an opaque bitmap; NULL: all live ones. */
typedef struct rag_store_filter rag_store_filter;
typedef bool (*rag_store_accept)(void *ctx, const rag_store_doc *doc);
/* Asks accept once for every visible document. */
RAG_NODISCARD rag_status rag_store_filter_new(rag_store_filter **out,
                                              rag_store *s,
                                              rag_store_accept accept,
                                              void *ctx, rag_error *err);
/* Was no document accepted? */
bool rag_store_filter_is_empty(const rag_store_filter *f);
void rag_store_filter_free(rag_store_filter *f);

typedef struct rag_store_hit {
    int64_t chunk_id;
    float score;    /* BM25, or the cosine */
    float coverage; /* lexical: share of the query's word weight found here */
} rag_store_hit;

typedef enum rag_term_role {
    RAG_TERM_SHOULD, /* adds to the score */
    RAG_TERM_MUST,   /* and every hit has it (word of an exact phrase) */
    RAG_TERM_NOT     /* no hit has it */
} rag_term_role;

typedef struct rag_store_term {
    uint64_t word; /* key from base/words.h */
    rag_term_role role;
    float weight; /* in the score; 1: as usual */
    float topic;  /* in the coverage: what it says about the topic */
} rag_store_term;

/* BM25 over live chunks. hits [cap], best first, ties by chunk id; *n of them.
 * Terms in more than 30 % of the live chunks weigh nothing (unless all do). */
RAG_NODISCARD rag_status rag_store_lexical(rag_store_hit *hits, size_t *n,
                                           size_t cap, rag_store *s,
                                           const rag_store_term *terms,
                                           size_t n_terms,
                                           const rag_store_filter *filter,
                                           rag_error *err);
/* How many live chunks hold each term: df [n_terms]; *n_live: all of them. */
RAG_NODISCARD rag_status rag_store_term_counts(uint64_t *df, uint64_t *n_live,
                                               rag_store *s,
                                               const rag_store_term *terms,
                                               size_t n_terms, rag_error *err);

/* Nearest by cosine in the active space: FAISS file and exact over what it
 * lacks. query [dims] unit length. *warning (may be NULL) is set to a static
 * text when the index file could not be used. */
RAG_NODISCARD rag_status rag_store_dense(rag_store_hit *hits, size_t *n,
                                         size_t cap, rag_store *s,
                                         const float *query, size_t dims,
                                         const rag_store_filter *filter,
                                         const char **warning, rag_error *err);
/* Cosine of given chunks with the query; NaN for one without a vector. */
RAG_NODISCARD rag_status rag_store_cosines(float *out, rag_store *s,
                                           const int64_t *chunk_ids, size_t n,
                                           const float *query, size_t dims,
                                           rag_error *err);

/* Up to cap live, embedded chunks spread evenly over the store, the same ones
 * every time until the content changes: what a cosine is compared with. */
RAG_NODISCARD rag_status rag_store_sample(int64_t *ids, size_t *n, size_t cap,
                                          rag_store *s, rag_error *err);

/* ---- state -------------------------------------------------------------- */

typedef struct rag_store_stats {
    uint64_t n_files; /* with a visible version */
    uint64_t n_docs;
    uint64_t n_chunks;
    uint64_t n_vectors; /* live chunks with one in the active space */
    uint64_t n_failed;  /* files */
    uint64_t n_skipped;
    uint64_t n_stale; /* files that show an older version */
    uint64_t text_bytes;
    uint64_t store_bytes; /* on disk, index file included */
    uint64_t generation;  /* of the content */
    uint64_t index_bytes;
    uint64_t index_vectors;
    uint64_t index_generation;
    bool index_fresh; /* nothing is searched outside it */
    bool words_fresh; /* the words index follows this build's word rules */
    char index_kind[32];
} rag_store_stats;

RAG_NODISCARD rag_status rag_store_stats_get(rag_store_stats *out, rag_store *s,
                                             rag_error *err);

/* Lines of a check: state "ok", "warn" or "fail"; mend: a command or NULL. */
typedef void (*rag_store_check_fn)(void *ctx, const char *state,
                                   const char *what, const char *detail,
                                   const char *mend);
/* Integrity of SQLite, words index, counts, FAISS file. repair: rebuilds what
 * can be rebuilt (words from text, index from vectors). */
RAG_NODISCARD rag_status rag_store_check(rag_store *s, bool repair,
                                         rag_store_check_fn fn, void *ctx,
                                         rag_error *err);

/* "3.40.1", "1.7.3" for `rag version --build`. */
const char *rag_store_sqlite_version(void);
const char *rag_store_faiss_version(void);

#endif /* RAG_STORE_STORE_H */
