#include "flow/gate.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

/* A bracket, link or tag longer than this is ordinary text. */
#define MAX_HELD_BYTES 2048
#define MAX_BRACKET_BYTES 200
/* one answer */
#define MAX_PENDING_BYTES ((size_t)1 << 20)

struct rag_gate {
    rag_gate_opts o;
    rag_buf held; /* not yet decided */
    bool started; /* something visible was given */
    bool abstained;
};

rag_status rag_gate_new(rag_gate **out, const rag_gate_opts *o, rag_error *err)
{
    rag_gate *g = rag_calloc(1, sizeof *g);

    *out = g;
    if (g == NULL)
        return rag_fail_nomem(err);
    g->o = *o;
    rag_buf_init(&g->held, MAX_PENDING_BYTES);
    return RAG_OK;
}

void rag_gate_free(rag_gate *g)
{
    if (g == NULL)
        return;
    rag_buf_dispose(&g->held);
    rag_free(g);
}

bool rag_gate_abstained(const rag_gate *g)
{
    return g->abstained;
}

static rag_status give(rag_gate *g, rag_str s, rag_error *err)
{
    if (s.len == 0)
        return RAG_OK;
    g->started = true;
    return g->o.sink(g->o.ctx, s, err);
}

/* What a piece of the held text turned out to be. */
enum verdict { WAIT, TAKE };

typedef struct found {
    size_t len; /* bytes of held text that are decided */
    rag_buf *out;
} found;

static bool in_passages(const rag_gate *g, rag_str url)
{
    for (size_t i = 0; i < g->o.n_passages; i++)
        if (rag_str_find(g->o.passages[i], url) != SIZE_MAX)
            return true;
    return false;
}

/* The numbers of "1, 2;3": valid ones are written as [1][2]. false: not a
 * citation. */
static bool citation(const rag_gate *g, rag_buf *out, rag_str inside)
{
    rag_str s = inside;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((s.ptr[i] < '0' || s.ptr[i] > '9') && s.ptr[i] != ',' &&
            s.ptr[i] != ' ' && s.ptr[i] != ';')
            return false;
    while (s.len != 0) {
        size_t n = 0;
        uint64_t v;

        while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
            n++;
        if (n != 0 && rag_str_u64(&v, rag_str_cut(s, 0, n)) && v >= 1 &&
            v <= g->o.n_passages)
            rag_buf_addf(out, "[%llu]", (unsigned long long)v);
        s = rag_str_cut(s, n != 0 ? n : 1, s.len);
    }
    return true;
}

/* held starts with '[' (or "![" when image). */
static enum verdict bracket(const rag_gate *g, found *f, rag_str held,
                            bool image, bool ended)
{
    size_t open = image ? 1 : 0;
    size_t close = rag_str_find_char(held, ']');
    size_t nl = rag_str_find_char(held, '\n');
    rag_str inside;
    size_t end;

    if (close == SIZE_MAX || (nl != SIZE_MAX && nl < close)) {
        if (close == SIZE_MAX && nl == SIZE_MAX &&
            held.len < MAX_BRACKET_BYTES && !ended)
            return WAIT;
        f->len = open + 1; /* an ordinary bracket */
        rag_buf_addc(f->out, '[');
        return TAKE;
    }
    inside = rag_str_cut(held, open + 1, close);
    if (!image && citation(g, f->out, inside)) {
        f->len = close + 1;
        return TAKE;
    }
    if (close + 1 == held.len && !ended)
        return WAIT; /* a '(' may follow */
    f->len = close + 1;
    if (close + 1 < held.len && held.ptr[close + 1] == '(') {
        rag_str url;

        end = rag_str_find_char(rag_str_cut(held, close, held.len), ')');
        if (end == SIZE_MAX && held.len < MAX_HELD_BYTES && !ended)
            return WAIT;
        f->len = end == SIZE_MAX ? held.len : close + end + 1;
        url = rag_str_cut(held, close + 2,
                          end == SIZE_MAX ? held.len : close + end);
        if (!image && url.len != 0 && in_passages(g, url)) {
            rag_buf_adds(f->out, rag_str_cut(held, 0, f->len));
            return TAKE;
        }
        if (!image)
            rag_buf_adds(f->out, inside);
        return TAKE;
    }
    if (!image)
        rag_buf_adds(f->out, rag_str_cut(held, 0, f->len));
    return TAKE;
}

static bool url_char(char c)
{
    return (unsigned char)c > ' ' && strchr("<>\"'`()[]{}|\\^", c) == NULL;
}

/* held starts with 'h' or 'H', or "www.": perhaps a URL. */
static enum verdict link(const rag_gate *g, found *f, rag_str held, bool ended)
{
    static const char *const schemes[] = {"http://", "https://", "www."};
    bool maybe = false;
    size_t n;
    rag_str url;

    for (size_t i = 0; i < 3; i++) {
        size_t k = strlen(schemes[i]);

        if (held.len >= k &&
            rag_str_ieqz(rag_str_cut(held, 0, k), schemes[i])) {
            for (n = k; n < held.len && url_char(held.ptr[n]); n++)
                ;
            if (n == held.len && n < MAX_HELD_BYTES && !ended)
                return WAIT;
            /* a sentence's end is no part of it */
            while (n > k && strchr(".,;:!?", held.ptr[n - 1]) != NULL)
                n--;
            url = rag_str_cut(held, 0, n);
            f->len = n;
            if (in_passages(g, url))
                rag_buf_adds(f->out, url);
            else
                rag_buf_addz(f->out, "(link left out)");
            return TAKE;
        }
        if (held.len < k && !ended) {
            char start[16];

            memcpy(start, schemes[i], held.len);
            start[held.len] = '\0';
            maybe = maybe || rag_str_ieqz(held, start);
        }
    }
    if (maybe)
        return WAIT;
    f->len = 1;
    rag_buf_addc(f->out, held.ptr[0]);
    return TAKE;
}

/* held starts with '<': HTML elements and autolinks do not leave. */
static enum verdict tag(const rag_gate *g, found *f, rag_str held, bool ended)
{
    size_t end = rag_str_find_char(held, '>');
    size_t nl = rag_str_find_char(held, '\n');
    char c;

    if (held.len == 1 && !ended)
        return WAIT;
    c = held.len > 1 ? held.ptr[1] : ' ';
    f->len = 1;
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' ||
          c == '!')) {
        rag_buf_addc(f->out, '<');
        return TAKE;
    }
    if (end == SIZE_MAX && nl == SIZE_MAX && held.len < MAX_HELD_BYTES &&
        !ended)
        return WAIT;
    if (end == SIZE_MAX || (nl != SIZE_MAX && nl < end)) {
        rag_buf_addc(f->out, '<');
        return TAKE;
    }
    f->len = end + 1;
    /* "List<int>" and the like of a source are no markup */
    if (in_passages(g, rag_str_cut(held, 0, f->len)) &&
        rag_str_find_char(rag_str_cut(held, 0, f->len), '=') == SIZE_MAX &&
        rag_str_find_char(rag_str_cut(held, 0, f->len), ':') == SIZE_MAX)
        rag_buf_adds(f->out, rag_str_cut(held, 0, f->len));
    return TAKE;
}

static bool word_before(const rag_buf *out, char last)
{
    char c = out->len != 0 ? out->ptr[out->len - 1] : last;

    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

/* Decides on the front of the held text. */
static enum verdict decide(const rag_gate *g, found *f, rag_str held,
                           bool ended)
{
    uint32_t cp;
    size_t n;

    f->len = 1;
    switch (held.ptr[0]) {
    case '[':
        return bracket(g, f, held, false, ended);
    case '!':
        if (held.len == 1 && !ended)
            return WAIT;
        if (held.len > 1 && held.ptr[1] == '[')
            return bracket(g, f, held, true, ended);
        rag_buf_addc(f->out, '!');
        return TAKE;
    case '<':
        return tag(g, f, held, ended);
    case 'h':
    case 'H':
    case 'w':
    case 'W':
        if (!word_before(f->out, ' '))
            return link(g, f, held, ended);
        rag_buf_addc(f->out, held.ptr[0]);
        return TAKE;
    default:
        n = rag_utf8_decode(&cp, NULL, held);
        f->len = n;
        if (cp == '\n' || cp == '\t' || !rag_utf8_is_invisible(cp) ||
            cp == 0x200D) /* joins emoji */
            rag_buf_add(f->out, held.ptr, n);
        return TAKE;
    }
}

/* Does the text begin like the sign for "no answer"? */
static bool may_abstain(rag_str held, bool *does)
{
    rag_str s = held;
    rag_str sign = RAG_STR_LIT(RAG_GATE_NO_ANSWER);
    size_t n;

    *does = false;
    while (s.len != 0 && strchr(" \n\t\"'`*[(", s.ptr[0]) != NULL)
        s = rag_str_cut(s, 1, s.len);
    n = s.len < sign.len ? s.len : sign.len;
    if (memcmp(s.ptr, sign.ptr, n) != 0)
        return false;
    *does = n == sign.len;
    return true;
}

static rag_status pump(rag_gate *g, bool ended, rag_error *err)
{
    rag_str held = rag_buf_str(&g->held);
    rag_status st = RAG_OK;
    size_t at = 0;
    bool does;
    rag_buf out;

    if (g->abstained)
        return RAG_OK;
    if (!g->started && may_abstain(held, &does)) {
        g->abstained = does;
        if (does || !ended)
            return RAG_OK;
    }
    rag_buf_init(&out, MAX_PENDING_BYTES * 2);
    while (at < held.len) {
        found f = {0, &out};

        if (decide(g, &f, rag_str_cut(held, at, held.len), ended) == WAIT)
            break;
        at += f.len;
    }
    TRY(rag_buf_status(&out, err));
    memmove(g->held.ptr, held.ptr + at, held.len - at);
    rag_buf_trunc(&g->held, held.len - at);
    st = give(g, rag_buf_str(&out), err);
out:
    rag_buf_dispose(&out);
    return st;
}

rag_status rag_gate_add(rag_gate *g, rag_str piece, rag_error *err)
{
    rag_status st;

    if (g->abstained)
        return RAG_OK;
    rag_buf_adds(&g->held, piece);
    st = rag_buf_status(&g->held, err);
    return st == RAG_OK ? pump(g, false, err) : st;
}

rag_status rag_gate_end(rag_gate *g, rag_error *err)
{
    return pump(g, true, err);
}
