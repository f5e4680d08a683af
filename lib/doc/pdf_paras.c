#include "doc/pdf_priv.h"

#include <math.h>
#include <stdlib.h>

#include "base/utf8.h"

/* Lines of one paragraph are at most this much further apart than usual. */
#define MAX_PITCH 1.35f
/* Sizes of type that differ by less are the same (bold, italic, accents). */
#define SIZE_SLACK 0.12f
/* Lines of captions that may stand in the middle of a sentence. */
#define MAX_SHORT_BYTES 80u
/* Shorter lines are labels and cells: no sentence runs on from them. */
#define MIN_PROSE_BYTES 20u

void rag_pdf_page_lines(size_t *first, size_t *end, const rag_pdf_layout *l,
                        size_t page)
{
    *first = l->pages[page].first_line;
    *end = page + 1 < l->n_pages ? l->pages[page + 1].first_line : l->n_lines;
}

static bool near(float a, float b)
{
    return fabsf(a - b) <= SIZE_SLACK * (a > b ? a : b);
}

bool rag_pdf_same_size(const rag_pdf_line *a, const rag_pdf_line *b)
{
    float box_a = a->y1 - a->y0;
    float box_b = b->y1 - b->y0;

    /* one of them may be measured at a word in another font */
    return near(a->height, b->height) || near(box_a, box_b);
}

uint32_t rag_pdf_first_cp(rag_str s)
{
    uint32_t cp = 0;

    if (s.len > 0)
        rag_utf8_decode(&cp, NULL, s);
    return cp;
}

uint32_t rag_pdf_last_cp(rag_str s)
{
    uint32_t cp = 0;

    if (s.len > 0) {
        size_t at = rag_utf8_floor(s, s.len - 1);

        rag_utf8_decode(&cp, NULL, rag_str_cut(s, at, s.len));
    }
    return cp;
}

bool rag_pdf_is_bullet(uint32_t cp)
{
    static const uint32_t bullets[] = {
        0x2022, 0xB7,   0x25CF, 0x25CB, 0x25AA, 0x25AB, 0x25A0,
        0x25A1, 0x25C6, 0x25C7, 0x25E6, 0x2023, 0x2043, 0x2219,
        0x25B6, 0x25BA, 0x27A2, 0x2713, 0x2714, 0x203B, 0xF0B7,
        0xF0A7, 0x30FB, 0x318D, '-',    '*',    0x2013, 0x2014};

    for (size_t i = 0; i < sizeof bullets / sizeof *bullets; i++)
        if (cp == bullets[i])
            return true;
    return false;
}

static bool closes(uint32_t cp)
{
    return cp == '"' || cp == '\'' || cp == ')' || cp == ']' || cp == 0x201D ||
           cp == 0x2019 || cp == 0xBB || cp == 0x300D || cp == 0x300F;
}

bool rag_pdf_ends_sentence(rag_str s)
{
    uint32_t cp = rag_pdf_last_cp(s);

    while (s.len > 0 && closes(cp)) {
        s = rag_str_cut(s, 0, rag_utf8_floor(s, s.len - 1));
        cp = rag_pdf_last_cp(s);
    }
    return s.len == 0 || cp == '.' || cp == '!' || cp == '?' || cp == ':' ||
           cp == ';' || cp == 0x3002 || cp == 0xFF0E || cp == 0xFF01 ||
           cp == 0xFF1F;
}

/* ---- blocks */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;

    return x < y ? -1 : x > y;
}

/* The usual distance of the lines [first, end) of one block, from the first
 * few dozen of them. */
static float usual_pitch(const rag_pdf_layout *l, size_t first, size_t end)
{
    float d[64];
    size_t n = 0;

    for (size_t i = first + 1; i < end && n < 64; i++) {
        float pitch = l->lines[i].y1 - l->lines[i - 1].y1;

        if (pitch > 0)
            d[n++] = pitch;
    }
    if (n == 0)
        return 0;
    qsort(d, n, sizeof *d, by_value);
    return d[n / 2];
}

static bool is_letter(uint32_t cp)
{
    return rag_utf8_is_alnum(cp) && rag_utf8_script(cp) != RAG_SCRIPT_DIGIT;
}

static void measure(rag_pdf_block *b, const rag_pdf_layout *l, size_t first,
                    size_t end)
{
    const rag_pdf_line *f = &l->lines[first];

    *b = (rag_pdf_block){.x0 = f->x0, .y0 = f->y0, .x1 = f->x1, .y1 = f->y1};
    for (size_t i = first; i < end; i++) {
        const rag_pdf_line *k = &l->lines[i];

        b->x0 = k->x0 < b->x0 ? k->x0 : b->x0;
        b->y0 = k->y0 < b->y0 ? k->y0 : b->y0;
        b->x1 = k->x1 > b->x1 ? k->x1 : b->x1;
        b->y1 = k->y1 > b->y1 ? k->y1 : b->y1;
    }
    b->n_lines = (uint32_t)(end - first);
    for (size_t i = first; i < end; i++) {
        uint32_t first_cp =
            rag_pdf_first_cp(rag_pdf_layout_line(l, &l->lines[i]));

        b->n_full += l->lines[i].x1 >= b->x1 - 2 * l->lines[i].height;
        b->n_left += l->lines[i].x0 <= b->x0 + l->lines[i].height / 2;
        b->n_bytes += l->lines[i].end - l->lines[i].start;
        b->n_inner += is_letter(first_cp) && !rag_utf8_is_upper(first_cp);
    }
    b->pitch = usual_pitch(l, first, end);
}

void rag_pdf_paras_measure(rag_pdf_work *w)
{
    const rag_pdf_layout *l = w->l;

    for (size_t i = 0; i < l->n_lines;) {
        size_t end = i + 1;

        while (end < l->n_lines && l->lines[end].block == l->lines[i].block)
            end++;
        measure(&w->blocks[l->lines[i].block], l, i, end);
        i = end;
    }
}

/* ---- does a line go on in the next one? */

struct pair {
    const rag_pdf_work *w;
    const rag_pdf_line *a;
    const rag_pdf_line *b;
    uint32_t ia;
    uint32_t ib;
    rag_str sa;
    rag_str sb;
    uint32_t last;
    uint32_t first;
};

static bool is_cjk(uint32_t cp)
{
    rag_script s = rag_utf8_script(cp);

    return s == RAG_SCRIPT_HANGUL || s == RAG_SCRIPT_HAN ||
           s == RAG_SCRIPT_KANA;
}

static bool is_lower(uint32_t cp)
{
    return rag_utf8_script(cp) == RAG_SCRIPT_LATIN && !rag_utf8_is_upper(cp);
}

static bool is_row(const rag_pdf_work *w, uint32_t line)
{
    return w->next_cell[line] != RAG_PDF_NONE;
}

static bool is_full(const struct pair *p)
{
    const rag_pdf_block *b = &p->w->blocks[p->a->block];

    return p->a->x1 >= b->x1 - 0.15f * (b->x1 - b->x0) - p->a->height;
}

/* "-", "3.", "12)", "(a)": what an item of a list begins with. */
static bool is_item_mark(rag_str word)
{
    size_t n_inner = word.len;
    char last;

    if (word.len == 0 || word.len > 4)
        return false;
    if (rag_pdf_is_bullet(rag_pdf_first_cp(word)))
        return rag_utf8_count(word) == 1;
    last = word.ptr[word.len - 1];
    if (last != '.' && last != ')')
        return false;
    n_inner -= word.ptr[0] == '(' ? 2 : 1;
    for (size_t i = 0; i < n_inner; i++) {
        char c = word.ptr[i + (word.ptr[0] == '(' ? 1 : 0)];

        if (!(c >= '0' && c <= '9') && n_inner > 1)
            return false;
    }
    return n_inner >= 1 && n_inner <= 2;
}

/* Something begins: an item mark, unless the line above runs into it. */
static bool begins_item(const struct pair *p)
{
    rag_str word = rag_str_cut(p->sb, 0, rag_str_find_char(p->sb, ' '));
    float shift = fabsf(p->a->x0 - p->b->x0);

    if (p->w->prefix[p->ib] != RAG_PDF_NONE)
        return true;
    if (word.len == p->sb.len || !is_item_mark(word))
        return false;
    return rag_pdf_ends_sentence(p->sa) || !is_full(p) ||
           shift > p->a->height / 2;
}

static bool is_cut_word(const struct pair *p)
{
    return (p->last == '-' || p->last == 0x2010 || p->last == 0xAD) &&
           p->sa.len > 2 && p->sa.ptr[p->sa.len - 2] != ' ' &&
           is_lower(p->first);
}

static bool same_block(const struct pair *p)
{
    const rag_pdf_block *b = &p->w->blocks[p->a->block];
    float pitch = p->b->y1 - p->a->y1;
    bool ends = rag_pdf_ends_sentence(p->sa);
    float em = p->a->height;

    if (is_cut_word(p))
        return true;
    if (b->pitch > 0 && pitch > MAX_PITCH * b->pitch)
        return false;
    if (is_row(p->w, p->ia) || is_row(p->w, p->ib))
        return true; /* a table, line by line */
    if (!rag_pdf_same_size(p->a, p->b) && p->sa.len > 3 && p->sb.len > 3)
        return false;
    if (begins_item(p))
        return false;
    /* first lines are indented, or all others (bibliographies); last lines
     * are short */
    if (b->n_lines > 2 && ends &&
        (2 * b->n_left >= b->n_lines ? p->b->x0 > p->a->x0 + 0.8f * em
                                     : p->b->x0 < p->a->x0 - 0.8f * em))
        return false;
    if (ends && p->a->x1 < b->x1 - 0.15f * (b->x1 - b->x0) && !is_cjk(p->last))
        return false;
    return true;
}

/* The next block is the same column's next, the next column or page. */
static bool next_block(const struct pair *p)
{
    const rag_pdf_block *ba = &p->w->blocks[p->a->block];
    const rag_pdf_block *bb = &p->w->blocks[p->b->block];
    bool moved = p->a->page != p->b->page || p->b->y1 < p->a->y0;
    bool prose = ba->n_lines + bb->n_lines > 2;

    if (!rag_pdf_same_size(p->a, p->b) || is_row(p->w, p->ia) ||
        is_row(p->w, p->ib) || begins_item(p))
        return false;
    if (is_cut_word(p))
        return true;
    if (rag_pdf_ends_sentence(p->sa) || p->sa.len < MIN_PROSE_BYTES || !prose)
        return false;
    if (is_lower(p->first))
        return moved || is_full(p);
    if (!moved || !is_full(p) || ba->n_lines < 2 || bb->n_lines < 2)
        return false;
    return rag_utf8_is_alnum(p->first) && rag_utf8_is_alnum(p->last) &&
           p->sb.len >= MIN_PROSE_BYTES;
}

static rag_pdf_join join_of(const rag_pdf_work *w, uint32_t ia, uint32_t ib)
{
    const rag_pdf_line *a = &w->l->lines[ia];
    const rag_pdf_line *b = &w->l->lines[ib];
    struct pair p = {.w = w, .a = a, .b = b, .ia = ia, .ib = ib};
    rag_script sa;
    rag_script sb;

    p.sa = rag_pdf_layout_line(w->l, a);
    p.sb = rag_pdf_layout_line(w->l, b);
    p.last = rag_pdf_last_cp(p.sa);
    p.first = rag_pdf_first_cp(p.sb);
    if (!(a->block == b->block ? same_block(&p) : next_block(&p)))
        return RAG_PDF_JOIN_PARA;
    sa = rag_utf8_script(p.last);
    sb = rag_utf8_script(p.first);
    if ((sa == RAG_SCRIPT_HAN || sa == RAG_SCRIPT_KANA) &&
        (sb == RAG_SCRIPT_HAN || sb == RAG_SCRIPT_KANA) && is_full(&p) &&
        !is_row(w, ia) && !is_row(w, ib))
        return RAG_PDF_JOIN_NONE;
    return RAG_PDF_JOIN_LINE;
}

/* ---- what stands in the middle of a sentence */

/* The unit of moving: lines [first, end) of order that are one block. */
static size_t block_end(const rag_pdf_work *w, size_t i)
{
    const rag_pdf_line *lines = w->l->lines;
    size_t end = i + 1;

    while (end < w->n_order &&
           lines[w->order[end]].block == lines[w->order[i]].block)
        end++;
    return end;
}

/* Notes, captions and the like: type smaller than the text's. */
static bool is_small(const rag_pdf_work *w, size_t i)
{
    const rag_pdf_line *a = &w->l->lines[w->order[i]];
    float box = a->y1 - a->y0;

    return (a->height > box ? a->height : box) <
           (1 - SIZE_SLACK / 2) * w->body_height;
}

/* A caption in the text's type, a page number: too short to be text. */
static bool is_short(const rag_pdf_work *w, size_t i)
{
    const rag_pdf_block *b = &w->blocks[w->l->lines[w->order[i]].block];

    return b->n_lines <= 2 && b->n_bytes <= 2 * MAX_SHORT_BYTES;
}

static void rotate(uint32_t *a, size_t n_first, size_t n_all)
{
    /* three reversals */
    size_t ends[3][2] = {{0, n_first}, {n_first, n_all}, {0, n_all}};

    for (int k = 0; k < 3; k++)
        for (size_t i = ends[k][0], j = ends[k][1]; i + 1 < j; i++) {
            uint32_t t = a[i];

            a[i] = a[--j];
            a[j] = t;
        }
}

/* order[i] is the last line of a block that breaks off; notes follow, and then
 * its continuation at `next`. The notes of its own page go before its block;
 * those of the next page behind the continuation's block. */
static void bring_together(rag_pdf_work *w, size_t i, size_t next)
{
    const rag_pdf_line *lines = w->l->lines;
    uint32_t block = lines[w->order[i]].block;
    uint32_t page = lines[w->order[i]].page;
    size_t start = i;
    size_t turn = i + 1;
    size_t end = block_end(w, next);

    while (start > 0 && lines[w->order[start - 1]].block == block)
        start--;
    while (turn < next && lines[w->order[turn]].page == page)
        turn++;
    /* [start..i] text, [i+1..turn) notes here, [turn..next) notes there */
    rotate(w->order + start, i + 1 - start, turn - start);
    rotate(w->order + turn, next - turn, end - turn);
}

/* How many blocks may stand between the halves of a sentence. */
#define MAX_ASIDES 6

/* Does the text of order[i] go on at order[next], in another block? Over short
 * blocks (they may be headings) only when it goes on in lower case. */
static bool continues(const rag_pdf_work *w, size_t i, size_t next, bool sure)
{
    const rag_pdf_line *a = &w->l->lines[w->order[i]];
    const rag_pdf_line *b = &w->l->lines[w->order[next]];
    uint32_t first = rag_pdf_first_cp(rag_pdf_layout_line(w->l, b));

    return a->block != b->block && b->page <= a->page + 1 &&
           (sure || (is_lower(first) && w->blocks[a->block].n_lines > 1)) &&
           !is_small(w, next) &&
           join_of(w, w->order[i], w->order[next]) != RAG_PDF_JOIN_PARA;
}

static void gather_sentences(rag_pdf_work *w)
{
    for (size_t i = 0; i < w->n_order; i = block_end(w, i)) {
        size_t last = block_end(w, i) - 1;
        size_t next = last + 1;
        bool sure = true; /* only notes and numbers between */

        if (is_small(w, last) || rag_pdf_ends_sentence(rag_pdf_layout_line(
                                     w->l, &w->l->lines[w->order[last]])))
            continue;
        for (int k = 0; k < MAX_ASIDES && next < w->n_order; k++) {
            if (continues(w, last, next, sure)) {
                /* unless it is what the block before it goes on with */
                if (next > last + 1 && !continues(w, next - 1, next, false))
                    bring_together(w, last, next);
                break;
            }
            if (!is_small(w, next) && !is_short(w, next))
                break;
            sure = sure && (is_small(w, next) ||
                            (w->flags[w->order[next]] & RAG_PDF_NUMERIC) != 0);
            next = block_end(w, next);
        }
    }
}

void rag_pdf_paras_find(rag_pdf_work *w)
{
    w->n_order = 0;
    for (size_t i = 0; i < w->l->n_lines; i++)
        if ((w->flags[i] & (RAG_PDF_LEFT_OUT | RAG_PDF_CELL)) == 0)
            w->order[w->n_order++] = (uint32_t)i;
    gather_sentences(w);
    for (size_t i = 0; i < w->n_order; i++)
        w->joins[i] = i + 1 < w->n_order
                          ? (uint8_t)join_of(w, w->order[i], w->order[i + 1])
                          : RAG_PDF_JOIN_PARA;
}
