#include "doc/md_words.h"

#include <string.h>

#include "base/utf8.h"

bool rag_md_words_in_html(rag_str s)
{
    bool in_tag = false;
    bool in_comment = false;

    s = rag_str_trim(s);
    if (rag_str_ieqz(rag_str_cut(s, 0, 7), "<script") ||
        rag_str_ieqz(rag_str_cut(s, 0, 6), "<style"))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        rag_str rest = rag_str_cut(s, i, s.len);

        if (in_comment) {
            in_comment = !rag_str_starts(rest, "-->");
            if (!in_comment)
                i += 2;
        } else if (rag_str_starts(rest, "<!--")) {
            in_comment = true;
            i += 3;
        } else if (in_tag || s.ptr[i] == '<') {
            in_tag = s.ptr[i] != '>';
        } else {
            uint32_t cp;
            size_t n = rag_utf8_decode(&cp, NULL, rest);

            if (rag_utf8_is_alnum(cp))
                return true;
            i += n - 1;
        }
    }
    return false;
}

rag_str rag_md_words_heading(rag_str s)
{
    rag_str inner;
    size_t at;

    s = rag_str_trim(s);
    if (s.len == 0 || s.ptr[s.len - 1] != '}')
        return s;
    for (at = s.len; at > 0 && s.ptr[at - 1] != '{'; at--)
        ;
    if (at == 0)
        return s;
    inner = rag_str_trim(rag_str_cut(s, at, s.len));
    if (strchr("#.:", inner.ptr[0]) == NULL)
        return s;
    return rag_str_trim(rag_str_cut(s, 0, at - 1));
}

void rag_md_words_entity(rag_buf *words, rag_str s)
{
    static const struct {
        const char *name;
        const char *utf8;
    } known[] = {{"&amp;", "&"},   {"&lt;", "<"},    {"&gt;", ">"},
                 {"&quot;", "\""}, {"&apos;", "'"},  {"&nbsp;", " "},
                 {"&copy;", "©"},  {"&reg;", "®"},   {"&trade;", "™"},
                 {"&ndash;", "–"}, {"&mdash;", "—"}, {"&hellip;", "…"},
                 {"&lsquo;", "‘"}, {"&rsquo;", "’"}, {"&ldquo;", "“"},
                 {"&rdquo;", "”"}, {"&times;", "×"}, {"&rarr;", "→"},
                 {"&larr;", "←"},  {"&middot;", "·"}};
    uint32_t cp = 0;
    char bytes[4];
    bool hex;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (rag_str_eqz(s, known[i].name)) {
            rag_buf_addz(words, known[i].utf8);
            return;
        }
    }
    if (s.len < 4 || s.ptr[1] != '#') {
        rag_buf_adds(words, s);
        return;
    }
    hex = s.ptr[2] == 'x' || s.ptr[2] == 'X';
    for (size_t i = hex ? 3 : 2; i + 1 < s.len && cp < 0x110000; i++) {
        char c = s.ptr[i];
        uint32_t digit =
            c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a') + 10;

        cp = cp * (hex ? 16 : 10) + digit;
    }
    if (cp == 0 || cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000))
        cp = RAG_UTF8_BAD;
    rag_buf_add(words, bytes, rag_utf8_encode(bytes, cp));
}
