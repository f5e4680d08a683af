#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* what ptr shows while nothing is allocated; never written to */
static char nothing[1];

void rag_buf_init(rag_buf *b, size_t max_bytes)
{
    b->ptr = nothing;
    b->len = b->cap = 0;
    b->max_bytes = max_bytes;
    b->failed = RAG_OK;
}

void rag_buf_dispose(rag_buf *b)
{
    if (b->cap != 0)
        rag_free(b->ptr);
    rag_buf_init(b, b->max_bytes);
}

void rag_buf_clear(rag_buf *b)
{
    b->len = 0;
    b->failed = RAG_OK;
    if (b->cap != 0)
        b->ptr[0] = '\0';
}

static void fail(rag_buf *b, rag_status why)
{
    rag_buf_dispose(b);
    b->failed = why;
}

char *rag_buf_reserve(rag_buf *b, size_t n)
{
    size_t need;

    if (b->failed != RAG_OK)
        return NULL;
    if (!rag_add_ok(&need, b->len, n) || need > b->max_bytes) {
        fail(b, RAG_E_LIMIT);
        return NULL;
    }
    if (need + 1 > b->cap) {
        size_t want = b->cap + b->cap / 2;
        char *p;

        if (want < need + 1)
            want = need + 1;
        if (want < 64)
            want = 64;
        p = rag_realloc(b->cap != 0 ? b->ptr : NULL, want);
        if (p == NULL) {
            fail(b, RAG_E_NOMEM);
            return NULL;
        }
        b->ptr = p;
        b->cap = want;
        b->ptr[b->len] = '\0'; /* also when nothing is written then */
    }
    return b->ptr + b->len;
}

void rag_buf_wrote(rag_buf *b, size_t n)
{
    if (b->failed != RAG_OK || b->cap == 0)
        return;
    b->len += n;
    b->ptr[b->len] = '\0';
}

void rag_buf_add(rag_buf *b, const void *bytes, size_t n)
{
    char *to = rag_buf_reserve(b, n);

    if (to == NULL)
        return;
    if (n != 0)
        memcpy(to, bytes, n);
    rag_buf_wrote(b, n);
}

void rag_buf_addz(rag_buf *b, const char *nul_terminated)
{
    rag_buf_add(b, nul_terminated, strlen(nul_terminated));
}

void rag_buf_adds(rag_buf *b, rag_str s)
{
    rag_buf_add(b, s.ptr, s.len);
}

void rag_buf_addc(rag_buf *b, char c)
{
    rag_buf_add(b, &c, 1);
}

void rag_buf_addf(rag_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_list again;
    int n;
    char *to;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    to = n < 0 ? NULL : rag_buf_reserve(b, (size_t)n);
    if (to != NULL) {
        (void)vsnprintf(to, (size_t)n + 1, fmt, again);
        rag_buf_wrote(b, (size_t)n);
    }
    va_end(again);
}

void rag_buf_trunc(rag_buf *b, size_t len)
{
    if (len < b->len) {
        b->len = len;
        b->ptr[len] = '\0';
    }
}

rag_str rag_buf_str(const rag_buf *b)
{
    return rag_str_n(b->ptr, b->len);
}

rag_status rag_buf_status(const rag_buf *b, rag_error *err)
{
    if (b->failed == RAG_E_NOMEM)
        return rag_fail_nomem(err);
    if (b->failed != RAG_OK)
        return rag_fail(err, b->failed, "text is longer than %zu bytes",
                        b->max_bytes);
    return RAG_OK;
}

char *rag_buf_take(rag_buf *b, size_t *len)
{
    char *p = NULL;

    if (len != NULL)
        *len = b->len;
    if (b->failed == RAG_OK)
        p = b->cap != 0 ? b->ptr : rag_strndup("", 0);
    if (p != NULL)
        rag_buf_init(b, b->max_bytes);
    return p;
}
