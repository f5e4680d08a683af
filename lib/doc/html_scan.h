#ifndef RAG_DOC_HTML_SCAN_H
#define RAG_DOC_HTML_SCAN_H

/*
 * html_scan — what must be known of an HTML file before it is parsed: is it
 * one, which charset does it declare, is it nested so deep that the parser
 * (whose every step walks the open elements) would not come back, and which
 * character references would it misread.
 * Threads: safe to share.
 */

#include "doc/charset.h"

/* Does text begin as HTML does: a doctype or an <html>, <head>, <body> tag,
 * behind white space, comments and an XML declaration? */
bool rag_html_scan_is_html(rag_str head);

/* The charset of a <meta> in the first bytes, as iconv calls it. */
bool rag_html_scan_charset(char out[RAG_CHARSET_NAME_BYTES], rag_str head);

/* Is some element open below max_depth others? Elements whose end tag may be
 * left out are closed as a parser closes them. */
bool rag_html_scan_too_deep(rag_str text, size_t max_depth);
#define RAG_HTML_SCAN_MAX_DEPTH 1024 /* largest max_depth */

/* Numeric character references beyond the last code point become references
 * to U+FFFD of the same length, as browsers read them: the parser (gumbo
 * 0.10.1) reads their digits into an int and would, where that wraps around,
 * make other characters, ill-formed bytes or the text's end of them. */
void rag_html_scan_tame_refs(char *text, size_t len);

#endif /* RAG_DOC_HTML_SCAN_H */
