#include "test.h"

#include "../fake/fakeuse.h"
#include "base/utf8.h"
#include "model/chat.h"
#include "model/endpoint.h"
#include "model/glue.h"

/* "안녕하세요, wörld 😀 [1]." as bytes */
#define ANSWER                                                                 \
    "\xEC\x95\x88\xEB\x85\x95\xED\x95\x98\xEC\x84\xB8\xEC\x9A\x94, w\xC3\xB6"  \
    "rld \xF0\x9F\x98\x80 [1]."
#define ANSWER_URL                                                             \
    "%EC%95%88%EB%85%95%ED%95%98%EC%84%B8%EC%9A%94%2C%20w%C3%B6rld%20"         \
    "%F0%9F%98%80%20[1]."

typedef struct heard {
    rag_buf text;
    size_t n_pieces;
    size_t stop_after; /* 0: never */
} heard;

static rag_status hear(void *ctx, rag_str piece, rag_error *err)
{
    heard *h = ctx;

    assert_true(piece.len != 0);
    assert_true(rag_utf8_valid(piece)); /* no character in two pieces */
    rag_buf_adds(&h->text, piece);
    h->n_pieces++;
    if (h->stop_after != 0 && h->n_pieces >= h->stop_after)
        return rag_fail(err, RAG_E_IO, "stdout: broken pipe");
    return rag_buf_status(&h->text, err);
}

static rag_chat_opts remote(const char *provider, const char *list)
{
    rag_chat_opts o = {.provider = provider, .model = "m", .stream = true};

    o.url =
        fake_url(&server, list, strcmp(provider, "openai") == 0 ? "/v1" : "");
    return o;
}

static const rag_chat_message messages[] = {
    {"system", {"Be brief.", 9}}, {"user", {"\xEB\xAC\xBC\xEC\x9D\x8C?", 7}}};

static rag_status talk(heard *h, rag_chat_result *r, rag_chat_opts o,
                       rag_error *err)
{
    rag_chat *c;
    rag_status st;

    rag_buf_init(&h->text, 1 << 20);
    h->n_pieces = 0;
    OK(rag_chat_new(&c, &o, err), err);
    st = rag_chat_run(r, c, messages, 2, hear, h, err);
    rag_chat_free(c);
    return st;
}

static const char *const providers[] = {"openai", "ollama"};

static void test_answers(void **state)
{
    static const char *const lists[] = {
        "text=" ANSWER_URL ",split=1",
        "text=" ANSWER_URL ",split=100",
        "text=" ANSWER_URL ",net=1,split=7",
        "text=" ANSWER_URL ",net=3,crlf",
        "text=" ANSWER_URL ",rawsplit=1",
        "text=" ANSWER_URL ",rawsplit=2,net=5",
        "text=" ANSWER_URL ",rawsplit=5",
        "text=" ANSWER_URL ",comment,reason,nousage",
        "text=" ANSWER_URL ",plain",
        "text=" ANSWER_URL ",nonl",
        "text=" ANSWER_URL ",nodone",
        "text=" ANSWER_URL ",fail=503.2",
        "text=" ANSWER_URL ",drop=1",
    };
    rag_chat_result r;
    rag_error err;
    heard h = {0};

    (void)state;
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
            char list[512];

            snprintf(list, sizeof list, "%s,%s", lists[i], providers[p]);
            OK(talk(&h, &r, remote(providers[p], list), &err), &err);
            assert_string_equal(h.text.ptr, ANSWER);
            assert_false(r.cut);
            assert_true(r.first_token_ms >= 0);
            assert_int_equal(r.context_tokens, -1);
            if (p == 0 && strstr(list, "nousage") != NULL) {
                assert_int_equal(r.prompt_tokens, -1);
            } else {
                assert_int_equal(r.prompt_tokens, 11);
                assert_true(r.completion_tokens > 0);
            }
            rag_buf_dispose(&h.text);
        }
}

static void test_not_streamed(void **state)
{
    rag_chat_result r;
    rag_error err;
    heard h = {0};

    (void)state;
    for (size_t p = 0; p < 2; p++) {
        rag_chat_opts o = remote(providers[p], "text=" ANSWER_URL);

        o.stream = false;
        OK(talk(&h, &r, o, &err), &err);
        assert_string_equal(h.text.ptr, ANSWER);
        assert_int_equal(h.n_pieces, 1);
        assert_int_equal(r.completion_tokens, 7);
        rag_buf_dispose(&h.text);
    }
}

static void test_request(void **state)
{
    rag_chat_opts o = remote("openai", "creq");
    rag_chat_result r;
    rag_error err;
    heard h = {0};
    rag_buf last;

    (void)state;
    o.key = "sk-7";
    o.temperature = 0.25;
    o.max_tokens = 99;
    OK(talk(&h, &r, o, &err), &err);
    rag_buf_dispose(&h.text);
    fake_get(&last, &server, "creq", "/last");
    assert_non_null(strstr(last.ptr, "POST /x/creq/v1/chat/completions HTTP"));
    assert_non_null(strstr(last.ptr, "Bearer sk-7\r\n"));
    assert_non_null(strstr(
        last.ptr,
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be "
        "brief.\"},{\"role\":\"user\",\"content\":\"\xEB\xAC\xBC\xEC\x9D\x8C?\""
        "}],\"temperature\":0.25,\"max_tokens\":99,\"stream\":true,"
        "\"stream_options\":{\"include_usage\":true}}"));
    rag_buf_dispose(&last);

    o = remote("ollama", "creq");
    o.temperature = 0;
    o.max_tokens = 5;
    o.context_tokens = 4096;
    OK(talk(&h, &r, o, &err), &err);
    rag_buf_dispose(&h.text);
    fake_get(&last, &server, "creq", "/last");
    assert_non_null(strstr(last.ptr, "POST /x/creq/api/chat HTTP"));
    assert_non_null(strstr(last.ptr,
                           "\"stream\":true,\"truncate\":false,\"options\":{"
                           "\"num_ctx\":4096,\"temperature\":0,"
                           "\"num_predict\":5}}"));
    rag_buf_dispose(&last);
    o = remote("ollama", "creq");
    o.temperature = -1;
    OK(talk(&h, &r, o, &err), &err);
    rag_buf_dispose(&h.text);
    fake_get(&last, &server, "creq", "/last");
    assert_non_null(strstr(last.ptr, "\"options\":{\"num_ctx\":8192}}"));
    rag_buf_dispose(&last);
}

static void test_token_limit(void **state)
{
    rag_chat_result r;
    rag_error err;
    heard h = {0};

    (void)state;
    for (size_t p = 0; p < 2; p++) {
        OK(talk(&h, &r, remote(providers[p], "finish=length"), &err), &err);
        assert_true(r.cut);
        assert_false(r.withheld);
        assert_true(h.text.len != 0);
        rag_buf_dispose(&h.text);
        OK(talk(&h, &r, remote(providers[p], "finish=content_filter"), &err),
           &err);
        assert_true(r.cut && r.withheld);
        rag_buf_dispose(&h.text);
    }
}

/* Streams that end in other ways than they should. */
static void test_broken_streams(void **state)
{
    static const struct {
        const char *list;
        rag_status st;
        const char *says;
        bool cut; /* some text was given */
    } cases[] = {
        {"noend", RAG_E_NET, "the answer broke off", true},
        {"cut=400", RAG_E_NET, "broke off", true},
        {"cut=20,x", RAG_E_NET, "broke off", false},
        {"error_after=0", RAG_E_REMOTE, "model crashed", false},
        {"error_after=2", RAG_E_REMOTE, "model crashed", true},
        {"badjson", RAG_E_REMOTE, "not JSON", false},
        {"badutf8", RAG_E_REMOTE, "", false},
        {"deep", RAG_E_REMOTE, "not JSON", false},
        {"redirect", RAG_E_REMOTE, "not followed", false},
        {"key=k", RAG_E_AUTH, "API key", false},
        {"status=404,message=model%20'm'%20not%20found", RAG_E_REMOTE,
         "model 'm' not found", false},
        {"status=400,message=bad", RAG_E_REMOTE, "bad", false},
    };
    rag_chat_result r;
    rag_error err;
    heard h = {0};

    (void)state;
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        rag_status st =
            talk(&h, &r, remote(providers[i % 2], cases[i / 2].list), &err);

        if (st != cases[i / 2].st)
            fail_msg("%s %s: %s", providers[i % 2], cases[i / 2].list,
                     rag_status_name(st));
        assert_non_null(strstr(err.msg, cases[i / 2].says));
        assert_int_equal(r.cut, cases[i / 2].cut);
        assert_int_equal(h.text.len != 0, cases[i / 2].cut);
        rag_buf_dispose(&h.text);
    }
    for (size_t p = 0; p < 2; p++) {
        assert_int_equal(talk(&h, &r, remote(providers[p], "huge=32"), &err),
                         RAG_E_NET);
        rag_buf_dispose(&h.text);
        assert_int_equal(talk(&h, &r, remote(providers[p], "html"), &err),
                         p == 0 ? RAG_E_NET : RAG_E_REMOTE);
        rag_buf_dispose(&h.text);
        assert_int_equal(talk(&h, &r, remote(providers[p], "empty"), &err),
                         RAG_E_NET);
        rag_buf_dispose(&h.text);
    }
    /* text had come: it is not asked again */
    assert_int_equal(fake_stat(&server, "cut=400", "requests"), 2);
}

static void test_overflow(void **state)
{
    static const struct {
        const char *provider, *list;
        int64_t prompt, context;
    } cases[] = {
        {"openai", "overflow", 6031, 2048},
        {"openai", "overflow=openai,n=9000,ctx=8192", 9000, 8192},
        {"openai", "overflow=vllm,n=5000,ctx=4096", 5000, 4096},
        {"ollama", "overflow", -1, -1},
        {"openai", "status=500,message=exceeds%20the%20context%20window", -1,
         -1},
    };
    rag_chat_result r;
    rag_error err;
    heard h = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(
            talk(&h, &r, remote(cases[i].provider, cases[i].list), &err),
            RAG_E_LIMIT);
        assert_int_equal(r.prompt_tokens, cases[i].prompt);
        assert_int_equal(r.context_tokens, cases[i].context);
        assert_non_null(strstr(err.msg, "lower chat.context_tokens"));
        assert_int_equal(fake_stat(&server, cases[i].list, "requests") -
                             (i == 3), /* its list was used before */
                         1);
        rag_buf_dispose(&h.text);
    }
}

/* Models that refuse a parameter get the request without it. */
static void test_quirks(void **state)
{
    static const char *const quirks[] = {"max_tokens", "temperature",
                                         "stream_options"};
    rag_chat_result r;
    rag_error err;
    heard h = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char list[64];
        rag_chat_opts o;

        snprintf(list, sizeof list, "quirk=%s", quirks[i]);
        o = remote("openai", list);
        o.max_tokens = 10;
        OK(talk(&h, &r, o, &err), &err);
        assert_int_equal(fake_stat(&server, list, "requests"), 2);
        rag_buf_dispose(&h.text);
    }
    assert_int_equal(talk(&h, &r, remote("openai", "quirk=messages"), &err),
                     RAG_E_REMOTE);
    rag_buf_dispose(&h.text);
}

static bool at_fourth(void *ctx)
{
    return ++*(int *)ctx > 4;
}

static void test_stops(void **state)
{
    rag_chat_opts o = remote("openai", "body_ms=60,stops");
    rag_chat_result r;
    rag_error err;
    heard h = {.stop_after = 2};
    int asked = 0;

    (void)state;
    assert_int_equal(talk(&h, &r, o, &err), RAG_E_IO);
    assert_string_equal(err.msg, "stdout: broken pipe");
    assert_int_equal(h.n_pieces, 2);
    rag_buf_dispose(&h.text);
    h.stop_after = 0;
    o = remote("openai", "body_ms=60,stops");
    o.cancelled = at_fourth;
    o.cancel_ctx = &asked;
    assert_int_equal(talk(&h, &r, o, &err), RAG_E_CANCELLED);
    rag_buf_dispose(&h.text);
}

static void test_bad_opts(void **state)
{
    rag_chat_opts o = remote("openai", "x");
    rag_chat *c;
    rag_error err;

    (void)state;
    o.provider = "builtin";
    assert_int_equal(rag_chat_new(&c, &o, &err), RAG_E_INVAL);
    o = remote("openai", "x");
    o.model = "a\r\nb";
    assert_int_equal(rag_chat_new(&c, &o, &err), RAG_E_INVAL);
    o = remote("openai", "x");
    o.url = "http://example.org";
    assert_int_equal(rag_chat_new(&c, &o, &err), RAG_E_INVAL);
    assert_null(c);
    rag_chat_free(NULL);
}

static void test_check(void **state)
{
    static const struct {
        const char *list;
        rag_status openai, ollama;
    } cases[] = {{"ok", RAG_OK, RAG_OK},
                 {"key=k,c", RAG_E_AUTH, RAG_E_AUTH},
                 {"status=404,c", RAG_OK, RAG_E_REMOTE},
                 {"status=503,c", RAG_E_REMOTE, RAG_E_REMOTE}};
    rag_error err;

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        rag_chat_opts o = remote(providers[i % 2], cases[i / 2].list);
        double ms = -1;
        rag_chat *c;

        OK(rag_chat_new(&c, &o, &err), &err);
        assert_int_equal(rag_chat_check(c, &ms, &err),
                         i % 2 == 0 ? cases[i / 2].openai
                                    : cases[i / 2].ollama);
        assert_true(ms >= 0);
        rag_chat_free(c);
    }
    assert_non_null(strstr(err.msg, "503"));
}

/* ---- pure parts */

static void glued(const char *const *pieces, const char *want)
{
    rag_error err;
    rag_glue g;
    rag_buf all;
    rag_str whole;

    rag_glue_init(&g, 1000);
    rag_buf_init(&all, 1000);
    for (; *pieces != NULL; pieces++) {
        rag_buf safe;
        bool split;

        rag_buf_init(&safe, 1000);
        rag_glue_protect(&safe, &split, rag_str_of(*pieces));
        assert_true(rag_utf8_valid(rag_buf_str(&safe)));
        OK(rag_glue_add(&whole, &g, rag_buf_str(&safe), split, &err), &err);
        assert_true(rag_utf8_valid(whole));
        rag_buf_adds(&all, whole);
        rag_buf_dispose(&safe);
    }
    OK(rag_glue_end(&whole, &g, &err), &err);
    rag_buf_adds(&all, whole);
    assert_string_equal(all.ptr, want);
    rag_buf_dispose(&all);
    rag_glue_dispose(&g);
}

static void test_glue(void **state)
{
    static const struct {
        const char *pieces[6];
        const char *want;
    } cases[] = {
        {{"abc", "d"}, "abcd"},
        {{"\xEC", "\x95", "\x88"}, "\xEC\x95\x88"},
        {{"a\xF0\x9F", "\x98\x80z"}, "a\xF0\x9F\x98\x80z"},
        {{"\xEC\x95"}, "\xEF\xBF\xBD"},
        {{"\xEC", "a"},
         "\xEF\xBF\xBD"
         "a"},
        {{"\x80", "a"},
         "\xEF\xBF\xBD"
         "a"},
        {{"\xFF\xFE"}, "\xEF\xBF\xBD\xEF\xBF\xBD"},
        /* a private character of the server, alone and beside a stray byte */
        {{"\xF4\x8F\xBE\x80"}, "\xF4\x8F\xBE\x80"},
        {{"\xF4\x8F\xBE\x80\xFF"}, "\xEF\xBF\xBD\xEF\xBF\xBD"},
        /* escapes: kept, except for what no parser can take */
        {{"\\n\\\\u0000\\u00e9"}, "\\n\\\\u0000\\u00e9"},
        {{"\\u0000"}, "\xEF\xBF\xBD"},
        {{"\\ud83d\\ude00"}, "\\ud83d\\ude00"},
        {{"\\ud83d", "\\ude00"}, "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {{"\\ud83dx\\"}, "\xEF\xBF\xBDx\\"},
        {{"\\\xFFu0000"}, "\\\xEF\xBF\xBDu0000"},
        {{"\\u00"}, "\\u00"},
        {{""}, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        glued(cases[i].pieces, cases[i].want);
}

static void endpoint(const rag_endpoint *ep, const char *set, const char *want)
{
    rag_error err;
    char *url;

    OK(rag_endpoint_url(&url, ep, set, &err), &err);
    assert_string_equal(url, want);
    rag_free(url);
}

static void test_endpoints(void **state)
{
    const rag_endpoint *a = &rag_endpoint_openai;
    const rag_endpoint *b = &rag_endpoint_ollama;

    (void)state;
    endpoint(a, NULL, "https://api.openai.com/v1");
    endpoint(a, "", "https://api.openai.com/v1");
    endpoint(a, "http://127.0.0.1:8080", "http://127.0.0.1:8080/v1");
    endpoint(a, "http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1");
    endpoint(a, "https://h.example/api/v3", "https://h.example/api/v3");
    endpoint(b, NULL, "http://127.0.0.1:11434");
    endpoint(b, "0.0.0.0", "http://127.0.0.1:11434");
    endpoint(b, "localhost:9/v1", "http://localhost:9");
    endpoint(b, "https://h.example/api/", "https://h.example");
    endpoint(b, "https://h.example/ollama", "https://h.example/ollama");
}

static rag_status quiet(void *ctx, rag_str piece, rag_error *err)
{
    (void)ctx;
    (void)piece;
    (void)err;
    return RAG_OK;
}

static rag_status talk_oom(const char *provider)
{
    rag_chat_opts o = remote(provider, "oom,split=9");
    rag_chat_result r;
    rag_chat *c = NULL;
    rag_status st = rag_chat_new(&c, &o, NULL);

    if (st == RAG_OK)
        st = rag_chat_run(&r, c, messages, 2, quiet, NULL, NULL);
    rag_chat_free(c);
    return st;
}

static void test_oom(void **state)
{
    (void)state;
    CHECK_OOM(talk_oom("openai"));
    CHECK_OOM(talk_oom("ollama"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_glue),
                                       cmocka_unit_test(test_endpoints),
                                       cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_not_streamed),
                                       cmocka_unit_test(test_request),
                                       cmocka_unit_test(test_token_limit),
                                       cmocka_unit_test(test_broken_streams),
                                       cmocka_unit_test(test_overflow),
                                       cmocka_unit_test(test_quirks),
                                       cmocka_unit_test(test_stops),
                                       cmocka_unit_test(test_bad_opts),
                                       cmocka_unit_test(test_check),
                                       cmocka_unit_test(test_oom)};

    return cmocka_run_group_tests(tests, fake_set_up, fake_tear_down);
}
