/*
 * The patterns of byte-level BPE, written out. Both are alternatives tried in
 * order at one place, every one of them greedy:
 *
 * GPT-2   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|
 *         \s+(?!\S)|\s+
 * Llama 3 (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
 *         ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * Qwen 2  as Llama 3, with \p{N}
 */
#include "base/utf8.h"
#include "nn/classes.h"
#include "nn/tokens_kinds.h"

/* The class of the character at s[at], *n its bytes; at the end of s: *n 0 and
 * a class that nothing asks for. */
static unsigned class_at(size_t *n, const rag_tokens_model *m, rag_str s,
                         size_t at)
{
    uint32_t cp;
    size_t page;

    *n = 0;
    if (at >= s.len)
        return UINT32_MAX;
    *n = rag_utf8_decode(&cp, NULL, rag_str_cut(s, at, s.len));
    page = m->class_page[cp / 256];
    return page < m->n_class_pages ? m->classes[page * 256 + cp % 256]
                                   : RAG_CLASS_OTHER;
}

/* End of the run of class c that begins at `at`. */
static size_t run_end(const rag_tokens_model *m, rag_str s, size_t at,
                      unsigned c)
{
    size_t n;

    while (class_at(&n, m, s, at) == c)
        at += n;
    return at;
}

/* Bytes of 's, 't, 're, 've, 'm, 'll, 'd; 0: none. */
static size_t contraction(rag_str s, bool any_case)
{
    static const char *const all[] = {"s", "t", "re", "ve", "m", "ll", "d"};

    if (s.len < 2 || s.ptr[0] != '\'')
        return 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        rag_str want = rag_str_of(all[i]);
        rag_str have = rag_str_cut(s, 1, 1 + want.len);

        if (any_case ? rag_str_ieqz(have, all[i]) : rag_str_eq(have, want))
            return 1 + want.len;
    }
    /* U+017F, the long s, is an s in another case */
    return any_case && rag_str_starts(s, "'\xC5\xBF") ? 3 : 0;
}

/* White space at the front of s: all of it at the end of the text, else
 * without its last character unless it is the only one. */
static size_t spaces(const rag_tokens_model *m, rag_str s)
{
    size_t at = 0;
    size_t last = 0;
    size_t n;

    while (class_at(&n, m, s, at) == RAG_CLASS_SPACE) {
        last = at;
        at += n;
    }
    return at == s.len || last == 0 ? at : last;
}

static size_t gpt2(const rag_tokens_model *m, rag_str s)
{
    size_t n = contraction(s, false);
    size_t after;
    unsigned c;

    if (n != 0)
        return n;
    c = class_at(&n, m, s, 0);
    if (s.ptr[0] == ' ') {
        unsigned next = class_at(&after, m, s, 1);

        if (after != 0 && next != RAG_CLASS_SPACE)
            return run_end(m, s, 1 + after, next);
    }
    return c == RAG_CLASS_SPACE ? spaces(m, s) : run_end(m, s, n, c);
}

/* End of white space that ends with \r or \n, at the front of s; 0: none. */
static size_t line_ends(const rag_tokens_model *m, rag_str s)
{
    size_t at = 0;
    size_t end = 0;
    size_t n;

    while (class_at(&n, m, s, at) == RAG_CLASS_SPACE) {
        if (s.ptr[at] == '\r' || s.ptr[at] == '\n')
            end = at + 1;
        at += n;
    }
    return end;
}

static size_t numbers(const rag_tokens_model *m, rag_str s, int most)
{
    size_t at = 0;
    size_t n;

    while (most-- > 0 && class_at(&n, m, s, at) == RAG_CLASS_NUMBER)
        at += n;
    return at;
}

/* The fourth alternative, of which the first character begins at `at`. */
static size_t others(const rag_tokens_model *m, rag_str s, size_t at)
{
    at = run_end(m, s, at, RAG_CLASS_OTHER);
    while (at < s.len && (s.ptr[at] == '\r' || s.ptr[at] == '\n'))
        at++;
    return at;
}

static size_t llama3(const rag_tokens_model *m, rag_str s, int digits)
{
    size_t n = contraction(s, true);
    size_t after;
    unsigned next;
    unsigned c;

    if (n != 0)
        return n;
    c = class_at(&n, m, s, 0);
    if (c == RAG_CLASS_LETTER)
        return run_end(m, s, n, c);
    if (c == RAG_CLASS_NUMBER)
        return numbers(m, s, digits);
    next = class_at(&after, m, s, n);
    if (next == RAG_CLASS_LETTER && s.ptr[0] != '\r' && s.ptr[0] != '\n')
        return run_end(m, s, n + after, next);
    if (c == RAG_CLASS_OTHER || (s.ptr[0] == ' ' && next == RAG_CLASS_OTHER))
        return others(m, s, c == RAG_CLASS_OTHER ? 0 : 1);
    n = line_ends(m, s);
    return n != 0 ? n : spaces(m, s);
}

size_t rag_tokens_split_next(const rag_tokens_model *m, rag_str s)
{
    size_t n = s.len;

    if (m->split == RAG_SPLIT_GPT2)
        n = gpt2(m, s);
    else if (m->split == RAG_SPLIT_LLAMA3)
        n = llama3(m, s, 3);
    else if (m->split == RAG_SPLIT_QWEN2)
        n = llama3(m, s, 1);
    /* every character has a class; in a damaged table not even a space */
    return n != 0 ? n : 1;
}
