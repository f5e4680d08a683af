#include "test.h"

#include "base/buf.h"
#include "net/sse.h"

/* Events as "type|data\x1e" one behind the other. */
static rag_status collect(void *ctx, rag_str type, rag_str data, rag_error *err)
{
    rag_buf *b = ctx;

    rag_buf_adds(b, type);
    rag_buf_addc(b, '|');
    rag_buf_adds(b, data);
    rag_buf_addc(b, '\x1e');
    return rag_buf_status(b, err);
}

/* Feeds the text in pieces of step bytes. */
static void run(rag_buf *out, rag_sse_kind kind, rag_str text, size_t step)
{
    rag_error err;
    rag_sse s;

    rag_sse_init(&s, kind, 4096);
    rag_buf_init(out, 1 << 20);
    for (size_t i = 0; i < text.len; i += step)
        OK(rag_sse_feed(&s, rag_str_cut(text, i, i + step), collect, out, &err),
           &err);
    OK(rag_sse_end(&s, collect, out, &err), &err);
    rag_sse_dispose(&s);
}

static void check_all(rag_sse_kind kind, rag_str text, const char *want)
{
    for (size_t step = 1; step <= text.len + 1; step++) {
        rag_buf out;

        run(&out, kind, text, step);
        assert_string_equal(out.ptr, want);
        rag_buf_dispose(&out);
    }
}

static void test_events(void **state)
{
    (void)state;
    check_all(RAG_SSE_EVENTS, RAG_STR_LIT("data: a\n\ndata: b\n\n"),
              "|a\x1e|b\x1e");
    check_all(RAG_SSE_EVENTS, RAG_STR_LIT("data: a\r\n\r\ndata:b\r\n\r\n"),
              "|a\x1e|b\x1e");
    check_all(RAG_SSE_EVENTS, RAG_STR_LIT("data: a\r\rdata: b\r\r"),
              "|a\x1e|b\x1e");
    check_all(RAG_SSE_EVENTS,
              RAG_STR_LIT("\xEF\xBB\xBF: hello\n\nevent: x\ndata: 1\n"
                          "data: 2\ndata\nid: 7\nretry: 5\n\n\n\ndata:  y\n\n"),
              "x|1\n2\n\x1e| y\x1e");
    /* an event without data is none; the last blank line may be missing */
    check_all(RAG_SSE_EVENTS, RAG_STR_LIT("event: x\n\ndata: z\n"), "|z\x1e");
    check_all(RAG_SSE_EVENTS, RAG_STR_LIT("data: [DONE]"), "|[DONE]\x1e");
    check_all(RAG_SSE_EVENTS, RAG_STR_LIT("data:\n\n"), "|\x1e");
}

static void test_lines(void **state)
{
    (void)state;
    check_all(RAG_SSE_LINES, RAG_STR_LIT("{\"a\":1}\n\n{\"b\":2}\r\n{}"),
              "|{\"a\":1}\x1e|{\"b\":2}\x1e|{}\x1e");
    check_all(RAG_SSE_LINES, RAG_STR_LIT(""), "");
}

static void test_caps(void **state)
{
    char big[200];
    rag_error err;
    rag_buf out;
    rag_sse s;

    (void)state;
    memset(big, 'x', sizeof big);
    rag_buf_init(&out, 1 << 20);
    for (int kind = 0; kind < 2; kind++) {
        rag_sse_init(&s, kind == 0 ? RAG_SSE_EVENTS : RAG_SSE_LINES, 100);
        assert_int_equal(
            rag_sse_feed(&s, rag_str_n(big, sizeof big), collect, &out, &err),
            RAG_E_LIMIT);
        assert_non_null(strstr(err.msg, "100 bytes"));
        rag_sse_dispose(&s);
    }
    /* many short data lines of one event */
    rag_sse_init(&s, RAG_SSE_EVENTS, 100);
    for (size_t i = 0; i < 100; i++) {
        rag_status st = rag_sse_feed(&s, RAG_STR_LIT("data: 123456\n"), collect,
                                     &out, &err);

        if (st != RAG_OK) {
            assert_int_equal(st, RAG_E_LIMIT);
            assert_in_range(i, 10, 20);
            break;
        }
        assert_in_range(i, 0, 20);
    }
    rag_sse_dispose(&s);
    rag_buf_dispose(&out);
}

static rag_status stop(void *ctx, rag_str type, rag_str data, rag_error *err)
{
    (void)type;
    (void)data;
    ++*(int *)ctx;
    return rag_fail(err, RAG_E_CANCELLED, "enough");
}

static void test_stop(void **state)
{
    rag_error err;
    rag_sse s;
    int n = 0;

    (void)state;
    rag_sse_init(&s, RAG_SSE_EVENTS, 100);
    assert_int_equal(
        rag_sse_feed(&s, RAG_STR_LIT("data: 1\n\ndata: 2\n\n"), stop, &n, &err),
        RAG_E_CANCELLED);
    assert_int_equal(n, 1);
    rag_sse_dispose(&s);
}

static rag_status feed_once(void)
{
    rag_error err;
    rag_buf out;
    rag_sse s;
    rag_status st;

    rag_buf_init(&out, 1 << 20);
    rag_sse_init(&s, RAG_SSE_EVENTS, 100);
    st = rag_sse_feed(&s, RAG_STR_LIT("event: e\ndata: 1\ndata: 2\n\n"),
                      collect, &out, &err);
    rag_sse_dispose(&s);
    rag_buf_dispose(&out);
    return st;
}

static void test_oom(void **state)
{
    (void)state;
    CHECK_OOM(feed_once());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_caps), cmocka_unit_test(test_stop),
        cmocka_unit_test(test_oom)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
