#ifndef RAG_NN_TOKENS_KINDS_H
#define RAG_NN_TOKENS_KINDS_H

/*
 * tokens_kinds — what tokens.c and the kinds of tokenizers share. Private to
 * them: everybody else calls tokens.h.
 *
 * A kind gets parts of one text, in order, well-formed, with no USER piece in
 * them, and appends their ids.
 */

#include "base/mem.h"
#include "nn/tokens.h"

/* WordPiece: an entry of the table for "itself, a word of its own" */
#define RAG_TOKENS_ALONE 0xFFFFFF00u

#define RAG_TOKENS_SPACE "\xE2\x96\x81" /* U+2581 */
#define RAG_TOKENS_SPACE_BYTES ((size_t)3)

static inline bool rag_tokens_add_id(rag_tokens *t, int32_t id)
{
    if (!rag_mem_grow(&t->ids, &t->ids_cap, t->n_ids + 1, sizeof *t->ids))
        return false;
    t->ids[t->n_ids++] = id;
    return true;
}

/* Where the search for a pair of symbols begins, before masking. */
static inline uint32_t rag_tokens_merge_hash(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;

    return (uint32_t)(h >> 32);
}

/* Bytes of the UTF-8 character that begins with c. */
static inline size_t rag_tokens_char_bytes(unsigned char c)
{
    static const uint8_t of_high_bits[16] = {1, 1, 1, 1, 1, 1, 1, 1,
                                             1, 1, 1, 1, 2, 2, 3, 4};

    return of_high_bits[c >> 4];
}

/* Unigram, and SentencePiece's BPE: both as SentencePiece normalises. first:
 * nothing of the text came before; the end of a part in front of a USER piece,
 * and of the text (last), must be told with _end(). */
void rag_tokens_sp_init(rag_tokens *t);
void rag_tokens_sp_begin(rag_tokens *t, bool is_empty);
RAG_NODISCARD rag_status rag_tokens_sp_part(rag_tokens *t, rag_str part,
                                            bool first, rag_error *err);
RAG_NODISCARD rag_status rag_tokens_sp_end(rag_tokens *t, bool last,
                                           rag_error *err);

/* t->word as pieces, of each kind; clears it. */
RAG_NODISCARD rag_status rag_tokens_unigram_word(rag_tokens *t, rag_error *err);
RAG_NODISCARD rag_status rag_tokens_sp_bpe_word(rag_tokens *t, rag_error *err);

RAG_NODISCARD rag_status rag_tokens_wordpiece(rag_tokens *t, rag_str part,
                                              rag_error *err);
RAG_NODISCARD rag_status rag_tokens_byte_bpe(rag_tokens *t, rag_str part,
                                             bool first, rag_error *err);

/* Bytes of the first word of s (not empty) by one of the model's splits. */
size_t rag_tokens_split_next(const rag_tokens_model *m, rag_tokens_split split,
                             rag_str s);

#endif /* RAG_NN_TOKENS_KINDS_H */
