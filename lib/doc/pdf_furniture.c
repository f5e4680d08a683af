#include "doc/pdf_priv.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"

/* Headers and footers stand in the outer part of the page, */
#define ZONE 0.15f
/* in at most this many rows, */
#define MAX_ROWS 3
/* in this many lines (a row may be several), */
#define MAX_ZONE_LINES 12u
/* on every page at the same height: points, */
#define SAME_HEIGHT 5.0f
/* and on at least so many pages: two equal pages may be two copies. */
#define MIN_PAGES 3u

struct candidate {
    uint64_t key; /* of its words, digits folded */
    float edge;   /* distance of its outer side from the page's edge */
    uint32_t page;
    uint32_t line;
    uint32_t group; /* index in repeats, MANY, or RAG_PDF_NONE */
    bool footer;
};

/* Repeated, but beyond what is reported. */
#define MANY (RAG_PDF_NONE - 1)

struct finder {
    rag_pdf_work *w;
    struct candidate *all; /* [n] */
    size_t n;
    size_t cap;
    size_t n_text_pages[3]; /* even, odd, all */
};

/* ---- what a line says, page numbers aside */

static bool is_roman(rag_str s)
{
    static const char digits[] = "ivxlcIVXLC";

    if (s.len == 0 || s.len > 8)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool found = false;

        for (size_t k = 0; digits[k] != '\0'; k++)
            found = found || s.ptr[i] == digits[k];
        if (!found)
            return false;
    }
    return true;
}

static rag_status key_of(uint64_t *out, rag_str s, rag_error *err)
{
    rag_buf b;
    rag_status st;
    bool in_number = false;

    rag_buf_init(&b, RAG_PDF_MAX_ITEM_BYTES);
    if (is_roman(s))
        s = RAG_STR_LIT("0");
    while (s.len > 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, s);
        bool digit = rag_utf8_script(cp) == RAG_SCRIPT_DIGIT;

        if (digit && !in_number)
            rag_buf_addc(&b, '#');
        else if (!digit && cp != ' ')
            rag_buf_adds(&b, rag_str_cut(s, 0, n));
        in_number = digit;
        s = rag_str_cut(s, n, s.len);
    }
    st = rag_buf_status(&b, err);
    *out = rag_hash_fast(b.ptr, b.len);
    rag_buf_dispose(&b);
    return st;
}

/* ---- candidates */

/* Keeps the outermost lines of one zone, by distance. */
static size_t zone_lines(struct candidate out[MAX_ZONE_LINES],
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

        if (footer ? p->height - middle > ZONE * p->height
                   : middle > ZONE * p->height)
            continue;
        while (at > 0 && out[at - 1].edge > edge)
            at--;
        if (at >= MAX_ZONE_LINES)
            continue;
        n += n < MAX_ZONE_LINES ? 1 : 0;
        for (size_t k = n - 1; k > at; k--)
            out[k] = out[k - 1];
        out[at] = (struct candidate){.edge = edge,
                                     .page = (uint32_t)page,
                                     .line = (uint32_t)i,
                                     .group = RAG_PDF_NONE,
                                     .footer = footer};
    }
    return n;
}

static rag_status collect(struct finder *f, size_t page, bool footer,
                          rag_error *err)
{
    struct candidate zone[MAX_ZONE_LINES];
    size_t n = zone_lines(zone, f->w, page, footer);

    if (!rag_mem_grow(&f->all, &f->cap, f->n + n + 1, sizeof *f->all))
        return rag_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        rag_str s = rag_pdf_layout_line(f->w->l, &f->w->l->lines[zone[i].line]);
        rag_status st = key_of(&zone[i].key, s, err);

        if (st != RAG_OK)
            return st;
        f->all[f->n++] = zone[i];
    }
    return RAG_OK;
}

/* ---- which of them repeat */

static int by_words_and_height(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->footer != y->footer)
        return x->footer ? 1 : -1;
    if (x->edge < y->edge || x->edge > y->edge)
        return x->edge < y->edge ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static int by_place(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;

    if (x->page != y->page)
        return x->page < y->page ? -1 : 1;
    if (x->footer != y->footer)
        return x->footer ? 1 : -1;
    if (x->edge < y->edge || x->edge > y->edge)
        return x->edge < y->edge ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static bool same_group(const struct candidate *a, const struct candidate *b)
{
    return a->key == b->key && a->footer == b->footer &&
           b->edge - a->edge <= SAME_HEIGHT;
}

/* group: [n] candidates, by page. */
static void judge(struct finder *f, struct candidate *group, size_t n)
{
    size_t on[3] = {0, 0, 0};
    uint32_t last = RAG_PDF_NONE;
    bool most;

    for (size_t i = 0; i < n; i++) {
        if (group[i].page == last)
            continue;
        last = group[i].page;
        on[last % 2]++;
        on[2]++;
    }
    most = on[2] >= MIN_PAGES && 2 * on[2] > f->n_text_pages[2];
    for (int parity = 0; parity < 2; parity++)
        most = most || (on[parity] >= MIN_PAGES && on[1 - parity] == 0 &&
                        2 * on[parity] > f->n_text_pages[parity]);
    if (!most)
        return;
    for (size_t i = 0; i < n; i++)
        group[i].group = f->w->n_repeats < RAG_PDF_MAX_REPEATS
                             ? (uint32_t)f->w->n_repeats
                             : MANY;
    if (f->w->n_repeats < RAG_PDF_MAX_REPEATS)
        f->w->repeats[f->w->n_repeats++] =
            (rag_pdf_repeat){.line = group[0].line, .footer = group[0].footer};
}

static void find_groups(struct finder *f)
{
    qsort(f->all, f->n, sizeof *f->all, by_words_and_height);
    for (size_t i = 0; i < f->n;) {
        size_t end = i + 1;

        while (end < f->n && same_group(&f->all[end - 1], &f->all[end]))
            end++;
        qsort(f->all + i, end - i, sizeof *f->all, by_place);
        judge(f, f->all + i, end - i);
        i = end;
    }
    qsort(f->all, f->n, sizeof *f->all, by_place);
}

/* ---- leaving them out */

/* zone: [n] one zone of one page, outermost first. What repeats goes, from the
 * edge inwards, until something stands there that does not. */
static void leave_out(rag_pdf_work *w, const struct candidate *zone, size_t n)
{
    float row = -1e9f;
    int n_rows = 0;
    float wall = 1e9f; /* inner side of the outermost line that stays */

    for (size_t i = 0; i < n; i++) {
        const rag_pdf_line *line = &w->l->lines[zone[i].line];
        float inner = zone[i].edge + (line->y1 - line->y0);

        if (zone[i].edge >= wall)
            return;
        if (zone[i].edge - row > line->height / 2) {
            n_rows++;
            row = zone[i].edge;
        }
        if (n_rows > MAX_ROWS)
            return;
        if (zone[i].group != RAG_PDF_NONE) {
            w->flags[zone[i].line] |= RAG_PDF_LEFT_OUT;
            if (zone[i].group != MANY)
                w->repeats[zone[i].group].n_pages++;
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

rag_status rag_pdf_furniture_mark(rag_pdf_work *w, rag_error *err)
{
    struct finder f = {.w = w};
    rag_status st = RAG_OK;

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
    if (f.n > 0) {
        find_groups(&f);
        leave_out_all(&f);
    }
out:
    rag_free(f.all);
    return st;
}
