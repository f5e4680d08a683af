#include "test.h"

#include "folder.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include "../fake/fakeuse.h"
#include "base/log.h"
#include "net/errtext.h"
#include "net/fault.h"
#include "net/retry.h"
#include "net/url.h"

/* ---- pure parts */

static void parse_ok(const char *text, const char *host, const char *path,
                     bool tls, bool loopback)
{
    rag_error err;
    rag_url u;

    OK(rag_url_parse(&u, text, &err), &err);
    assert_true(rag_str_eqz(u.host, host));
    assert_true(rag_str_eqz(u.path, path));
    assert_int_equal(u.tls, tls);
    assert_int_equal(u.loopback, loopback);
}

static void test_url(void **state)
{
    static const char *const bad[] = {"",
                                      "example.org",
                                      "ftp://example.org",
                                      "file:///etc/passwd",
                                      "http://",
                                      "http://:80",
                                      "http://u:secret@example.org/v1",
                                      "http://a b/",
                                      "http://a/\r\nHost: b",
                                      "http://a/\n",
                                      "http://a\\b",
                                      "http://a/?q=1",
                                      "http://a/#f",
                                      "http://a:0",
                                      "http://a:65536",
                                      "http://a:",
                                      "http://a:1x",
                                      "http://[::1",
                                      "http://[::1]x",
                                      "http://a%2eb/",
                                      "http://\x7f",
                                      "https://\xEA\xB0\x80.kr",
                                      "http://[a.b]@c"};
    rag_error err;
    rag_url u;

    (void)state;
    parse_ok("https://api.openai.com/v1", "api.openai.com", "/v1", true, false);
    parse_ok("http://127.0.0.1:8080", "127.0.0.1", "", false, true);
    parse_ok("HTTP://LOCALHOST/v1", "LOCALHOST", "/v1", false, true);
    parse_ok("http://[::1]:80/x", "::1", "/x", false, true);
    parse_ok("http://127.8.9.1", "127.8.9.1", "", false, true);
    parse_ok("http://localhost.evil.org", "localhost.evil.org", "", false,
             false);
    parse_ok("http://127.0.0.1.evil.org", "127.0.0.1.evil.org", "", false,
             false);
    parse_ok("http://127.1", "127.1", "", false, false);
    parse_ok("http://0x7f000001", "0x7f000001", "", false, false);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(rag_url_parse(&u, bad[i], &err), RAG_E_INVAL);
        assert_null(strstr(err.msg, "secret"));
        assert_null(strchr(err.msg, '\n'));
    }
}

static void normal(const char *from, unsigned port, const char *want)
{
    rag_error err;
    char *out;

    OK(rag_url_normalise(&out, from, port, &err), &err);
    assert_string_equal(out, want);
    rag_free(out);
}

static rag_status normalise_once(void)
{
    char *out;
    rag_status st =
        rag_url_normalise(&out, " https://example.org/v1/ ", 0, NULL);

    rag_free(out);
    return st;
}

static void test_normalise(void **state)
{
    rag_error err;
    char *out;

    (void)state;
    normal("127.0.0.1", 11434, "http://127.0.0.1:11434");
    normal("0.0.0.0", 11434, "http://127.0.0.1:11434");
    normal("0.0.0.0:8000", 11434, "http://127.0.0.1:8000");
    normal(":8000", 11434, "http://127.0.0.1:8000");
    normal("[::]:8000", 11434, "http://[::1]:8000");
    normal("[::1]", 11434, "http://[::1]:11434");
    normal("localhost/", 11434, "http://localhost:11434");
    normal(" \"http://0.0.0.0\" ", 11434, "http://127.0.0.1");
    normal("https://ollama.example.org/api///", 11434,
           "https://ollama.example.org/api");
    normal("localhost:1/v1/", 0, "http://localhost:1/v1");
    assert_int_equal(rag_url_normalise(&out, "u:p@h", 1, &err), RAG_E_INVAL);
    assert_null(out);
    assert_int_equal(rag_url_normalise(&out, NULL, 0, &err), RAG_E_INVAL);
    CHECK_OOM(normalise_once());
}

static void test_retry_after(void **state)
{
    const time_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */

    (void)state;
    assert_int_equal(rag_retry_after_ms(RAG_STR_LIT(" 7\r\n"), now), 7000);
    assert_int_equal(rag_retry_after_ms(RAG_STR_LIT("0"), now), 0);
    assert_int_equal(rag_retry_after_ms(RAG_STR_LIT("1.5"), now), 1500);
    assert_int_equal(rag_retry_after_ms(RAG_STR_LIT("-1"), now), -1);
    assert_int_equal(rag_retry_after_ms(RAG_STR_LIT("9e99"), now), -1);
    assert_int_equal(rag_retry_after_ms(RAG_STR_LIT("soon"), now), -1);
    assert_int_equal(rag_retry_after_ms(RAG_STR_LIT(""), now), -1);
    assert_int_equal(
        rag_retry_after_ms(RAG_STR_LIT("Sun, 06 Nov 1994 08:49:40 GMT"), now),
        3000);
    assert_int_equal(
        rag_retry_after_ms(RAG_STR_LIT("Sun, 06 Nov 1994 08:49:30 GMT"), now),
        0);
    assert_int_equal(
        rag_retry_after_ms(RAG_STR_LIT("Sun, 06 Xxx 1994 08:49:40 GMT"), now),
        -1);
    for (size_t n = 1; n < 80; n++) {
        int64_t least = rag_retry_pause_ms(100, n, 0);
        int64_t most = rag_retry_pause_ms(100, n, UINT64_MAX / 2);

        assert_true(least >= 50 && least <= RAG_RETRY_MAX_PAUSE_MS / 2);
        assert_true(most <= RAG_RETRY_MAX_PAUSE_MS * 3 / 2);
    }
    assert_true(rag_retry_pause_ms(100, 3, 0) == 200);
}

static void shown(const char *body, const char *want)
{
    char out[RAG_ERRTEXT_MAX_BYTES + 8];

    rag_errtext_show(out, rag_str_of(body), RAG_STR_LIT("sk-secret"));
    assert_string_equal(out, want);
}

static void test_errtext(void **state)
{
    char out[RAG_ERRTEXT_MAX_BYTES + 8];
    char big[4096];

    (void)state;
    shown("{\"error\":{\"message\":\"no such model\"}}", "no such model");
    shown("{\"error\":\"unexpected EOF\"}", "unexpected EOF");
    shown("{\"object\":\"error\",\"message\":\"bad\"}", "bad");
    shown("{\"detail\":\"Not Found\"}", "Not Found");
    shown("404 page not found\nmore", "404 page not found");
    shown("<html><head><title>502 Bad Gateway</title>", "502 Bad Gateway");
    shown("<html><body>x", "an HTML page");
    shown("", "");
    shown("{\"error\":\"key sk-secret is wrong\"}", "key *** is wrong");
    shown("a\x1b[31mb\xC2\x9B", "a^[[31mb\\x9b");
    memset(big, 'x', sizeof big);
    rag_errtext_show(out, rag_str_n(big, sizeof big), rag_str_n("", 0));
    assert_int_equal(strlen(out), RAG_ERRTEXT_MAX_BYTES + 3);
    /* cut between characters */
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = "\xEA\xB0\x80"[i % 3];
    rag_errtext_show(out, rag_str_n(big, sizeof big), rag_str_n("", 0));
    assert_memory_equal(out + strlen(out) - 6, "\xEA\xB0\x80...", 6);
}

/* ---- against the stand-in */

typedef struct seen {
    rag_status st;
    long status;
    size_t n_done;
    rag_buf body;
    rag_error error;
} seen;

static rag_status on_done(void *ctx, const rag_http_reply *reply,
                          rag_error *err)
{
    seen *s = ctx;

    s->st = reply->st;
    s->status = reply->status;
    s->n_done++;
    rag_buf_adds(&s->body, reply->body);
    if (reply->st != RAG_OK)
        s->error = *err;
    return RAG_OK;
}

static rag_status on_data(void *ctx, rag_str bytes, rag_error *err)
{
    seen *s = ctx;

    rag_buf_adds(&s->body, bytes);
    return rag_buf_status(&s->body, err);
}

static rag_http *client(const char *list, rag_http_opts *o)
{
    rag_http *h;
    rag_error err;

    if (o->backoff_ms == 0)
        o->backoff_ms = 2;
    OK(rag_http_new(&h, fake_url(&server, list, ""), o, &err), &err);
    return h;
}

/* One request; what became of it is in *s (dispose s->body). */
static rag_status ask(seen *s, const char *list, const char *path,
                      rag_http_opts o, rag_http_request q)
{
    rag_http *h = client(list, &o);
    rag_error err;
    rag_status st;

    memset(s, 0, sizeof *s);
    rag_buf_init(&s->body, 1 << 26);
    q.path = path;
    q.done = on_done;
    q.ctx = s;
    if (q.max_body_bytes == 0)
        q.max_body_bytes = 1 << 20;
    OK(rag_http_start(h, &q, &err), &err);
    st = rag_http_run(h, &err);
    if (st != RAG_OK)
        s->error = err;
    rag_http_free(h);
    return st;
}

static const rag_http_opts no_opts;
static const rag_http_request no_req;
#define JSON_BODY ((rag_http_request){.body = RAG_STR_LIT("{\"input\":\"x\"}")})

static void test_simple(void **state)
{
    seen s;

    (void)state;
    assert_int_equal(ask(&s, "simple", "/v1/models", no_opts, no_req), RAG_OK);
    assert_int_equal(s.st, RAG_OK);
    assert_int_equal(s.status, 200);
    assert_non_null(strstr(s.body.ptr, "\"fake\""));
    rag_buf_dispose(&s.body);
}

/* A proxy of the environment cannot reach this machine's own servers. */
static void test_no_proxy_for_loopback(void **state)
{
    seen s;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    assert_int_equal(ask(&s, "noproxy", "/v1/models", no_opts, no_req), RAG_OK);
    assert_int_equal(s.st, RAG_OK);
    rag_buf_dispose(&s.body);
    unsetenv("http_proxy");
}

/* Another host's request goes there: the stand-in plays the proxy. */
static void test_proxy(void **state)
{
    rag_http_opts o = {.allow_http = true, .key = "sk-p"};
    rag_http_request q = {
        .path = "/v1/models", .max_body_bytes = 100000, .done = on_done};
    rag_error err;
    rag_http *h;
    seen s = {0};

    (void)state;
    rag_buf_init(&s.body, 100000);
    q.ctx = &s;
    setenv("http_proxy", server.root, 1);
    OK(rag_http_new(&h, "http://model.invalid", &o, &err), &err);
    OK(rag_http_start(h, &q, &err), &err);
    OK(rag_http_run(h, &err), &err);
    unsetenv("http_proxy");
    if (s.st != RAG_OK)
        fail_msg("%s", s.error.msg);
    assert_non_null(strstr(s.body.ptr, "fake"));
    rag_http_free(h);
    rag_buf_dispose(&s.body);
}

static void test_request_head(void **state)
{
    rag_http_opts o = {.key = "sk-abc"};
    rag_buf last;
    seen s;

    (void)state;
    assert_int_equal(ask(&s, "head", "/v1/embeddings", o, JSON_BODY), RAG_OK);
    assert_int_equal(s.st, RAG_OK);
    rag_buf_dispose(&s.body);
    fake_get(&last, &server, "head", "/last");
    assert_memory_equal(last.ptr, "POST /x/head/v1/embeddings HTTP/1.1\r\n",
                        37);
    assert_non_null(strstr(last.ptr, "Authorization: Bearer sk-abc\r\n"));
    assert_non_null(strstr(last.ptr, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(last.ptr, "\r\n\r\n{\"input\":\"x\"}"));
    assert_null(strstr(last.ptr, "Expect"));
    rag_buf_dispose(&last);
}

static char logged[4096];

static void log_sink(void *ctx, rag_log_level level, const char *msg)
{
    (void)ctx;
    (void)level;
    snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%s\n",
             msg);
}

static void test_auth(void **state)
{
    rag_http_opts o = {.key = "sk-wrong"};
    seen s;

    (void)state;
    rag_log_to(log_sink, NULL, RAG_LOG_DEBUG);
    assert_int_equal(ask(&s, "key=right", "/v1/models", o, no_req), RAG_OK);
    assert_int_equal(s.st, RAG_E_AUTH);
    assert_int_equal(s.status, 401);
    assert_non_null(strstr(s.error.msg, "refused (401): Invalid API Key"));
    assert_null(strstr(s.error.msg, "sk-wrong"));
    rag_buf_dispose(&s.body);
    assert_int_equal(ask(&s, "key=right", "/v1/models", no_opts, no_req),
                     RAG_OK);
    assert_non_null(strstr(s.error.msg, "an API key is needed"));
    rag_buf_dispose(&s.body);
    o.key = "right";
    assert_int_equal(ask(&s, "key=right", "/v1/models", o, no_req), RAG_OK);
    assert_int_equal(s.st, RAG_OK);
    rag_buf_dispose(&s.body);
    assert_int_equal(ask(&s, "status=403,message=key%20sk-echo", "/v1/x",
                         (rag_http_opts){.key = "sk-echo"}, no_req),
                     RAG_OK);
    assert_int_equal(s.st, RAG_E_AUTH);
    assert_null(strstr(s.error.msg, "sk-echo"));
    rag_buf_dispose(&s.body);
    rag_log_to(NULL, NULL, RAG_LOG_WARN);
    assert_non_null(strstr(logged, "status 401"));
    assert_null(strstr(logged, "sk-wrong"));
    assert_null(strstr(logged, "right\n"));
}

static void test_refused_input(void **state)
{
    static const char *const keys[] = {"a\r\nX: y", "a\nb", "a b", "\x7f",
                                       "k\xC3\xA9y"};
    rag_http_opts o = {0};
    rag_error err;
    rag_http *h;

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        o.key = keys[i];
        assert_int_equal(rag_http_new(&h, server.root, &o, &err), RAG_E_INVAL);
        assert_null(h);
    }
    o.key = NULL;
    assert_int_equal(rag_http_new(&h, "http://example.org/v1", &o, &err),
                     RAG_E_INVAL);
    assert_non_null(strstr(err.msg, "https"));
    o.allow_http = true;
    OK(rag_http_new(&h, "http://example.org/v1", &o, &err), &err);
    assert_string_equal(rag_http_host(h), "example.org");
    rag_http_free(h);
    rag_http_free(NULL);
}

static void test_retries(void **state)
{
    static const int statuses[] = {429, 500, 502, 503, 504};
    char list[64];
    seen s;

    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        snprintf(list, sizeof list, "fail=%d.3", statuses[i]);
        assert_int_equal(ask(&s, list, "/v1/models", no_opts, no_req), RAG_OK);
        assert_int_equal(s.st, RAG_OK);
        assert_int_equal(s.n_done, 1);
        rag_buf_dispose(&s.body);
        assert_int_equal(fake_stat(&server, list, "requests"), 4);
    }
    /* one failure more than there are retries */
    assert_int_equal(ask(&s, "fail=500.4", "/v1/models", no_opts, no_req),
                     RAG_OK);
    assert_int_equal(s.st, RAG_E_REMOTE);
    assert_non_null(strstr(s.error.msg, "answered 500: try again later"));
    assert_int_equal(fake_stat(&server, "fail=500.4", "requests"), 4);
    rag_buf_dispose(&s.body);
    /* not to be retried */
    assert_int_equal(ask(&s, "fail=400.1", "/v1/models", no_opts, no_req),
                     RAG_OK);
    assert_int_equal(s.st, RAG_E_REMOTE);
    assert_int_equal(fake_stat(&server, "fail=400.1", "requests"), 1);
    rag_buf_dispose(&s.body);
    assert_int_equal(ask(&s, "fail=503.1", "/v1/models", no_opts,
                         (rag_http_request){.once = true}),
                     RAG_OK);
    assert_int_equal(s.st, RAG_E_REMOTE);
    rag_buf_dispose(&s.body);
    /* closed without a reply */
    assert_int_equal(ask(&s, "drop=2", "/v1/models", no_opts, no_req), RAG_OK);
    assert_int_equal(s.st, RAG_OK);
    rag_buf_dispose(&s.body);
}

static bool never_again(void *ctx, const rag_http_reply *reply)
{
    (void)ctx;
    assert_int_equal(reply->status, 500);
    assert_true(reply->body.len != 0);
    return false;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void test_retry_after_kept(void **state)
{
    int64_t t0 = now_ms();
    seen s;

    (void)state;
    assert_int_equal(ask(&s, "fail=429.1.1", "/v1/models", no_opts, no_req),
                     RAG_OK);
    assert_int_equal(s.st, RAG_OK);
    assert_true(now_ms() - t0 >= 1000); /* never earlier than asked */
    rag_buf_dispose(&s.body);
    t0 = now_ms();
    assert_int_equal(ask(&s, "fail=503.1.d3", "/v1/models", no_opts, no_req),
                     RAG_OK);
    assert_int_equal(s.st, RAG_OK);
    assert_true(now_ms() - t0 >= 1000);
    rag_buf_dispose(&s.body);
    /* told to come back much later: said, not waited for */
    assert_int_equal(ask(&s, "fail=429.9.3600", "/v1/models", no_opts, no_req),
                     RAG_OK);
    assert_int_equal(s.st, RAG_E_REMOTE);
    assert_non_null(strstr(s.error.msg, "try again in 3600 s"));
    assert_int_equal(fake_stat(&server, "fail=429.9.3600", "requests"), 1);
    rag_buf_dispose(&s.body);
    assert_int_equal(ask(&s, "fail=500.9,x", "/v1/models", no_opts,
                         (rag_http_request){.again = never_again}),
                     RAG_OK);
    assert_int_equal(fake_stat(&server, "fail=500.9,x", "requests"), 1);
    rag_buf_dispose(&s.body);
}

/* n requests for the same small thing. */
static void start_all(seen *s, size_t n, rag_http *h)
{
    rag_error err;

    for (size_t i = 0; i < n; i++) {
        rag_http_request q = {.path = "/v1/models",
                              .max_body_bytes = 1000,
                              .done = on_done,
                              .ctx = &s[i]};

        memset(&s[i], 0, sizeof s[i]);
        rag_buf_init(&s[i].body, 1000);
        OK(rag_http_start(h, &q, &err), &err);
    }
}

/* A Retry-After holds back the requests that have not started yet. */
static void test_hold(void **state)
{
    rag_http_opts o = {.n_in_flight = 1};
    rag_http *h = client("fail=429.1.1,hold", &o);
    int64_t t0 = now_ms();
    rag_error err;
    seen s[3];

    (void)state;
    start_all(s, 3, h);
    OK(rag_http_run(h, &err), &err);
    assert_true(now_ms() - t0 >= 1000);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s[i].st, RAG_OK);
        rag_buf_dispose(&s[i].body);
    }
    assert_int_equal(fake_stat(&server, "fail=429.1.1,hold", "requests"), 4);
    rag_http_free(h);
}

static void test_no_server(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    rag_http_opts o = {.backoff_ms = 1};
    rag_http_request q = {
        .path = "/v1/models", .max_body_bytes = 1000, .done = on_done};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char url[64];
    rag_error err;
    rag_http *h;
    seen s = {0};

    (void)state;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* bound, nobody listens */
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", ntohs(a.sin_port));
    rag_buf_init(&s.body, 1000);
    q.ctx = &s;
    OK(rag_http_new(&h, url, &o, &err), &err);
    OK(rag_http_start(h, &q, &err), &err);
    OK(rag_http_run(h, &err), &err);
    assert_int_equal(s.st, RAG_E_NET);
    assert_int_equal(s.status, 0);
    assert_non_null(strstr(s.error.msg, "Connection refused"));
    assert_non_null(strstr(s.error.msg, "is the server running"));
    rag_http_free(h);
    rag_buf_dispose(&s.body);
    close(fd);
}

static void test_limits(void **state)
{
    rag_http_opts first = {.first_ms = 100};
    rag_http_opts idle = {.idle_ms = 100};
    seen s;

    (void)state;
    assert_int_equal(ask(&s, "head_ms=5000", "/v1/models", first, no_req),
                     RAG_OK);
    assert_int_equal(s.st, RAG_E_NET);
    assert_non_null(strstr(s.error.msg, "no answer within 0.1 s"));
    rag_buf_dispose(&s.body);
    assert_int_equal(ask(&s, "body_ms=5000", "/v1/models", idle, no_req),
                     RAG_OK);
    assert_int_equal(s.st, RAG_E_NET);
    assert_non_null(strstr(s.error.msg, "stopped"));
    rag_buf_dispose(&s.body);
    /* slow, but alive: the limits are not for the whole */
    assert_int_equal(
        ask(&s, "body_ms=30", "/v1/chat/completions", idle,
            (rag_http_request){.body = RAG_STR_LIT("{\"stream\":true}"),
                               .data = on_data}),
        RAG_OK);
    assert_int_equal(s.st, RAG_OK);
    assert_non_null(strstr(s.body.ptr, "[DONE]"));
    rag_buf_dispose(&s.body);
}

static void test_body_caps(void **state)
{
    seen s;

    (void)state;
    assert_int_equal(ask(&s, "huge=64", "/v1/models", no_opts, no_req), RAG_OK);
    assert_int_equal(s.st, RAG_E_LIMIT);
    rag_buf_dispose(&s.body);
    /* an endless error page is an error reply all the same */
    assert_int_equal(ask(&s, "status=404,raw=x", "/v1/models", no_opts, no_req),
                     RAG_OK);
    assert_int_equal(s.st, RAG_E_REMOTE);
    assert_non_null(strstr(s.error.msg, "404"));
    rag_buf_dispose(&s.body);
}

static void test_cut_off(void **state)
{
    rag_http_opts o = {.n_retries = 1};
    seen s;

    (void)state;
    assert_int_equal(ask(&s, "cut=10", "/v1/models", o, no_req), RAG_OK);
    assert_int_equal(s.st, RAG_E_NET);
    assert_non_null(strstr(s.error.msg, "broke off"));
    assert_int_equal(fake_stat(&server, "cut=10", "requests"), 2);
    rag_buf_dispose(&s.body);
    /* a streamed answer of which something was given out is not repeated */
    assert_int_equal(
        ask(&s, "cut=300", "/v1/chat/completions", o,
            (rag_http_request){.body = RAG_STR_LIT("{\"stream\":true}"),
                               .data = on_data}),
        RAG_OK);
    assert_int_equal(s.st, RAG_E_NET);
    assert_int_equal(s.body.len, 300);
    assert_int_equal(fake_stat(&server, "cut=300", "requests"), 1);
    rag_buf_dispose(&s.body);
}

static void test_redirect(void **state)
{
    seen s;

    (void)state;
    assert_int_equal(ask(&s, "redirect", "/v1/models", no_opts, no_req),
                     RAG_OK);
    assert_int_equal(s.st, RAG_E_REMOTE);
    assert_int_equal(s.status, 307);
    assert_non_null(strstr(s.error.msg, "not followed"));
    rag_buf_dispose(&s.body);
}

static bool at_once(void *ctx)
{
    return ++*(int *)ctx > 2;
}

static void test_cancel(void **state)
{
    int asked = 0;
    rag_http_opts o = {.cancelled = at_once, .cancel_ctx = &asked};
    seen s;

    (void)state;
    assert_int_equal(ask(&s, "hang", "/v1/models", o, no_req), RAG_E_CANCELLED);
    assert_int_equal(s.n_done, 0);
    rag_buf_dispose(&s.body);
    asked = 0; /* also while it waits to come back */
    assert_int_equal(ask(&s, "fail=503.9.100", "/v1/models", o, no_req),
                     RAG_E_CANCELLED);
    rag_buf_dispose(&s.body);
}

static void test_in_flight(void **state)
{
    rag_http_opts o = {.n_in_flight = 3};
    rag_http *h = client("head_ms=60", &o);
    rag_error err;
    seen s[7];

    (void)state;
    start_all(s, 7, h);
    OK(rag_http_run(h, &err), &err);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(s[i].st, RAG_OK);
        assert_int_equal(s[i].n_done, 1);
        rag_buf_dispose(&s[i].body);
    }
    assert_int_equal(fake_stat(&server, "head_ms=60", "most_at_once"), 3);
    rag_http_free(h);
}

static rag_status refuse_data(void *ctx, rag_str bytes, rag_error *err)
{
    (void)ctx;
    (void)bytes;
    return rag_fail(err, RAG_E_FORMAT, "not for me");
}

static void test_data_stops(void **state)
{
    seen s;

    (void)state;
    assert_int_equal(ask(&s, "stop", "/v1/models", no_opts,
                         (rag_http_request){.data = refuse_data}),
                     RAG_OK);
    assert_int_equal(s.st, RAG_E_FORMAT);
    assert_string_equal(s.error.msg, "not for me");
    rag_buf_dispose(&s.body);
}

static rag_status once_more(void)
{
    rag_http_opts o = {.key = "k", .backoff_ms = 1};
    rag_http_request q = {
        .path = "/v1/models", .max_body_bytes = 100000, .done = on_done};
    rag_http *h = NULL;
    rag_status st;
    seen s = {0};

    rag_buf_init(&s.body, 100000);
    q.ctx = &s;
    st = rag_http_new(&h, fake_url(&server, "oom", ""), &o, NULL);
    if (st == RAG_OK)
        st = rag_http_start(h, &q, NULL);
    if (st == RAG_OK)
        st = rag_http_run(h, NULL);
    if (st == RAG_OK)
        st = s.st != RAG_OK ? s.st : rag_buf_status(&s.body, NULL);
    rag_http_free(h);
    rag_buf_dispose(&s.body);
    return st;
}

static void test_oom(void **state)
{
    (void)state;
    CHECK_OOM(once_more());
}

static void test_library(void **state)
{
    rag_error err;

    (void)state;
    assert_non_null(strstr(rag_http_library(&err), "libcurl/"));
}

/* A second process of this program, with a libcurl.so.4 that is none. */
static int without_library(void)
{
    rag_http_opts o = {0};
    rag_http *h = NULL;
    rag_error err;
    rag_status st = rag_http_new(&h, "https://example.org/v1", &o, &err);

    return st == RAG_E_UNSUPPORTED && h == NULL &&
                   strstr(err.msg, "package libcurl4") != NULL &&
                   rag_http_library(&err) == NULL
               ? 0
               : 1;
}

static const char *self;

static void test_no_library(void **state)
{
    char dir[] = "/tmp/t_http.XXXXXX";
    char lib[64];
    char command[4400];
    FILE *f;

    (void)state;
    assert_non_null(folder_new(dir));
    snprintf(lib, sizeof lib, "%s/libcurl.so.4", dir);
    f = fopen(lib, "w");
    assert_non_null(f);
    fputs("not a library", f);
    fclose(f);
    snprintf(command, sizeof command, "LD_LIBRARY_PATH='%s' '%s' no-library",
             dir, self);
    assert_int_equal(system(command), 0);
    unlink(lib);
    rmdir(dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_library),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_normalise),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_errtext),
        cmocka_unit_test(test_simple),
        cmocka_unit_test(test_no_proxy_for_loopback),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_request_head),
        cmocka_unit_test(test_auth),
        cmocka_unit_test(test_refused_input),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_retry_after_kept),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_body_caps),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_data_stops),
        cmocka_unit_test(test_oom),
        cmocka_unit_test(test_library)};

    self = argv[0];
    if (argc > 1)
        return without_library();
    return cmocka_run_group_tests(tests, fake_set_up, fake_tear_down);
}
