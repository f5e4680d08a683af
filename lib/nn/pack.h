#ifndef RAG_NN_PACK_H
#define RAG_NN_PACK_H

/*
 * pack — a model from any format becomes our model file: matrices rounded to
 * int8 a row and put into panels, vectors as floats, tokenizer built.
 *
 * What an importer left open is checked here: every part that the architecture
 * needs is there and nothing else, shapes fit, every number is finite. A bias
 * that is missing is zero.
 *
 * Owns:    nothing.
 * Errors:  RAG_E_FORMAT (what is wrong with the model), RAG_E_UNSUPPORTED,
 *          RAG_E_LIMIT, RAG_E_NOMEM, RAG_E_IO.
 * Threads: safe.
 */

#include "nn/source.h"
#include "nn/weights.h"

/* Writes the file at out_path, in one step. name: UTF-8, up to 63 bytes. */
RAG_NODISCARD rag_status rag_pack(const char *out_path, const rag_source *s,
                                  const char *name, rag_error *err);

/* ---- shared by the pack_*.c ---- */

/* Tensors as floats, with a note of which were asked for. */
typedef struct rag_pack_parts {
    const rag_source *s;
    bool *used;    /* [n_tensors] */
    float *matrix; /* the last one, [matrix_cap] */
    size_t matrix_cap;
    const rag_source_tensor *last; /* what it was made from */
} rag_pack_parts;

RAG_NODISCARD rag_status rag_pack_parts_init(rag_pack_parts *p,
                                             const rag_source *s,
                                             rag_error *err);
void rag_pack_parts_dispose(rag_pack_parts *p);

/* A table of at least n_rows rows of n_cols, to be read row by row; *out is
 * NULL when the model has none and may do without. Borrowed. */
RAG_NODISCARD rag_status rag_pack_table(const rag_source_tensor **out,
                                        rag_pack_parts *p, rag_source_part part,
                                        size_t n_rows, size_t n_cols,
                                        bool may_miss, rag_error *err);
/* *out [n_out x n_in], borrowed until the next call. */
RAG_NODISCARD rag_status rag_pack_matrix(const float **out, rag_pack_parts *p,
                                         rag_source_part part, uint32_t layer,
                                         size_t n_out, size_t n_in,
                                         rag_error *err);
/* Row `row` of the last matrix is whole multiples of this; 0: not known. */
float rag_pack_step(const rag_pack_parts *p, size_t row);
/* out [n]; zero when the model has no such part and may do without. */
RAG_NODISCARD rag_status rag_pack_vector(float *out, rag_pack_parts *p,
                                         rag_source_part part, uint32_t layer,
                                         size_t n, bool may_miss,
                                         rag_error *err);
/* out [n_cols] = row r of a table. */
RAG_NODISCARD rag_status rag_pack_row(float *out, const rag_source_tensor *t,
                                      size_t r, rag_error *err);
/* Was anything in the model not asked for? */
RAG_NODISCARD rag_status rag_pack_check_used(const rag_pack_parts *p,
                                             rag_error *err);

/* The halves of a layer, to [rag_weights_layer_bytes(h)]: attention with the
 * norm behind it (ModernBERT: in front), then the feed-forward part with its
 * norm. qkv_by and up_by stand there already. */
RAG_NODISCARD rag_status rag_pack_attention(unsigned char *to,
                                            rag_pack_parts *p,
                                            const rag_weights_head *h,
                                            uint32_t layer, rag_error *err);
RAG_NODISCARD rag_status rag_pack_forward(unsigned char *to, rag_pack_parts *p,
                                          const rag_weights_head *h,
                                          uint32_t layer, rag_error *err);
/* Where the parts of the layer lie that is being made ... */
rag_weights_layer rag_pack_places(const unsigned char *layer,
                                  const rag_weights_head *h);
/* ... and the same place to write to. */
static inline void *rag_pack_inside(unsigned char *layer, const void *at)
{
    return layer + ((const unsigned char *)at - layer);
}
/* to [rag_weights_embed_bytes(h) / 4] */
RAG_NODISCARD rag_status rag_pack_embed(float *to, rag_pack_parts *p,
                                        const rag_weights_head *h,
                                        rag_error *err);
/* Makes what goes into a layer easier for int8 (pack_shift.c): constants out of
 * the bias of the norm in front of it and into the biases behind, and a factor
 * for each column. In the embedding (as rag_pack_embed() made it) and then
 * layer by layer, before and behind each half; models that are not made for it
 * stay as they are, their factors 1. */
typedef struct rag_pack_shift rag_pack_shift;

/* *out by rag_pack_shift_free(), on failure, too. h is borrowed. */
RAG_NODISCARD rag_status rag_pack_shift_new(rag_pack_shift **out,
                                            rag_pack_parts *p,
                                            const rag_weights_head *h,
                                            float *embed, rag_error *err);
/* Writes qkv_by. */
void rag_pack_shift_begin(rag_pack_shift *s, unsigned char *layer);
/* Changes biases of what rag_pack_attention() made, writes up_by. */
RAG_NODISCARD rag_status rag_pack_shift_attention(rag_pack_shift *s,
                                                  unsigned char *layer,
                                                  uint32_t i, rag_error *err);
/* Changes biases of what rag_pack_forward() made. */
RAG_NODISCARD rag_status rag_pack_shift_forward(rag_pack_shift *s,
                                                unsigned char *layer,
                                                uint32_t i, rag_error *err);
void rag_pack_shift_free(rag_pack_shift *s);

/* to [rag_weights_labels_bytes(h) / 4] */
RAG_NODISCARD rag_status rag_pack_labels(float *to, rag_pack_parts *p,
                                         const rag_weights_head *h,
                                         rag_error *err);

#endif /* RAG_NN_PACK_H */
