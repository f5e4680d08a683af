#ifndef RAG_STORE_LEX_CODEC_H
#define RAG_STORE_LEX_CODEC_H

/*
 * lex_codec — bytes of the words index: numbers, blocks of postings, quantised
 * frequencies and lengths. Pure; knows neither SQLite nor words.
 *
 * A posting list is a run of blocks of 128 postings and one shorter block at
 * its end. A posting is an ordinal (of a chunk in its segment) and the code of
 * its term frequency. Full block: bits of a gap, bits of a code, the packed
 * gaps, the packed codes, little-endian. Short block: varints.
 *
 * Everything read is checked: it comes from a database anybody may have
 * written. A false return means damaged bytes.
 * Threads: safe to share.
 */

#include "base/buf.h"

#define RAG_LEX_BLOCK 128u

typedef struct rag_lex_block {
    uint32_t n;
    uint32_t ords[RAG_LEX_BLOCK]; /* ascending */
    uint8_t tfs[RAG_LEX_BLOCK];   /* codes */
} rag_lex_block;

/* What is left to read. */
typedef struct rag_lex_bytes {
    const uint8_t *ptr;
    const uint8_t *end;
} rag_lex_bytes;

rag_lex_bytes rag_lex_codec_bytes(const void *ptr, size_t n);

void rag_lex_codec_put_int(rag_buf *out, uint64_t v);
bool rag_lex_codec_get_int(uint64_t *v, rag_lex_bytes *in);

/* Appends a block. *next is the lowest ordinal it could hold (0 at the start of
 * a list) and moves behind its last one. */
void rag_lex_codec_put(rag_buf *out, uint32_t *next, const rag_lex_block *b);
/* Reads the next min(128, left) postings; ordinals must be below limit. */
bool rag_lex_codec_get(rag_lex_block *b, uint32_t *next, rag_lex_bytes *in,
                       uint32_t left, uint32_t limit);

/* Term frequencies in 16 steps: exact to 8, then coarser, as BM25 is flat
 * there. */
#define RAG_LEX_TF_CODES 16u
uint8_t rag_lex_codec_tf_code(uint32_t tf);
uint32_t rag_lex_codec_tf(uint8_t code);

/* Chunk lengths in 256 steps: exact to 63, then 16 steps for each doubling. */
#define RAG_LEX_LEN_CODES 256u
uint8_t rag_lex_codec_len_code(uint32_t n_words);
uint32_t rag_lex_codec_len(uint8_t code);

#endif /* RAG_STORE_LEX_CODEC_H */
