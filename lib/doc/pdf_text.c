#include "doc/pdf_text.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "doc/pdf_headings.h"
#include "doc/pdf_priv.h"

#define SOFT_HYPHEN "\xC2\xAD"
/* Of a header, in the warning about it. */
#define MAX_SHOWN_BYTES 60u

/* ---- appending */

struct writer {
    rag_pdf_work *w;
    rag_builder *b;
    rag_pdf_headings headings;
    size_t page; /* pages begun */
    size_t para_start;
    size_t para_first; /* index in order of its first line */
    bool in_para;
};

static rag_str line_text(const rag_pdf_work *w, uint32_t line)
{
    return rag_pdf_layout_line(w->l, &w->l->lines[line]);
}

/* Pages up to this one begin here, if they have not yet. */
static void begin_pages(struct writer *o, size_t n_pages)
{
    while (o->page < n_pages) {
        rag_builder_page(o->b, o->b->text.len);
        o->page++;
    }
}

/* Soft hyphens that end no line are no characters. */
static void put(struct writer *o, rag_str s)
{
    while (s.len > 0) {
        size_t at = rag_str_find(s, RAG_STR_LIT(SOFT_HYPHEN));

        if (at == SIZE_MAX)
            at = s.len;
        rag_buf_adds(&o->b->text, rag_str_cut(s, 0, at));
        s = rag_str_cut(s, at + 2, s.len);
    }
}

static bool is_currency(rag_str s)
{
    uint32_t cp = rag_pdf_first_cp(s);

    return s.len <= 3 && (cp == '$' || cp == 0x20AC || cp == 0xA3 ||
                          cp == 0xA5 || cp == 0x20A9 || cp == 0xFFE6);
}

/* The cells that hang on a line: two spaces apart, signs near their number. */
static void put_cells(struct writer *o, uint32_t line)
{
    rag_str before = line_text(o->w, line);

    for (uint32_t c = o->w->next_cell[line]; c != RAG_PDF_NONE;
         c = o->w->next_cell[c]) {
        rag_str s = line_text(o->w, c);
        uint32_t last = rag_pdf_last_cp(before);
        bool near = is_currency(before) || last == '$' || rag_str_eqz(s, "%") ||
                    rag_str_eqz(s, ")");

        rag_buf_addz(&o->b->text, near ? " " : "  ");
        put(o, s);
        before = s;
    }
}

/* Text of order[i], the part of it that `from` has left. */
static void put_line(struct writer *o, size_t i, size_t from)
{
    uint32_t line = o->w->order[i];
    rag_str s = line_text(o->w, line);
    rag_pdf_join join = (rag_pdf_join)o->w->joins[i];
    size_t end = s.len;

    if (join == RAG_PDF_JOIN_DROP_HYPHEN && s.len > from)
        end = rag_utf8_floor(s, s.len - 1);
    if (o->w->prefix[line] != RAG_PDF_NONE && from == 0) {
        put(o, line_text(o->w, o->w->prefix[line]));
        rag_buf_addc(&o->b->text, ' ');
    }
    put(o, rag_str_cut(s, from, end));
    put_cells(o, line);
}

/* ---- paragraphs */

static void end_para(struct writer *o, size_t i_end)
{
    rag_str words;
    size_t end = o->b->text.len;
    uint32_t level;

    if (!o->in_para)
        return;
    o->in_para = false;
    words = rag_str_cut(rag_buf_str(&o->b->text), o->para_start, end);
    level =
        rag_pdf_headings_level(&o->headings, o->w, o->para_first, i_end, words);
    if (level > 0)
        rag_builder_heading(o->b, o->para_start, end, level, words);
    else
        rag_builder_block(o->b, RAG_BLOCK_PARA, o->para_start, end, 0,
                          RAG_PDF_NONE);
}

static void begin_para(struct writer *o, size_t i)
{
    o->para_start = o->b->text.len;
    o->para_first = i;
    o->in_para = true;
}

/* The first word of order[i] goes to the end of the line before; returns how
 * much of the line that was, with the blank behind it. */
static size_t put_first_word(struct writer *o, size_t i)
{
    rag_str s = line_text(o->w, o->w->order[i]);
    size_t blank = rag_str_find_char(s, ' ');
    size_t n = blank == SIZE_MAX ? s.len : blank;

    /* a word that is cut again at its end loses that hyphen as well */
    if (n == s.len && o->w->joins[i] == RAG_PDF_JOIN_DROP_HYPHEN)
        put(o, rag_str_cut(s, 0, rag_utf8_floor(s, n > 0 ? n - 1 : 0)));
    else
        put(o, rag_str_cut(s, 0, n));
    return blank == SIZE_MAX ? s.len : blank + 1;
}

static void put_order(struct writer *o)
{
    const rag_pdf_work *w = o->w;
    rag_pdf_join join = RAG_PDF_JOIN_PARA;

    for (size_t i = 0; i < w->n_order; i++) {
        uint32_t line = w->order[i];
        size_t from = 0;

        if (join == RAG_PDF_JOIN_PARA) {
            end_para(o, i);
            if (o->b->text.len > 0)
                rag_buf_addz(&o->b->text, "\n\n");
        } else if (join >= RAG_PDF_JOIN_WORD) {
            from = put_first_word(o, i);
        }
        join = (rag_pdf_join)w->joins[i];
        if (from > 0 && from == line_text(w, line).len) {
            /* nothing left of it; its page begins with what follows */
            put_cells(o, line);
            continue;
        }
        if (o->in_para && (from > 0 || w->joins[i - 1] == RAG_PDF_JOIN_LINE))
            rag_buf_addc(&o->b->text, '\n');
        begin_pages(o, w->l->lines[line].page + 1);
        if (!o->in_para)
            begin_para(o, i);
        put_line(o, i, from);
    }
    end_para(o, w->n_order);
    begin_pages(o, w->l->n_pages);
}

/* ---- the whole */

static bool has_letter(rag_str s)
{
    bool letter = false;

    while (s.len > 0 && !letter) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, s);

        letter =
            rag_utf8_is_alnum(cp) && rag_utf8_script(cp) != RAG_SCRIPT_DIGIT;
        s = rag_str_cut(s, n, s.len);
    }
    return letter;
}

static void warn_of_furniture(rag_builder *b, const rag_pdf_work *w)
{
    for (size_t i = 0; i < w->n_repeats; i++) {
        const rag_pdf_repeat *r = &w->repeats[i];
        const char *what = r->footer ? "footer" : "header";
        rag_str s = line_text(w, r->line);
        size_t n = s.len;

        if (r->n_pages == 0)
            continue;
        if (!has_letter(s)) {
            rag_builder_warn(b,
                             "left out a %s of page numbers on %u of %zu "
                             "pages",
                             what, r->n_pages, w->l->n_pages);
            continue;
        }
        if (n > MAX_SHOWN_BYTES)
            n = rag_utf8_grapheme_floor(s, MAX_SHOWN_BYTES);
        rag_builder_warn(b, "left out a %s repeated on %u of %zu pages: %.*s%s",
                         what, r->n_pages, w->l->n_pages, (int)n, s.ptr,
                         n < s.len ? "…" : "");
    }
}

/* A page whose only text is furniture is as empty as one without any. */
static size_t count_empty(const rag_pdf_work *w)
{
    size_t n_empty = 0;

    for (size_t page = 0; page < w->l->n_pages; page++) {
        bool empty = true;
        size_t first;
        size_t end;

        rag_pdf_page_lines(&first, &end, w->l, page);
        for (size_t i = first; i < end && empty; i++)
            empty = (w->flags[i] & RAG_PDF_LEFT_OUT) != 0;
        n_empty += empty;
    }
    return n_empty;
}

/* The height of the type that most of the text is set in. */
static float body_height(const rag_pdf_layout *l)
{
    /* tenths of a point, up to 100 */
    size_t n_bytes[1000] = {0};
    size_t best = 0;

    for (size_t i = 0; i < l->n_lines; i++) {
        float tenths = l->lines[i].height * 10;
        size_t at = tenths > 0 && tenths < 999 ? (size_t)tenths : 0;

        n_bytes[at] += l->lines[i].end - l->lines[i].start;
    }
    for (size_t i = 1; i < 1000; i++)
        if (n_bytes[i] > n_bytes[best] || best == 0)
            best = i;
    return ((float)best + 0.5f) / 10;
}

static rag_status alloc(rag_pdf_work *w, rag_error *err)
{
    size_t n = w->l->n_lines;

    w->flags = rag_calloc(n, 1);
    w->next_cell = rag_realloc_array(NULL, n, sizeof *w->next_cell);
    w->prefix = rag_realloc_array(NULL, n, sizeof *w->prefix);
    w->order = rag_realloc_array(NULL, n, sizeof *w->order);
    w->joins = rag_calloc(n, 1);
    w->blocks = rag_realloc_array(NULL, w->l->n_blocks, sizeof *w->blocks);
    if (w->flags == NULL || w->next_cell == NULL || w->prefix == NULL ||
        w->order == NULL || w->joins == NULL || w->blocks == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        w->next_cell[i] = w->prefix[i] = RAG_PDF_NONE;
    return RAG_OK;
}

static void dispose(rag_pdf_work *w)
{
    rag_free(w->flags);
    rag_free(w->next_cell);
    rag_free(w->prefix);
    rag_free(w->order);
    rag_free(w->joins);
    rag_free(w->blocks);
}

rag_status rag_pdf_text_build(rag_builder *b, const rag_pdf_layout *l,
                              const rag_pdf_opts *opts, rag_error *err)
{
    rag_pdf_work w = {.l = l};
    struct writer o = {.w = &w, .b = b};
    rag_status st;

    if (l->n_lines == 0)
        return rag_fail(err, RAG_E_NOTEXT, "has no text layer (a scan?)");
    TRY(alloc(&w, err));
    w.body_height = body_height(l);
    if (opts == NULL || !opts->keep_furniture)
        TRY(rag_pdf_furniture_mark(&w, err));
    rag_pdf_paras_measure(&w);
    TRY(rag_pdf_rows_link(&w, err));
    rag_pdf_paras_find(&w);
    TRY(rag_pdf_joins_find(&w, err));
    rag_pdf_headings_measure(&o.headings, &w);
    put_order(&o);
    rag_pdf_headings_title(b, &o.headings, &w);
    warn_of_furniture(b, &w);
    b->doc->n_empty_pages = count_empty(&w);
    if (b->doc->n_empty_pages > 0)
        rag_builder_warn(b, "%zu of %zu pages have no text",
                         b->doc->n_empty_pages, l->n_pages);
    rag_builder_meta(b, RAG_STR_LIT("author"), rag_buf_str(&l->author));
    st = rag_buf_status(&b->text, err);
out:
    dispose(&w);
    return st;
}
