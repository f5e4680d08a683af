#ifndef RAG_BASE_WORDS_TOKEN_H
#define RAG_BASE_WORDS_TOKEN_H

/*
 * words_token — the first half of words.c, private to it: a token (what stands
 * between separators) gathered as units, folded code points with the span of
 * the original text they came from.
 *
 * Limits:  a token longer than RAG_WORDS_TOKEN_UNITS is cut: base64, not
 *          language.
 */

#include "base/utf8.h"

#define RAG_WORDS_TOKEN_UNITS 256u

typedef enum rag_unit_class {
    RAG_UNIT_SEP,
    RAG_UNIT_JOIN, /* a mark that may join what stands on both sides */
    RAG_UNIT_UNDER,
    RAG_UNIT_LETTER,
    RAG_UNIT_DIGIT,
    RAG_UNIT_HANGUL,
    RAG_UNIT_CJK /* Han and Kana: Japanese words mix them */
} rag_unit_class;

typedef struct rag_words_unit {
    uint32_t cp;
    uint8_t cls;
    bool upper; /* an ASCII capital before folding */
    size_t start;
    size_t end;
} rag_words_unit;

typedef struct rag_words_token {
    size_t n;
    /* [n]; one character may fold to RAG_UTF8_SEARCH_MAX units */
    rag_words_unit units[RAG_WORDS_TOKEN_UNITS + RAG_UTF8_SEARCH_MAX];
} rag_words_token;

static inline rag_unit_class rag_words_token_ascii(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return RAG_UNIT_LETTER;
    if (c >= '0' && c <= '9')
        return RAG_UNIT_DIGIT;
    if (c == '_')
        return RAG_UNIT_UNDER;
    if (c == '.' || c == '-' || c == '\'' || c == ',' || c == '@' || c == '&' ||
        c == '+' || c == '#')
        return RAG_UNIT_JOIN;
    return RAG_UNIT_SEP;
}

static inline bool rag_words_token_alnum(rag_unit_class c)
{
    return c == RAG_UNIT_LETTER || c == RAG_UNIT_DIGIT;
}

/* Gathers the token at `at` of text; returns the offset behind it, `at` itself
 * when a separator stands there. */
size_t rag_words_token_gather(rag_words_token *t, rag_str text, size_t at);

#endif /* RAG_BASE_WORDS_TOKEN_H */
