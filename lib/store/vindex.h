#ifndef RAG_STORE_VINDEX_H
#define RAG_STORE_VINDEX_H

/*
 * vindex — the vector index file: FAISS inverted lists mapped from disk (one
 * list while the store is small: exact), a cache over the vectors in SQLite.
 * Private to the store room; knows nothing of SQLite: vectors come through a
 * callback.
 *
 * FAISS never parses bytes that this user did not write: an HMAC-SHA-256 under
 * the user's key covers the head, the centroids, the size and the generation.
 * The lists are not covered, so their ids are checked against `allowed` and
 * their scores may be wrong when the disk is; rag_vindex_verify() tells.
 *
 * Scores of the file and of rag_vindex_dots() are equal bit by bit, so it does
 * not matter where a vector is searched.
 *
 * Owns:    rag_vindex, from rag_vindex_open() to rag_vindex_close().
 * Errors:  RAG_E_INDEX (unusable: search the vectors instead), RAG_E_IO (disk
 *          full), RAG_E_CANCELLED, RAG_E_NOMEM, RAG_E_UNSUPPORTED (no BLAS
 *          library, which only building of more than one list needs).
 * Threads: one index per thread. Building uses the threads of BLAS.
 * Limits:  whoever truncates a mapped file in place kills its readers; it is
 *          only ever replaced by rename.
 */

#include "store/lexical.h" /* rag_bits */

typedef struct rag_vindex rag_vindex;

/* Gives up to cap vectors with ids above *after, ascending: ids [*n], vectors
 * [*n x dims] float16 as stored; *n 0: the end. */
typedef rag_status (*rag_vindex_source)(void *ctx, int64_t *ids,
                                        uint16_t *vectors, size_t *n,
                                        size_t cap, int64_t after,
                                        rag_error *err);

/* Rows that a search scans: an index of no more is one list and exact, a larger
 * one is inverted lists, of which the nearest ones with so many bytes are
 * scanned. 21,845 vectors of 384 dimensions: some 2 ms, and 16 of the 64 MB
 * that a search may keep resident. */
#define RAG_VINDEX_SCAN_BYTES ((size_t)16 << 20)

typedef struct rag_vindex_build {
    const char *path; /* written beside and renamed */
    size_t dims;
    uint64_t n_vectors; /* expected */
    uint64_t generation;
    size_t scan_bytes;             /* 0: RAG_VINDEX_SCAN_BYTES; for tests */
    uint8_t key[RAG_SHA256_BYTES]; /* the user's */
    rag_vindex_source source; /* passes over the vectors as often as asked */
    void *ctx;
    bool (*cancelled)(void *ctx);
    void *cancel_ctx;
} rag_vindex_build;

typedef struct rag_vindex_info {
    uint64_t generation;
    uint64_t n_vectors;
    size_t dims;
    uint64_t file_bytes;
    size_t n_lists;
    uint8_t sha256[RAG_SHA256_BYTES]; /* of the whole file, kept in SQLite */
    char kind[32];                    /* "IVF1024,SQfp16" */
} rag_vindex_info;

RAG_NODISCARD rag_status rag_vindex_make(rag_vindex_info *out,
                                         const rag_vindex_build *b,
                                         rag_error *err);
/* Maps a file; RAG_E_INDEX with a reason when it is not exactly the file that
 * was made (generation, size, key). */
RAG_NODISCARD rag_status rag_vindex_open(rag_vindex **out, const char *path,
                                         size_t dims, uint64_t generation,
                                         const uint8_t key[RAG_SHA256_BYTES],
                                         rag_error *err);
void rag_vindex_close(rag_vindex *v);
/* Best first; only ids set in allowed (live and filter). Ids that were never
 * given to the build are never returned. */
RAG_NODISCARD rag_status rag_vindex_search(rag_store_hit *hits, size_t *n,
                                           size_t cap, rag_vindex *v,
                                           const float *query,
                                           const rag_bits *allowed,
                                           rag_error *err);
/* The whole file's hash, for the writer and `rag doctor`. */
RAG_NODISCARD rag_status rag_vindex_verify(const char *path,
                                           const uint8_t want[RAG_SHA256_BYTES],
                                           rag_error *err);

/* The user's key: read, or made (32 random bytes, 0600) when create. found
 * false: there is none. Wrong mode or owner: not found, with a warning logged.
 */
RAG_NODISCARD rag_status rag_vindex_key(uint8_t out[RAG_SHA256_BYTES],
                                        bool *found, const char *state_dir,
                                        bool create, rag_error *err);

/* Exact part, for vectors that the file lacks: dot products of float16 rows
 * with a float32 query (F16C where the CPU has it). */
void rag_vindex_dots(float *out, const uint16_t *rows, size_t n, size_t dims,
                     const float *query);
void rag_vindex_to_half(uint16_t *out, const float *in, size_t n);
void rag_vindex_to_float(float *out, const uint16_t *in, size_t n);

const char *rag_vindex_faiss_version(void);

#endif /* RAG_STORE_VINDEX_H */
