#include "model/glue.h"

#include <string.h>

#include "base/utf8.h"

/* U+10FF00 + byte; only bytes from 0x80 on are ever stray. */
#define PRIVATE 0x10FF00u

void rag_glue_init(rag_glue *g, size_t max_bytes)
{
    rag_buf_init(&g->bytes, max_bytes);
    rag_buf_init(&g->out, 3 * max_bytes + 16); /* a bad byte becomes 3 */
}

void rag_glue_dispose(rag_glue *g)
{
    rag_buf_dispose(&g->bytes);
    rag_buf_dispose(&g->out);
}

/* The code of a \uXXXX escape at s[i], or -1. */
static int escape(rag_str s, size_t i)
{
    int v = 0;

    if (s.len < 6 || i > s.len - 6 || s.ptr[i] != '\\' || s.ptr[i + 1] != 'u')
        return -1;
    for (size_t k = i + 2; k < i + 6; k++) {
        char c = s.ptr[k];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;

        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

/* Bytes that the escape at s[i] takes; *bad: it cannot stay. */
static size_t escape_len(bool *bad, rag_str s, size_t i)
{
    int u = escape(s, i);

    *bad = false;
    if (u < 0) /* \n and the like; a stray byte behind it is no part of it */
        return s.len - i < 2 || (unsigned char)s.ptr[i + 1] >= 0x80 ? 1 : 2;
    if (u >= 0xD800 && u < 0xDC00) {
        int low = escape(s, i + 6);

        *bad = low < 0xDC00 || low > 0xDFFF;
        return *bad ? 6 : 12;
    }
    *bad = u == 0 || (u >= 0xDC00 && u <= 0xDFFF);
    return 6;
}

/* One character that is no escape; returns its bytes. */
static size_t protect_char(rag_buf *out, rag_str s, size_t i)
{
    uint32_t cp;
    bool ok;
    char bytes[4];
    size_t n = rag_utf8_decode(&cp, &ok, rag_str_cut(s, i, s.len));

    if (ok && cp >= PRIVATE + 0x80)
        rag_buf_addz(out, "\xEF\xBF\xBD"); /* is no byte of ours */
    else if (ok)
        rag_buf_add(out, s.ptr + i, n);
    else
        for (size_t k = i; k < i + n; k++)
            rag_buf_add(
                out, bytes,
                rag_utf8_encode(bytes, PRIVATE + (unsigned char)s.ptr[k]));
    return n;
}

void rag_glue_protect(rag_buf *out, bool *was_split, rag_str json)
{
    *was_split = !rag_utf8_valid(json);
    for (size_t i = 0; i < json.len;) {
        bool bad;
        size_t n;

        if (json.ptr[i] == '\\') {
            n = escape_len(&bad, json, i);
            if (bad)
                rag_buf_addz(out, "\xEF\xBF\xBD");
            else
                rag_buf_add(out, json.ptr + i, n);
        } else if (*was_split) {
            n = protect_char(out, json, i);
        } else {
            const char *end = memchr(json.ptr + i, '\\', json.len - i);

            n = end != NULL ? (size_t)(end - json.ptr) - i : json.len - i;
            rag_buf_add(out, json.ptr + i, n);
        }
        i += n;
    }
}

static void unprotect(rag_buf *out, rag_str s)
{
    for (size_t i = 0; i < s.len;) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, rag_str_cut(s, i, s.len));

        if (cp >= PRIVATE + 0x80)
            rag_buf_addc(out, (char)(unsigned char)(cp - PRIVATE));
        else
            rag_buf_add(out, s.ptr + i, n);
        i += n;
    }
}

/* Where an unfinished character at the end of s begins, or s.len. */
static size_t whole_len(rag_str s)
{
    for (size_t back = 1; back <= 3 && back <= s.len; back++) {
        unsigned char c = (unsigned char)s.ptr[s.len - back];
        size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;

        if ((c & 0xC0) == 0x80)
            continue;
        return need > back ? s.len - back : s.len;
    }
    return s.len;
}

static rag_status give(rag_str *whole, rag_glue *g, size_t n, rag_error *err)
{
    size_t rest = g->bytes.len - n;

    *whole = rag_str_n("", 0);
    rag_buf_clear(&g->out);
    rag_utf8_scrub(&g->out, rag_str_cut(rag_buf_str(&g->bytes), 0, n));
    if (n != 0 && rest != 0)
        memmove(g->bytes.ptr, g->bytes.ptr + n, rest);
    rag_buf_trunc(&g->bytes, rest);
    if (g->bytes.failed != RAG_OK)
        return rag_buf_status(&g->bytes, err);
    *whole = rag_buf_str(&g->out);
    return rag_buf_status(&g->out, err);
}

rag_status rag_glue_add(rag_str *whole, rag_glue *g, rag_str piece,
                        bool was_split, rag_error *err)
{
    if (was_split)
        unprotect(&g->bytes, piece);
    else
        rag_buf_adds(&g->bytes, piece);
    return give(whole, g, whole_len(rag_buf_str(&g->bytes)), err);
}

rag_status rag_glue_end(rag_str *whole, rag_glue *g, rag_error *err)
{
    return give(whole, g, g->bytes.len, err);
}
