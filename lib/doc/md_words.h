#ifndef RAG_DOC_MD_WORDS_H
#define RAG_DOC_MD_WORDS_H

/*
 * md_words — the words inside Markdown's markup: what a heading says, and
 * whether raw HTML says anything. Pure; threads: safe.
 */

#include "base/buf.h"
#include "base/str.h"

/* Does raw HTML hold words beside its tags and comments? */
bool rag_md_words_in_html(rag_str s);
/* A heading's words without the attributes of MkDocs and Pandoc behind them:
 * "{ #id .class }". Part of s. */
rag_str rag_md_words_heading(rag_str s);
/* Adds what an entity stands for. Of names those that headings are written
 * with; others stay as they are. */
void rag_md_words_entity(rag_buf *words, rag_str s);

#endif /* RAG_DOC_MD_WORDS_H */
