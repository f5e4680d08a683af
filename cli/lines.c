#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "term.h"

#define READ_BYTES ((size_t)1 << 16)

void lines_init(lines *l)
{
    memset(l, 0, sizeof *l);
    rag_buf_init(&l->in, LINES_MAX_BYTES + 2 * READ_BYTES);
}

void lines_dispose(lines *l)
{
    rag_buf_dispose(&l->in);
}

/* Reads once; *end: nothing more will come. */
static rag_status fill(rag_buf *b, bool *end, rag_error *err)
{
    char *to = rag_buf_reserve(b, READ_BYTES);
    ssize_t n;

    if (to == NULL)
        return rag_buf_status(b, err);
    do {
        if (term_interrupted(NULL))
            return rag_fail(err, RAG_E_CANCELLED, "interrupted");
        n = read(STDIN_FILENO, to, READ_BYTES);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return rag_fail_errno(err, errno, "cannot read standard input");
    *end = n == 0;
    rag_buf_wrote(b, (size_t)n);
    return RAG_OK;
}

/* What was given out makes room. */
static void forget_used(lines *l)
{
    memmove(l->in.ptr, l->in.ptr + l->used, l->in.len - l->used);
    rag_buf_trunc(&l->in, l->in.len - l->used);
    l->used = 0;
}

static rag_str rest_of(const lines *l)
{
    return rag_str_cut(rag_buf_str(&l->in), l->used, l->in.len);
}

/* Drops what is left of a line. */
static rag_status skip_line(lines *l, rag_error *err)
{
    while (l->skip) {
        size_t at = rag_str_find_char(rest_of(l), '\n');
        rag_status st;

        l->used = at != SIZE_MAX ? l->used + at + 1 : l->in.len;
        l->skip = at == SIZE_MAX && !l->end;
        if (!l->skip)
            break;
        forget_used(l);
        st = fill(&l->in, &l->end, err);
        if (st != RAG_OK)
            return st;
    }
    return RAG_OK;
}

rag_status lines_next(rag_str *line, bool *got, lines *l, rag_error *err)
{
    size_t looked = 0; /* of the rest, without a line end */
    rag_status st;

    *got = false;
    if (l->skip) {
        st = skip_line(l, err);
        if (st != RAG_OK)
            return st;
    }
    for (;;) {
        rag_str rest = rest_of(l);
        size_t at =
            rag_str_find_char(rag_str_cut(rest, looked, rest.len), '\n');

        if (at != SIZE_MAX || (l->end && rest.len != 0)) {
            *line = at != SIZE_MAX ? rag_str_cut(rest, 0, looked + at) : rest;
            l->used += at != SIZE_MAX ? line->len + 1 : rest.len;
            if (line->len != 0 && line->ptr[line->len - 1] == '\r')
                line->len--;
            *got = true;
            return RAG_OK;
        }
        if (l->end)
            return RAG_OK;
        if (rest.len > LINES_MAX_BYTES) {
            l->skip = true;
            return rag_fail(err, RAG_E_LIMIT, "a line of more than %zu MB",
                            LINES_MAX_BYTES >> 20);
        }
        looked = rest.len;
        if (l->used != 0)
            forget_used(l);
        st = fill(&l->in, &l->end, err);
        if (st != RAG_OK)
            return st;
    }
}

bool lines_ready(lines *l)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

    /* half a line is not worth waiting for its other half */
    while (!l->end && rag_str_find_char(rest_of(l), '\n') == SIZE_MAX) {
        if (rest_of(l).len > LINES_MAX_BYTES)
            return true; /* lines_next() says so */
        if (poll(&p, 1, 0) <= 0)
            return false;
        if (l->used != 0)
            forget_used(l);
        if (fill(&l->in, &l->end, NULL) != RAG_OK)
            return true; /* likewise */
    }
    return true;
}

rag_status lines_all(rag_buf *out, size_t max_bytes, rag_error *err)
{
    bool end = false;
    rag_status st;

    while (!end) {
        st = fill(out, &end, err);
        if (st != RAG_OK)
            return st;
        if (out->len > max_bytes)
            return rag_fail(err, RAG_E_LIMIT,
                            "standard input: more than %zu MB, the most that "
                            "is read",
                            max_bytes >> 20);
    }
    return RAG_OK;
}
