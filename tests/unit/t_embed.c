#include "test.h"

#include <math.h>

#include "../fake/fakeuse.h"
#include "model/embed.h"
#include "model/floats.h"

#define N 300u
static char text_bytes[N][32];
static rag_str texts[N];

static void make_texts(void)
{
    for (size_t i = 0; i < N; i++) {
        snprintf(text_bytes[i], sizeof text_bytes[i], "text number %zu", i);
        texts[i] = rag_str_of(text_bytes[i]);
    }
}

/* What done() was given: every text's vector, once. */
typedef struct got {
    float *v; /* [N x dims] */
    size_t dims;
    size_t n_texts, n_calls;
    bool seen[N];
    bool twice;
} got;

static rag_status keep(void *ctx, size_t first, size_t n, const float *vectors,
                       size_t dims, rag_error *err)
{
    got *g = ctx;

    if (g->v == NULL)
        g->v = calloc(N * dims, sizeof *g->v);
    if (g->v == NULL || first + n > N)
        return rag_fail(err, RAG_E_INVAL, "wrong range");
    g->dims = dims;
    g->n_calls++;
    for (size_t i = first; i < first + n; i++) {
        g->twice = g->twice || g->seen[i];
        g->seen[i] = true;
        g->n_texts++;
    }
    memcpy(g->v + first * dims, vectors, n * dims * sizeof *vectors);
    return RAG_OK;
}

static rag_embed_opts remote(const char *provider, const char *list)
{
    rag_embed_opts o = {.provider = provider, .model = "m"};

    o.url =
        fake_url(&server, list, strcmp(provider, "openai") == 0 ? "/v1" : "");
    return o;
}

static rag_embedder *embedder(const rag_embed_opts *o)
{
    rag_embedder *e;
    rag_error err;

    OK(rag_embed_new(&e, o, &err), &err);
    return e;
}

/* Embeds the first n texts; *g is to be freed with free(g->v). */
static rag_status embed(got *g, rag_embed_opts o, size_t n, rag_error *err)
{
    rag_embedder *e = embedder(&o);
    rag_status st;

    memset(g, 0, sizeof *g);
    st = rag_embed(e, texts, n, RAG_EMBED_PASSAGE, keep, g, err);
    rag_embed_free(e);
    return st;
}

static void check_complete(const got *g, size_t n, size_t dims)
{
    assert_int_equal(g->n_texts, n);
    assert_int_equal(g->dims, dims);
    assert_false(g->twice);
    for (size_t i = 0; i < n; i++) {
        double sum = 0;

        for (size_t k = 0; k < dims; k++)
            sum += (double)g->v[i * dims + k] * (double)g->v[i * dims + k];
        assert_true(fabs(sum - 1) < 1e-5);
    }
}

/* Vectors of one text at a time: what every batching must give as well. */
static void reference(float *v, size_t n, size_t dims)
{
    rag_embed_opts o = remote("openai", "dims=32");
    rag_embedder *e = embedder(&o);
    rag_error err;

    for (size_t i = 0; i < n; i++)
        OK(rag_embed_one(v + i * dims, dims, e, texts[i], RAG_EMBED_PASSAGE,
                         &err),
           &err);
    rag_embed_free(e);
}

static void test_same_vectors(void **state)
{
    static const char *const lists[] = {
        "dims=32,a",
        "dims=32,reverse",
        "dims=32,base64",
        "dims=32,net=7",
        "dims=32,noindex",
        "dims=32,fail=500.2",
        "dims=32,max=5",
        "dims=32,max=1",
        "dims=32,max=9,refuse=413",
        "dims=32,drop=1",
        "dims=32,fail=503.3.0",
        "dims=32,max=20,refuse=500,message=batch%20too%20large"};
    static const char *const providers[] = {"openai", "ollama"};
    float *want = calloc(40 * 32, sizeof *want);
    rag_error err;
    got g;

    (void)state;
    assert_non_null(want);
    reference(want, 40, 32);
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
            rag_embed_opts o;
            char list[128];

            if (p == 1 && strstr(lists[i], "reverse") != NULL)
                continue; /* Ollama's vectors have no numbers */
            snprintf(list, sizeof list, "%s,%s", lists[i], providers[p]);
            o = remote(providers[p], list);
            o.batch_texts = 16;
            OK(embed(&g, o, 40, &err), &err);
            check_complete(&g, 40, 32);
            for (size_t k = 0; k < 40 * 32; k++)
                assert_true(fabsf(g.v[k] - want[k]) < 1e-6f);
            free(g.v);
        }
    free(want);
}

static void test_batches(void **state)
{
    rag_embed_opts o = remote("openai", "batches");
    rag_error err;
    got g;

    (void)state;
    o.batch_texts = 50;
    OK(embed(&g, o, N, &err), &err);
    check_complete(&g, N, 384);
    assert_int_equal(g.n_calls, 6);
    assert_int_equal(fake_stat(&server, "batches", "texts"), N);
    assert_int_equal(fake_stat(&server, "batches", "embed"), 6);
    free(g.v);
    /* "text number 12": 5 tokens as estimated */
    o = remote("openai", "tokens");
    o.batch_tokens = 50;
    OK(embed(&g, o, 100, &err), &err);
    check_complete(&g, 100, 384);
    assert_int_equal(g.n_calls, 10);
    free(g.v);
    o = remote("openai", "head_ms=50");
    o.batch_texts = 10;
    o.n_in_flight = 3;
    OK(embed(&g, o, 60, &err), &err);
    assert_int_equal(fake_stat(&server, "head_ms=50", "most_at_once"), 3);
    free(g.v);
}

static void test_request(void **state)
{
    rag_embed_opts o = remote("openai", "request");
    rag_embedder *e;
    float v[384];
    rag_error err;
    rag_buf last;

    (void)state;
    o.key = "sk-1";
    o.query_prefix = "Q: ";
    o.passage_prefix = "P: ";
    o.dims_asked = 100;
    e = embedder(&o);
    assert_int_equal(rag_embed_dims(e), 0);
    OK(rag_embed_one(v, 384, e, RAG_STR_LIT("a\"\xEA\xB0\x80\xFF"),
                     RAG_EMBED_QUERY, &err),
       &err);
    assert_int_equal(rag_embed_dims(e), 100);
    fake_get(&last, &server, "request", "/last");
    assert_non_null(strstr(last.ptr, "POST /x/request/v1/embeddings HTTP"));
    assert_non_null(strstr(last.ptr, "Bearer sk-1\r\n"));
    assert_non_null(
        strstr(last.ptr, "{\"model\":\"m\",\"encoding_format\":\"float\","
                         "\"dimensions\":100,\"input\":[\"Q: a\\\"\xEA\xB0\x80"
                         "\xEF\xBF\xBD\"]}"));
    rag_buf_dispose(&last);
    assert_int_equal(rag_embed_one(v, 99, e, texts[0], RAG_EMBED_PASSAGE, &err),
                     RAG_E_LIMIT);
    fake_get(&last, &server, "request", "/last");
    assert_non_null(strstr(last.ptr, "\"P: text number 0\""));
    rag_buf_dispose(&last);
    rag_embed_free(e);

    o = remote("ollama", "request");
    e = embedder(&o);
    OK(rag_embed_one(v, 384, e, texts[0], RAG_EMBED_QUERY, &err), &err);
    fake_get(&last, &server, "request", "/last");
    assert_non_null(strstr(last.ptr, "POST /x/request/api/embed HTTP"));
    assert_non_null(strstr(last.ptr, "{\"model\":\"m\",\"truncate\":false,"
                                     "\"input\":[\"text number 0\"]}"));
    rag_buf_dispose(&last);
    rag_embed_free(e);
}

static void test_fingerprint(void **state)
{
    rag_embed_opts o = remote("openai", "x");
    rag_embedder *e;

    (void)state;
    e = embedder(&o);
    assert_string_equal(rag_embed_fingerprint(e), "openai:m");
    rag_embed_free(e);
    o.query_prefix = "a\" b\\";
    o.passage_prefix = "p: ";
    o.dims_asked = 7;
    o.key = "sk-1";
    e = embedder(&o);
    assert_string_equal(rag_embed_fingerprint(e),
                        "openai:m dims=7 query=\"a\\\" b\\\\\" passage=\"p: "
                        "\"");
    rag_embed_free(e);
}

static void test_bad_opts(void **state)
{
    static const char *const urls[] = {"http://example.org", "ftp://x",
                                       "http://u:p@127.0.0.1"};
    rag_embed_opts o = remote("openai", "x");
    rag_embedder *e;
    rag_error err;

    (void)state;
    o.provider = "nobody";
    assert_int_equal(rag_embed_new(&e, &o, &err), RAG_E_INVAL);
    o = remote("openai", "x");
    o.model = "a\nb";
    assert_int_equal(rag_embed_new(&e, &o, &err), RAG_E_INVAL);
    o.model = "";
    assert_int_equal(rag_embed_new(&e, &o, &err), RAG_E_INVAL);
    o = remote("openai", "x");
    o.key = "a\r\nX: 1";
    assert_int_equal(rag_embed_new(&e, &o, &err), RAG_E_INVAL);
    o.key = NULL;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        o.url = urls[i];
        assert_int_equal(rag_embed_new(&e, &o, &err), RAG_E_INVAL);
        assert_null(e);
    }
    o = remote("builtin", "x");
    assert_int_equal(rag_embed_new(&e, &o, &err), RAG_E_NOTFOUND);
    rag_embed_free(NULL);
}

/* behaviour, code, words of the message */
static void test_bad_replies(void **state)
{
    static const fake_case cases[] = {
        {"count=-1", RAG_E_FORMAT, "vectors for 3 texts"},
        {"count=1", RAG_E_FORMAT, "vectors for 3 texts"},
        {"nan", RAG_E_FORMAT, "not JSON"},
        {"null", RAG_E_FORMAT, "not a list of numbers"},
        {"str", RAG_E_FORMAT, "not a list of numbers"},
        {"zero", RAG_E_FORMAT, "is zero"},
        {"badutf8", RAG_E_FORMAT, "UTF-8"},
        {"nul", RAG_E_FORMAT, ""},
        {"deep", RAG_E_FORMAT, "not JSON"},
        {"html", RAG_E_FORMAT, "not JSON"},
        {"empty", RAG_E_FORMAT, "empty"},
        {"badjson", RAG_E_FORMAT, "not JSON"},
        {"huge=200", RAG_E_LIMIT, "cap"},
        {"redirect", RAG_E_REMOTE, "not followed"},
        {"key=k", RAG_E_AUTH, "API key"},
        {"status=403", RAG_E_AUTH, "403"},
        {"status=404,message=model%20not%20found", RAG_E_REMOTE,
         "model not found"},
        {"status=501", RAG_E_REMOTE, "501"},
        {"dims=20000", RAG_OK, ""}, /* the stand-in gives 384 */
    };
    static const char *const openai_only[] = {"dupindex", "badindex"};
    rag_error err;
    got g;

    (void)state;
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        const char *provider = i % 2 == 0 ? "openai" : "ollama";
        rag_status st = embed(&g, remote(provider, cases[i / 2].list), 3, &err);

        if (!fake_ended(&cases[i / 2], st, &err))
            fail_msg("%s %s: %s %s", provider, cases[i / 2].list,
                     rag_status_name(st), st != RAG_OK ? err.msg : "");
        free(g.v);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(embed(&g, remote("openai", openai_only[i]), 3, &err),
                         RAG_E_FORMAT);
        free(g.v);
    }
}

static void test_changed_dims(void **state)
{
    rag_embed_opts o = remote("openai", "dims=16,dims2=17");
    rag_error err;
    got g;

    (void)state;
    o.batch_texts = 10;
    o.n_in_flight = 1;
    assert_int_equal(embed(&g, o, 30, &err), RAG_E_FORMAT);
    assert_non_null(strstr(err.msg, "17 numbers"));
    assert_int_equal(g.n_texts, 10); /* the good ones were given out */
    free(g.v);
    o = remote("openai", "dims=16,x");
    o.dims_asked = 8;
    OK(embed(&g, o, 3, &err), &err);
    assert_int_equal(g.dims, 8);
    free(g.v);
}

/* One text that the server refuses: found, named; everything that was on its
 * way or in the same batch is done. */
static void test_offender(void **state)
{
    static const int statuses[] = {400, 413, 422, 500};
    rag_error err;
    got g;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char list[128];
        rag_embed_opts o;
        rag_embedder *e;

        snprintf(list, sizeof list,
                 "marker=number%%2077,refuse=%d,"
                 "message=input%%20is%%20too%%20large",
                 statuses[i]);
        o = remote("openai", list);
        o.batch_texts = 32;
        e = embedder(&o);
        memset(&g, 0, sizeof g);
        assert_int_equal(
            rag_embed(e, texts, N, RAG_EMBED_PASSAGE, keep, &g, &err),
            RAG_E_REMOTE);
        assert_int_equal(rag_embed_refused(e), 77);
        assert_non_null(strstr(err.msg, "text 77 (14 bytes)"));
        assert_non_null(strstr(err.msg, "too large"));
        for (size_t k = 64; k < 96; k++)
            assert_int_equal(g.seen[k], k != 77);
        assert_false(g.twice);
        free(g.v);
        /* without it the same embedder goes on */
        memset(&g, 0, sizeof g);
        OK(rag_embed(e, texts + 78, 50, RAG_EMBED_PASSAGE, keep, &g, &err),
           &err);
        assert_int_equal(rag_embed_refused(e), SIZE_MAX);
        free(g.v);
        rag_embed_free(e);
    }
    /* a server that refuses everything is not asked 2 n times */
    assert_int_equal(embed(&g, remote("openai", "status=400"), N, &err),
                     RAG_E_REMOTE);
    assert_int_equal(g.n_texts, 0);
    assert_in_range(fake_stat(&server, "status=400", "requests"), 1, 40);
}

/* The size that a server takes is learned once, not refused again and again. */
static void test_learns_batch(void **state)
{
    rag_embed_opts o = remote("openai", "max=16,learn");
    rag_error err;
    got g;

    (void)state;
    o.n_in_flight = 1;
    OK(embed(&g, o, 256, &err), &err);
    check_complete(&g, 256, 384);
    /* 64 and 32 refused, twice 32; then 16 texts each */
    assert_in_range(fake_stat(&server, "max=16,learn", "requests"), 16, 20);
    free(g.v);
}

static bool at_tenth(void *ctx)
{
    return ++*(int *)ctx > 10;
}

static void test_interrupted(void **state)
{
    int asked = 0;
    rag_embed_opts o = remote("openai", "head_ms=40,cancel");
    rag_error err;
    got g;

    (void)state;
    o.batch_texts = 2;
    o.n_in_flight = 1;
    o.cancelled = at_tenth;
    o.cancel_ctx = &asked;
    assert_int_equal(embed(&g, o, N, &err), RAG_E_CANCELLED);
    assert_in_range(g.n_texts, 1, N - 1); /* what had arrived was given out */
    free(g.v);
    /* the server dies half-way */
    o = remote("openai", "cut=500000");
    o.batch_texts = 100;
    assert_int_equal(embed(&g, o, 3, &err), RAG_OK);
    free(g.v);
}

static rag_status refuse_done(void *ctx, size_t first, size_t n,
                              const float *vectors, size_t dims, rag_error *err)
{
    (void)ctx;
    (void)first;
    (void)n;
    (void)vectors;
    (void)dims;
    return rag_fail(err, RAG_E_DB, "disk full");
}

static void test_done_stops(void **state)
{
    rag_embed_opts o = remote("openai", "donestops");
    rag_embedder *e = embedder(&o);
    rag_error err;

    (void)state;
    assert_int_equal(
        rag_embed(e, texts, N, RAG_EMBED_PASSAGE, refuse_done, NULL, &err),
        RAG_E_DB);
    assert_string_equal(err.msg, "disk full");
    rag_embed_free(e);
}

static void test_check(void **state)
{
    rag_embed_opts o = remote("openai", "check");
    rag_embedder *e = embedder(&o);
    rag_error err;
    double ms = -1;

    (void)state;
    OK(rag_embed_check(e, &ms, &err), &err);
    assert_true(ms >= 0);
    rag_embed_free(e);
    o = remote("openai", "fail=503.9,check");
    e = embedder(&o);
    assert_int_equal(rag_embed_check(e, &ms, &err), RAG_E_REMOTE);
    assert_int_equal(fake_stat(&server, "fail=503.9,check", "requests"), 1);
    rag_embed_free(e);
}

/* Texts about the same things lie close in the stand-in's mode `words`. */
static void test_words_mode(void **state)
{
    static const char *const t[] = {
        "How do I set up a proxy for the network?",
        "Network settings: the proxy is set in the file config.toml",
        "Bananas are rich in potassium",
        "\xED\x94\x84\xEB\xA1\x9D\xEC\x8B\x9C \xEC\x84\xA4\xEC\xA0\x95"};
    rag_embed_opts o = remote("openai", "words,dims=256");
    rag_embedder *e = embedder(&o);
    float v[4][256];
    double near = 0;
    double far = 0;
    rag_error err;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        OK(rag_embed_one(v[i], 256, e, rag_str_of(t[i]), RAG_EMBED_QUERY, &err),
           &err);
    for (size_t k = 0; k < 256; k++) {
        near += (double)(v[0][k] * v[1][k]);
        far += (double)(v[0][k] * v[2][k]);
    }
    assert_true(near > far + 0.2);
    rag_embed_free(e);
}

/* ---- the built-in one */

static void test_local(void **state)
{
    rag_embed_opts o = {
        .provider = "builtin", .model = "fake", .model_path = "fake"};
    rag_embedder *e = embedder(&o);
    rag_error err;
    int asked = 0;
    double ms;
    got g = {0};

    (void)state;
    assert_int_equal(rag_embed_dims(e), 8);
    assert_string_equal(rag_embed_fingerprint(e),
                        "builtin:fake sha256=abc query=\"query: \" "
                        "passage=\"passage: \"");
    OK(rag_embed(e, texts, N, RAG_EMBED_PASSAGE, keep, &g, &err), &err);
    check_complete(&g, N, 8);
    assert_true(g.n_calls >= N / 64);
    for (size_t i = 0; i < N; i++) {
        /* v[0] : v[1] is length with prefix : last byte */
        float want =
            (float)(texts[i].len + 9) / (float)texts[i].ptr[texts[i].len - 1];

        assert_true(fabsf(g.v[i * 8] / g.v[i * 8 + 1] - want) < 1e-3f);
    }
    free(g.v);
    OK(rag_embed_check(e, &ms, &err), &err);
    rag_embed_free(e);
    o.cancelled = at_tenth;
    o.cancel_ctx = &asked;
    e = embedder(&o);
    memset(&g, 0, sizeof g);
    assert_int_equal(rag_embed(e, texts, N, RAG_EMBED_QUERY, keep, &g, &err),
                     RAG_E_CANCELLED);
    rag_embed_free(e);
    free(g.v);
    o.model_path = "missing";
    assert_int_equal(rag_embed_new(&e, &o, &err), RAG_E_NOTFOUND);
}

/* ---- numbers */

static void lift_one(const char *text, double want, float tolerance)
{
    char json[256];
    rag_floats f;
    rag_error err;

    snprintf(json, sizeof json, "[%s]", text);
    rag_floats_init(&f);
    OK(rag_floats_lift(&f, rag_str_of(json), 10, &err), &err);
    if (f.n_values != 1)
        fail_msg("%s: not taken", text);
    if (!(fabsf(f.values[0] - (float)want) <= tolerance))
        fail_msg("%s: %.9g", text, (double)f.values[0]);
    rag_floats_dispose(&f);
}

static void test_numbers(void **state)
{
    static const char *const exact[] = {
        "0",
        "-0",
        "1",
        "-1.5",
        "0.1",
        "1e3",
        "1E-3",
        "1e+2",
        "123456789",
        "0.00000001",
        "1e-45",
        "3.4e38",
        "1e-320",
        "1e-999",
        "0.012705961",
        "-0.018610077286720276",
        "0.000000000000000000000000000000000000000000000000001234e50",
        "100000000000000000000000000000e-29",
        "-0.00039075525",
        "16777217",
        "0.1234567890123456789012345678901"};
    char digits[24];
    uint64_t x = 88172645463325252u;

    (void)state;
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
        float want = strtof(exact[i], NULL);

        lift_one(exact[i], (double)want, 0);
    }
    for (size_t i = 0; i < 20000; i++) {
        float f;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        f = (float)((double)(x >> 11) / 9007199254740992.0 - 0.5);
        snprintf(digits, sizeof digits, "%.9g", (double)f);
        lift_one(digits, (double)f, 0);
    }
}

static void lifts(const char *text, const char *want, size_t n_values)
{
    rag_floats f;
    rag_error err;

    rag_floats_init(&f);
    for (int twice = 0; twice < 2; twice++) {
        OK(rag_floats_lift(&f, rag_str_of(text), 1000, &err), &err);
        assert_string_equal(f.json.ptr, want);
        assert_int_equal(f.n_values, n_values);
    }
    rag_floats_dispose(&f);
}

static rag_status lift_oom(void)
{
    rag_floats f;
    rag_status st;

    rag_floats_init(&f);
    st = rag_floats_lift(&f, RAG_STR_LIT("[[1,2],[3]]"), 10, NULL);
    rag_floats_dispose(&f);
    return st;
}

static void test_lift(void **state)
{
    rag_floats f;
    rag_error err;

    (void)state;
    lifts("{\"a\":[1,2 , 3],\"b\":[ -4.5 ]}", "{\"a\":[0],\"b\":[1]}", 4);
    lifts("[[1],[2]]", "[[0],[1]]", 2);
    lifts("[]", "[]", 0);
    lifts("[1,]", "[1,]", 0);
    lifts("[1,null]", "[1,null]", 0);
    lifts("[1 2]", "[1 2]", 0);
    lifts("[1.]", "[1.]", 0);
    lifts("[.5]", "[.5]", 0);
    lifts("[1e]", "[1e]", 0);
    lifts("[-]", "[-]", 0);
    lifts("[+1]", "[+1]", 0);
    lifts("[0x10]", "[0x10]", 0);
    lifts("\"[1,2]\\\"[3]\"", "\"[1,2]\\\"[3]\"", 0);
    lifts("\"[1]", "\"[1]", 0);
    lifts("[\"a\",[7]]", "[\"a\",[0]]", 1);
    lifts("[1", "[1", 0);
    lifts("\"\\", "\"\\", 0);
    lifts("", "", 0);
    rag_floats_init(&f);
    assert_int_equal(rag_floats_lift(&f, RAG_STR_LIT("[1,2,3]"), 2, &err),
                     RAG_E_LIMIT);
    rag_floats_dispose(&f);
    CHECK_OOM(lift_oom());
}

static void test_base64(void **state)
{
    const float *v;
    size_t n;
    rag_floats f;
    rag_error err;

    (void)state;
    rag_floats_init(&f);
    OK(rag_floats_base64(&v, &n, &f, RAG_STR_LIT("AACAPwAAAMA="), 10, &err),
       &err);
    assert_int_equal(n, 2);
    assert_true(v[0] == 1.0f && v[1] == -2.0f);
    assert_int_equal(
        rag_floats_base64(&v, &n, &f, RAG_STR_LIT("AACAPwAA"), 10, &err),
        RAG_E_FORMAT);
    assert_int_equal(
        rag_floats_base64(&v, &n, &f, RAG_STR_LIT("AA!A"), 10, &err),
        RAG_E_FORMAT);
    assert_int_equal(
        rag_floats_base64(&v, &n, &f, RAG_STR_LIT("AACAPwAAAMA="), 2, &err),
        RAG_E_LIMIT);
    rag_floats_dispose(&f);
}

static rag_status embed_oom(void)
{
    rag_embed_opts o = remote("openai", "max=1,oom,dims=4");
    rag_embedder *e = NULL;
    rag_status st = rag_embed_new(&e, &o, NULL);

    if (st == RAG_OK)
        st = rag_embed(e, texts, 2, RAG_EMBED_PASSAGE, keep,
                       &(got){.v = (float[N * 4]){0}}, NULL);
    rag_embed_free(e);
    return st;
}

static void test_oom(void **state)
{
    (void)state;
    CHECK_OOM(embed_oom());
}

static int set_up(void **state)
{
    make_texts();
    return fake_set_up(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),     cmocka_unit_test(test_lift),
        cmocka_unit_test(test_base64),      cmocka_unit_test(test_same_vectors),
        cmocka_unit_test(test_batches),     cmocka_unit_test(test_request),
        cmocka_unit_test(test_fingerprint), cmocka_unit_test(test_bad_opts),
        cmocka_unit_test(test_bad_replies), cmocka_unit_test(test_changed_dims),
        cmocka_unit_test(test_offender),    cmocka_unit_test(test_learns_batch),
        cmocka_unit_test(test_interrupted), cmocka_unit_test(test_done_stops),
        cmocka_unit_test(test_check),       cmocka_unit_test(test_words_mode),
        cmocka_unit_test(test_local),       cmocka_unit_test(test_oom)};

    return cmocka_run_group_tests(tests, set_up, fake_tear_down);
}
