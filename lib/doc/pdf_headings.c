#include "doc/pdf_headings.h"

#include <string.h>

#include "base/utf8.h"

/* Larger than the text by so much: not a font with taller letters. */
#define MIN_SIZE 1.18f
/* A heading "3 Title" that is not much larger is told from an item "3 Do so"
 * by so much. */
#define MIN_NUMBERED 1.06f
/* Two sizes of headings are one when they differ by less. */
#define SAME_SIZE 0.06f
#define MAX_LINES 3u
#define MAX_BYTES 200u
#define MAX_NUMBERED_BYTES 120u
/* When so much of a document is large, it is a poster or a set of slides with
 * notes: its large type is its text. */
#define MAX_LARGE_SHARE 0.35f
/* A title that is repeated in the text stands this early. */
#define TITLE_WITHIN_BYTES 4000u

static rag_str line_text(const rag_pdf_work *w, size_t i)
{
    return rag_pdf_layout_line(w->l, &w->l->lines[w->order[i]]);
}

static size_t para_end(const rag_pdf_work *w, size_t i)
{
    while (i + 1 < w->n_order && w->joins[i] != RAG_PDF_JOIN_PARA)
        i++;
    return i + 1;
}

static size_t count_letters(rag_str s)
{
    size_t n_letters = 0;

    while (s.len > 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, s);
        rag_script script = rag_utf8_script(cp);

        /* a syllable or ideograph says as much as two letters */
        n_letters += script == RAG_SCRIPT_LATIN;
        n_letters += script == RAG_SCRIPT_HANGUL || script == RAG_SCRIPT_HAN ||
                             script == RAG_SCRIPT_KANA
                         ? 2
                         : 0;
        s = rag_str_cut(s, n, s.len);
    }
    return n_letters;
}

/* The smallest type of the paragraph; 0 when it is no short run of lines. */
static float short_size(const rag_pdf_work *w, size_t first, size_t end)
{
    float size = w->l->lines[w->order[first]].height;
    size_t n_bytes = 0;

    if (end - first > MAX_LINES)
        return 0;
    for (size_t i = first; i < end; i++) {
        const rag_pdf_line *line = &w->l->lines[w->order[i]];

        if (w->next_cell[w->order[i]] != RAG_PDF_NONE ||
            rag_pdf_line_is_vertical(line))
            return 0;
        size = line->height < size ? line->height : size;
        n_bytes += line->end - line->start;
    }
    return n_bytes <= MAX_BYTES ? size : 0;
}

static bool ends_like_text(rag_str s)
{
    uint32_t cp = rag_pdf_last_cp(s);

    return cp == '.' || cp == ',' || cp == ';' || cp == '-' || cp == 0x3002;
}

/* A label in a figure, or the middle of a sentence. */
static bool begins_lower(rag_str s)
{
    uint32_t cp = rag_pdf_first_cp(s);

    return rag_utf8_lower(cp) == cp && cp < 0x250 &&
           rag_utf8_script(cp) == RAG_SCRIPT_LATIN;
}

/* A number with its unit, or an ornament. */
static bool is_figure(rag_str s)
{
    size_t n_digits = 0;

    for (size_t i = 0; i < s.len; i++)
        n_digits += s.ptr[i] >= '0' && s.ptr[i] <= '9';
    return count_letters(s) < 3 || count_letters(s) < n_digits;
}

/* Size of the heading that the paragraph is by its type, or 0. */
static float large_size(const rag_pdf_work *w, size_t first, size_t end)
{
    float size = short_size(w, first, end);

    if (size < MIN_SIZE * w->body_height ||
        ends_like_text(line_text(w, end - 1)) ||
        begins_lower(line_text(w, first)) || is_figure(line_text(w, first)))
        return 0;
    return size;
}

static void note_size(rag_pdf_headings *h, float size)
{
    size_t at = 0;

    while (at < h->n_sizes && h->sizes[at] > size * (1 + SAME_SIZE))
        at++;
    if (at >= RAG_PDF_MAX_LEVELS ||
        (at < h->n_sizes && h->sizes[at] >= size * (1 - SAME_SIZE)))
        return;
    if (h->n_sizes < RAG_PDF_MAX_LEVELS)
        h->n_sizes++;
    for (size_t k = h->n_sizes - 1; k > at; k--)
        h->sizes[k] = h->sizes[k - 1];
    h->sizes[at] = size;
}

void rag_pdf_headings_measure(rag_pdf_headings *h, const rag_pdf_work *w)
{
    size_t n_large = 0;
    size_t n_all = 0;

    h->n_sizes = 0;
    for (size_t i = 0; i < w->n_order;) {
        size_t end = para_end(w, i);
        float size = large_size(w, i, end);

        for (size_t k = i; k < end; k++) {
            size_t n = line_text(w, k).len;

            n_all += n;
            n_large += size > 0 ? n : 0;
        }
        if (size > 0)
            note_size(h, size);
        i = end;
    }
    if ((float)n_large > MAX_LARGE_SHARE * (float)n_all)
        h->n_sizes = 0;
}

/* ---- numbered headings */

/* Parts of the section number at the front ("3.2" has 2), and how long it is
 * with the blank behind it. */
static uint32_t number_parts(size_t *n_bytes, rag_str s)
{
    uint32_t parts = 0;
    size_t at = 0;

    for (;;) {
        size_t digits = at;

        while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')
            at++;
        if (at == digits || at - digits > 3)
            break;
        parts++;
        if (at >= s.len || s.ptr[at] != '.')
            break;
        at++;
    }
    if (parts == 0 || at >= s.len || s.ptr[at] != ' ')
        return 0;
    *n_bytes = at + 1;
    return parts;
}

/* "제3장 총칙", "제 2 절 목적": the divisions of Korean laws and manuals. */
static bool is_korean_division(rag_str s)
{
    static const char *const kinds[] = {"편", "장", "절", "관"};
    size_t at = strlen("제");

    if (!rag_str_starts(s, "제"))
        return false;
    while (at < s.len && at < 10 &&
           ((s.ptr[at] >= '0' && s.ptr[at] <= '9') || s.ptr[at] == ' '))
        at++;
    s = rag_str_cut(s, at, s.len);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (rag_str_starts(s, kinds[i]) && at > strlen("제") &&
            s.len > strlen(kinds[i]) && s.ptr[strlen(kinds[i])] == ' ')
            return true;
    return false;
}

/* large: its type is larger than the text's, if only by a little. */
static uint32_t numbered_level(rag_str s, bool large)
{
    size_t n_number = 0;
    uint32_t parts = number_parts(&n_number, s);
    rag_str rest = rag_str_cut(s, n_number, s.len);
    uint32_t first = rag_pdf_first_cp(rest);
    rag_script script = rag_utf8_script(first);
    bool digit_last = rag_utf8_script(rag_pdf_last_cp(s)) == RAG_SCRIPT_DIGIT;

    if (s.len > MAX_NUMBERED_BYTES || ends_like_text(s) || digit_last)
        return 0; /* a sentence, or a line of a table of contents */
    if (is_korean_division(s))
        return 1;
    if (parts < (large ? 1u : 2u) || count_letters(rest) < 3 ||
        rag_str_find(rest, RAG_STR_LIT("...")) != SIZE_MAX)
        return 0;
    if (script == RAG_SCRIPT_LATIN
            ? !rag_utf8_is_upper(first)
            : script != RAG_SCRIPT_HANGUL && script != RAG_SCRIPT_HAN)
        return 0;
    return parts <= RAG_PDF_MAX_LEVELS ? parts : RAG_PDF_MAX_LEVELS;
}

uint32_t rag_pdf_headings_level(const rag_pdf_headings *h,
                                const rag_pdf_work *w, size_t first, size_t end,
                                rag_str words)
{
    float size = short_size(w, first, end);
    uint32_t level = 0;
    size_t n;

    if (size > 0.97f * w->body_height && end - first == 1)
        level = numbered_level(words, size > MIN_NUMBERED * w->body_height);
    if (level > 0 || h->n_sizes == 0)
        return level;
    size = large_size(w, first, end);
    if (size == 0)
        return 0;
    level = number_parts(&n, words);
    if (level > 0)
        return level <= RAG_PDF_MAX_LEVELS ? level : RAG_PDF_MAX_LEVELS;
    for (level = 1; level < h->n_sizes; level++)
        if (h->sizes[level - 1] <= size * (1 + SAME_SIZE))
            break;
    return level;
}

/* ---- the title */

static bool looks_like_title(rag_str s)
{
    static const char *const file_ends[] = {
        ".doc", ".docx", ".pdf", ".indd", ".tex",  ".dvi", ".ps",   ".qxd",
        ".hwp", ".xls",  ".ppt", ".pptx", ".xlsx", ".rtf", ".html", ".md"};
    bool blank = rag_str_find_char(s, ' ') != SIZE_MAX;

    for (size_t i = 0; i < sizeof file_ends / sizeof *file_ends; i++)
        if (rag_str_iends(s, file_ends[i]))
            return false;
    if (rag_str_starts(s, "Microsoft ") ||
        rag_str_ieqz(rag_str_cut(s, 0, 8), "untitled") ||
        rag_str_starts(s, "(") || rag_str_starts(s, "/"))
        return false;
    return s.len <= MAX_BYTES && blank && count_letters(s) >= 6;
}

/* Do the letters of title stand in text, one after the other? Blanks and case
 * do not count. */
static bool stands_in(rag_str text, rag_str title, rag_error *err)
{
    rag_buf b[2];
    rag_str from[2] = {text, title};
    bool found;

    for (int i = 0; i < 2; i++) {
        rag_str s = from[i];

        rag_buf_init(&b[i], 8 * TITLE_WITHIN_BYTES);
        while (s.len > 0) {
            uint32_t cp;
            size_t n = rag_utf8_decode(&cp, NULL, s);
            char bytes[4];

            if (rag_utf8_is_alnum(cp))
                rag_buf_add(&b[i], bytes,
                            rag_utf8_encode(bytes, rag_utf8_lower(cp)));
            s = rag_str_cut(s, n, s.len);
        }
    }
    found = rag_buf_status(&b[0], err) == RAG_OK &&
            rag_buf_status(&b[1], err) == RAG_OK && b[1].len > 0 &&
            rag_str_find(rag_buf_str(&b[0]), rag_buf_str(&b[1])) != SIZE_MAX;
    rag_buf_dispose(&b[0]);
    rag_buf_dispose(&b[1]);
    return found;
}

/* The largest heading of the first page with text. */
static bool largest(size_t *out_first, size_t *out_end,
                    const rag_pdf_headings *h, const rag_pdf_work *w)
{
    uint32_t page = w->n_order > 0 ? w->l->lines[w->order[0]].page : 0;
    float best = 0;

    for (size_t i = 0; i < w->n_order && h->n_sizes > 0;) {
        size_t end = para_end(w, i);
        float size = large_size(w, i, end);

        if (w->l->lines[w->order[i]].page != page)
            break;
        if (size > best * (1 + SAME_SIZE) &&
            count_letters(line_text(w, i)) >= 6) {
            best = size;
            *out_first = i;
            *out_end = end;
        }
        i = end;
    }
    return best > 0;
}

void rag_pdf_headings_title(rag_builder *b, const rag_pdf_headings *h,
                            const rag_pdf_work *w)
{
    rag_str given = rag_str_trim(rag_buf_str(&w->l->title));
    rag_str front = rag_str_cut(rag_buf_str(&b->text), 0, TITLE_WITHIN_BYTES);
    size_t first = 0;
    size_t end = 0;
    rag_buf words;

    if (looks_like_title(given) && stands_in(front, given, NULL)) {
        rag_builder_title(b, given);
        return;
    }
    rag_buf_init(&words, 2 * MAX_BYTES);
    if (largest(&first, &end, h, w)) {
        for (size_t i = first; i < end; i++) {
            rag_buf_adds(&words, line_text(w, i));
            rag_buf_addc(&words, ' ');
        }
        rag_builder_title(b, rag_buf_str(&words));
    } else if (looks_like_title(given)) {
        rag_builder_title(b, given);
    }
    rag_buf_dispose(&words);
}
