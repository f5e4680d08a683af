#ifndef RAG_BASE_UTF8_H
#define RAG_BASE_UTF8_H

/*
 * utf8 — code points, boundaries, normal forms (utf8proc inside).
 *
 * Invalid bytes never fail: a maximal ill-formed part reads as one U+FFFD (the
 * W3C/WHATWG practice), so that every reader of a text agrees on its length.
 * Threads: safe to share.
 */

#include "base/buf.h"

#define RAG_UTF8_BAD 0xFFFDu

/* Decodes the code point at the front of s (s.len > 0) into *cp; returns how
 * many bytes it takes (>= 1). Ill-formed: *cp is U+FFFD and *ok is false (ok
 * may be NULL). */
size_t rag_utf8_decode(uint32_t *cp, bool *ok, rag_str s);

/* Writes cp (a scalar value) to out, returns 1..4 bytes. */
size_t rag_utf8_encode(char out[4], uint32_t cp);

bool rag_utf8_valid(rag_str s);
size_t rag_utf8_count(rag_str s); /* code points */

/* Appends s with every ill-formed part replaced by U+FFFD. */
void rag_utf8_scrub(rag_buf *out, rag_str s);

/* Appends NFC of s / NFKC / NFKC with case folding (invalid parts: U+FFFD). */
void rag_utf8_nfc(rag_buf *out, rag_str s);
void rag_utf8_nfkc(rag_buf *out, rag_str s);
void rag_utf8_fold(rag_buf *out, rag_str s);
bool rag_utf8_is_ascii(rag_str s);

/* The NFKD (compose: NFKC) form of one code point: how many code points were
 * written to out; 0 when it has none (not a scalar value) or needs more than
 * cap. */
size_t rag_utf8_compat(uint32_t *out, size_t cap, uint32_t cp, bool compose);

/* The NFD form of one code point; returns as rag_utf8_compat does. */
size_t rag_utf8_canon(uint32_t *out, size_t cap, uint32_t cp);

/* End (offset) of the grapheme cluster that starts at offset `at` of s. */
size_t rag_utf8_grapheme_end(rag_str s, size_t at);
/* Is offset `at` of s a grapheme boundary? 0 and s.len always are. Looks back
 * at most 64 code points. */
bool rag_utf8_is_grapheme_break(rag_str s, size_t at);
/* The nearest code point boundary at or before `at`. */
size_t rag_utf8_floor(rag_str s, size_t at);
/* The nearest grapheme boundary at or before / at or after `at`. */
size_t rag_utf8_grapheme_floor(rag_str s, size_t at);
size_t rag_utf8_grapheme_ceil(rag_str s, size_t at);

/* Classes of one code point. */
typedef enum rag_script {
    RAG_SCRIPT_NONE,   /* space, punctuation, symbols, controls */
    RAG_SCRIPT_LATIN,  /* and every other alphabetic script: words by space */
    RAG_SCRIPT_DIGIT,  /* Nd, Nl, No */
    RAG_SCRIPT_HANGUL, /* syllables and jamo */
    RAG_SCRIPT_HAN,
    RAG_SCRIPT_KANA,
    RAG_SCRIPT_MARK /* combining: belongs to what stands before it */
} rag_script;

rag_script rag_utf8_script(uint32_t cp);
bool rag_utf8_is_space(uint32_t cp); /* White_Space */
bool rag_utf8_is_alnum(uint32_t cp); /* letter, mark or number */
bool rag_utf8_is_upper(uint32_t cp);
/* Cc, Cf, bidi controls, tags, zero-width: nothing a person sees. */
bool rag_utf8_is_invisible(uint32_t cp);
uint32_t rag_utf8_lower(uint32_t cp);
/* What searching compares instead of cp: compatibility forms and case folded,
 * decomposed, accents and invisible ones left out. Returns how many (0: nothing
 * to compare). Longest known: 18, U+FDFA. */
#define RAG_UTF8_SEARCH_MAX 24
size_t rag_utf8_search_form(uint32_t out[RAG_UTF8_SEARCH_MAX], uint32_t cp);
/* Terminal columns: 0, 1 or 2. */
int rag_utf8_width(uint32_t cp);

/* Appends s made safe for a terminal or a one-line message: C0, C1 and DEL as
 * caret or \x escapes (\n and \t kept when `lines`), bidi controls as
 * \u{....}, ill-formed bytes as \xNN. */
void rag_utf8_show(rag_buf *out, rag_str s, bool lines);

#endif /* RAG_BASE_UTF8_H */
