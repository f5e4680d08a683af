#ifndef RAG_DOC_SNIFF_H
#define RAG_DOC_SNIFF_H

/*
 * sniff — what files that no reader takes are called, by their first bytes.
 * Threads: safe to share.
 */

#include "doc/reader.h"

/* "a zip archive", "a docx document (Word)"; NULL when nothing known. */
const char *rag_sniff_foreign(const rag_source *src);

/* Is it a PDF: %PDF- in front, or within the first 1 KiB of a file that is
 * named .pdf or is no text (a text may speak about the mark); or a binary file
 * that is named .pdf, so that a broken one is named and not skipped. */
bool rag_sniff_pdf(const rag_source *src);

#endif /* RAG_DOC_SNIFF_H */
