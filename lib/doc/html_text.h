#ifndef RAG_DOC_HTML_TEXT_H
#define RAG_DOC_HTML_TEXT_H

/*
 * html_text — a walk over a page becomes its text: lines and blocks.
 *
 * It is told what opens, what closes and which text lies between, and knows
 * nothing of parsers. White space runs collapse to one space, a line break
 * stays one, two of them part paragraphs. List items begin with "- " or their
 * number, indented by their depth; a table row is one line of cells joined by
 * " | ", a cell that spans rows is said again in each of them.
 *
 * Owns:    a rag_html_text between _init and _dispose; the builder is
 *          borrowed.
 * Errors:  sticky in the builder and its text.
 * Threads: one object per thread.
 */

#include "doc/reader.h"

typedef enum rag_html_part {
    RAG_HTML_INLINE,  /* nothing happens */
    RAG_HTML_BLOCK,   /* parts paragraphs */
    RAG_HTML_HEADING, /* arg: level */
    RAG_HTML_UL,
    RAG_HTML_OL,   /* arg: number of the first item */
    RAG_HTML_ITEM, /* arg: its own number, 0 when none is said */
    RAG_HTML_TERMS,
    RAG_HTML_TERM,
    RAG_HTML_DETAIL,
    RAG_HTML_PRE,
    RAG_HTML_TABLE,
    RAG_HTML_HEAD_ROW,
    RAG_HTML_ROW,
    RAG_HTML_CELL /* arg: columns | rows << 16 */
} rag_html_part;

/* A wider table is cut here; its further cells stay in the last column. */
#define RAG_HTML_TEXT_MAX_COLUMNS 128
/* Deeper lists are shown at this depth. */
#define RAG_HTML_TEXT_MAX_DEPTH 16

typedef struct rag_html_text {
    rag_builder *b;
    rag_buf run;      /* the paragraph, heading, cell or listing so far */
    bool gap;         /* white space is due before the next word */
    unsigned breaks;  /* line breaks are due */
    unsigned heading; /* level, 0 outside */
    unsigned pre;
    bool tight;     /* the last block was an item or a row */
    unsigned depth; /* of lists */
    struct {
        bool ordered;
        bool fresh; /* its open item has no text yet */
        bool term;
        uint32_t next; /* number */
        uint32_t number;
    } list[RAG_HTML_TEXT_MAX_DEPTH];
    bool in_table;
    bool in_cell;
    bool body_seen; /* of the table: a row that is no head */
    uint32_t head;  /* its head block */
    rag_buf row;    /* texts of the row's cells, one behind the other */
    struct {
        size_t end; /* of the cell's text in row */
    } cell[RAG_HTML_TEXT_MAX_COLUMNS];
    unsigned n_cells;
    struct {
        char *text; /* said again in this column ... */
        size_t len;
        unsigned left; /* ... of so many further rows */
    } carry[RAG_HTML_TEXT_MAX_COLUMNS];
    unsigned span; /* columns and rows of the open cell */
    unsigned row_span;
} rag_html_text;

void rag_html_text_init(rag_html_text *t, rag_builder *b);
void rag_html_text_dispose(rag_html_text *t);

void rag_html_text_enter(rag_html_text *t, rag_html_part part, uint32_t arg);
void rag_html_text_leave(rag_html_text *t, rag_html_part part);
void rag_html_text_add(rag_html_text *t, rag_str text);
void rag_html_text_break(rag_html_text *t); /* <br> */
void rag_html_text_end(rag_html_text *t);   /* the last paragraph ends */

#endif /* RAG_DOC_HTML_TEXT_H */
