#include "doc/pdf_layout.h"

#include <string.h>

#include "base/mem.h"

/* A page is 200 inches at most (ISO 32000); beyond a thousand times that a
 * coordinate is an accident. */
#define MAX_POINTS 1e7f
/* poppler puts a space between two words this far apart, as a share of the
 * size of the type (TextOutputDev.cc, maxCharSpacing); the height of a word's
 * box stands for the size. */
#define WORD_GAP 0.03f

enum { TAKE_NOTHING, TAKE_WORD, TAKE_TITLE };

void rag_pdf_layout_init(rag_pdf_layout *l)
{
    memset(l, 0, sizeof *l);
    rag_buf_init(&l->text, RAG_PDF_MAX_TEXT_BYTES);
    rag_buf_init(&l->title, 4096);
    rag_buf_init(&l->author, 4096);
    rag_buf_init(&l->pending, RAG_PDF_MAX_ITEM_BYTES);
    rag_buf_init(&l->word, RAG_PDF_MAX_ITEM_BYTES);
}

void rag_pdf_layout_dispose(rag_pdf_layout *l)
{
    rag_buf_dispose(&l->text);
    rag_buf_dispose(&l->title);
    rag_buf_dispose(&l->author);
    rag_buf_dispose(&l->pending);
    rag_buf_dispose(&l->word);
    rag_free(l->lines);
    rag_free(l->pages);
    l->lines = NULL;
    l->pages = NULL;
    l->n_lines = l->cap_lines = l->n_pages = l->cap_pages = 0;
}

rag_str rag_pdf_layout_line(const rag_pdf_layout *l, const rag_pdf_line *line)
{
    return rag_str_cut(rag_buf_str(&l->text), line->start, line->end);
}

bool rag_pdf_line_is_vertical(const rag_pdf_line *line)
{
    return line->end - line->start > 3 &&
           line->y1 - line->y0 > 1.5f * (line->x1 - line->x0);
}

/* ---- numbers and entities */

/* "%f" of the C locale; anything else (nan, inf) is 0. */
static float number(rag_str s)
{
    size_t i = 0;
    float v = 0;
    float scale = 0;
    bool minus = s.len > 0 && s.ptr[0] == '-';

    for (i = minus ? 1 : 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (c == '.' && scale == 0) {
            scale = 1;
        } else if (c >= '0' && c <= '9' && scale == 0) {
            v = v * 10 + (float)(c - '0');
        } else if (c >= '0' && c <= '9') {
            scale *= 0.1f;
            v += scale * (float)(c - '0');
        } else {
            return 0;
        }
        if (v > MAX_POINTS)
            return minus ? -MAX_POINTS : MAX_POINTS;
    }
    return minus ? -v : v;
}

/* The value of an attribute; empty when it is not there. */
static rag_str attribute(rag_str tag, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i + n + 2 < tag.len; i++) {
        rag_str rest;
        size_t close;

        if (tag.ptr[i] != ' ' || memcmp(tag.ptr + i + 1, name, n) != 0 ||
            tag.ptr[i + 1 + n] != '=')
            continue;
        rest = rag_str_cut(tag, i + n + 2, tag.len);
        if (rest.len == 0 || rest.ptr[0] != '"')
            continue;
        rest = rag_str_cut(rest, 1, rest.len);
        close = rag_str_find_char(rest, '"');
        return rag_str_cut(rest, 0, close == SIZE_MAX ? rest.len : close);
    }
    return rag_str_n("", 0);
}

static void box_of(float box[4], rag_str tag)
{
    box[0] = number(attribute(tag, "xMin"));
    box[1] = number(attribute(tag, "yMin"));
    box[2] = number(attribute(tag, "xMax"));
    box[3] = number(attribute(tag, "yMax"));
}

static void add_unescaped(rag_buf *out, rag_str s)
{
    static const struct {
        const char *name;
        char c;
    } names[] = {{"&amp;", '&'},
                 {"&lt;", '<'},
                 {"&gt;", '>'},
                 {"&quot;", '"'},
                 {"&apos;", '\''}};

    while (s.len > 0) {
        size_t amp = rag_str_find_char(s, '&');
        size_t skip = 1;

        rag_buf_adds(out, rag_str_cut(s, 0, amp));
        if (amp == SIZE_MAX)
            return;
        s = rag_str_cut(s, amp, s.len);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            if (rag_str_starts(s, names[i].name)) {
                rag_buf_addc(out, names[i].c);
                skip = strlen(names[i].name);
                break;
            }
        }
        if (skip == 1)
            rag_buf_addc(out, '&');
        s = rag_str_cut(s, skip, s.len);
    }
}

/* ---- words and lines */

static bool add_page(rag_pdf_layout *l, rag_str tag)
{
    if (!rag_mem_grow(&l->pages, &l->cap_pages, l->n_pages + 1,
                      sizeof *l->pages))
        return false;
    l->pages[l->n_pages++] =
        (rag_pdf_page){.width = number(attribute(tag, "width")),
                       .height = number(attribute(tag, "height")),
                       .first_line = l->n_lines};
    return true;
}

static void begin_line(rag_pdf_layout *l, rag_str tag)
{
    float box[4];

    box_of(box, tag);
    l->line = (rag_pdf_line){.start = l->text.len,
                             .page = (uint32_t)(l->n_pages - 1),
                             .x0 = box[0],
                             .y0 = box[1],
                             .x1 = box[2],
                             .y1 = box[3]};
    l->longest_word = 0;
    l->in_line = true;
}

/* Distance of two boxes along the line, whichever way it runs. */
static float gap(const float a[4], const float b[4])
{
    float gaps[4] = {b[0] - a[2], a[0] - b[2], b[1] - a[3], a[1] - b[3]};
    float most = gaps[0];

    for (int i = 1; i < 4; i++)
        if (gaps[i] > most)
            most = gaps[i];
    return most;
}

static float smaller_side(const float box[4])
{
    float w = box[2] - box[0];
    float h = box[3] - box[1];

    return w < h ? w : h;
}

static void end_word(rag_pdf_layout *l)
{
    size_t before = l->text.len;
    size_t n;

    if (!l->in_line || l->word.len == 0)
        return;
    if (before > l->line.start) {
        float size = l->line.height > 0 ? l->line.height : 1;

        if (gap(l->last_box, l->word_box) >= WORD_GAP * size &&
            l->text.ptr[before - 1] != ' ')
            rag_buf_addc(&l->text, ' ');
        before = l->text.len;
    }
    rag_pdf_clean_word(&l->text, rag_buf_str(&l->word));
    n = l->text.len - before;
    if (l->text.len < before || n == 0)
        return;
    memcpy(l->last_box, l->word_box, sizeof l->last_box);
    if (n > l->longest_word) {
        /* an upright single letter is taller than wide, a rotated word too */
        l->longest_word = n;
        l->line.height =
            n > 2 ? smaller_side(l->word_box) : l->word_box[3] - l->word_box[1];
    }
}

static rag_status end_line(rag_pdf_layout *l, rag_error *err)
{
    rag_status st = rag_buf_status(&l->text, err);

    if (st != RAG_OK || !l->in_line)
        return st;
    l->in_line = false;
    while (l->text.len > l->line.start && l->text.ptr[l->text.len - 1] == ' ')
        rag_buf_trunc(&l->text, l->text.len - 1);
    if (l->text.len == l->line.start)
        return RAG_OK;
    st = rag_pdf_clean_rtl(&l->text, l->line.start, err);
    if (st != RAG_OK)
        return st;
    if (l->n_lines >= RAG_PDF_MAX_LINES)
        return rag_fail(err, RAG_E_LIMIT, "has more than %u lines of text",
                        RAG_PDF_MAX_LINES);
    l->line.end = l->text.len;
    if (l->new_block || l->n_blocks == 0)
        l->n_blocks++;
    l->new_block = false;
    l->line.block = l->n_blocks - 1;
    if (!rag_mem_grow(&l->lines, &l->cap_lines, l->n_lines + 1,
                      sizeof *l->lines))
        return rag_fail_nomem(err);
    l->lines[l->n_lines++] = l->line;
    return RAG_OK;
}

/* ---- the stream */

static bool is_tag(rag_str tag, const char *name)
{
    size_t n = strlen(name);

    return rag_str_starts(tag, name) &&
           (tag.len == n || tag.ptr[n] == ' ' || tag.ptr[n] == '/');
}

static rag_status page_tag(rag_pdf_layout *l, rag_str tag, rag_error *err)
{
    if (l->n_pages >= RAG_PDF_MAX_PAGES)
        return rag_fail(err, RAG_E_LIMIT, "has more than %u pages",
                        RAG_PDF_MAX_PAGES);
    return add_page(l, tag) ? RAG_OK : rag_fail_nomem(err);
}

static void meta_tag(rag_pdf_layout *l, rag_str tag)
{
    if (rag_str_eqz(attribute(tag, "name"), "Author") && l->author.len == 0)
        add_unescaped(&l->author, attribute(tag, "content"));
}

/* tag: what stands between '<' and '>'. */
static rag_status take_tag(rag_pdf_layout *l, rag_str tag, rag_error *err)
{
    l->taking = TAKE_NOTHING;
    if (is_tag(tag, "html"))
        l->seen_html = true;
    else if (is_tag(tag, "/html"))
        l->seen_end = true;
    else if (is_tag(tag, "title"))
        l->taking = TAKE_TITLE;
    else if (is_tag(tag, "meta"))
        meta_tag(l, tag);
    else if (is_tag(tag, "page"))
        return page_tag(l, tag, err);
    else if (is_tag(tag, "block"))
        l->new_block = true;
    else if (is_tag(tag, "line") && l->n_pages > 0)
        begin_line(l, tag);
    else if (is_tag(tag, "/line"))
        return end_line(l, err);
    else if (is_tag(tag, "word")) {
        box_of(l->word_box, tag);
        rag_buf_clear(&l->word);
        l->taking = TAKE_WORD;
    } else if (is_tag(tag, "/word"))
        end_word(l);
    return RAG_OK;
}

static void take_text(rag_pdf_layout *l, rag_str s)
{
    if (l->taking == TAKE_WORD)
        add_unescaped(&l->word, s);
    else if (l->taking == TAKE_TITLE)
        add_unescaped(&l->title, s);
}

/* Takes whole tags with the text before them off the front of *s. */
static rag_status take_items(rag_pdf_layout *l, rag_str *s, rag_error *err)
{
    rag_status st = RAG_OK;

    while (st == RAG_OK) {
        size_t lt = rag_str_find_char(*s, '<');
        size_t gt;

        if (lt == SIZE_MAX)
            break;
        gt = rag_str_find_char(rag_str_cut(*s, lt, s->len), '>');
        if (gt == SIZE_MAX)
            break;
        take_text(l, rag_str_cut(*s, 0, lt));
        st = take_tag(l, rag_str_cut(*s, lt + 1, lt + gt), err);
        *s = rag_str_cut(*s, lt + gt + 1, s->len);
    }
    return st;
}

rag_status rag_pdf_layout_feed(rag_pdf_layout *l, rag_str bytes, rag_error *err)
{
    rag_status st;
    rag_str s;

    rag_buf_adds(&l->pending, bytes);
    st = rag_buf_status(&l->pending, err);
    if (st == RAG_E_LIMIT)
        return rag_fail(err, RAG_E_FORMAT,
                        "a word or tag of more than %u bytes from pdftotext",
                        RAG_PDF_MAX_ITEM_BYTES);
    if (st != RAG_OK)
        return st;
    s = rag_buf_str(&l->pending);
    st = take_items(l, &s, err);
    if (st != RAG_OK)
        return st;
    memmove(l->pending.ptr, s.ptr, s.len);
    rag_buf_trunc(&l->pending, s.len);
    return rag_buf_status(&l->word, err);
}

rag_status rag_pdf_layout_end(const rag_pdf_layout *l, rag_error *err)
{
    rag_status st = rag_buf_status(&l->text, err);

    if (st != RAG_OK)
        return st;
    if (!l->seen_html || !l->seen_end)
        return rag_fail(err, RAG_E_FORMAT,
                        "pdftotext stopped in the middle of its output");
    return RAG_OK;
}
