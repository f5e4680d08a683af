#ifndef RAG_DOC_PDF_LAYOUT_H
#define RAG_DOC_PDF_LAYOUT_H

/*
 * pdf_layout — what `pdftotext -bbox-layout` prints, as pages, blocks, lines.
 *
 * That mode has the words in the same reading order as plain `pdftotext`
 * (measured: 42 of 42 files), but keeps the hyphens at line ends and says where
 * everything stands, which headers, footers, paragraphs and table rows are told
 * by; and it brings the title and the dates of the file, so that one child a
 * file is enough. It is read as a stream: only the text and one record a line
 * are kept.
 *
 * Text is cleaned on the way: valid UTF-8, ligatures as letters, no control
 * characters, right-to-left runs in logical order. A soft hyphen stays only at
 * the end of a line.
 *
 * Owns:    its arrays, from _init to _dispose.
 * Errors:  RAG_E_LIMIT, RAG_E_NOMEM, RAG_E_FORMAT (not that format at all).
 * Threads: one object per thread.
 */

#include "base/buf.h"

/* Text of one document. Longer ones (about 10,000 pages) are refused by name:
 * text, lines and result of such a file together stay below 200 MB. */
#define RAG_PDF_MAX_TEXT_BYTES (32u << 20)
/* ISO 32000 names no limit; above this a file is an attack. */
#define RAG_PDF_MAX_PAGES 100000u
/* Text, lines and what is worked out about them stay within 200 MB; at 50 lines
 * a page these are 20,000 pages. */
#define RAG_PDF_MAX_LINES 1000000u
/* One tag or one word; pdftotext's longest tag has 120 bytes. */
#define RAG_PDF_MAX_ITEM_BYTES (1u << 20)

typedef struct rag_pdf_line {
    size_t start; /* bytes in the layout's text; words joined by one space */
    size_t end;
    uint32_t page;  /* index */
    uint32_t block; /* number in the document, ascending */
    float x0;       /* points, from the upper left of the page */
    float y0;
    float x1;
    float y1;
    float height; /* of its longest word: stands for the size of the type */
} rag_pdf_line;

typedef struct rag_pdf_page {
    float width; /* points */
    float height;
    size_t first_line; /* index */
} rag_pdf_page;

typedef struct rag_pdf_layout {
    rag_buf text;
    rag_pdf_line *lines; /* [n_lines] in reading order */
    size_t n_lines;
    size_t cap_lines;
    rag_pdf_page *pages; /* [n_pages] */
    size_t n_pages;
    size_t cap_pages;
    rag_buf title;  /* of the information dictionary; may be empty */
    rag_buf author; /* the same */
    /* where the stream stands */
    rag_buf pending; /* an unfinished tag or word */
    rag_buf word;
    rag_pdf_line line;
    float word_box[4];
    float last_box[4];   /* of the word before on the line */
    size_t longest_word; /* bytes, of this line */
    uint32_t n_blocks;   /* that have lines */
    bool new_block;      /* the next line is the first of its block */
    bool in_line;
    int taking;     /* what the text between tags is */
    bool seen_html; /* the first tag was the right one */
    bool seen_end;  /* </html> has come */
} rag_pdf_layout;

void rag_pdf_layout_init(rag_pdf_layout *l);
void rag_pdf_layout_dispose(rag_pdf_layout *l);

/* Takes the next bytes, cut anywhere. */
RAG_NODISCARD rag_status rag_pdf_layout_feed(rag_pdf_layout *l, rag_str bytes,
                                             rag_error *err);

/* The stream has ended: was it whole? */
RAG_NODISCARD rag_status rag_pdf_layout_end(const rag_pdf_layout *l,
                                            rag_error *err);

/* Does the line run up or down the page? */
bool rag_pdf_line_is_vertical(const rag_pdf_line *line);

/* Text of a line; borrowed until the next feed. */
rag_str rag_pdf_layout_line(const rag_pdf_layout *l, const rag_pdf_line *line);

/* Appends a word of the stream (entities resolved) as text: see above. */
void rag_pdf_clean_word(rag_buf *out, rag_str word);
/* Puts the right-to-left runs of text[start..] into logical order; what stands
 * on the page is read from the left. */
RAG_NODISCARD rag_status rag_pdf_clean_rtl(rag_buf *text, size_t start,
                                           rag_error *err);

#endif /* RAG_DOC_PDF_LAYOUT_H */
