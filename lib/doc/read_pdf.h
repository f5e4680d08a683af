#ifndef RAG_DOC_READ_PDF_H
#define RAG_DOC_READ_PDF_H

/*
 * read_pdf — PDF through poppler's pdftotext, one sandboxed child a file.
 *
 * Errors:  RAG_E_UNSUPPORTED (pdftotext is not installed), RAG_E_PROTECTED,
 *          RAG_E_NOTEXT, RAG_E_FORMAT (with poppler's reason), RAG_E_LIMIT,
 *          RAG_E_IO, RAG_E_CANCELLED, RAG_E_NOMEM.
 * Limits:  files of 1 GiB, 32 MiB of text, 1,000,000 lines, 100,000 pages; the
 *          child 1 GiB of address space, 60 s of CPU, 120 s in all.
 * Threads: safe to share.
 */

#include "doc/pdf_layout.h"
#include "doc/reader.h"

extern const rag_reader rag_reader_pdf;

/* The first half of reading: what pdftotext says, before it becomes text. out:
 * fresh; disposed by the caller, also on failure. */
RAG_NODISCARD rag_status rag_read_pdf_layout(rag_pdf_layout *out,
                                             bool *unfiltered,
                                             const rag_source *src,
                                             rag_error *err);

/* "pdftotext version 22.12.0", as the program says. */
#define RAG_READ_PDF_VERSION_BYTES 128u
RAG_NODISCARD rag_status
rag_read_pdf_version(char out[RAG_READ_PDF_VERSION_BYTES], rag_error *err);

#endif /* RAG_DOC_READ_PDF_H */
