#include "test.h"

#include <math.h>

#include "../fake/fakeuse.h"
#include "model/rerank.h"
#include "model/rerank_priv.h"

static const char query[] = "reset the device power button";
#define T(s)                                                                   \
    {                                                                          \
        s, sizeof(s) - 1                                                       \
    }
static const rag_str texts[] = {
    T("A kettle boils water."),
    T("To reset the device, hold the power button."),
    T("The device is blue."),
    T("The power button is on the device."),
    T("Nothing of this is about it."),
};
#define N (sizeof texts / sizeof *texts)
/* shares of the five words that the texts hold */
static const double shares[N] = {0, 1, 0.4, 0.8, 0};

static rag_rerank_opts at(const char *list, const char *end)
{
    rag_rerank_opts o = {.provider = "http", .model = "m"};

    o.url = fake_url(&server, list, end);
    return o;
}

static rag_reranker *reranker(rag_rerank_opts o)
{
    rag_reranker *r;
    rag_error err;

    OK(rag_rerank_new(&r, &o, &err), &err);
    return r;
}

/* Reranks the texts with a client of its own. */
static rag_status rank(double *scores, rag_rerank_about *about,
                       rag_rerank_opts o, rag_error *err)
{
    rag_reranker *r = reranker(o);
    rag_status st = rag_rerank(scores, r, rag_str_of(query), texts, N, err);

    *about = rag_rerank_last(r);
    rag_rerank_free(r);
    return st;
}

static void near(double got, double want)
{
    if (!(fabs(got - want) < 1e-5))
        fail_msg("%f instead of %f", got, want);
}

/* ---- the same scores, however they are said ----------------------------- */

static void test_dialects(void **state)
{
    static const char *const lists[][2] = {
        {"d1", "/v1"},
        {"d2", ""},
        {"d3", "/v1/rerank"},
        {"d4", "/rerank"},
        {"d5", "/v2"},
        {"d6,unsorted", "/v1"},
        {"d7,documents", "/v1"},
        {"d8,tei", "/v1"},
        {"d9,tei", ""},
        {"d10,tei", "/rerank"},
        {"d11,rootonly", "/v1"},
        {"d12,rootonly", ""},
        {"d13,net=7", "/v1"},
        {"d14,fail=503.1.0", "/v1"},
        {"d15,drop=1", "/v1"},
        {"d16,max=2", "/v1"},
        {"d17,max=1,refuse=422", "/v1"},
        {"d18,tei,max=3,refuse=413", "/v1"},
    };
    rag_rerank_about about;
    double scores[N];
    rag_error err;

    (void)state;
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
        OK(rank(scores, &about, at(lists[k][0], lists[k][1]), &err), &err);
        for (size_t i = 0; i < N; i++)
            near(scores[i], 0.02 + 0.96 * shares[i]);
        assert_false(about.raw);
        assert_int_equal(about.n_unscored, 0);
        assert_int_equal(about.n_cut, 0);
        near(about.lowest, 0.02);
        near(about.highest, 0.98);
    }
}

static void test_logits(void **state)
{
    rag_rerank_about about;
    double scores[N];
    rag_error err;

    (void)state;
    OK(rank(scores, &about, at("logits", "/v1"), &err), &err);
    assert_true(about.raw);
    near(about.lowest, -8);
    near(about.highest, 8);
    for (size_t i = 0; i < N; i++)
        near(scores[i], 1 / (1 + exp(8 - 16 * shares[i])));
    /* batches are scaled together: one alone might look like probabilities */
    {
        rag_rerank_opts o = at("logits,b1", "/v1");

        o.batch_texts = 1;
        OK(rank(scores, &about, o, &err), &err);
        for (size_t i = 0; i < N; i++)
            near(scores[i], 1 / (1 + exp(8 - 16 * shares[i])));
    }
}

static void test_scale(void **state)
{
    double a[] = {1.0004, -0.0003, 0.5};
    double b[] = {1.2, 0.1, (double)NAN};
    double c[] = {1000, -1000};
    rag_rerank_about about;

    (void)state;
    rag_rerank_scale(a, 3, &about); /* float32 around the edges */
    assert_false(about.raw);
    assert_true(a[0] <= 1 && a[1] >= 0);
    near(a[2], 0.5);
    rag_rerank_scale(b, 3, &about);
    assert_true(about.raw);
    assert_int_equal(about.n_unscored, 1);
    assert_true(isnan(b[2]) && b[0] > b[1]);
    rag_rerank_scale(c, 2, &about);
    assert_true(isfinite(c[0]) && isfinite(c[1]) && c[0] == 1 && c[1] == 0);
}

/* ---- the request -------------------------------------------------------- */

/* The JSON that the last request below list carried. */
static rag_json *last_body(rag_buf *b, const char *list, const char *path)
{
    rag_json *root = NULL;
    size_t at_body;
    rag_error err;

    fake_get(b, &server, list, "/last");
    assert_int_equal(rag_str_find(rag_buf_str(b), rag_str_of(path)), 5);
    at_body = rag_str_find(rag_buf_str(b), RAG_STR_LIT("\r\n\r\n"));
    assert_true(at_body != SIZE_MAX);
    OK(rag_json_parse(&root, rag_str_cut(rag_buf_str(b), at_body + 4, b->len),
                      b->max_bytes, "request", &err),
       &err);
    return root;
}

static void test_request(void **state)
{
    rag_rerank_opts o = at("request", "/v1");
    rag_rerank_about about;
    double scores[N];
    const rag_json *d;
    rag_json *root;
    rag_str s;
    rag_error err;
    rag_buf b;

    (void)state;
    o.key = "secret";
    OK(rank(scores, &about, o, &err), &err);
    root = last_body(&b, "request", "/x/request/v1/rerank");
    assert_true(rag_str_find(rag_buf_str(&b),
                             RAG_STR_LIT("Authorization: Bearer secret\r\n")) !=
                SIZE_MAX);
    assert_true(rag_str_eqz(rag_json_get_str(root, "model"), "m"));
    assert_true(rag_str_eqz(rag_json_get_str(root, "query"), query));
    assert_int_equal((int)rag_json_get_num(root, "top_n", 0), N);
    d = rag_json_get(root, "documents");
    assert_int_equal(rag_json_count(d), N);
    assert_true(rag_json_str(&s, rag_json_first(d)) && rag_str_eq(s, texts[0]));
    assert_int_equal(rag_json_count(root), 4); /* some servers take no more */
    rag_json_free(root);
    rag_buf_dispose(&b);
    assert_int_equal(fake_stat(&server, "request", "requests"), 1);

    OK(rank(scores, &about, at("request,tei", "/v1"), &err), &err);
    root = last_body(&b, "request,tei", "/x/request,tei/rerank");
    assert_int_equal(rag_json_count(rag_json_get(root, "texts")), N);
    assert_true(rag_json_is_null(rag_json_get(root, "documents")));
    rag_json_free(root);
    rag_buf_dispose(&b);
    assert_int_equal(fake_stat(&server, "request,tei", "requests"), 3);
}

/* What was found out is kept; what was not is asked again. */
static void test_settles(void **state)
{
    rag_reranker *r = reranker(at("settles,tei,max=2", "/v1"));
    double scores[N];
    rag_error err;

    (void)state;
    for (int i = 0; i < 3; i++)
        OK(rag_rerank(scores, r, rag_str_of(query), texts, N, &err), &err);
    /* v1 404, root 422, five refused, three refused, 2 + 2 + 1; then 3, 3 */
    assert_int_equal(fake_stat(&server, "settles,tei,max=2", "requests"), 13);
    rag_rerank_free(r);

    r = reranker(at("nowhere,status=404,message=nothing%20here", "/v1"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            rag_rerank(scores, r, rag_str_of(query), texts, N, &err),
            RAG_E_REMOTE);
    assert_non_null(strstr(err.msg, "nothing here"));
    assert_int_equal(fake_stat(&server,
                               "nowhere,status=404,message=nothing%20here",
                               "requests"),
                     4);
    rag_rerank_free(r);
}

static void test_long_texts(void **state)
{
    static char big[3][8000];
    rag_str list[4];
    double scores[4];
    rag_reranker *r = reranker(at("maxlen=1000", "/v1"));
    rag_error err;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k + 4 < sizeof big[i]; k += 3)
            memcpy(big[i] + k, "\xEA\xB0\x80", 3); /* a syllable of Hangul */
        list[i] = rag_str_n(big[i], 7800);
    }
    memcpy(big[1], "reset the device power button ", 30);
    list[3] = texts[1];
    OK(rag_rerank(scores, r, rag_str_of(query), list, 4, &err), &err);
    assert_true(scores[1] > 0.9 && scores[3] > 0.9 && scores[0] < 0.1);
    assert_int_equal(rag_rerank_last(r).n_cut, 3);
    assert_int_equal(rag_rerank_last(r).n_unscored, 0);
    /* it is known by now */
    {
        long before = fake_stat(&server, "maxlen=1000", "requests");

        OK(rag_rerank(scores, r, rag_str_of(query), list, 4, &err), &err);
        assert_int_equal(fake_stat(&server, "maxlen=1000", "requests"),
                         before + 1);
    }
    rag_rerank_free(r);
    /* never taken: no endless cutting */
    r = reranker(at("maxlen=10", "/v1"));
    assert_int_equal(rag_rerank(scores, r, rag_str_of(query), list, 4, &err),
                     RAG_E_REMOTE);
    assert_non_null(strstr(err.msg, "too large"));
    assert_true(fake_stat(&server, "maxlen=10", "requests") < 20);
    rag_rerank_free(r);
}

/* One text that is too much at any length does not spoil the others. */
static void test_one_never_taken(void **state)
{
    rag_str list[3] = {texts[1], texts[2], texts[3]};
    double scores[3];
    rag_reranker *r = reranker(at("maxlen=40", "/v1"));
    rag_error err;

    (void)state;
    list[0] = texts[2]; /* 19 bytes */
    list[1] = texts[1]; /* 43 bytes */
    OK(rag_rerank(scores, r, rag_str_of(query), list, 3, &err), &err);
    near(scores[0], 0.02 + 0.96 * 0.4);
    assert_true(isnan(scores[1]));
    near(scores[2], 0.02 + 0.96 * 0.8);
    assert_int_equal(rag_rerank_last(r).n_unscored, 1);
    rag_rerank_free(r);
}

/* ---- replies that are none ---------------------------------------------- */

static void test_bad_replies(void **state)
{
    static const fake_case cases[] = {
        {"noindex", RAG_E_FORMAT, "index"},
        {"dupindex", RAG_E_FORMAT, "two results for text 0"},
        {"badindex", RAG_E_FORMAT, "of 5 texts"},
        {"nan", RAG_E_FORMAT, ""},
        {"null", RAG_E_FORMAT, "no number"},
        {"str", RAG_E_FORMAT, "no number"},
        {"short=0", RAG_E_FORMAT, "no results"},
        {"raw=%7B%7D", RAG_E_FORMAT, "rerank server"},
        {"raw=%7B\"error\"%3A\"loading\"%7D", RAG_E_FORMAT, "loading"},
        {"raw=%7B\"results\"%3A%5B%7B\"index\"%3A0%2C\"score\"%3A1e999%7D%5D%"
         "7D",
         RAG_E_FORMAT, ""},
        {"raw=%7B\"results\"%3A%5B%7B\"index\"%3A-1%2C\"score\"%3A1%7D%5D%7D",
         RAG_E_FORMAT, "result -1"},
        {"raw=%7B\"results\"%3A%5B%7B\"index\"%3A0.5%2C\"score\"%3A1%7D%5D%7D",
         RAG_E_FORMAT, "index"},
        {"raw=%5B%5B%5D%5D", RAG_E_FORMAT, "index"},
        {"raw=%5B1%5D", RAG_E_FORMAT, "index"},
        {"raw=5", RAG_E_FORMAT, "rerank server"},
        {"html", RAG_E_FORMAT, ""},
        {"empty", RAG_E_FORMAT, ""},
        {"badjson", RAG_E_FORMAT, ""},
        {"badutf8", RAG_E_FORMAT, ""},
        {"deep", RAG_E_FORMAT, ""},
        {"huge=64", RAG_E_LIMIT, ""},
        {"key=other", RAG_E_AUTH, ""},
        {"status=403", RAG_E_AUTH, ""},
        {"status=500", RAG_E_REMOTE, "no luck"},
        {"status=400", RAG_E_REMOTE, "no luck"},
        {"model=other", RAG_E_REMOTE, "does not exist"},
        {"cut=20", RAG_E_NET, ""},
    };
    rag_rerank_about about;
    double scores[N];
    rag_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char list[256];
        rag_status st;

        snprintf(list, sizeof list, "bad%zu,%s", i, cases[i].list);
        err.msg[0] = '\0';
        st = rank(scores, &about, at(list, "/v1"), &err);
        if (!fake_ended(&cases[i], st, &err))
            fail_msg("%s: %s: %s", cases[i].list, rag_status_name(st), err.msg);
    }
}

static void test_short(void **state)
{
    rag_rerank_about about;
    double scores[N];
    rag_error err;

    (void)state;
    OK(rank(scores, &about, at("short=2", "/v1"), &err), &err);
    near(scores[1], 0.98);
    near(scores[3], 0.02 + 0.96 * 0.8);
    assert_true(isnan(scores[0]) && isnan(scores[2]) && isnan(scores[4]));
    assert_int_equal(about.n_unscored, 3);
}

static void test_down(void **state)
{
    rag_rerank_opts o = {
        .provider = "http", .model = "m", .url = "http://127.0.0.1:9/v1"};
    rag_rerank_about about;
    double scores[N];
    double ms;
    rag_reranker *r;
    rag_error err;

    (void)state;
    assert_int_equal(rank(scores, &about, o, &err), RAG_E_NET);
    r = reranker(at("check", "/v1"));
    OK(rag_rerank_check(r, &ms, &err), &err);
    assert_true(ms > 0);
    rag_rerank_free(r);
    r = reranker(at("check,fail=503.1", "/v1"));
    assert_int_equal(rag_rerank_check(r, &ms, &err), RAG_E_REMOTE);
    assert_int_equal(fake_stat(&server, "check,fail=503.1", "requests"), 1);
    rag_rerank_free(r);
}

static void test_bad_opts(void **state)
{
    rag_rerank_opts o = {.provider = "http", .model = "m"};
    rag_reranker *r;
    rag_error err;

    (void)state;
    assert_int_equal(rag_rerank_new(&r, &o, &err), RAG_E_INVAL);
    assert_null(r);
    assert_non_null(strstr(err.msg, "rerank.url"));
    o.url = "http://192.0.2.1/v1"; /* plain http to another machine */
    assert_int_equal(rag_rerank_new(&r, &o, &err), RAG_E_INVAL);
    o.url = "http://127.0.0.1:1/v1";
    o.model = "";
    assert_int_equal(rag_rerank_new(&r, &o, &err), RAG_E_INVAL);
    o.model = "m";
    o.key = "a\r\nb: c";
    assert_int_equal(rag_rerank_new(&r, &o, &err), RAG_E_INVAL);
    o.key = NULL;
    o.provider = "grpc";
    assert_int_equal(rag_rerank_new(&r, &o, &err), RAG_E_INVAL);
    o.provider = "http";
    OK(rag_rerank_new(&r, &o, &err), &err);
    {
        double score;

        OK(rag_rerank(&score, r, rag_str_of("q"), NULL, 0, &err), &err);
        assert_int_equal(rag_rerank(&score, r, rag_str_of("q"), texts,
                                    RAG_RERANK_MAX_TEXTS + 1, &err),
                         RAG_E_LIMIT);
    }
    rag_rerank_free(r);
}

/* ---- built in ------------------------------------------------------------ */

static void test_builtin(void **state)
{
    rag_rerank_opts o = {
        .provider = "builtin", .model = "x", .model_path = "fakecross"};
    static char big[200];
    rag_str many[100];
    double scores[100];
    double ms;
    rag_reranker *r = reranker(o);
    rag_error err;

    (void)state;
    memset(big, 'a', sizeof big);
    for (size_t i = 0; i < 100; i++)
        many[i] = rag_str_n(big, 2 * i);
    OK(rag_rerank(scores, r, rag_str_of(query), many, 100, &err), &err);
    for (size_t i = 0; i < 100; i++)
        near(scores[i], (double)(2 * i) / 256);
    assert_false(rag_rerank_last(r).raw);
    OK(rag_rerank_check(r, &ms, &err), &err);
    rag_rerank_free(r);

    o.model_path = "fake"; /* an embedding model */
    assert_int_equal(rag_rerank_new(&r, &o, &err), RAG_E_INVAL);
    assert_non_null(strstr(err.msg, "no reranker"));
    o.model_path = "fakecross3";
    assert_int_equal(rag_rerank_new(&r, &o, &err), RAG_E_INVAL);
    assert_non_null(strstr(err.msg, "3 classes"));
    o.model_path = "nowhere";
    assert_int_equal(rag_rerank_new(&r, &o, &err), RAG_E_NOTFOUND);
    o.model_path = NULL;
    assert_int_equal(rag_rerank_new(&r, &o, &err), RAG_E_NOTFOUND);
}

static bool stop(void *ctx)
{
    (void)ctx;
    return true;
}

static void test_interrupted(void **state)
{
    rag_rerank_opts o = at("hang", "/v1");
    rag_rerank_about about;
    double scores[N];
    rag_error err;

    (void)state;
    o.cancelled = stop;
    assert_int_equal(rank(scores, &about, o, &err), RAG_E_CANCELLED);
}

static rag_status all(const char *list)
{
    rag_rerank_opts o = at(list, "/v1");
    double scores[N];
    rag_reranker *r;
    rag_status st = rag_rerank_new(&r, &o, NULL);

    if (st == RAG_OK)
        st = rag_rerank(scores, r, rag_str_of(query), texts, N, NULL);
    rag_rerank_free(r);
    return st;
}

static void test_oom(void **state)
{
    rag_rerank_about about;
    double scores[N];

    (void)state;
    /* the library's own first use */
    (void)rank(scores, &about, at("oom", "/v1"), NULL);
    CHECK_OOM(all("oom"));
    CHECK_OOM(all("oom,max=2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialects),
        cmocka_unit_test(test_logits),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_settles),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_one_never_taken),
        cmocka_unit_test(test_bad_replies),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_bad_opts),
        cmocka_unit_test(test_builtin),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, fake_set_up, fake_tear_down);
}
