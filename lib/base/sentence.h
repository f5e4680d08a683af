#ifndef RAG_BASE_SENTENCE_H
#define RAG_BASE_SENTENCE_H

/*
 * sentence — running text becomes sentences, Korean and English.
 *
 * A sentence ends at . ? ! and their wide forms with the quotes and brackets
 * behind them, at a blank line, before a list item, and at a line end that
 * closes a Korean sentence without punctuation. It does not end inside
 * decimals, versions, URLs, dates ("2024. 3. 5."), behind abbreviations and
 * initials, nor behind a list number. A single line break inside running text
 * is a space. Rules look at nearby bytes only and are linear in the text.
 *
 * Threads: safe to share.
 */

#include "base/str.h"

/* End of the sentence that starts at offset `at` of s, closing quotes
 * included, white space behind it not; > at unless at is s.len. */
size_t rag_sentence_end(rag_str s, size_t at);

/* Iterates: the next sentence of s from *at on as [*start, *end) without
 * white space around it; *at moves behind it. false when only white space is
 * left. Begin with *at = 0. */
bool rag_sentence_next(size_t *start, size_t *end, rag_str s, size_t *at);

#endif /* RAG_BASE_SENTENCE_H */
