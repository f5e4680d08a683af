#ifndef RAG_DOC_GUESS_H
#define RAG_DOC_GUESS_H

/*
 * guess — which of the encodings with 8-bit bytes is it? Korean and Japanese
 * ones are tried and judged by the characters that come out; the rest is asked
 * of uchardet; a few accented letters between ASCII are Western.
 * Threads: safe to share.
 */

#include "doc/charset.h"

/* sample: text that is no UTF-8. "CP1252" when nothing speaks for another. */
void rag_guess_charset(char out[RAG_CHARSET_NAME_BYTES], rag_str sample);

#endif /* RAG_DOC_GUESS_H */
