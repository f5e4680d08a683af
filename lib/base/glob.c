#include "base/glob.h"

#include <string.h>

#include "base/utf8.h"

/* steps of backtracking before a pattern is given up: far beyond any pattern
 * that a person writes, and still well under a millisecond */
#define MAX_STEPS 20000

typedef struct matcher {
    rag_str pat;
    rag_str path;
    unsigned steps;
} matcher;

static size_t decode(uint32_t *cp, rag_str s, size_t at)
{
    bool ok;
    size_t n = rag_utf8_decode(cp, &ok, rag_str_cut(s, at, s.len));

    if (!ok) { /* a byte that is no character counts as one */
        *cp = 0x110000u + (unsigned char)s.ptr[at];
        n = 1;
    }
    return n;
}

/* [:alpha:] and its like, for ASCII as git has them. */
static bool in_named(rag_str name, uint32_t c)
{
    bool lower = c >= 'a' && c <= 'z';
    bool upper = c >= 'A' && c <= 'Z';
    bool digit = c >= '0' && c <= '9';
    bool graph = c > ' ' && c < 0x7F;

    if (rag_str_eqz(name, "alpha"))
        return lower || upper;
    if (rag_str_eqz(name, "digit"))
        return digit;
    if (rag_str_eqz(name, "alnum"))
        return lower || upper || digit;
    if (rag_str_eqz(name, "lower"))
        return lower;
    if (rag_str_eqz(name, "upper"))
        return upper;
    if (rag_str_eqz(name, "space"))
        return c == ' ' || (c >= '\t' && c <= '\r');
    if (rag_str_eqz(name, "blank"))
        return c == ' ' || c == '\t';
    if (rag_str_eqz(name, "punct"))
        return graph && !lower && !upper && !digit;
    if (rag_str_eqz(name, "xdigit"))
        return digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (rag_str_eqz(name, "cntrl"))
        return c < ' ' || c == 0x7F;
    if (rag_str_eqz(name, "graph"))
        return graph;
    return rag_str_eqz(name, "print") && (graph || c == ' ');
}

/* A "[:name:]" at pat[*i], inside a class: tested, *i set behind it. */
static bool named_class(bool *hit, rag_str pat, size_t *i, uint32_t c)
{
    size_t from = *i + 2;
    size_t end = from;

    if (from > pat.len || pat.ptr[*i] != '[' || pat.ptr[*i + 1] != ':')
        return false;
    while (end < pat.len && pat.ptr[end] >= 'a' && pat.ptr[end] <= 'z')
        end++;
    if (end + 1 >= pat.len || pat.ptr[end] != ':' || pat.ptr[end + 1] != ']')
        return false;
    *hit = *hit || in_named(rag_str_cut(pat, from, end), c);
    *i = end + 2;
    return true;
}

/* One character of a class, a '\\' before it taken off. */
static uint32_t class_char(rag_str pat, size_t *i)
{
    uint32_t c;

    if (pat.ptr[*i] == '\\' && *i + 1 < pat.len)
        ++*i;
    *i += decode(&c, pat, *i);
    return c;
}

/* Matches a [class] at pat[p] against c; *end: behind the ']'. */
static bool in_class(rag_str pat, size_t p, uint32_t c, size_t *end)
{
    bool negated = false;
    bool hit = false;
    size_t i = p + 1;

    if (i < pat.len && (pat.ptr[i] == '!' || pat.ptr[i] == '^')) {
        negated = true;
        i++;
    }
    for (bool first = true; i < pat.len && (first || pat.ptr[i] != ']');
         first = false) {
        uint32_t lo;
        uint32_t hi;

        if (named_class(&hit, pat, &i, c))
            continue;
        lo = hi = class_char(pat, &i);
        if (i + 1 < pat.len && pat.ptr[i] == '-' && pat.ptr[i + 1] != ']') {
            i++;
            hi = class_char(pat, &i);
        }
        if (c >= lo && c <= hi)
            hit = true;
    }
    if (i >= pat.len) {
        *end = 0; /* no closing bracket: not a class */
        return false;
    }
    *end = i + 1;
    return hit != negated && c != '/';
}

/* Is there a "**" at pat[p] that is a whole part of the path? */
static bool deep_at(rag_str pat, size_t p)
{
    return p + 1 < pat.len && pat.ptr[p] == '*' && pat.ptr[p + 1] == '*' &&
           (p == 0 || pat.ptr[p - 1] == '/') &&
           (p + 2 == pat.len || pat.ptr[p + 2] == '/');
}

static bool run(matcher *m, size_t p, size_t s)
{
    while (p < m->pat.len) {
        char c = m->pat.ptr[p];

        if (m->steps++ > MAX_STEPS)
            return false;
        if (c == '*') {
            bool deep = deep_at(m->pat, p);
            size_t next = p + (deep ? 2 : 1);

            /* a "**" and its slash also match nothing at all */
            if (deep && next < m->pat.len && run(m, next + 1, s))
                return true;
            while (!deep && next < m->pat.len && m->pat.ptr[next] == '*')
                next++; /* more stars say no more */
            for (;; s++) {
                if (run(m, next, s))
                    return true;
                if (s >= m->path.len || (!deep && m->path.ptr[s] == '/') ||
                    m->steps > MAX_STEPS)
                    return false;
            }
        }
        if (s >= m->path.len)
            return false;
        if (c == '?') {
            uint32_t any;

            if (m->path.ptr[s] == '/')
                return false;
            s += decode(&any, m->path, s);
            p++;
            continue;
        } else if (c == '[') {
            uint32_t one;
            size_t n = decode(&one, m->path, s);
            size_t end;
            bool hit = in_class(m->pat, p, one, &end);

            if (end != 0) {
                if (!hit)
                    return false;
                p = end;
                s += n;
                continue;
            }
            if (m->path.ptr[s] != '[')
                return false;
        } else {
            if (c == '\\' && p + 1 < m->pat.len)
                c = m->pat.ptr[++p];
            if (m->path.ptr[s] != c)
                return false;
        }
        p++;
        s++;
    }
    return s == m->path.len;
}

bool rag_glob_match(rag_str pattern, rag_str path)
{
    matcher m = {pattern, path, 0};

    return run(&m, 0, 0);
}

bool rag_glob_is(rag_str pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (strchr("*?[", pattern.ptr[i]) != NULL)
            return true;
    return false;
}

bool rag_glob_pick(rag_str pattern, rag_str path)
{
    size_t n;

    if (rag_str_starts(pattern, "./"))
        pattern = rag_str_cut(pattern, 2, pattern.len);
    while (pattern.len > 1 && pattern.ptr[pattern.len - 1] == '/')
        pattern.len--;
    if (pattern.len == 0)
        return false;
    if (rag_glob_match(pattern, path))
        return true;
    /* a folder: everything below */
    for (n = 0; n < path.len; n++)
        if (path.ptr[n] == '/' && n != 0 &&
            rag_glob_match(pattern, rag_str_cut(path, 0, n)))
            return true;
    if (rag_str_find_char(pattern, '/') == SIZE_MAX) {
        /* any single part of the path */
        size_t start = 0;

        for (n = 0; n <= path.len; n++)
            if (n == path.len || path.ptr[n] == '/') {
                if (rag_glob_match(pattern, rag_str_cut(path, start, n)))
                    return true;
                start = n + 1;
            }
    }
    return false;
}
