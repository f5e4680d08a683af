#ifndef RAG_TESTS_NN_RANDOM_H
#define RAG_TESTS_NN_RANDOM_H

/* Small random models of every architecture, as sources. Their weights are
 * numbers that tests/nn/make_random.py makes in the same way for the reference
 * implementation, so only what that gives is stored. A text is Han characters,
 * each a piece of its own. */

#include "nn_tiny.h"

#include "base/arena.h"
#include "nn/pack.h"
#include "nn/source.h"

#ifndef RANDOM_HIDDEN
#define RANDOM_HIDDEN 64u
#define RANDOM_HEADS 2u
#define RANDOM_FFN 128u
#define RANDOM_WINDOW 128u
#define RANDOM_VOCAB 200u
#endif
#define RANDOM_FIRST 5u /* piece that is the first character */
#define RANDOM_TEXTS 9u /* texts, or pairs */
#define RANDOM_TEXT_BYTES 400u

static const unsigned random_lengths[RANDOM_TEXTS] = {0,  1,  2,  7,  17,
                                                      31, 60, 90, 125};

typedef struct random_model {
    const char *name; /* of the file of results */
    rag_source_arch arch;
    bool xlmr;
    rag_source_pooling pooling;
    rag_source_head head;
    uint32_t n_labels;
    rag_source_act act;
    bool no_types; /* as DistilBERT */
} random_model;

static inline uint32_t random_mix(uint32_t seed, uint32_t i)
{
    uint32_t h = i * 0x9E3779B9u + seed * 0x85EBCA6Bu;

    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    return h ^ h >> 16;
}

static inline bool random_is_norm(rag_source_part p)
{
    return p == RAG_PART_EMBED_NORM_W || p == RAG_PART_NORM1_W ||
           p == RAG_PART_NORM2_W || p == RAG_PART_FINAL_NORM_W ||
           p == RAG_PART_HEAD_NORM_W;
}

static inline float random_value(rag_source_part part, uint32_t layer,
                                 uint32_t i, uint64_t rows, uint64_t cols)
{
    float x = (float)(random_mix(1 + (uint32_t)part * 64 + layer, i) >> 8) /
                  8388608.0f -
              1.0f;

    if (random_is_norm(part))
        return 1.0f + 0.25f * x;
    if (rows == 1 && part != RAG_PART_HEAD_OUT_W && part != RAG_PART_TYPES)
        return 0.125f * x;
    if (part == RAG_PART_POSITIONS || part == RAG_PART_TYPES)
        return 0.5f * x;
    if (part == RAG_PART_WORDS)
        return x;
    return (cols == RANDOM_HIDDEN ? 0.1875f : 0.140625f) * x;
}

static inline void random_add(rag_source *s, rag_source_part part,
                              uint32_t layer, uint64_t rows, uint64_t cols)
{
    float *x = rag_arena_array(s->arena, rows * cols, sizeof *x);
    rag_source_tensor *t = &s->tensors[s->n_tensors++];

    assert_non_null(x);
    for (uint32_t i = 0; i < rows * cols; i++)
        x[i] = random_value(part, layer, i, rows, cols);
    *t = (rag_source_tensor){.part = part,
                             .layer = layer,
                             .type = RAG_DTYPE_F32,
                             .n_rows = rows,
                             .n_cols = cols,
                             .bytes = (const unsigned char *)x};
}

static inline void random_bert(rag_source *s, bool xlmr, bool no_types)
{
    uint64_t h = RANDOM_HIDDEN;
    uint64_t f = RANDOM_FFN;

    s->n_layers = 2;
    s->norm_eps = xlmr ? 1e-5f : 1e-12f;
    random_add(s, RAG_PART_WORDS, 0, RANDOM_VOCAB, h);
    random_add(s, RAG_PART_POSITIONS, 0, RANDOM_WINDOW, h);
    if (!no_types)
        random_add(s, RAG_PART_TYPES, 0, xlmr ? 1 : 2, h);
    random_add(s, RAG_PART_EMBED_NORM_W, 0, 1, h);
    random_add(s, RAG_PART_EMBED_NORM_B, 0, 1, h);
    for (uint32_t l = 0; l < 2; l++) {
        for (rag_source_part p = RAG_PART_Q_W; p <= RAG_PART_V_B; p++)
            random_add(s, p, l, (p - RAG_PART_Q_W) % 2 == 0 ? h : 1, h);
        random_add(s, RAG_PART_MIX_W, l, h, h);
        random_add(s, RAG_PART_MIX_B, l, 1, h);
        random_add(s, RAG_PART_NORM1_W, l, 1, h);
        random_add(s, RAG_PART_NORM1_B, l, 1, h);
        random_add(s, RAG_PART_UP_W, l, f, h);
        random_add(s, RAG_PART_UP_B, l, 1, f);
        random_add(s, RAG_PART_DOWN_W, l, h, f);
        random_add(s, RAG_PART_DOWN_B, l, 1, h);
        random_add(s, RAG_PART_NORM2_W, l, 1, h);
        random_add(s, RAG_PART_NORM2_B, l, 1, h);
    }
}

static inline void random_modern(rag_source *s)
{
    uint64_t h = RANDOM_HIDDEN;
    uint64_t f = RANDOM_FFN;

    s->n_layers = 4;
    s->norm_eps = 1e-5f;
    s->local_window = 16;
    s->global_every = 3;
    s->rope_global = 160000.0f;
    s->rope_local = 10000.0f;
    random_add(s, RAG_PART_WORDS, 0, RANDOM_VOCAB, h);
    random_add(s, RAG_PART_EMBED_NORM_W, 0, 1, h);
    for (uint32_t l = 0; l < 4; l++) {
        random_add(s, RAG_PART_QKV_W, l, 3 * h, h);
        random_add(s, RAG_PART_MIX_W, l, h, h);
        if (l != 0)
            random_add(s, RAG_PART_NORM1_W, l, 1, h);
        random_add(s, RAG_PART_UP_W, l, 2 * f, h);
        random_add(s, RAG_PART_DOWN_W, l, h, f);
        random_add(s, RAG_PART_NORM2_W, l, 1, h);
    }
    random_add(s, RAG_PART_FINAL_NORM_W, 0, 1, h);
}

static inline void random_head(rag_source *s)
{
    uint64_t h = RANDOM_HIDDEN;
    bool modern = s->head == RAG_HEAD_MODERNBERT;

    if (s->head == RAG_HEAD_NONE)
        return;
    random_add(s, RAG_PART_HEAD_DENSE_W, 0, h, h);
    random_add(s, modern ? RAG_PART_HEAD_NORM_W : RAG_PART_HEAD_DENSE_B, 0, 1,
               h);
    random_add(s, RAG_PART_HEAD_OUT_W, 0, s->n_labels, h);
    random_add(s, RAG_PART_HEAD_OUT_B, 0, 1, s->n_labels);
}

/* Piece i from RANDOM_FIRST on: the character U+4E00 + i. */
static inline void random_char(char to[3], unsigned i)
{
    unsigned cp = 0x4E00 + i;

    to[0] = (char)(0xE0 | cp >> 12);
    to[1] = (char)(0x80 | (cp >> 6 & 63));
    to[2] = (char)(0x80 | (cp & 63));
}

static inline void random_tokens(rag_source *s, bool xlmr)
{
    static const char *const first[] = {"<s>", "<pad>", "</s>", "<unk>",
                                        "\xE2\x96\x81"};
    rag_source_tokens *t = &s->tokens;
    char *chars = rag_arena_array(s->arena, RANDOM_VOCAB, 3);

    t->kind = RAG_TOKENS_UNIGRAM;
    t->n_pieces = RANDOM_VOCAB;
    t->pieces = rag_arena_array(s->arena, RANDOM_VOCAB, sizeof *t->pieces);
    t->scores = rag_arena_array(s->arena, RANDOM_VOCAB, sizeof *t->scores);
    t->types = rag_arena_array(s->arena, RANDOM_VOCAB, sizeof *t->types);
    t->nmt = rag_arena_array(s->arena, 1, sizeof *t->nmt);
    assert_non_null(t->nmt);
    for (unsigned i = 0; i < RANDOM_VOCAB; i++) {
        random_char(chars + 3 * i, i);
        t->pieces[i] = i < RANDOM_FIRST ? rag_str_of(first[i])
                                        : rag_str_n(chars + 3 * i, 3);
        t->scores[i] = -1.0f;
        t->types[i] = i < 4 ? RAG_PIECE_SPECIAL : RAG_PIECE_NORMAL;
    }
    t->form = RAG_FORM_NMT;
    t->prefix_space = true;
    t->collapse_spaces = true;
    t->bos = 0;
    t->pad = 1;
    t->eos = 2;
    t->unk = 3;
    t->pair_double_eos = xlmr;
}

static inline void random_source(rag_source *s, const random_model *m)
{
    memset(s, 0, sizeof *s);
    s->arena = rag_malloc(sizeof *s->arena);
    assert_non_null(s->arena);
    rag_arena_init(s->arena);
    s->tensors = rag_arena_array(s->arena, 100, sizeof *s->tensors);
    assert_non_null(s->tensors);
    s->arch = m->arch;
    s->act = m->act;
    s->pooling = m->pooling;
    s->head = m->head;
    s->n_labels = m->n_labels;
    s->normalise = true;
    s->hidden = RANDOM_HIDDEN;
    s->n_heads = RANDOM_HEADS;
    s->ffn = RANDOM_FFN;
    s->window = RANDOM_WINDOW;
    if (m->arch == RAG_ARCH_MODERNBERT)
        random_modern(s);
    else
        random_bert(s, m->xlmr, m->no_types);
    random_head(s);
    random_tokens(s, m->xlmr);
}

/* Text j, in room [RANDOM_TEXT_BYTES]. */
static inline rag_str random_text(char *room, unsigned j)
{
    unsigned n = random_lengths[j % RANDOM_TEXTS];

    for (unsigned k = 0; k < n; k++)
        random_char(room + 3 * k,
                    RANDOM_FIRST + random_mix(9000 + j, k) %
                                       (RANDOM_VOCAB - RANDOM_FIRST));
    return rag_str_n(room, (size_t)3 * n);
}

#endif /* RAG_TESTS_NN_RANDOM_H */
