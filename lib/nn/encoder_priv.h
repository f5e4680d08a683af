#ifndef RAG_NN_ENCODER_PRIV_H
#define RAG_NN_ENCODER_PRIV_H

/* Shared by the encoder*.c files only. */

#include <stdatomic.h>

#include "base/pool.h"
#include "nn/encoder.h"
#include "nn/layers.h"

/* text taken in hand at once: bounds the memory for ids */
#define RAG_ENCODER_GROUP_BYTES ((size_t)512 << 10)
#define RAG_ENCODER_GROUP_TEXTS ((size_t)4096)
/* pairs taken in hand at once: two texts each */
#define RAG_ENCODER_GROUP_PAIRS (RAG_ENCODER_GROUP_TEXTS / 2)

typedef struct rag_encoder_worker {
    rag_encoder *e;
    rag_tokens tokens;
    int32_t *ids; /* of all texts it tokenised in this group */
    size_t n_ids;
    size_t ids_cap;
    rag_layers *layers; /* made when first needed */
    bool is_caller;
    rag_status st;
    rag_error err;
} rag_encoder_worker;

typedef struct rag_encoder_place {
    size_t worker; /* whose ids */
    size_t first;
    size_t n; /* without specials */
} rag_encoder_place;

struct rag_encoder {
    rag_weights w;
    rag_encoder_info info;
    const rag_kern *kern;
    size_t n_threads;
    rag_pool *pool; /* n_threads - 1 threads, made when first needed */
    rag_encoder_worker *workers; /* [n_threads]; 0 is the caller */
    /* the group at hand */
    const rag_str *texts; /* [n_texts] */
    size_t n_texts;
    rag_encoder_place *places; /* [RAG_ENCODER_GROUP_TEXTS] */
    rag_layers_window *windows;
    size_t windows_cap;
    size_t n_windows;
    int32_t *ids; /* of the windows, special tokens among them */
    size_t ids_cap;
    size_t n_ids;
    rag_str *pairs; /* [2 RAG_ENCODER_GROUP_PAIRS], made when first needed */
    float *vectors; /* [n_windows x hidden] */
    size_t vectors_cap;
    rag_layers_block *blocks;
    size_t blocks_cap;
    size_t n_blocks;
    atomic_size_t next;
    atomic_bool stop;
    bool (*cancelled)(void *);
    void *ctx;
    uint64_t n_windowed; /* texts in several windows, ever */
};

/* Cuts every text of the group into windows of nearly equal length. */
rag_status rag_encoder_make_windows(rag_encoder *e, rag_error *err);
/* Texts 2 i and 2 i + 1 as the window that gives the logits of pair i,
 * out [n_texts / 2 x n_labels]. */
rag_status rag_encoder_make_pairs(float *out, rag_encoder *e, rag_error *err);
/* Puts the windows, longest first, into blocks; *n_tokens: of all. */
rag_status rag_encoder_make_blocks(rag_encoder *e, size_t *n_tokens,
                                   rag_error *err);
/* The vectors of each text's windows, weighted by length, become one,
 * out [n_texts x hidden]. */
rag_status rag_encoder_gather(float *out, rag_encoder *e, rag_error *err);

#endif /* RAG_NN_ENCODER_PRIV_H */
