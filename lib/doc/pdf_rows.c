#include "doc/pdf_priv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

/*
 * Reading order takes columns of numbers for columns of text: labels first,
 * then each column by itself, and a bullet apart from its item. Here such a
 * cell is hung onto the nearest line to its left that stands at the same
 * height; that line's text then goes on with it. A bullet is put before the
 * line to its right, which may go on in further lines of its own block.
 */

/* Longer lines of figures are listings, not cells. */
#define MAX_NUMERIC_BYTES 48u
#define MAX_LABEL_BYTES 16u
/* Lines looked at around one cell: a page has far fewer at one height. */
#define MAX_WINDOW 200u
/* A bullet is nearer to its item than this many heights of the line. */
#define LABEL_GAP 8.0f
/* A number is nearer to its heading than this. */
#define NUMBER_GAP 4.0f
/* Text in a row of numbers: longer is no cell, */
#define MAX_CELL_BYTES 40u
/* further off (heights of the line) it is another column's. */
#define CELL_GAP 14.0f
/* Lines of running text are at least this long on the average. */
#define PROSE_BYTES 28u
/* Two lines stand at one height when their middles are this near, as a share
 * of the smaller one's height. */
#define SAME_ROW 0.45f

/* ---- what kind of line */

static bool is_number_sign(uint32_t cp)
{
    static const uint32_t signs[] = {
        '$',    '%',    '(',  ')',    ',',    '.',    '-',    '+',  '/',
        ' ',    ':',    '*',  0x2013, 0x2014, 0x2212, 0x20AC, 0xA3, 0xA5,
        0x20A9, 0xFFE6, 0xB1, 0x2030, 0x25B3, 0x25B2, 0x25BC};

    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (cp == signs[i])
            return true;
    return false;
}

static bool is_numeric(rag_str s)
{
    size_t n_signs = 0;
    size_t n_digits = 0;

    if (s.len > MAX_NUMERIC_BYTES)
        return false;
    while (s.len > 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, s);

        if (cp >= '0' && cp <= '9')
            n_digits++;
        else if (is_number_sign(cp))
            n_signs++;
        else
            return false;
        s = rag_str_cut(s, n, s.len);
    }
    /* a rule of dashes is none */
    return n_digits > 0 || (n_signs > 0 && n_signs <= 2);
}

/* "•", "3.", "(a)", "Item 1A." */
static bool is_label(rag_str s)
{
    uint32_t first = rag_pdf_first_cp(s);
    char last;
    bool digit = false;

    if (s.len == 0 || s.len > MAX_LABEL_BYTES)
        return false;
    if (rag_pdf_is_bullet(first))
        return rag_utf8_count(s) == 1;
    last = s.ptr[s.len - 1];
    if (last != '.' && last != ')')
        return false;
    for (size_t i = 0; i < s.len; i++)
        digit = digit || (s.ptr[i] >= '0' && s.ptr[i] <= '9');
    return (digit && first != '$') || (s.len == 3 && first == '(') ||
           (s.len == 2 && rag_utf8_script(first) == RAG_SCRIPT_LATIN);
}

static void classify(rag_pdf_work *w)
{
    for (size_t i = 0; i < w->l->n_lines; i++) {
        rag_str s = rag_pdf_layout_line(w->l, &w->l->lines[i]);

        /* "(10)" may be either: what stands beside it tells */
        if (is_label(s))
            w->flags[i] |= RAG_PDF_LABEL;
        if (is_numeric(s))
            w->flags[i] |= RAG_PDF_NUMERIC;
    }
}

/* ---- the page by height */

struct place {
    float middle;
    uint32_t line;
};

static int by_height(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;

    if (x->middle < y->middle || x->middle > y->middle)
        return x->middle < y->middle ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static bool same_row(const rag_pdf_line *a, const rag_pdf_line *b)
{
    float ha = a->y1 - a->y0;
    float hb = b->y1 - b->y0;
    float d = (a->y0 + a->y1) / 2 - (b->y0 + b->y1) / 2;
    float near = SAME_ROW * (ha < hb ? ha : hb);

    return d <= near && -d <= near;
}

/* A column of running text takes no cells: what stands right of it belongs to
 * something else. */
static bool is_prose(const rag_pdf_work *w, uint32_t line)
{
    const rag_pdf_block *b = &w->blocks[w->l->lines[line].block];

    return (w->flags[line] & RAG_PDF_NUMERIC) == 0 && b->n_lines >= 4 &&
           2 * b->n_full >= b->n_lines && 4 * b->n_inner >= b->n_lines &&
           b->n_bytes >= PROSE_BYTES * b->n_lines;
}

struct page {
    rag_pdf_work *w;
    const struct place *places; /* [n] by height */
    size_t n;
};

/* The nearest line beside places[at] on the same row: to the left (side -1)
 * or to the right (side 1). */
static uint32_t neighbour(const struct page *p, size_t at, int side)
{
    const rag_pdf_line *lines = p->w->l->lines;
    const rag_pdf_line *me = &lines[p->places[at].line];
    uint32_t best = RAG_PDF_NONE;
    size_t lo = at > MAX_WINDOW / 2 ? at - MAX_WINDOW / 2 : 0;
    size_t hi = at + MAX_WINDOW / 2 < p->n ? at + MAX_WINDOW / 2 : p->n;

    for (size_t i = lo; i < hi; i++) {
        const rag_pdf_line *l = &lines[p->places[i].line];

        if (i == at || !same_row(l, me) ||
            (p->w->flags[p->places[i].line] & RAG_PDF_LEFT_OUT) != 0)
            continue;
        if (side < 0 && l->x1 <= me->x0 + 1 &&
            (best == RAG_PDF_NONE || l->x1 > lines[best].x1))
            best = p->places[i].line;
        if (side > 0 && l->x0 >= me->x1 - 1 &&
            (best == RAG_PDF_NONE || l->x0 < lines[best].x0))
            best = p->places[i].line;
    }
    return best;
}

/* Hangs line b behind line a, unless one of them is taken already. */
static void hang(rag_pdf_work *w, uint32_t a, uint32_t b)
{
    if (a == RAG_PDF_NONE || b == RAG_PDF_NONE ||
        w->next_cell[a] != RAG_PDF_NONE || (w->flags[b] & RAG_PDF_CELL) != 0)
        return;
    w->next_cell[a] = b;
    w->flags[b] |= RAG_PDF_CELL;
}

/* "3", "3.1": perhaps the number of a heading. */
static bool is_section_number(rag_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(s.ptr[i] >= '0' && s.ptr[i] <= '9') && s.ptr[i] != '.')
            return false;
    return s.len > 0 && s.len <= 8 && s.ptr[0] != '.';
}

/* A number just before a line that stands alone: a heading's, not one of a
 * column of line numbers, nor a cell of the line to its left. */
static bool numbers_heading(const rag_pdf_work *w, uint32_t left,
                            uint32_t number, uint32_t text)
{
    const rag_pdf_line *a = &w->l->lines[number];
    const rag_pdf_line *b;
    float gap;

    if (text == RAG_PDF_NONE || (w->flags[text] & RAG_PDF_NUMERIC) != 0)
        return false;
    b = &w->l->lines[text];
    gap = b->x0 - a->x1;
    if (left != RAG_PDF_NONE && a->x0 - w->l->lines[left].x1 < gap)
        return false;
    return is_section_number(rag_pdf_layout_line(w->l, a)) &&
           w->blocks[a->block].n_lines == 1 &&
           w->blocks[b->block].n_lines <= 2 &&
           gap <= NUMBER_GAP * (a->y1 - a->y0);
}

static bool put_before(rag_pdf_work *w, uint32_t label, uint32_t text)
{
    const rag_pdf_line *a = &w->l->lines[label];

    if (text == RAG_PDF_NONE || w->prefix[text] != RAG_PDF_NONE ||
        (w->flags[text] & (RAG_PDF_CELL | RAG_PDF_LABEL | RAG_PDF_NUMERIC)) !=
            0 ||
        w->l->lines[text].x0 - a->x1 > LABEL_GAP * (a->y1 - a->y0))
        return false;
    w->prefix[text] = label;
    w->flags[label] |= RAG_PDF_CELL;
    return true;
}

static bool is_busy(const rag_pdf_work *w, uint32_t line)
{
    return (w->flags[line] & RAG_PDF_LEFT_OUT) != 0 ||
           rag_pdf_line_is_vertical(&w->l->lines[line]);
}

static void link_numbers(const struct page *p)
{
    rag_pdf_work *w = p->w;

    for (size_t i = 0; i < p->n; i++) {
        uint32_t me = p->places[i].line;
        uint32_t left;
        uint32_t right;

        if (is_busy(w, me) ||
            (w->flags[me] & (RAG_PDF_LABEL | RAG_PDF_NUMERIC)) == 0)
            continue;
        left = neighbour(p, i, -1);
        right = neighbour(p, i, 1);
        if (((w->flags[me] & RAG_PDF_LABEL) != 0 ||
             numbers_heading(w, left, me, right)) &&
            put_before(w, me, right))
            continue;
        if ((w->flags[me] & RAG_PDF_NUMERIC) != 0 && left != RAG_PDF_NONE &&
            !is_prose(w, left))
            hang(w, left, me);
    }
}

/* A short piece of text that may be a cell. */
static bool is_text_cell(const rag_pdf_work *w, uint32_t line)
{
    const rag_pdf_line *l = &w->l->lines[line];

    return !is_busy(w, line) && l->end - l->start <= MAX_CELL_BYTES &&
           (w->flags[line] & (RAG_PDF_LABEL | RAG_PDF_NUMERIC)) == 0 &&
           w->prefix[line] == RAG_PDF_NONE && !is_prose(w, line);
}

static bool is_near(const rag_pdf_work *w, uint32_t a, uint32_t b)
{
    const rag_pdf_line *x = &w->l->lines[a];
    const rag_pdf_line *y = &w->l->lines[b];

    return y->x0 - x->x1 <= CELL_GAP * (x->y1 - x->y0);
}

/* A line with numbers behind it is a row: short texts at both of its ends are
 * cells of it. */
static void link_texts(const struct page *p)
{
    rag_pdf_work *w = p->w;

    for (size_t i = 0; i < p->n; i++) {
        uint32_t me = p->places[i].line;
        uint32_t left;

        if (!is_text_cell(w, me))
            continue;
        left = neighbour(p, i, -1);
        if (left == RAG_PDF_NONE || !is_near(w, left, me))
            continue;
        if (w->next_cell[me] != RAG_PDF_NONE
                ? is_text_cell(w, left)
                : (w->flags[left] & (RAG_PDF_CELL | RAG_PDF_NUMERIC)) ==
                      (RAG_PDF_CELL | RAG_PDF_NUMERIC))
            hang(w, left, me);
    }
}

static void link_page(const struct page *p)
{
    link_numbers(p);
    link_texts(p);
}

rag_status rag_pdf_rows_link(rag_pdf_work *w, rag_error *err)
{
    struct place *places = NULL;
    size_t cap = 0;

    classify(w);
    for (size_t page = 0; page < w->l->n_pages; page++) {
        struct page p = {.w = w};
        size_t first;
        size_t end;

        rag_pdf_page_lines(&first, &end, w->l, page);
        if (!rag_mem_grow(&places, &cap, end - first + 1, sizeof *places)) {
            rag_free(places);
            return rag_fail_nomem(err);
        }
        for (size_t i = first; i < end; i++) {
            const rag_pdf_line *l = &w->l->lines[i];

            places[i - first] = (struct place){.middle = (l->y0 + l->y1) / 2,
                                               .line = (uint32_t)i};
        }
        qsort(places, end - first, sizeof *places, by_height);
        p.places = places;
        p.n = end - first;
        link_page(&p);
    }
    rag_free(places);
    return RAG_OK;
}
