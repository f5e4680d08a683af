#include "doc/pdf_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"

/*
 * What makes a line a header or footer, always at the edge of the page:
 *  - the same words (digits aside) at the same height of most pages, or of
 *    most even or most odd ones;
 *  - running heads: a height at which most pages have words that come on three
 *    pages or more (a chapter's title over its pages);
 *  - the same words as the outermost row of most pages, at any height (pages
 *    printed from HTML end where their text ends);
 *  - a number as the outermost row that grows with the page.
 */

/* Headers and footers stand in the outer part of the page, */
#define ZONE 0.15f
/* in at most this many rows, */
#define MAX_ROWS 3u
/* in this many lines (a row may be several), */
#define MAX_ZONE_LINES 12u
/* at heights that differ by less than these points, */
#define SAME_HEIGHT 5.0f
/* and on at least so many pages: two equal pages may be two copies. */
#define MIN_PAGES 3u
/* Words that count wherever they stand have so many letters. */
#define MIN_LETTERS 4u
/* Running heads are shorter than lines of text. */
#define MAX_HEAD_BYTES 90u
#define NO_NUMBER UINT32_MAX

struct candidate {
    uint64_t key;    /* of its words, digits folded */
    float edge;      /* distance of its outer side from the page's edge */
    uint32_t page;   /* index */
    uint32_t line;   /* index */
    uint32_t group;  /* index in repeats, MANY, or RAG_PDF_NONE */
    uint32_t number; /* what the whole line is, or NO_NUMBER */
    uint8_t row;     /* 0: the outermost of the page's text */
    bool in_zone;
    bool footer;
    bool wordy; /* MIN_LETTERS */
    bool often; /* at this height on MIN_PAGES */
};

/* Repeated, but beyond what is reported. */
#define MANY (RAG_PDF_NONE - 1)

struct finder {
    rag_pdf_work *w;
    struct candidate *all; /* [n] */
    size_t n;
    size_t cap;
    rag_buf words;          /* scratch */
    size_t n_text_pages[3]; /* even, odd, all */
};

/* ---- what a line says, page numbers aside */

static bool is_roman(rag_str s)
{
    if (s.len == 0 || s.len > 8)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (memchr("ivxlcIVXLC", s.ptr[i], 10) == NULL)
            return false;
    return true;
}

static rag_status describe(struct candidate *c, rag_buf *b, rag_str s,
                           rag_error *err)
{
    bool in_number = false;
    size_t n_letters = 0;
    uint64_t number = 0;
    rag_status st;

    c->number = NO_NUMBER;
    if (rag_str_u64(&number, s) && number < NO_NUMBER)
        c->number = (uint32_t)number;
    rag_buf_clear(b);
    if (is_roman(s))
        s = RAG_STR_LIT("0");
    while (s.len > 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, s);
        bool digit = rag_utf8_script(cp) == RAG_SCRIPT_DIGIT;

        if (digit && !in_number)
            rag_buf_addc(b, '#');
        else if (!digit && cp != ' ')
            rag_buf_adds(b, rag_str_cut(s, 0, n));
        n_letters += !digit && rag_utf8_is_alnum(cp);
        in_number = digit;
        s = rag_str_cut(s, n, s.len);
    }
    st = rag_buf_status(b, err);
    c->key = rag_hash_fast(b->ptr, b->len);
    c->wordy = n_letters >= MIN_LETTERS;
    return st;
}

/* ---- candidates */

/* The outermost lines of one end of a page, by distance from the edge. */
static size_t outermost(struct candidate out[MAX_ZONE_LINES],
                        const rag_pdf_work *w, size_t page, bool footer)
{
    const rag_pdf_page *p = &w->l->pages[page];
    size_t n = 0;
    size_t first;
    size_t end;

    rag_pdf_page_lines(&first, &end, w->l, page);
    for (size_t i = first; i < end; i++) {
        const rag_pdf_line *line = &w->l->lines[i];
        float middle = (line->y0 + line->y1) / 2;
        float edge = footer ? p->height - line->y1 : line->y0;
        size_t at = n;

        while (at > 0 && out[at - 1].edge > edge)
            at--;
        if (at >= MAX_ZONE_LINES || rag_pdf_line_is_vertical(line))
            continue;
        n += n < MAX_ZONE_LINES ? 1 : 0;
        memmove(out + at + 1, out + at, (n - 1 - at) * sizeof *out);
        out[at] =
            (struct candidate){.edge = edge,
                               .page = (uint32_t)page,
                               .line = (uint32_t)i,
                               .group = RAG_PDF_NONE,
                               .in_zone = (footer ? p->height - middle
                                                  : middle) <= ZONE * p->height,
                               .footer = footer};
    }
    return n;
}

/* Numbers the rows and drops what stands further in. */
static size_t number_rows(struct candidate *c, size_t n, const rag_pdf_work *w)
{
    uint8_t row = 0;
    float row_edge = n > 0 ? c[0].edge : 0;

    for (size_t i = 0; i < n; i++) {
        if (c[i].edge - row_edge > w->l->lines[c[i].line].height / 2) {
            row++;
            row_edge = c[i].edge;
        }
        if (row >= MAX_ROWS)
            return i;
        c[i].row = row;
    }
    return n;
}

static rag_status collect(struct finder *f, size_t page, bool footer,
                          rag_error *err)
{
    struct candidate zone[MAX_ZONE_LINES];
    size_t n = outermost(zone, f->w, page, footer);

    n = number_rows(zone, n, f->w);
    if (!rag_mem_grow(&f->all, &f->cap, f->n + n + 1, sizeof *f->all))
        return rag_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        rag_str s = rag_pdf_layout_line(f->w->l, &f->w->l->lines[zone[i].line]);
        rag_status st = describe(&zone[i], &f->words, s, err);

        if (st != RAG_OK)
            return st;
        if (zone[i].in_zone || zone[i].row < 2)
            f->all[f->n++] = zone[i];
    }
    return RAG_OK;
}

/* ---- orders */

static int by_float(float x, float y)
{
    return x < y ? -1 : x > y;
}

static int by_number(uint64_t x, uint64_t y)
{
    return x < y ? -1 : x > y;
}

static int by_words(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;
    int d = by_number(x->footer, y->footer);

    d = d != 0 ? d : by_number(x->key, y->key);
    d = d != 0 ? d : by_float(x->edge, y->edge);
    return d != 0 ? d : by_number(x->line, y->line);
}

static int by_height(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;
    int d = by_number(x->footer, y->footer);

    d = d != 0 ? d : by_float(x->edge, y->edge);
    return d != 0 ? d : by_number(x->line, y->line);
}

/* By place on the page, outermost first. */
static int by_place(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;
    int d = by_number(x->page, y->page);

    d = d != 0 ? d : by_number(x->footer, y->footer);
    d = d != 0 ? d : by_float(x->edge, y->edge);
    return d != 0 ? d : by_number(x->line, y->line);
}

/* ---- which of them repeat */

/* Pages (even, odd, all) that c[0..n), sorted by page, stands on. */
static void count_pages(size_t on[3], const struct candidate *c, size_t n)
{
    on[0] = on[1] = on[2] = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && c[i].page == c[i - 1].page)
            continue;
        on[c[i].page % 2]++;
        on[2]++;
    }
}

static bool most_pages(const struct finder *f, const size_t on[3])
{
    bool most = on[2] >= MIN_PAGES && 2 * on[2] > f->n_text_pages[2];

    for (int p = 0; p < 2; p++)
        most = most || (on[p] >= MIN_PAGES && on[1 - p] == 0 &&
                        2 * on[p] > f->n_text_pages[p]);
    return most;
}

/* All of c[0..n) that is not in a group yet becomes one. */
static void repeated(struct finder *f, struct candidate *c, size_t n)
{
    rag_pdf_work *w = f->w;
    uint32_t group = RAG_PDF_NONE;

    for (size_t i = 0; i < n; i++) {
        if (c[i].group != RAG_PDF_NONE)
            continue;
        if (group == RAG_PDF_NONE && w->n_repeats < RAG_PDF_MAX_REPEATS) {
            group = (uint32_t)w->n_repeats++;
            w->repeats[group] = (rag_pdf_repeat){.line = c[i].line,
                                                 .last_page = RAG_PDF_NONE,
                                                 .footer = c[i].footer};
        }
        c[i].group = group != RAG_PDF_NONE ? group : MANY;
    }
}

/* c[0..n): numbers alone, sorted by page: one a page, and they go up? A column
 * of a table that goes over all pages does not. */
static bool count_up(const struct candidate *c, size_t n)
{
    size_t n_down = 0;

    for (size_t i = 1; i < n; i++) {
        if (c[i].page == c[i - 1].page)
            return false;
        n_down += c[i].number != NO_NUMBER && c[i - 1].number != NO_NUMBER &&
                  c[i].number <= c[i - 1].number;
    }
    return 10 * n_down <= n;
}

/* c[0..n): the same words at the same height. */
static void judge_height(struct finder *f, struct candidate *c, size_t n)
{
    size_t on[3];

    qsort(c, n, sizeof *c, by_place);
    count_pages(on, c, n);
    if (!c[0].wordy && !count_up(c, n))
        return;
    if (most_pages(f, on)) {
        repeated(f, c, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const rag_pdf_line *line = &f->w->l->lines[c[i].line];

        c[i].often =
            on[2] >= MIN_PAGES && line->end - line->start <= MAX_HEAD_BYTES;
    }
}

/* c[0..n): the same words at any height, sorted by height. */
static void judge_words(struct finder *f, struct candidate *c, size_t n)
{
    size_t on[3];
    size_t n_outer = 0;

    for (size_t i = 0; i < n;) {
        size_t end = i + 1;

        while (end < n && c[end].edge - c[end - 1].edge <= SAME_HEIGHT)
            end++;
        if (c[i].in_zone)
            judge_height(f, c + i, end - i);
        i = end;
    }
    qsort(c, n, sizeof *c, by_place);
    for (size_t i = 0; i < n; i++)
        n_outer += c[i].row == 0 && c[i].group == RAG_PDF_NONE;
    count_pages(on, c, n);
    if (c[0].wordy && n_outer == n && most_pages(f, on))
        repeated(f, c, n);
}

/* Running heads: all sorted by height. */
static void judge_slots(struct finder *f)
{
    struct candidate *c = f->all;

    qsort(c, f->n, sizeof *c, by_height);
    for (size_t i = 0; i < f->n;) {
        size_t end = i + 1;
        size_t n_often = 0;
        size_t on[3];

        while (end < f->n && c[end].footer == c[i].footer &&
               c[end].edge - c[end - 1].edge <= SAME_HEIGHT / 2)
            end++;
        /* what comes often to the front, by page */
        for (size_t k = i; k < end; k++) {
            if (c[k].often || c[k].group != RAG_PDF_NONE) {
                struct candidate t = c[k];

                c[k] = c[i + n_often];
                c[i + n_often++] = t;
            }
        }
        qsort(c + i, n_often, sizeof *c, by_place);
        count_pages(on, c + i, n_often);
        if (n_often > 0 && most_pages(f, on)) {
            repeated(f, c + i, n_often);
        }
        i = end;
    }
}

static int by_u32(const void *a, const void *b)
{
    return by_number(*(const uint32_t *)a, *(const uint32_t *)b);
}

static bool is_outer_number(const struct candidate *c, bool footer)
{
    return c->footer == footer && c->row == 0 && c->number != NO_NUMBER;
}

static void mark_numbers(struct finder *f, bool footer, uint32_t diff)
{
    uint32_t group = RAG_PDF_NONE;

    for (size_t i = 0; i < f->n; i++) {
        struct candidate *c = &f->all[i];

        if (!is_outer_number(c, footer) || c->number - c->page != diff ||
            c->group != RAG_PDF_NONE)
            continue;
        if (group == RAG_PDF_NONE) {
            repeated(f, c, 1);
            group = c->group;
        }
        c->group = group;
    }
}

/* Numbers in the outermost row that go up by one a page. */
static rag_status judge_numbers(struct finder *f, bool footer, rag_error *err)
{
    uint32_t *diffs = rag_realloc_array(NULL, f->n + 1, sizeof *diffs);
    size_t n = 0;
    size_t best = 0;
    size_t run = 0;
    uint32_t diff = 0;

    if (diffs == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < f->n; i++)
        if (is_outer_number(&f->all[i], footer))
            diffs[n++] = f->all[i].number - f->all[i].page;
    qsort(diffs, n, sizeof *diffs, by_u32);
    for (size_t i = 0; i < n; i++) {
        run = i > 0 && diffs[i] == diffs[i - 1] ? run + 1 : 1;
        if (run > best) {
            best = run;
            diff = diffs[i];
        }
    }
    rag_free(diffs);
    if (best < MIN_PAGES || 2 * best <= f->n_text_pages[2])
        return RAG_OK;
    mark_numbers(f, footer, diff);
    return RAG_OK;
}

/* ---- leaving them out */

static void count_page(rag_pdf_repeat *r, uint32_t page)
{
    r->n_pages += r->last_page != page;
    r->last_page = page;
}

/* c: [n] one end of one page, outermost first. What repeats goes, from the
 * edge inwards, until something stands there that does not. */
static void leave_out(rag_pdf_work *w, const struct candidate *c, size_t n)
{
    float wall = 1e9f; /* inner side of the outermost line that stays */

    for (size_t i = 0; i < n && c[i].edge < wall; i++) {
        const rag_pdf_line *line = &w->l->lines[c[i].line];
        float inner = c[i].edge + (line->y1 - line->y0);

        if (c[i].group != RAG_PDF_NONE) {
            w->flags[c[i].line] |= RAG_PDF_LEFT_OUT;
            if (c[i].group < w->n_repeats)
                count_page(&w->repeats[c[i].group], c[i].page);
        } else if (inner < wall) {
            wall = inner;
        }
    }
}

/* A document that is mostly furniture is a form or a set of copies: it is kept
 * as it is. */
static void undo_if_too_much(rag_pdf_work *w)
{
    size_t n_out = 0;
    size_t n_all = 0;

    for (size_t i = 0; i < w->l->n_lines; i++) {
        size_t n = w->l->lines[i].end - w->l->lines[i].start;

        n_all += n;
        n_out += (w->flags[i] & RAG_PDF_LEFT_OUT) != 0 ? n : 0;
    }
    if (2 * n_out <= n_all)
        return;
    for (size_t i = 0; i < w->l->n_lines; i++)
        w->flags[i] &= (uint8_t)~RAG_PDF_LEFT_OUT;
    w->n_repeats = 0;
}

static void leave_out_all(struct finder *f)
{
    qsort(f->all, f->n, sizeof *f->all, by_place);
    for (size_t i = 0; i < f->n;) {
        size_t end = i + 1;

        while (end < f->n && f->all[end].page == f->all[i].page &&
               f->all[end].footer == f->all[i].footer)
            end++;
        leave_out(f->w, f->all + i, end - i);
        i = end;
    }
    undo_if_too_much(f->w);
}

static rag_status judge(struct finder *f, rag_error *err)
{
    rag_status st;

    qsort(f->all, f->n, sizeof *f->all, by_words);
    for (size_t i = 0; i < f->n;) {
        size_t end = i + 1;

        while (end < f->n && f->all[end].key == f->all[i].key &&
               f->all[end].footer == f->all[i].footer)
            end++;
        judge_words(f, f->all + i, end - i);
        i = end;
    }
    judge_slots(f);
    st = judge_numbers(f, false, err);
    return st == RAG_OK ? judge_numbers(f, true, err) : st;
}

rag_status rag_pdf_furniture_mark(rag_pdf_work *w, rag_error *err)
{
    struct finder f = {.w = w};
    rag_status st = RAG_OK;

    rag_buf_init(&f.words, RAG_PDF_MAX_ITEM_BYTES);
    for (size_t page = 0; page < w->l->n_pages; page++) {
        size_t first;
        size_t end;

        rag_pdf_page_lines(&first, &end, w->l, page);
        if (first == end)
            continue;
        f.n_text_pages[page % 2]++;
        f.n_text_pages[2]++;
        TRY(collect(&f, page, false, err));
        TRY(collect(&f, page, true, err));
    }
    if (f.n > 0 && f.n_text_pages[2] >= MIN_PAGES) {
        TRY(judge(&f, err));
        leave_out_all(&f);
    }
out:
    rag_buf_dispose(&f.words);
    rag_free(f.all);
    return st;
}
