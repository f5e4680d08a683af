/*
 * The patterns of byte-level BPE, written out. They are alternatives tried in
 * order at one place, every one of them greedy:
 *
 * GPT-2   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|
 *         \s+(?!\S)|\s+
 * Llama 3 (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
 *         ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * Qwen 2  as Llama 3, with \p{N}
 * o200k   X?U*L+C?|X?U+L*C?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|
 *         \s+(?!\S)|\s+
 *         X [^\r\n\p{L}\p{N}], U [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}],
 *         L [\p{Ll}\p{Lm}\p{Lo}\p{M}], C (?i:'s|'t|'re|'ve|'m|'ll|'d)
 */
#include "base/utf8.h"
#include "nn/classes.h"
#include "nn/tokens_kinds.h"

/* Class and bits of the character at s[at], *n its bytes; at the end of s: *n
 * 0 and no bits. */
static unsigned all_at(size_t *n, const rag_tokens_model *m, rag_str s,
                       size_t at)
{
    uint32_t cp;
    size_t page;

    *n = 0;
    if (at >= s.len)
        return 0;
    *n = rag_utf8_decode(&cp, NULL, rag_str_cut(s, at, s.len));
    page = m->class_page[cp / 256];
    return page < m->n_class_pages ? m->classes[page * 256 + cp % 256]
                                   : RAG_CLASS_OTHER;
}

/* The class alone; at the end of s: *n 0 and one that nothing has, not even in
 * a damaged table. */
static unsigned class_at(size_t *n, const rag_tokens_model *m, rag_str s,
                         size_t at)
{
    unsigned c = all_at(n, m, s, at) & RAG_CLASS_MASK;

    return *n != 0 ? c : UINT32_MAX;
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

/* The fourth alternative, of which the first character begins at `at`;
 * behind it may stand ends of lines and `more`. */
static size_t others(const rag_tokens_model *m, rag_str s, size_t at, char more)
{
    at = run_end(m, s, at, RAG_CLASS_OTHER);
    while (at < s.len &&
           (s.ptr[at] == '\r' || s.ptr[at] == '\n' || s.ptr[at] == more))
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
        return others(m, s, c == RAG_CLASS_OTHER ? 0 : 1, '\n');
    n = line_ends(m, s);
    return n != 0 ? n : spaces(m, s);
}

/* o200k: where U*L+ that begins at `at` ends; 0: it is not there, and
 * *capitals is where U+ ends. What U* takes it gives back from its end, until
 * L+ has one character at least. */
static size_t cased(size_t *capitals, const rag_tokens_model *m, rag_str s,
                    size_t at)
{
    size_t back = 0; /* end of the last one that is both U and L */
    size_t end = at;
    unsigned c;
    size_t n;

    while (((c = all_at(&n, m, s, end)) & RAG_CLASS_UPPER) != 0) {
        end += n;
        if ((c & RAG_CLASS_LOWER) != 0)
            back = end;
    }
    *capitals = end;
    while ((all_at(&n, m, s, end) & RAG_CLASS_LOWER) != 0)
        end += n;
    return end > *capitals ? end : back;
}

/* The first two alternatives of o200k; 0: neither. The character in front
 * that is no letter may be a mark, and then a part of the word. */
static size_t o200k_word(const rag_tokens_model *m, rag_str s)
{
    size_t capitals;
    size_t first;
    unsigned c = all_at(&first, m, s, 0);
    bool is_letter = (c & RAG_CLASS_MASK) == RAG_CLASS_LETTER;
    size_t at = is_letter ? 0 : first;
    size_t end;

    if ((c & RAG_CLASS_MASK) == RAG_CLASS_NUMBER || s.ptr[0] == '\r' ||
        s.ptr[0] == '\n')
        return 0;
    end = cased(&capitals, m, s, at);
    if (end == 0 && !is_letter && (c & RAG_CLASS_LOWER) != 0)
        end = first; /* the mark alone: what follows it are capitals */
    if (end == 0 && capitals > at)
        end = capitals;
    return end == 0 ? 0 : end + contraction(rag_str_cut(s, end, s.len), true);
}

static size_t o200k(const rag_tokens_model *m, rag_str s)
{
    size_t n = o200k_word(m, s);
    size_t after;
    unsigned c;

    if (n != 0)
        return n;
    c = class_at(&n, m, s, 0);
    if (c == RAG_CLASS_NUMBER)
        return numbers(m, s, 3);
    if (c == RAG_CLASS_OTHER)
        return others(m, s, 0, '/');
    if (s.ptr[0] == ' ' && class_at(&after, m, s, n) == RAG_CLASS_OTHER)
        return others(m, s, 1, '/');
    n = line_ends(m, s);
    return n != 0 ? n : spaces(m, s);
}

/* What has the bit and what has not, apart; each: those that have it by
 * themselves. */
static size_t by_bit(const rag_tokens_model *m, rag_str s, unsigned bit,
                     bool each)
{
    size_t at;
    unsigned has = all_at(&at, m, s, 0) & bit;
    size_t n;

    if (has != 0 && each)
        return at;
    while (at < s.len && (all_at(&n, m, s, at) & bit) == has)
        at += n;
    return at;
}

size_t rag_tokens_split_next(const rag_tokens_model *m, rag_tokens_split split,
                             rag_str s)
{
    size_t n = s.len;

    switch (split) {
    case RAG_SPLIT_NONE:
        break;
    case RAG_SPLIT_GPT2:
        n = gpt2(m, s);
        break;
    case RAG_SPLIT_LLAMA3:
        n = llama3(m, s, 3);
        break;
    case RAG_SPLIT_QWEN2:
        n = llama3(m, s, 1);
        break;
    case RAG_SPLIT_O200K:
        n = o200k(m, s);
        break;
    case RAG_SPLIT_DIGITS:
    case RAG_SPLIT_DIGIT_RUNS:
        n = by_bit(m, s, RAG_CLASS_DIGIT, split == RAG_SPLIT_DIGITS);
        break;
    case RAG_SPLIT_PUNCTUATION:
        n = by_bit(m, s, RAG_CLASS_PUNCTUATION, true);
        break;
    }
    /* every character has a class; in a damaged table not even a space */
    return n != 0 ? n : 1;
}
