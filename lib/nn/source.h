#ifndef RAG_NN_SOURCE_H
#define RAG_NN_SOURCE_H

/*
 * source — a model in a foreign format, opened: shapes, tensors, tokenizer.
 *
 * Every importer (E5S1, safetensors, GGUF, ONNX) turns its file into one of
 * these; the packer makes our model file of it and knows no format. Importers
 * check that every tensor lies inside its file; that the shapes fit each other
 * and that no value is NaN or infinite is checked by the packer.
 *
 * Owns:    all of it, from the importer's _open() to rag_source_close().
 * Errors:  RAG_E_FORMAT (what is wrong in the file), RAG_E_NOTFOUND, RAG_E_IO,
 *          RAG_E_LIMIT, RAG_E_NOMEM.
 * Threads: safe to share after open.
 */

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"
#include "base/str.h"
#include "nn/dtype.h"
#include "nn/nmt.h"

typedef enum rag_source_arch {
    RAG_ARCH_BERT = 1,  /* post-norm, learned positions; XLM-R, too */
    RAG_ARCH_MODERNBERT /* pre-norm, RoPE, local and global attention, gated */
} rag_source_arch;

/* Between the two products of the feed-forward part. */
typedef enum rag_source_act {
    RAG_ACT_GELU,      /* by erf */
    RAG_ACT_SILU,      /* x / (1 + e^-x) */
    RAG_ACT_TANH_GELU, /* GELU by tanh: gelu_new, gelu_pytorch_tanh */
    RAG_ACT_RELU
} rag_source_act;
#define RAG_ACTS 4u

typedef enum rag_source_pooling {
    RAG_POOL_MEAN = 1,
    RAG_POOL_CLS,
    RAG_POOL_LAST,
    RAG_POOL_MAX,     /* the greatest of every number */
    RAG_POOL_WEIGHTED /* mean; token i of 1 ... n counts i times */
} rag_source_pooling;

/* What gives scores of pairs instead of vectors (cross-encoders). */
typedef enum rag_source_head {
    RAG_HEAD_NONE,
    RAG_HEAD_BERT,      /* pooler: dense, tanh; then the classifier */
    RAG_HEAD_XLMR,      /* dense, tanh, out_proj */
    RAG_HEAD_MODERNBERT /* dense, GELU, norm; then the classifier */
} rag_source_head;

/* What a tensor is for. Matrices are [n_out x n_in], row-major, unless
 * `transposed`. Those from Q_W on exist once a layer, until FINAL_NORM_W. */
typedef enum rag_source_part {
    RAG_PART_WORDS,     /* [n_vocab x hidden] */
    RAG_PART_POSITIONS, /* [n x hidden]; row 0 is the first token's: XLM-R's two
                         * unused rows are already left out */
    RAG_PART_TYPES,     /* [n_types x hidden] */
    RAG_PART_EMBED_NORM_W,
    RAG_PART_EMBED_NORM_B,
    RAG_PART_Q_W, /* [hidden x hidden] */
    RAG_PART_Q_B,
    RAG_PART_K_W,
    RAG_PART_K_B,
    RAG_PART_V_W,
    RAG_PART_V_B,
    RAG_PART_QKV_W, /* [3 hidden x hidden], in place of the three */
    RAG_PART_QKV_B,
    RAG_PART_MIX_W, /* attention output */
    RAG_PART_MIX_B,
    RAG_PART_NORM1_W, /* BERT: after attention; ModernBERT: before it, not in
                       * layer 0 */
    RAG_PART_NORM1_B,
    RAG_PART_UP_W, /* [ffn x hidden]; ModernBERT: [2 ffn x hidden], first half
                    * goes through `act` and multiplies the second */
    RAG_PART_UP_B,
    RAG_PART_DOWN_W, /* [hidden x ffn] */
    RAG_PART_DOWN_B,
    RAG_PART_NORM2_W, /* BERT: after the feed-forward; ModernBERT: before it */
    RAG_PART_NORM2_B,
    RAG_PART_FINAL_NORM_W, /* ModernBERT */
    RAG_PART_FINAL_NORM_B,
    RAG_PART_HEAD_DENSE_W, /* [hidden x hidden] */
    RAG_PART_HEAD_DENSE_B,
    RAG_PART_HEAD_NORM_W,
    RAG_PART_HEAD_NORM_B,
    RAG_PART_HEAD_OUT_W, /* [n_labels x hidden] */
    RAG_PART_HEAD_OUT_B
} rag_source_part;

typedef struct rag_source_tensor {
    rag_source_part part;
    uint32_t layer;  /* 0 where there are no layers */
    bool transposed; /* [n_in x n_out], as ONNX's MatMul has it */
    rag_dtype type;
    uint64_t n_rows; /* of what is stored; a vector has 1 row */
    uint64_t n_cols;
    const unsigned char *bytes; /* in a mapping, or in the arena */
    /* int8 with a scale: x = (q - zero) * scale, one for all or one a row of
     * the matrix [n_out]; NULL for every other type */
    const float *scales;
    const int32_t *zeros;
    size_t n_scales;
} rag_source_tensor;

typedef enum rag_tokens_kind {
    RAG_TOKENS_UNIGRAM = 1, /* SentencePiece */
    RAG_TOKENS_WORDPIECE,   /* BERT */
    RAG_TOKENS_BYTE_BPE,    /* GPT-2 and its descendants */
    RAG_TOKENS_SP_BPE       /* SentencePiece BPE with byte fallback */
} rag_tokens_kind;

/* How the byte-level BPE takes text apart before merging. */
typedef enum rag_tokens_split {
    RAG_SPLIT_NONE,
    RAG_SPLIT_GPT2,   /* the pattern of GPT-2: 's|'t| ?\p{L}+| ?\p{N}+ ... */
    RAG_SPLIT_LLAMA3, /* cl100k's: case-less contractions, \p{N}{1,3}, ... */
    RAG_SPLIT_QWEN2,  /* the same with single digits */
    RAG_SPLIT_O200K,  /* GPT-4o's: borders before capital letters, too */
    RAG_SPLIT_DIGITS, /* every number by itself */
    RAG_SPLIT_DIGIT_RUNS, /* numbers in a row from what is none */
    RAG_SPLIT_PUNCTUATION /* every punctuation mark by itself */
} rag_tokens_split;

/* Splits in a row, each of what the one before left: a byte each, the first in
 * the lowest. */
#define RAG_SPLIT_MOST 4u
static inline rag_tokens_split rag_split_at(uint32_t splits, uint32_t i)
{
    return (rag_tokens_split)(splits >> 8 * i & 255u);
}

/* What a piece is. */
typedef enum rag_piece_type {
    RAG_PIECE_NORMAL,
    RAG_PIECE_SPECIAL, /* never made from text */
    RAG_PIECE_USER,    /* always cut out of the text whole, and a piece like
                        * others where normalising the text makes it */
    RAG_PIECE_BYTE,    /* "<0x41>" */
    RAG_PIECE_UNUSED,
    RAG_PIECE_USER_FORM, /* as USER, but cut out of the text after `form` */
    RAG_PIECE_ADDED      /* as USER, but no piece of the model otherwise */
} rag_piece_type;

/* Unicode form the text is brought into first. */
typedef enum rag_tokens_form {
    RAG_FORM_NONE,
    RAG_FORM_NFC,
    RAG_FORM_NFKC,
    RAG_FORM_CHARSMAP, /* SentencePiece's precompiled one */
    RAG_FORM_NMT       /* a map of code points (E5S1); nmt below */
} rag_tokens_form;

/* WordPiece: what is done to every code point, in order. */
typedef enum rag_tokens_norm {
    RAG_NORM_END,
    RAG_NORM_CLEAN,   /* BertNormalizer's: controls go */
    RAG_NORM_ACCENTS, /* BertNormalizer's: NFD, marks without width go */
    RAG_NORM_LOWER,
    RAG_NORM_NFD,
    RAG_NORM_STRIP /* StripAccents: marks go */
} rag_tokens_norm;
#define RAG_NORM_MOST 8u

typedef struct rag_source_tokens {
    rag_tokens_kind kind;
    rag_str *pieces; /* [n_pieces], as the model has them: U+2581 for a
                      * space (SentencePiece), "##" (WordPiece), GPT-2's
                      * letters for bytes (byte-level BPE) */
    float *scores;   /* [n_pieces] Unigram, SP_BPE; else NULL */
    uint8_t *types;  /* [n_pieces] rag_piece_type */
    uint32_t n_pieces;
    uint32_t (*merges)[2]; /* [n_merges] ids of left and right, best first:
                            * BPE; else NULL */
    uint32_t *merged;      /* [n_merges] ids of what they become */
    uint32_t n_merges;
    rag_tokens_form form;
    rag_str charsmap; /* FORM_CHARSMAP */
    rag_nmt_map *nmt; /* FORM_NMT [n_nmt] */
    size_t n_nmt;
    uint32_t splits;              /* BYTE_BPE */
    uint8_t norms[RAG_NORM_MOST]; /* WordPiece: RAG_NORM_END behind the last */
    bool cjk_spaces;              /* WordPiece: spaces around Han characters */
    bool join_punctuation;        /* WordPiece: it is no word by itself */
    bool digits_apart;            /* WordPiece: each is a word by itself */
    bool prefix_space;            /* a space is put in front of the text */
    bool prefix_missing;  /* ... unless one is there already; BYTE_BPE: always
                           * so */
    bool prefix_each;     /* ... and behind every USER piece, too */
    bool collapse_spaces; /* runs become one, ends are trimmed (SentencePiece's
                           * remove_extra_whitespaces) */
    bool byte_fallback;
    bool ignore_merges;      /* BYTE_BPE: a whole word that is a piece is it */
    uint32_t max_word_chars; /* WordPiece: longer words are unknown; 100 */
    /* around a text, and of a pair "bos A eos [eos2] B eos"; -1: none */
    int32_t bos; /* or [CLS] */
    int32_t eos; /* or [SEP] */
    int32_t pad;
    int32_t unk;
    bool pair_double_eos; /* XLM-R: </s></s> between the two */
} rag_source_tokens;

#define RAG_SOURCE_MAX_TEXT 256u

typedef struct rag_source {
    rag_arena *arena; /* holds tables, names, texts */
    rag_map *maps;    /* [n_maps] files in use */
    size_t n_maps;
    rag_source_arch arch;
    rag_source_act act;
    rag_source_pooling pooling;
    rag_source_head head;
    bool no_types;  /* DistilBERT: no table of token types */
    bool normalise; /* vectors to unit length (all models so far) */
    uint32_t hidden;
    uint32_t n_layers;
    uint32_t n_heads;
    uint32_t ffn;
    uint32_t window;   /* most tokens, specials counted */
    uint32_t n_labels; /* of the head */
    float norm_eps;
    /* ModernBERT */
    uint32_t local_window;      /* tokens to both sides together, e.g. 128 */
    uint32_t global_every;      /* layers 0, n, 2n ... see everything, e.g. 3 */
    float rope_global;          /* base, e.g. 160000 */
    float rope_local;           /* e.g. 10000 */
    rag_source_tensor *tensors; /* [n_tensors] */
    size_t n_tensors;
    rag_source_tokens tokens;
    /* of the head, a line each in the order of the logits; "" : not told */
    char label_names[RAG_SOURCE_MAX_TEXT];
    char query_prefix[RAG_SOURCE_MAX_TEXT]; /* "" : none */
    char passage_prefix[RAG_SOURCE_MAX_TEXT];
    char licence[64];
    char source[RAG_SOURCE_MAX_TEXT]; /* "FILE sha256:HEX" */
    bool (*cancelled)(void *ctx);     /* asked while packing; may be NULL */
    void *cancel_ctx;
} rag_source;

/* WordPiece: is this one of the steps? */
bool rag_source_norm_has(const rag_source_tokens *t, rag_tokens_norm norm);
/* Puts a step behind those that are there, or (is_first) in front of them;
 * false: there is no room. */
bool rag_source_norm_add(rag_source_tokens *t, rag_tokens_norm norm,
                         bool is_first);
/* The steps of BertNormalizer that are wanted, in its order, behind those that
 * are there; false: there is no room. */
bool rag_source_norm_bert(rag_source_tokens *t, bool clean, bool accents,
                          bool lower);

/* Takes an all-zero struct, too. */
void rag_source_close(rag_source *s);

/* NULL: the model has none. Borrowed. */
const rag_source_tensor *rag_source_find(const rag_source *s,
                                         rag_source_part part, uint32_t layer);

#endif /* RAG_NN_SOURCE_H */
