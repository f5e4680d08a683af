#include "flow/readable.h"

#include <string.h>

#include "base/utf8.h"

/* a link's text and target, a tag with its attributes */
#define MAX_MARK_BYTES 1024

/* Marks that only stand at the front: of lists and quotes. */
static rag_str without_front(rag_str s)
{
    for (;;) {
        s = rag_str_trim(s);
        if (s.len < 2 || strchr("-*+>", s.ptr[0]) == NULL || s.ptr[1] != ' ')
            return s;
        s = rag_str_cut(s, 2, s.len);
    }
}

/* The end of "(target)" at the front of s; 0: there is none. */
static size_t target_end(rag_str s)
{
    size_t depth = 0;

    for (size_t i = 0; i < s.len && i < MAX_MARK_BYTES; i++) {
        if (s.ptr[i] == '(')
            depth++;
        if (s.ptr[i] == ')' && --depth == 0)
            return i + 1;
        if (depth == 0 || s.ptr[i] == '\n')
            return 0;
    }
    return 0;
}

/* "[text](target)" or "![text](target)" at the front of s: *text, and how long
 * it is; 0: no link. */
static size_t link_at(rag_str *text, rag_str s)
{
    size_t open = s.ptr[0] == '!' ? 1 : 0;
    size_t depth = 0;

    if (s.len <= open || s.ptr[open] != '[')
        return 0;
    for (size_t i = open; i < s.len && i < MAX_MARK_BYTES; i++) {
        if (s.ptr[i] == '[')
            depth++;
        if (s.ptr[i] == ']' && --depth == 0) {
            size_t n = target_end(rag_str_cut(s, i + 1, s.len));

            *text = rag_str_cut(s, open + 1, i);
            return n != 0 ? i + 1 + n : 0;
        }
    }
    return 0;
}

/* An inline HTML tag at the front of s; 0: none, "List<int>" for one. */
static size_t tag_at(rag_str s)
{
    static const char *const names[] = {"a",   "abbr", "b",   "br",   "code",
                                        "dfn", "div",  "em",  "font", "i",
                                        "kbd", "p",    "s",   "span", "strong",
                                        "sub", "sup",  "img", "u",    "small"};
    size_t from = s.len > 1 && s.ptr[1] == '/' ? 2 : 1;
    size_t to = from;
    size_t end = rag_str_find_char(s, '>');

    if (end == SIZE_MAX || end > MAX_MARK_BYTES)
        return 0;
    while (to < end && ((s.ptr[to] >= 'a' && s.ptr[to] <= 'z') ||
                        (s.ptr[to] >= 'A' && s.ptr[to] <= 'Z')))
        to++;
    if (to != end && s.ptr[to] != ' ' && s.ptr[to] != '/')
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (rag_str_ieqz(rag_str_cut(s, from, to), names[i]))
            return end + 1;
    return 0;
}

/* One pass; links are given as their text, which holds no further link. */
static void inline_text(rag_buf *out, rag_str s, bool *gap, bool links)
{
    bool code = false;

    while (s.len != 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, s);
        rag_str text;
        size_t mark = 0;

        if (cp == '`')
            code = !code;
        if (!code && links && (cp == '[' || cp == '!') &&
            (mark = link_at(&text, s)) != 0)
            inline_text(out, text, gap, false);
        else if (!code && cp == '<')
            mark = tag_at(s);
        else if (!code && rag_str_starts(s, "**"))
            mark = 2;
        if (mark != 0) {
            s = rag_str_cut(s, mark, s.len);
            continue;
        }
        if (rag_utf8_is_space(cp)) {
            *gap = true;
        } else if (!rag_utf8_is_invisible(cp)) {
            if (*gap && out->len != 0)
                rag_buf_addc(out, ' ');
            *gap = false;
            rag_buf_add(out, s.ptr, n);
        }
        s = rag_str_cut(s, n, s.len);
    }
}

void rag_readable_sentence(rag_buf *out, rag_str s)
{
    bool gap = false;

    inline_text(out, without_front(s), &gap, true);
}

void rag_readable_block(rag_buf *out, rag_str s)
{
    while (s.len != 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, s);

        if (cp == '\n' || cp == '\t' || !rag_utf8_is_invisible(cp))
            rag_buf_add(out, s.ptr, n);
        s = rag_str_cut(s, n, s.len);
    }
}
