/* The first byte says how the rest is cut and read. Reading it in pieces must
 * give the same events as reading it at once; what glue makes of an event must
 * be valid UTF-8. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "model/glue.h"
#include "net/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAP 65536

static rag_status collect(void *ctx, rag_str type, rag_str data, rag_error *err)
{
    rag_buf *b = ctx;

    rag_buf_adds(b, type);
    rag_buf_addc(b, '\0');
    rag_buf_adds(b, data);
    rag_buf_addc(b, '\0');
    return rag_buf_status(b, err);
}

static rag_status read_all(rag_buf *out, rag_sse_kind kind, rag_str s,
                           size_t step)
{
    rag_status st = RAG_OK;
    rag_sse sse;

    rag_sse_init(&sse, kind, CAP);
    for (size_t i = 0; st == RAG_OK && i < s.len; i += step)
        st =
            rag_sse_feed(&sse, rag_str_cut(s, i, i + step), collect, out, NULL);
    if (st == RAG_OK)
        st = rag_sse_end(&sse, collect, out, NULL);
    rag_sse_dispose(&sse);
    return st;
}

static void check_glue(rag_str s, size_t step)
{
    rag_glue g;
    rag_buf safe;
    rag_str whole;

    rag_glue_init(&g, CAP);
    rag_buf_init(&safe, 4 * CAP);
    for (size_t i = 0; i < s.len && i < CAP; i += step) {
        bool split;

        rag_buf_clear(&safe);
        rag_glue_protect(&safe, &split, rag_str_cut(s, i, i + step));
        if (safe.failed == RAG_OK && !rag_utf8_valid(rag_buf_str(&safe)))
            abort();
        if (rag_glue_add(&whole, &g, rag_buf_str(&safe), split, NULL) ==
                RAG_OK &&
            !rag_utf8_valid(whole))
            abort();
    }
    if (rag_glue_end(&whole, &g, NULL) == RAG_OK && !rag_utf8_valid(whole))
        abort();
    rag_buf_dispose(&safe);
    rag_glue_dispose(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_str s = rag_str_n((const char *)data, size);
    rag_sse_kind kind;
    size_t step;
    rag_buf once;
    rag_buf cut;

    if (size == 0)
        return 0;
    kind = (data[0] & 1) != 0 ? RAG_SSE_LINES : RAG_SSE_EVENTS;
    step = 1u + (data[0] >> 1);
    s = rag_str_cut(s, 1, s.len);
    rag_buf_init(&once, (size_t)1 << 24);
    rag_buf_init(&cut, (size_t)1 << 24);
    if (read_all(&once, kind, s, s.len + 1) != read_all(&cut, kind, s, step) ||
        once.len != cut.len || memcmp(once.ptr, cut.ptr, cut.len) != 0)
        abort();
    check_glue(s, step);
    rag_buf_dispose(&once);
    rag_buf_dispose(&cut);
    return 0;
}
