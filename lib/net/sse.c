#include "net/sse.h"

#include <string.h>

/* "event: name": a longer name is no event of an LLM server. */
#define MAX_NAME_BYTES 256u

void rag_sse_init(rag_sse *s, rag_sse_kind kind, size_t max_event_bytes)
{
    memset(s, 0, sizeof *s);
    s->kind = kind;
    rag_buf_init(&s->line, max_event_bytes);
    rag_buf_init(&s->data, max_event_bytes);
    rag_buf_init(&s->event, MAX_NAME_BYTES);
}

void rag_sse_dispose(rag_sse *s)
{
    rag_buf_dispose(&s->line);
    rag_buf_dispose(&s->data);
    rag_buf_dispose(&s->event);
}

static rag_status check(const rag_buf *b, rag_error *err)
{
    if (b->failed == RAG_E_LIMIT)
        return rag_fail(err, RAG_E_LIMIT,
                        "an event of the stream is over %zu bytes",
                        b->max_bytes);
    return rag_buf_status(b, err);
}

static rag_status dispatch(rag_sse *s, rag_sse_fn fn, void *ctx, rag_error *err)
{
    rag_status st = RAG_OK;

    if (s->has_data)
        st = fn(ctx, rag_buf_str(&s->event), rag_buf_str(&s->data), err);
    s->has_data = false;
    rag_buf_clear(&s->data);
    rag_buf_clear(&s->event);
    return st;
}

/* "field: value"; one space behind the colon belongs to the syntax. */
static rag_status field(rag_sse *s, rag_str line, rag_error *err)
{
    size_t colon = rag_str_find_char(line, ':');
    rag_str name = rag_str_cut(line, 0, colon);
    rag_str value = {"", 0};

    if (colon != SIZE_MAX)
        value = rag_str_cut(line, colon + 1, line.len);
    if (rag_str_starts(value, " "))
        value = rag_str_cut(value, 1, value.len);
    if (rag_str_eqz(name, "data")) {
        if (s->has_data)
            rag_buf_addc(&s->data, '\n');
        s->has_data = true;
        rag_buf_adds(&s->data, value);
        return check(&s->data, err);
    }
    if (rag_str_eqz(name, "event")) {
        rag_buf_clear(&s->event);
        rag_buf_adds(&s->event, value);
        return check(&s->event, err);
    }
    return RAG_OK; /* a comment (empty name), id, retry, something new */
}

static rag_status one_line(rag_sse *s, rag_str line, rag_sse_fn fn, void *ctx,
                           rag_error *err)
{
    if (!s->started) {
        s->started = true;
        if (rag_str_starts(line, "\xEF\xBB\xBF"))
            line = rag_str_cut(line, 3, line.len);
    }
    if (s->kind == RAG_SSE_LINES) {
        line = rag_str_trim(line);
        return line.len != 0 ? fn(ctx, RAG_STR_LIT(""), line, err) : RAG_OK;
    }
    return line.len != 0 ? field(s, line, err) : dispatch(s, fn, ctx, err);
}

/* Offset of the next line end in bytes, or their number. */
static size_t find_end(const rag_sse *s, rag_str bytes)
{
    const char *lf = memchr(bytes.ptr, '\n', bytes.len);
    size_t n = lf != NULL ? (size_t)(lf - bytes.ptr) : bytes.len;
    const char *cr =
        s->kind == RAG_SSE_EVENTS && n != 0 ? memchr(bytes.ptr, '\r', n) : NULL;

    return cr != NULL ? (size_t)(cr - bytes.ptr) : n;
}

rag_status rag_sse_feed(rag_sse *s, rag_str bytes, rag_sse_fn fn, void *ctx,
                        rag_error *err)
{
    rag_status st = RAG_OK;

    while (bytes.len != 0) {
        size_t n;

        if (s->skip_lf) {
            s->skip_lf = false;
            if (bytes.ptr[0] == '\n') {
                bytes = rag_str_cut(bytes, 1, bytes.len);
                continue;
            }
        }
        n = find_end(s, bytes);
        rag_buf_add(&s->line, bytes.ptr, n);
        TRY(check(&s->line, err));
        if (n == bytes.len)
            break;
        s->skip_lf = bytes.ptr[n] == '\r';
        bytes = rag_str_cut(bytes, n + 1, bytes.len);
        st = one_line(s, rag_buf_str(&s->line), fn, ctx, err);
        rag_buf_clear(&s->line);
        if (st != RAG_OK)
            goto out;
    }
out:
    return st;
}

rag_status rag_sse_end(rag_sse *s, rag_sse_fn fn, void *ctx, rag_error *err)
{
    rag_status st = RAG_OK;

    if (s->line.len != 0)
        st = one_line(s, rag_buf_str(&s->line), fn, ctx, err);
    rag_buf_clear(&s->line);
    if (st == RAG_OK && s->kind == RAG_SSE_EVENTS)
        st = dispatch(s, fn, ctx, err);
    return st;
}
