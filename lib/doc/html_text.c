#include "doc/html_text.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

/* one paragraph; longer ones are cut into several */
#define MAX_RUN_BYTES ((size_t)64 << 20)
/* a cell that spans rows is repeated only when it is a label, no text */
#define MAX_CARRY_BYTES ((size_t)200)
/* a listing of this size is a text that somebody wrapped into <pre> */
#define PRE_TEXT_BYTES ((size_t)16 << 10)

void rag_html_text_init(rag_html_text *t, rag_builder *b)
{
    memset(t, 0, sizeof *t);
    t->b = b;
    t->head = UINT32_MAX;
    rag_buf_init(&t->run, MAX_RUN_BYTES);
    rag_buf_init(&t->row, MAX_RUN_BYTES);
}

static void drop_carries(rag_html_text *t)
{
    for (size_t i = 0; i < RAG_HTML_TEXT_MAX_COLUMNS; i++) {
        rag_free(t->carry[i].text);
        t->carry[i].text = NULL;
        t->carry[i].len = 0;
        t->carry[i].left = 0;
    }
}

void rag_html_text_dispose(rag_html_text *t)
{
    drop_carries(t);
    rag_buf_dispose(&t->run);
    rag_buf_dispose(&t->row);
}

/* ---- blocks */

static size_t list_slot(const rag_html_text *t)
{
    size_t d =
        t->depth < RAG_HTML_TEXT_MAX_DEPTH ? t->depth : RAG_HTML_TEXT_MAX_DEPTH;

    return d - 1; /* only asked inside lists */
}

/* What stands between the last block and the next. */
static void part_from_last(rag_html_text *t, bool tight)
{
    if (t->b->text.len != 0)
        rag_buf_addz(&t->b->text, tight && t->tight ? "\n" : "\n\n");
    t->tight = tight;
}

static void emit_listing(rag_html_text *t)
{
    rag_str s = rag_buf_str(&t->run);
    size_t start = 0;
    size_t at;

    /* leading blank lines go, the indentation of the first line stays */
    for (at = 0; at < s.len && strchr(" \t\n\r", s.ptr[at]) != NULL; at++)
        if (s.ptr[at] == '\n')
            start = at + 1;
    while (s.len > start && strchr(" \t\n\r", s.ptr[s.len - 1]) != NULL)
        s.len--;
    s = rag_str_cut(s, start, s.len);
    if (s.len == 0)
        return;
    if (s.len < PRE_TEXT_BYTES) {
        part_from_last(t, false);
        at = t->b->text.len;
        rag_buf_adds(&t->b->text, s);
        (void)rag_builder_block(t->b, RAG_BLOCK_CODE, at, t->b->text.len,
                                t->depth, UINT32_MAX);
        return;
    }
    while (s.len != 0) {
        size_t gap = rag_str_find(s, RAG_STR_LIT("\n\n"));
        rag_str para = rag_str_cut(s, 0, gap);

        if (rag_str_trim(para).len != 0) {
            while (para.ptr[0] == '\n' || para.ptr[0] == '\r')
                para = rag_str_cut(para, 1, para.len);
            part_from_last(t, false);
            at = t->b->text.len;
            rag_buf_adds(&t->b->text, para);
            (void)rag_builder_block(t->b, RAG_BLOCK_PARA, at, t->b->text.len,
                                    t->depth, UINT32_MAX);
        }
        s = rag_str_cut(s, gap == SIZE_MAX ? s.len : gap + 2, s.len);
    }
}

static void emit_heading(rag_html_text *t, rag_str s)
{
    size_t at;

    part_from_last(t, false);
    at = t->b->text.len;
    rag_buf_adds(&t->b->text, s);
    (void)rag_builder_heading(t->b, at, t->b->text.len, t->heading, s);
    if (t->heading == 1)
        rag_builder_title(t->b, s);
}

static void emit_para(rag_html_text *t, rag_str s)
{
    rag_buf *text = &t->b->text;
    rag_block_kind kind = RAG_BLOCK_PARA;
    size_t at;

    part_from_last(t, t->depth != 0);
    if (t->depth != 0) {
        size_t slot = list_slot(t);

        for (size_t i = 0; i < slot; i++)
            rag_buf_addz(text, "  ");
        if (t->list[slot].fresh) {
            kind = RAG_BLOCK_ITEM;
        } else if (!t->list[slot].term) {
            rag_buf_addz(text, "  "); /* goes on under its item */
        }
        at = text->len;
        if (kind == RAG_BLOCK_ITEM && t->list[slot].ordered)
            rag_buf_addf(text, "%u. ", t->list[slot].number);
        else if (kind == RAG_BLOCK_ITEM && !t->list[slot].term)
            rag_buf_addz(text, "- ");
        t->list[slot].fresh = false;
    } else {
        at = text->len;
    }
    rag_buf_adds(text, s);
    (void)rag_builder_block(t->b, kind, at, text->len, t->depth, UINT32_MAX);
}

/* The run so far becomes a block; in a cell and in a heading parts are only
 * kept apart. */
static void flush(rag_html_text *t)
{
    if (t->in_cell || (t->heading != 0 && t->run.len != 0)) {
        t->gap = true;
        return;
    }
    if (t->run.failed != RAG_OK && t->b->failed == RAG_OK)
        t->b->failed = t->run.failed;
    if (t->run.len != 0) {
        if (t->pre != 0)
            emit_listing(t);
        else
            emit_para(t, rag_buf_str(&t->run));
    }
    rag_buf_clear(&t->run);
    t->gap = false;
    t->breaks = 0;
}

/* ---- tables */

static void put_cell(rag_html_text *t, const char *text, size_t len)
{
    if (t->n_cells == RAG_HTML_TEXT_MAX_COLUMNS) {
        if (len != 0)
            rag_buf_addc(&t->row, ' ');
        t->n_cells--;
    }
    rag_buf_add(&t->row, text, len);
    t->cell[t->n_cells++].end = t->row.len;
}

/* Columns that a cell of a row above still covers. */
static void put_carried(rag_html_text *t)
{
    while (t->n_cells < RAG_HTML_TEXT_MAX_COLUMNS &&
           t->carry[t->n_cells].left != 0) {
        unsigned col = t->n_cells;

        t->carry[col].left--;
        put_cell(t, t->carry[col].text != NULL ? t->carry[col].text : "",
                 t->carry[col].len);
    }
}

static void leave_cell(rag_html_text *t)
{
    rag_str s = rag_buf_str(&t->run);
    unsigned rows = t->row_span;

    put_carried(t);
    for (unsigned i = 0; i < t->span; i++) {
        unsigned col = t->n_cells;

        if (col < RAG_HTML_TEXT_MAX_COLUMNS && rows > 1) {
            bool label = i == 0 && s.len <= MAX_CARRY_BYTES;
            char *copy = label ? rag_strndup(s.ptr, s.len) : NULL;

            if (label && copy == NULL && t->b->failed == RAG_OK)
                t->b->failed = RAG_E_NOMEM;
            rag_free(t->carry[col].text);
            t->carry[col].text = copy;
            t->carry[col].len = copy != NULL ? s.len : 0;
            t->carry[col].left = rows - 1;
        }
        put_cell(t, i == 0 ? s.ptr : "", i == 0 ? s.len : 0);
        if (i + 1 < t->span && col + 1 < RAG_HTML_TEXT_MAX_COLUMNS)
            t->carry[col + 1].left = 0;
    }
    rag_buf_clear(&t->run);
    t->in_cell = false;
    t->gap = false;
    t->breaks = 0;
}

/* Spreadsheets put a sign of money before a number, and what closes it behind,
 * into cells of their own. */
static bool belongs_together(rag_str before, rag_str cell)
{
    return rag_str_eqz(before, "$") || rag_str_eqz(before, "€") ||
           rag_str_eqz(before, "£") || rag_str_eqz(before, "¥") ||
           rag_str_eqz(before, "₩") || rag_str_eqz(cell, ")") ||
           rag_str_eqz(cell, "%") || rag_str_eqz(cell, ")%");
}

/* The cells on one line. Where a head names the columns empty cells keep
 * their place; elsewhere they are the spacing of a layout. */
static void emit_row(rag_html_text *t, bool is_head)
{
    rag_buf *text = &t->b->text;
    bool keep = is_head || t->head != UINT32_MAX;
    size_t start = 0;
    size_t at;
    bool first = true;
    rag_str before = {NULL, 0};
    unsigned n = t->n_cells;

    if (t->row.failed != RAG_OK && t->b->failed == RAG_OK)
        t->b->failed = t->row.failed;
    while (n > 0 && t->cell[n - 1].end == (n > 1 ? t->cell[n - 2].end : 0))
        n--;
    if (n == 0 || t->row.failed != RAG_OK)
        return;
    part_from_last(t, true);
    at = text->len;
    for (unsigned i = 0; i < n; i++) {
        rag_str cell = rag_str_cut(rag_buf_str(&t->row), start, t->cell[i].end);

        if (keep || cell.len != 0) {
            if (!first && (keep || !belongs_together(before, cell)))
                rag_buf_addz(text, " | ");
            first = false;
            rag_buf_adds(text, cell);
            before = cell;
        }
        start = t->cell[i].end;
    }
    while (text->len > at && text->ptr[at] == ' ')
        at++; /* an empty first cell */
    if (is_head && t->head != UINT32_MAX && t->b->n_blocks == t->head + 1 &&
        text->failed == RAG_OK)
        t->b->blocks[t->head].end = text->len;
    else if (is_head)
        t->head = rag_builder_block(t->b, RAG_BLOCK_TABLE_HEAD, at, text->len,
                                    0, UINT32_MAX);
    else
        (void)rag_builder_block(t->b, RAG_BLOCK_TABLE_ROW, at, text->len, 0,
                                t->head);
}

static void leave_row(rag_html_text *t, bool is_head)
{
    put_carried(t);
    emit_row(t, is_head && !t->body_seen);
    t->body_seen = t->body_seen || !is_head;
    rag_buf_clear(&t->row);
    t->n_cells = 0;
}

/* ---- what comes in */

static void enter_item(rag_html_text *t, uint32_t number, bool term)
{
    size_t slot;

    if (t->depth == 0)
        return; /* an item outside any list is a paragraph */
    slot = list_slot(t);
    if (number != 0)
        t->list[slot].next = number;
    t->list[slot].number = t->list[slot].next;
    if (t->list[slot].next < UINT32_MAX)
        t->list[slot].next++;
    t->list[slot].fresh = true;
    t->list[slot].term = term;
}

static void enter_list(rag_html_text *t, bool ordered, uint32_t first)
{
    size_t slot;

    t->depth++;
    slot = list_slot(t);
    t->list[slot].ordered = ordered;
    t->list[slot].fresh = false;
    t->list[slot].term = false;
    t->list[slot].next = first;
}

/* A listing whose lines are elements of their own stays one. */
static bool in_listing(rag_html_text *t, rag_html_part part)
{
    if (t->pre == 0 || t->in_cell || part == RAG_HTML_PRE)
        return false;
    if (t->run.len != 0 && t->run.ptr[t->run.len - 1] != '\n')
        rag_buf_addc(&t->run, '\n');
    return true;
}

void rag_html_text_enter(rag_html_text *t, rag_html_part part, uint32_t arg)
{
    if (part == RAG_HTML_INLINE || in_listing(t, part))
        return;
    flush(t);
    switch (part) {
    case RAG_HTML_INLINE:
    case RAG_HTML_BLOCK:
        break;
    case RAG_HTML_HEADING:
        if (!t->in_cell)
            t->heading = arg;
        break;
    case RAG_HTML_UL:
    case RAG_HTML_OL:
        if (!t->in_cell)
            enter_list(t, part == RAG_HTML_OL, arg);
        break;
    case RAG_HTML_TERMS:
        if (!t->in_cell)
            enter_list(t, false, 1);
        break;
    case RAG_HTML_ITEM:
        if (!t->in_cell)
            enter_item(t, arg, false);
        break;
    case RAG_HTML_TERM:
        if (!t->in_cell)
            enter_item(t, 0, true);
        break;
    case RAG_HTML_DETAIL:
        if (!t->in_cell && t->depth != 0) {
            t->list[list_slot(t)].fresh = false;
            t->list[list_slot(t)].term = false;
        }
        break;
    case RAG_HTML_PRE:
        if (!t->in_cell)
            t->pre++;
        break;
    case RAG_HTML_TABLE:
        t->in_table = true;
        t->body_seen = false;
        t->head = UINT32_MAX;
        t->tight = false;
        drop_carries(t);
        break;
    case RAG_HTML_HEAD_ROW:
    case RAG_HTML_ROW:
        rag_buf_clear(&t->row);
        t->n_cells = 0;
        break;
    case RAG_HTML_CELL:
        rag_buf_clear(&t->run);
        t->gap = false;
        t->in_cell = true;
        t->span = (arg & 0xFFFF) != 0 ? arg & 0xFFFF : 1;
        t->row_span = arg >> 16;
        break;
    }
}

void rag_html_text_leave(rag_html_text *t, rag_html_part part)
{
    if (part == RAG_HTML_INLINE || in_listing(t, part))
        return;
    if (part == RAG_HTML_HEADING && t->heading != 0) {
        if (t->run.len != 0 && t->run.failed == RAG_OK)
            emit_heading(t, rag_buf_str(&t->run));
        t->heading = 0;
        rag_buf_clear(&t->run);
    }
    if (part == RAG_HTML_CELL && t->in_cell)
        leave_cell(t);
    flush(t);
    if (part == RAG_HTML_PRE && t->pre != 0)
        t->pre--;
    else if ((part == RAG_HTML_UL || part == RAG_HTML_OL ||
              part == RAG_HTML_TERMS) &&
             t->depth != 0 && !t->in_cell)
        t->depth--;
    else if (part == RAG_HTML_HEAD_ROW || part == RAG_HTML_ROW)
        leave_row(t, part == RAG_HTML_HEAD_ROW);
    else if (part == RAG_HTML_TABLE)
        t->in_table = t->tight = false;
}

void rag_html_text_break(rag_html_text *t)
{
    if (t->pre != 0 && !t->in_cell) {
        rag_buf_addc(&t->run, '\n');
    } else if (t->in_cell || t->heading != 0) {
        t->gap = true;
    } else {
        t->breaks++;
        if (t->breaks == 2)
            flush(t);
    }
}

void rag_html_text_add(rag_html_text *t, rag_str text)
{
    size_t i = 0;

    if (t->pre != 0 && !t->in_cell) {
        rag_buf_adds(&t->run, text);
        return;
    }
    while (i < text.len) {
        unsigned char c = (unsigned char)text.ptr[i];
        size_t n = 1;
        bool space = c <= ' ';

        if (c == 0xC2 && i + 1 < text.len && text.ptr[i + 1] == '\xA0') {
            space = true; /* pages use no-break spaces for spacing */
            n = 2;
        }
        if (space) {
            t->gap = true;
            i += n;
            continue;
        }
        if (t->run.len != 0 && t->breaks != 0)
            rag_buf_addc(&t->run, '\n');
        else if (t->run.len != 0 && t->gap)
            rag_buf_addc(&t->run, ' ');
        t->gap = false;
        t->breaks = 0;
        while (i + n < text.len && (unsigned char)text.ptr[i + n] > ' ' &&
               (unsigned char)text.ptr[i + n] != 0xC2)
            n++;
        rag_buf_add(&t->run, text.ptr + i, n);
        i += n;
    }
}

void rag_html_text_end(rag_html_text *t)
{
    if (t->in_cell)
        leave_cell(t);
    t->heading = 0;
    flush(t);
}
