#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* white space looked through for the second half of a hyphenated word */
#define MAX_BREAK_BYTES 64u

rag_str rag_str_of(const char *nul_terminated)
{
    rag_str s = {nul_terminated, 0};

    if (nul_terminated != NULL)
        s.len = strlen(nul_terminated);
    return s;
}

rag_str rag_str_n(const char *ptr, size_t len)
{
    rag_str s = {ptr, len};

    return s;
}

rag_str rag_str_cut(rag_str s, size_t start, size_t end)
{
    if (end > s.len)
        end = s.len;
    if (start > end)
        start = end;
    if (s.ptr == NULL)
        return s;
    return rag_str_n(s.ptr + start, end - start);
}

bool rag_str_eq(rag_str a, rag_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool rag_str_eqz(rag_str a, const char *b)
{
    return rag_str_eq(a, rag_str_of(b));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool ieq(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

bool rag_str_ieqz(rag_str a, const char *b)
{
    return a.len == strlen(b) && ieq(a.ptr, b, a.len);
}

bool rag_str_starts(rag_str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.len >= n && (n == 0 || memcmp(s.ptr, prefix, n) == 0);
}

bool rag_str_ends(rag_str s, const char *suffix)
{
    size_t n = strlen(suffix);

    return s.len >= n && (n == 0 || memcmp(s.ptr + s.len - n, suffix, n) == 0);
}

bool rag_str_iends(rag_str s, const char *suffix)
{
    size_t n = strlen(suffix);

    return s.len >= n && ieq(s.ptr + s.len - n, suffix, n);
}

int rag_str_cmp(rag_str a, rag_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n != 0 ? memcmp(a.ptr, b.ptr, n) : 0;

    if (c != 0)
        return c;
    return a.len < b.len ? -1 : a.len > b.len;
}

static bool blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

rag_str rag_str_trim(rag_str s)
{
    while (s.len != 0 && blank(s.ptr[s.len - 1]))
        s.len--;
    while (s.len != 0 && blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    return s;
}

size_t rag_str_find(rag_str hay, rag_str needle)
{
    const char *at;

    if (needle.len == 0)
        return 0;
    if (hay.len < needle.len)
        return SIZE_MAX;
    at = memmem(hay.ptr, hay.len, needle.ptr, needle.len);
    return at != NULL ? (size_t)(at - hay.ptr) : SIZE_MAX;
}

size_t rag_str_find_char(rag_str hay, char c)
{
    const char *at = hay.len != 0 ? memchr(hay.ptr, c, hay.len) : NULL;

    return at != NULL ? (size_t)(at - hay.ptr) : SIZE_MAX;
}

bool rag_str_next_line(rag_str *line, rag_str *rest)
{
    size_t at;

    if (rest->len == 0)
        return false;
    at = rag_str_find_char(*rest, '\n');
    if (at == SIZE_MAX) {
        *line = *rest;
        rest->ptr += rest->len;
        rest->len = 0;
        return true;
    }
    *line = rag_str_n(rest->ptr, at);
    rest->ptr += at + 1;
    rest->len -= at + 1;
    return true;
}

bool rag_str_u64(uint64_t *out, rag_str s)
{
    uint64_t v = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

bool rag_str_i64(int64_t *out, rag_str s)
{
    bool negative = s.len != 0 && s.ptr[0] == '-';
    uint64_t v;

    if (negative)
        s = rag_str_cut(s, 1, s.len);
    if (!rag_str_u64(&v, s) || v > (uint64_t)INT64_MAX)
        return false;
    *out = negative ? -(int64_t)v : (int64_t)v;
    return true;
}

size_t rag_str_after_break(rag_str s, size_t at)
{
    size_t end = s.len - at > MAX_BREAK_BYTES ? at + MAX_BREAK_BYTES : s.len;
    bool broken = false;

    for (; at < end; at++) {
        char c = s.ptr[at];

        if (c == '\n' || c == '\f')
            broken = true;
        else if (c != ' ' && c != '\t' && c != '\r')
            return broken && c >= 'a' && c <= 'z' ? at : 0;
    }
    return 0;
}

bool rag_str_double(double *out, rag_str s)
{
    char buf[64];
    char *end;
    double v;

    if (s.len == 0 || s.len >= sizeof buf || blank(s.ptr[0]))
        return false;
    memcpy(buf, s.ptr, s.len);
    buf[s.len] = '\0';
    errno = 0;
    v = strtod(buf, &end);
    if (*end != '\0' || errno != 0 || !isfinite(v))
        return false;
    *out = v;
    return true;
}
