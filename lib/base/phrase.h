#ifndef RAG_BASE_PHRASE_H
#define RAG_BASE_PHRASE_H

/*
 * phrase — does a text hold an exact phrase, and where?
 *
 * Exact but for what a person would not call a difference: case, accents, full
 * width and normal form; how much white space there is (a line, column or page
 * end is white space); a word hyphenated over a line; and white space between
 * Hangul, Han and Kana, where spacing is a matter of taste ("데이터 베이스").
 * Words of alphabetic scripts match whole: "art of" is not in "start of"; in
 * Hangul a particle may follow.
 *
 * Errors:  RAG_E_NOMEM, RAG_E_LIMIT (RAG_PHRASE_MAX_CHARS).
 * Threads: safe to share.
 */

#include "base/status.h"
#include "base/str.h"

/* of a phrase: a paragraph; what is longer is no phrase any more */
#define RAG_PHRASE_MAX_CHARS 1000u

typedef struct rag_phrase_span {
    bool found;
    size_t start; /* bytes in the text given, whole code points */
    size_t end;
} rag_phrase_span;

/* The first place. A phrase of white space alone is nowhere. */
RAG_NODISCARD rag_status rag_phrase_find(rag_phrase_span *out, rag_str text,
                                         rag_str phrase, rag_error *err);

#endif /* RAG_BASE_PHRASE_H */
