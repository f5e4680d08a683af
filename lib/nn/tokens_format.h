#ifndef RAG_NN_TOKENS_FORMAT_H
#define RAG_NN_TOKENS_FORMAT_H

/*
 * tokens_format — the bytes of a tokenizer in the model file, as the builder
 * writes and the opener reads them. Private to both; docs/model-file.md tells
 * every byte.
 */

#include <assert.h>
#include <stdint.h>

#include "base/buf.h"
#include "nn/source.h"

#define RAG_TOKENS_ALIGN ((size_t)64)

typedef enum rag_tokens_flag {
    RAG_TOKENS_BY_WORD = 1,
    RAG_TOKENS_PAIR_DOUBLE_EOS = 2,
    RAG_TOKENS_CLEAN = 4,
    RAG_TOKENS_STRIP_ACCENTS = 8,
    RAG_TOKENS_PREFIX_SPACE = 16,
    RAG_TOKENS_PREFIX_MISSING = 32,
    RAG_TOKENS_PREFIX_EACH = 64,
    RAG_TOKENS_COLLAPSE_SPACES = 128,
    RAG_TOKENS_IGNORE_MERGES = 256
} rag_tokens_flag;

/* A part that a kind does not need is empty. */
typedef enum rag_tokens_part {
    RAG_TOKENS_NMT_PAGES, /* page_of, then pages */
    RAG_TOKENS_NMT_TEXT,
    RAG_TOKENS_NMT_RULES,
    RAG_TOKENS_TRIE,
    RAG_TOKENS_SCORES,
    RAG_TOKENS_MORE,
    RAG_TOKENS_USER_TRIE,
    RAG_TOKENS_USER_FORM_TRIE,
    RAG_TOKENS_CHARSMAP_TRIE,
    RAG_TOKENS_CHARSMAP_TEXT,
    RAG_TOKENS_BYTES,     /* i32[256] */
    RAG_TOKENS_MERGES,    /* rag_tokens_merge[], a power of two of them */
    RAG_TOKENS_CLASSES,   /* page of each 256 code points, then pages */
    RAG_TOKENS_PARTS = 16 /* room for kinds to come */
} rag_tokens_part;

typedef struct rag_tokens_extent {
    uint64_t offset; /* from the start of the blob, a multiple of the align */
    uint64_t n_bytes;
} rag_tokens_extent;

/* The front of the blob; little-endian, no padding. */
typedef struct rag_tokens_head {
    uint32_t kind;
    uint32_t flags;
    uint32_t n_pieces;
    int32_t bos;
    int32_t eos;
    int32_t pad;
    int32_t unk;
    float unk_score;
    uint32_t form;
    uint32_t splits;
    uint32_t max_word_chars;
    uint32_t most_probes;
    rag_tokens_extent parts[RAG_TOKENS_PARTS];
} rag_tokens_head;

static_assert(sizeof(rag_tokens_head) == 304, "no padding");

/* Slots that are looked at for one pair: bounds the work in a damaged file. */
#define RAG_TOKENS_MOST_PROBES 1024u

/* A piece and its id, for a trie. */
typedef struct rag_tokens_entry {
    rag_str piece;
    uint32_t id;
} rag_tokens_entry;

/* What is being built. */
typedef struct rag_tokens_maker {
    const rag_source_tokens *source;
    rag_tokens_head head;
    rag_buf *blob;
} rag_tokens_maker;

/* Can the model make piece `id` of text? */
bool rag_tokens_is_piece(const rag_source_tokens *s, uint32_t id);

/* Appends a part at the next aligned place; _begin and _end for one that is
 * written in pieces. */
void rag_tokens_part_begin(rag_tokens_maker *m, rag_tokens_part p);
void rag_tokens_part_end(rag_tokens_maker *m, rag_tokens_part p);
void rag_tokens_part_put(rag_tokens_maker *m, rag_tokens_part p,
                         const void *bytes, size_t n);
/* A trie of n entries; sorts them. None: the part stays empty. */
RAG_NODISCARD rag_status rag_tokens_part_trie(rag_tokens_maker *m,
                                              rag_tokens_part p,
                                              rag_tokens_entry *entries,
                                              size_t n, rag_error *err);

/* The tables of the kinds. */
RAG_NODISCARD rag_status rag_tokens_make_bert(rag_tokens_maker *m,
                                              rag_error *err);
RAG_NODISCARD rag_status rag_tokens_make_bytes(rag_tokens_maker *m,
                                               rag_error *err);
RAG_NODISCARD rag_status rag_tokens_make_bpe(rag_tokens_maker *m,
                                             rag_error *err);

#endif /* RAG_NN_TOKENS_FORMAT_H */
