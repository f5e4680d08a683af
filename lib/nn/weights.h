#ifndef RAG_NN_WEIGHTS_H
#define RAG_NN_WEIGHTS_H

/*
 * weights — our model file: mapped, checked by bounds, used where it lies.
 *
 * A header, a table of sections, the sections (64-byte aligned, in the order of
 * their kinds, each kind once, the last one ends the file). docs/model-file.md
 * tells every byte. Opening reads the header alone; nothing is parsed or
 * copied. The hashes are compared by rag_weights_verify() only, so numbers in
 * the sections stay untrusted: whoever indexes by one checks it.
 *
 * Owns:    the mapping, from rag_weights_open() to rag_weights_close().
 * Errors:  RAG_E_NOTFOUND, RAG_E_IO, RAG_E_CORRUPT (damaged, cut off, another
 *          version), RAG_E_NOMEM.
 * Threads: safe to share after open.
 */

#include "base/file.h"
#include "nn/source.h"
#include "nn/tokens.h"

#define RAG_WEIGHTS_VERSION 3u
#define RAG_WEIGHTS_ALIGN 64u
/* header and section table; the sections begin here, on a page of their own */
#define RAG_WEIGHTS_HEAD_BYTES 4096u

/* Caps on shapes: far above every encoder that is worth running on a CPU, low
 * enough that no product of them overflows 64 bits. */
#define RAG_WEIGHTS_MAX_HIDDEN 4096u
#define RAG_WEIGHTS_MAX_FFN 16384u
#define RAG_WEIGHTS_MAX_LAYERS 64u
#define RAG_WEIGHTS_MAX_HEAD_DIMS 128u
#define RAG_WEIGHTS_MAX_WINDOW 8192u
#define RAG_WEIGHTS_MAX_LABELS 64u

typedef enum rag_weights_kind {
    RAG_WEIGHTS_LAYERS = 1,
    RAG_WEIGHTS_EMBED,
    RAG_WEIGHTS_HEAD,   /* of a cross-encoder, else empty */
    RAG_WEIGHTS_TOKENS, /* nn/tokens_blob.h */
    RAG_WEIGHTS_VOCAB
} rag_weights_kind;
#define RAG_WEIGHTS_SECTIONS 5u

/* forms of the vocabulary: rows of hidden / 32 blocks of Q4_0; rows of hidden
 * int8 and a float scale */
#define RAG_WEIGHTS_VOCAB_Q4_0 1u
#define RAG_WEIGHTS_VOCAB_I8 2u

/* parts of the matrix behind the inner layer, at most */
#define RAG_WEIGHTS_DOWN 4u

/* The front of the file; little-endian, no padding. */
typedef struct rag_weights_head {
    char magic[8]; /* "RAGMODEL" */
    uint32_t version;
    uint32_t head_bytes;
    uint64_t file_bytes;
    uint8_t payload_sha256[32]; /* of the file behind head_bytes */
    uint8_t head_sha256[32];    /* of the first head_bytes, this field zero */
    uint32_t arch;              /* rag_source_arch */
    uint32_t pooling;           /* rag_source_pooling */
    uint32_t head;              /* rag_source_head */
    uint32_t tokens;            /* rag_tokens_kind */
    uint32_t vocab_format;
    uint32_t act; /* rag_source_act; 0 in all older files */
    uint32_t n_layers;
    uint32_t hidden;
    uint32_t n_heads;
    uint32_t ffn;
    uint32_t window;  /* positions */
    uint32_t n_vocab; /* rows */
    uint32_t n_types;
    uint32_t n_labels; /* of the head; 0 without */
    uint32_t local_window;
    uint32_t global_every;
    float rope_global;
    float rope_local;
    float norm_eps;
    uint32_t zero[3];
    char name[64]; /* texts: UTF-8, NUL-terminated */
    char query_prefix[RAG_SOURCE_MAX_TEXT];
    char passage_prefix[RAG_SOURCE_MAX_TEXT];
    char licence[64];
    char source[RAG_SOURCE_MAX_TEXT];
    char label_names[RAG_SOURCE_MAX_TEXT]; /* n_labels lines, or "" */
} rag_weights_head;

typedef struct rag_weights_section {
    uint32_t kind;
    uint32_t zero;
    uint64_t offset;
    uint64_t n_bytes;
} rag_weights_section;

/* A matrix [n_out x n_in]: int8 in panels of 32 outputs, [n_out / 32][n_in / 4]
 * [32][4], and three floats an output. Behind each other in the file. */
typedef struct rag_weights_matrix {
    const int8_t *w;
    const float *scale; /* [n_out] */
    const float *sum;   /* [n_out] scale * sum of the row's weights */
    const float *bias;  /* [n_out] */
} rag_weights_matrix;

typedef struct rag_weights_layer {
    rag_weights_matrix qkv; /* hidden -> 3 hidden; q holds 1/sqrt(head dims) */
    rag_weights_matrix mix; /* hidden -> hidden */
    const float *norm1_w;   /* [hidden]; nothing in ModernBERT's layer 0 */
    const float *norm1_b;
    /* hidden -> ffn; ModernBERT: hidden -> 2 ffn, panels in turn of what goes
     * through `act` and of what that is multiplied by */
    rag_weights_matrix up;
    /* ffn -> hidden: rag_weights_down() parts, of the first inputs, the next,
     * ...; each with scales of its own, so that one large number coarsens the
     * steps of its part only. The bias is with the first, the others' are zero.
     */
    rag_weights_matrix down[RAG_WEIGHTS_DOWN];
    const float *norm2_w;
    const float *norm2_b;
    /* [hidden] what the inputs of qkv and up are multiplied by before they are
     * rounded; their weights are divided by it */
    const float *qkv_by;
    const float *up_by;
} rag_weights_layer;

/* What turns a pooled row into logits, in floats. */
typedef struct rag_weights_labels {
    const float *dense;   /* [hidden in x hidden out] */
    const float *dense_b; /* [hidden] */
    const float *norm_w;  /* [hidden]; ModernBERT */
    const float *norm_b;
    const float *out;   /* [n_labels x hidden] */
    const float *out_b; /* [n_labels] */
} rag_weights_labels;

typedef struct rag_weights {
    rag_map map;
    const rag_weights_head *head;
    const float *positions; /* BERT: [window x hidden], token type 0 added */
    /* ModernBERT: of global and of local layers [window x head dims], a row
     * being cosines and then sines of half as many angles */
    const float *rope[2];
    const float *type_step; /* [hidden] token type 1 less type 0 */
    const float *norm_w;    /* [hidden] */
    const float *norm_b;
    const float *final_w; /* [hidden]; ModernBERT */
    const float *final_b;
    rag_weights_labels labels; /* when n_labels is not 0 */
    const uint8_t *vocab;      /* [n_vocab] rows */
    const uint8_t *layers;
    rag_tokens_model tokens;
} rag_weights;

RAG_NODISCARD rag_status rag_weights_open(rag_weights *out, const char *path,
                                          rag_error *err);
void rag_weights_close(rag_weights *w);

/* Where the parts of a layer lie. */
rag_weights_layer rag_weights_layer_at(const rag_weights *w, size_t layer);

/* x [hidden] = the row of a token (below n_vocab). */
void rag_weights_row(float *x, const rag_weights *w, uint32_t token);

/* Reads the whole file and compares both hashes. */
RAG_NODISCARD rag_status rag_weights_verify(const char *path, rag_error *err);

/* ---- shared with the importer ---- */

/* Shapes as in h: RAG_OK, or why they cannot be. code: what to fail with. */
RAG_NODISCARD rag_status rag_weights_check_shape(const rag_weights_head *h,
                                                 rag_status code,
                                                 rag_error *err);
/* Parts of a layer's down: RAG_WEIGHTS_DOWN where whole panels are left, else
 * one. */
size_t rag_weights_down(const rag_weights_head *h);
/* outputs of a layer's up */
size_t rag_weights_up(const rag_weights_head *h);
size_t rag_weights_matrix_bytes(size_t n_out, size_t n_in);
size_t rag_weights_layer_bytes(const rag_weights_head *h);
size_t rag_weights_embed_bytes(const rag_weights_head *h);
size_t rag_weights_labels_bytes(const rag_weights_head *h);
size_t rag_weights_row_bytes(const rag_weights_head *h);
/* IEEE half to float. */
float rag_weights_half(uint16_t bits);

#endif /* RAG_NN_WEIGHTS_H */
