#ifndef RAG_STORE_VINDEX_PRIV_H
#define RAG_STORE_VINDEX_PRIV_H

/*
 * vindex_priv — shared by the vindex files only: vindex.c (opening, searching,
 * and every call of FAISS), vindex_make.c (writing the file), vindex_hash.c
 * (its hash), vindex_half.c (float16), vindex_key.c (the user's key).
 *
 * The file, little-endian, every part at a multiple of 64 bytes:
 *   head       RAG_VINDEX_HEAD_BYTES, see put_head() in vindex_make.c
 *   table      [n_lists] offset of the list's rows and number of them, uint64;
 *              spread, float32; 4 zeros
 *   centroids  [n_lists x dims] float16
 *   mac        32 bytes: HMAC-SHA-256 over all of the above
 *   lists      each: rows [n x dims] float16, then ids [n] int64
 */

#include "store/vindex.h"

#define RAG_VINDEX_MAGIC "RAGVIDX1" /* 8 bytes, a new one with a new layout */
#define RAG_VINDEX_HEAD_BYTES 64u
#define RAG_VINDEX_ALIGN 64u
#define RAG_VINDEX_ENTRY_BYTES 24u
/* Far above every embedding model known; keeps the products below small. */
#define RAG_VINDEX_MAX_DIMS 8192u
/* 4 times what 10,000,000 vectors want. */
#define RAG_VINDEX_MAX_LISTS 16384u

typedef struct rag_vindex_head {
    uint64_t file_bytes;
    uint64_t generation;
    uint64_t n_vectors;
    uint64_t lists_at; /* where the first list begins */
    size_t dims;
    size_t n_lists;
    size_t n_probe; /* lists that a search without a filter looks into */
} rag_vindex_head;

/* Where the MAC lies: bytes of head, table and centroids, rounded up. */
size_t rag_vindex_mac_at(size_t n_lists, size_t dims);
/* Where the ids of a list of n rows at `rows_at` lie, and where it ends. */
uint64_t rag_vindex_ids_at(uint64_t rows_at, uint64_t n, size_t dims);
uint64_t rag_vindex_list_end(uint64_t rows_at, uint64_t n, size_t dims);

/* "IVF1024,SQfp16" */
void rag_vindex_kind(char *out, size_t out_bytes, size_t n_lists);

/* The hash of the whole file; path: its name. b: the build that may be
 * cancelled, or NULL. */
RAG_NODISCARD rag_status rag_vindex_hash(uint8_t out[RAG_SHA256_BYTES], int fd,
                                         const char *path,
                                         const rag_vindex_build *b,
                                         rag_error *err);

/* ---- FAISS, for the writer ---------------------------------------------- */

/* k-means over a sample [n x dims] float16; centroids [n_lists x dims]. */
RAG_NODISCARD rag_status rag_vindex_train(float *centroids,
                                          const uint16_t *sample, size_t n,
                                          size_t n_lists,
                                          const rag_vindex_build *b,
                                          rag_error *err);

/* Assigns vectors to the nearest centroid. */
typedef struct rag_vindex_coarse rag_vindex_coarse;
RAG_NODISCARD rag_status rag_vindex_coarse_new(rag_vindex_coarse **out,
                                               const uint16_t *centroids,
                                               size_t n_lists, size_t dims,
                                               rag_error *err);
void rag_vindex_coarse_free(rag_vindex_coarse *c);
/* list_no [n], below n_lists; rows [n x dims] float16. */
RAG_NODISCARD rag_status rag_vindex_coarse_assign(uint32_t *list_no,
                                                  rag_vindex_coarse *c,
                                                  const uint16_t *rows,
                                                  size_t n, rag_error *err);

/* ---- both ways of float16, for the tests -------------------------------- */

/* Whether this CPU has AVX2 and F16C. */
bool rag_vindex_half_fast(void);
void rag_vindex_dots_scalar(float *out, const uint16_t *rows, size_t n,
                            size_t dims, const float *query);
void rag_vindex_to_float_scalar(float *out, const uint16_t *in, size_t n);

#endif /* RAG_STORE_VINDEX_PRIV_H */
