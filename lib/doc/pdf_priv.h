#ifndef RAG_DOC_PDF_PRIV_H
#define RAG_DOC_PDF_PRIV_H

/* The steps of pdf_text.c and what they hand to each other. */

#include "doc/pdf_layout.h"
#include "doc/reader.h"

#define RAG_PDF_NONE UINT32_MAX

enum {
    RAG_PDF_LEFT_OUT = 1, /* furniture */
    RAG_PDF_CELL = 2,     /* shown in the row of another line */
    RAG_PDF_NUMERIC = 4,  /* nothing but numbers and their signs */
    RAG_PDF_LABEL = 8,    /* a bullet or a short number such as "3." */
};

/* How a line goes on in the next one. */
typedef enum rag_pdf_join {
    RAG_PDF_JOIN_PARA,        /* a new paragraph begins */
    RAG_PDF_JOIN_LINE,        /* newline */
    RAG_PDF_JOIN_NONE,        /* nothing between them */
    RAG_PDF_JOIN_WORD,        /* the next line's first word is this one's end */
    RAG_PDF_JOIN_DROP_HYPHEN, /* the same, and a hyphen goes */
} rag_pdf_join;

typedef struct rag_pdf_block {
    float x0; /* of all its lines */
    float y0;
    float x1;
    float y1;
    float pitch; /* usual distance from line to line; 0: one line */
    uint32_t n_lines;
    uint32_t n_full;  /* lines that reach the right edge */
    uint32_t n_left;  /* lines that begin at the left edge */
    uint32_t n_inner; /* lines that do not begin with a capital or a digit */
    size_t n_bytes;   /* of text */
} rag_pdf_block;

/* A header or footer that was left out. */
typedef struct rag_pdf_repeat {
    uint32_t line; /* its first occurrence */
    uint32_t n_pages;
    uint32_t last_page; /* the last one counted */
    bool footer;
} rag_pdf_repeat;

#define RAG_PDF_MAX_REPEATS 8

typedef struct rag_pdf_work {
    const rag_pdf_layout *l;
    uint8_t *flags;      /* [n_lines] */
    uint32_t *next_cell; /* [n_lines] to the right in the same row */
    uint32_t *prefix;    /* [n_lines] bullet or number before the line */
    uint32_t *order;     /* [n_order] lines that begin a line of the text */
    size_t n_order;
    uint8_t *joins;        /* [n_order] rag_pdf_join to the next */
    rag_pdf_block *blocks; /* [l->n_blocks] */
    float body_height;     /* of most of the text */
    rag_pdf_repeat repeats[RAG_PDF_MAX_REPEATS];
    size_t n_repeats;
} rag_pdf_work;

/* Lines [*first, *end) of a page. */
void rag_pdf_page_lines(size_t *first, size_t *end, const rag_pdf_layout *l,
                        size_t page);
/* Is the type of both lines of about the same size? */
bool rag_pdf_same_size(const rag_pdf_line *a, const rag_pdf_line *b);
/* Code points at the ends of a line; 0 when it is empty. */
uint32_t rag_pdf_first_cp(rag_str s);
uint32_t rag_pdf_last_cp(rag_str s);
bool rag_pdf_is_bullet(uint32_t cp);
/* Does text end a sentence? Closing quotes and brackets are looked through. */
bool rag_pdf_ends_sentence(rag_str s);

RAG_NODISCARD rag_status rag_pdf_furniture_mark(rag_pdf_work *w,
                                                rag_error *err);
RAG_NODISCARD rag_status rag_pdf_rows_link(rag_pdf_work *w, rag_error *err);
/* Fills blocks. */
void rag_pdf_paras_measure(rag_pdf_work *w);
/* Fills order and joins (PARA, LINE or NONE only). */
void rag_pdf_paras_find(rag_pdf_work *w);
/* Turns some JOIN_LINE into JOIN_WORD or JOIN_DROP_HYPHEN. */
RAG_NODISCARD rag_status rag_pdf_joins_find(rag_pdf_work *w, rag_error *err);

#endif /* RAG_DOC_PDF_PRIV_H */
