#include "base/glob.h"

#include <string.h>

/* steps of backtracking before a pattern is given up: far beyond any pattern
 * that a person writes, and still well under a millisecond */
#define MAX_STEPS 20000

typedef struct matcher {
    rag_str pat;
    rag_str path;
    unsigned steps;
} matcher;

/* Matches a [class] at pat[p] against c; *end: behind the ']'. */
static bool in_class(rag_str pat, size_t p, char c, size_t *end)
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
        unsigned char lo = (unsigned char)pat.ptr[i];
        unsigned char hi = lo;

        if (lo == '\\' && i + 1 < pat.len)
            lo = hi = (unsigned char)pat.ptr[++i];
        if (i + 2 < pat.len && pat.ptr[i + 1] == '-' && pat.ptr[i + 2] != ']') {
            hi = (unsigned char)pat.ptr[i + 2];
            i += 2;
        }
        if ((unsigned char)c >= lo && (unsigned char)c <= hi)
            hit = true;
        i++;
    }
    if (i >= pat.len) {
        *end = 0; /* no closing bracket: not a class */
        return false;
    }
    *end = i + 1;
    return hit != negated && c != '/';
}

static bool run(matcher *m, size_t p, size_t s)
{
    while (p < m->pat.len) {
        char c = m->pat.ptr[p];

        if (m->steps++ > MAX_STEPS)
            return false;
        if (c == '*') {
            bool deep = p + 1 < m->pat.len && m->pat.ptr[p + 1] == '*';
            size_t next = p + (deep ? 2 : 1);

            /* a "**" and its slash also match nothing at all */
            if (deep && next < m->pat.len && m->pat.ptr[next] == '/' &&
                (p == 0 || m->pat.ptr[p - 1] == '/') && run(m, next + 1, s))
                return true;
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
            if (m->path.ptr[s] == '/')
                return false;
        } else if (c == '[') {
            size_t end;
            bool hit = in_class(m->pat, p, m->path.ptr[s], &end);

            if (end != 0) {
                if (!hit)
                    return false;
                p = end;
                s++;
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
