#ifndef RAG_DOC_PDF_TEXT_H
#define RAG_DOC_PDF_TEXT_H

/*
 * pdf_text — the lines of a PDF become its text as read. Pure: no process, no
 * file, so that it can be tested and fuzzed by itself.
 *
 * In this order:
 *  furniture  lines at the edge of the page that stand, digits aside, at the
 *             same height of most pages (or of most odd or even ones) are left
 *             out: headers, footers, page numbers. Needs three pages.
 *  rows       numbers and bullets that pdftotext gives as columns of their own
 *             go back to the line they stand beside, so that a row of a table
 *             is one line. Tables are not rebuilt otherwise.
 *  paras      where paragraphs end. A sentence that runs on in the next column
 *             or on the next page stays one paragraph; notes and captions that
 *             stand between are put before it, on their own page.
 *  joins      words cut at a line end become one again.
 *  headings   numbered lines ("3.2 Title"), and short lines in larger type.
 *
 * In the text lines of a paragraph are parted by a newline, paragraphs by an
 * empty line; there are no form feeds. A word that was cut stands whole on the
 * line (and page) where it began. Whether a hyphen at a line end is part of
 * the word is told by the rest of the document: the form that occurs elsewhere
 * wins; when neither does, the hyphen stays in words that have another one,
 * before capitals and digits, and between two longer words that occur by
 * themselves. A line break in Hangul is taken for a space, except where the
 * document has the joined word elsewhere and does not have one of its halves;
 * between Han or Kana at the right edge it is taken for nothing.
 *
 * Errors:  RAG_E_NOMEM, RAG_E_LIMIT, RAG_E_NOTEXT.
 * Threads: safe to share.
 */

#include "doc/pdf_layout.h"
#include "doc/reader.h"

typedef struct rag_pdf_opts {
    bool keep_furniture; /* for tests that compare with plain pdftotext */
} rag_pdf_opts;

/* Fills b (fresh, of type RAG_DOC_PDF) with text, pages, blocks, title and
 * warnings. opts may be NULL. Pages without text are counted in b->doc. */
RAG_NODISCARD rag_status rag_pdf_text_build(rag_builder *b,
                                            const rag_pdf_layout *l,
                                            const rag_pdf_opts *opts,
                                            rag_error *err);

#endif /* RAG_DOC_PDF_TEXT_H */
