#ifndef RAG_DOC_PDF_HEADINGS_H
#define RAG_DOC_PDF_HEADINGS_H

/*
 * pdf_headings — which paragraphs of a PDF are headings, and its title. A step
 * of pdf_text.c.
 *
 * Only two signs are trusted: type clearly larger than the text's, in a short
 * paragraph that ends no sentence, and a section number of two parts or more
 * ("3.2 Title", "제3장 총칙") alone on its line. Bold type of the same size is
 * not told apart by what pdftotext prints.
 */

#include "doc/pdf_priv.h"

#define RAG_PDF_MAX_LEVELS 6

typedef struct rag_pdf_headings {
    float sizes[RAG_PDF_MAX_LEVELS]; /* [n_sizes] of type, largest first */
    size_t n_sizes; /* 0: larger type means nothing in this document */
} rag_pdf_headings;

void rag_pdf_headings_measure(rag_pdf_headings *h, const rag_pdf_work *w);
/* Level 1..6 of the paragraph order[first..end) whose text is words; 0: it is
 * none. */
uint32_t rag_pdf_headings_level(const rag_pdf_headings *h,
                                const rag_pdf_work *w, size_t first, size_t end,
                                rag_str words);
/* Gives b a title: that of the file when the first two pages have it, else the
 * largest heading of the first page, else that of the file when it looks like
 * one. */
void rag_pdf_headings_title(rag_builder *b, const rag_pdf_headings *h,
                            const rag_pdf_work *w);

#endif /* RAG_DOC_PDF_HEADINGS_H */
