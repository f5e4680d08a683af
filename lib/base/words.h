#ifndef RAG_BASE_WORDS_H
#define RAG_BASE_WORDS_H

/*
 * words — text as the lexical search sees it: NFC and folded; Hangul, Han and
 * Kana runs as overlapping bigrams (a run of one: that character); Latin words
 * stemmed; codes (ERR_NGX_502) whole and in parts at the same position.
 *
 * Errors:  RAG_E_NOMEM, and what the callback returns.
 * Threads: one rag_words per thread.
 */

#include "base/status.h"
#include "base/str.h"

typedef struct rag_words rag_words; /* scratch and the stemmer */

typedef enum rag_word_kind {
    RAG_WORD_LATIN, /* a word, stemmed */
    RAG_WORD_CODE,  /* a code whole, with its marks */
    RAG_WORD_PART,  /* a part of a code, same position */
    RAG_WORD_GRAM,  /* a bigram or single character of Hangul, Han, Kana */
    RAG_WORD_NUMBER
} rag_word_kind;

typedef struct rag_word {
    uint64_t key; /* rag_hash_fast() of the word's form; 0 never occurs */
    rag_str form; /* the form itself, borrowed for the callback */
    size_t start; /* bytes in the text given: the span it came from */
    size_t end;
    uint32_t position; /* counts positions; parts share one */
    rag_word_kind kind;
} rag_word;

typedef rag_status (*rag_word_fn)(void *ctx, const rag_word *w, rag_error *err);

rag_words *rag_words_new(void); /* NULL: out of memory */
void rag_words_free(rag_words *w);

/* Calls fn for every word of text (any bytes; bad UTF-8 separates). */
RAG_NODISCARD rag_status rag_words_each(rag_words *w, rag_str text,
                                        rag_word_fn fn, void *ctx,
                                        rag_error *err);

/* Question words and particles that say nothing about the topic ("what",
 * "the", "어떻게"): they weigh nothing in a query. */
bool rag_words_is_stop(rag_str form);

/* What a word of a question weighs: 0 for a stop word, 0.5 for a Hangul gram
 * that ends like a particle ("리를"; measured: +.005 nDCG@10 on KorQuAD), else
 * 1. */
float rag_words_weight(const rag_word *w);

/* Version of all these rules, e.g. "words/1": another one means that the
 * lexical index is built again from the stored text. */
const char *rag_words_version(void);

#endif /* RAG_BASE_WORDS_H */
