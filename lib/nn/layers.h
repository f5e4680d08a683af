#ifndef RAG_NN_LAYERS_H
#define RAG_NN_LAYERS_H

/*
 * layers — blocks of token windows become unit vectors, or logits.
 *
 * The windows of a block stand behind each other without padding; only
 * attention sees where one ends. Everything else works on tiles of a few
 * tokens, so that what a tile passes through stays in the cache. A token's
 * numbers depend on its own row alone, attention on its own window alone: the
 * same window gives the same vector in any block.
 *
 * Owns:    rag_layers, the scratch of one thread, from _new() to _free().
 * Errors:  RAG_E_NOMEM, RAG_E_CORRUPT (the model gives no vector).
 * Threads: one object per thread; weights and kernels are shared.
 */

#include "nn/kern.h"
#include "nn/weights.h"

/* tokens of a block: enough to use each weight often, few enough to spread over
 * threads; a longer window is a block of its own */
#define RAG_LAYERS_BLOCK_TOKENS ((size_t)512)

typedef struct rag_layers rag_layers;

typedef struct rag_layers_window {
    size_t text;        /* for the caller */
    const int32_t *ids; /* [n], special tokens too, all in the vocabulary */
    size_t n;           /* 1 to the window */
    size_t n_first;     /* the first of them are of token type 0; n: all */
    float *out;         /* rag_layers_out() floats, to be written */
} rag_layers_window;

typedef struct rag_layers_block {
    rag_layers_window *windows; /* [n_windows] */
    size_t n_windows;
    size_t
        n_tokens; /* sum of n: at most RAG_LAYERS_BLOCK_TOKENS, or one window */
} rag_layers_block;

/* Floats that come out of a window: a vector's, or one a label. */
size_t rag_layers_out(const rag_weights *w);

/* w and kern are borrowed until _free(). */
RAG_NODISCARD rag_status rag_layers_new(rag_layers **out, const rag_weights *w,
                                        const rag_kern *kern, rag_error *err);
void rag_layers_free(rag_layers *k);

RAG_NODISCARD rag_status rag_layers_run(rag_layers *k,
                                        const rag_layers_block *b,
                                        rag_error *err);

#endif /* RAG_NN_LAYERS_H */
