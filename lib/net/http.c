#include "net/http.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

/* the type checks are macros around the linked functions; ours are pointers */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/errtext.h"
#include "net/fault.h"
#include "net/retry.h"
#include "net/sigpipe.h"
#include "net/url.h"

#define POLL_MS 50 /* how late a cancel may be seen */
#define IN_FLIGHT_DEFAULT 4u
#define IN_FLIGHT_MAX 64u
#define RETRIES_DEFAULT 3u
#define CONNECT_MS ((int64_t)10 * 1000)
/* a model may have to be loaded and a long prompt read on a slow machine */
#define FIRST_MS ((int64_t)300 * 1000)
#define IDLE_MS ((int64_t)60 * 1000)
#define BACKOFF_MS ((int64_t)500)
/* who is told to come back later than this wants to know, not to wait */
#define RETRY_AFTER_MAX_MS ((int64_t)120 * 1000)
/* in every idle window a collected reply must bring at least this much; a
 * streamed one a single byte */
#define SLOW_BYTES 1024u
#define HEADERS_MAX_BYTES ((size_t)256 * 1024)
#define KEY_MAX_BYTES 8192u

/* ---- the library, loaded on first use */

#define CURL_FUNCTIONS(X)                                                      \
    X(global_init)                                                             \
    X(version)                                                                 \
    X(easy_init)                                                               \
    X(easy_cleanup)                                                            \
    X(easy_setopt)                                                             \
    X(easy_getinfo)                                                            \
    X(easy_strerror)                                                           \
    X(slist_append)                                                            \
    X(slist_free_all)                                                          \
    X(multi_init)                                                              \
    X(multi_cleanup)                                                           \
    X(multi_add_handle)                                                        \
    X(multi_remove_handle)                                                     \
    X(multi_perform)                                                           \
    X(multi_poll)                                                              \
    X(multi_info_read)

#define MEMBER(name) __typeof__(&curl_##name) name;
/* Written once under the lock below, read-only afterwards. */
static struct curl_api {
    CURL_FUNCTIONS(MEMBER)
    bool ready;
} curl;
static pthread_mutex_t curl_lock = PTHREAD_MUTEX_INITIALIZER;

static rag_status load_locked(rag_error *err)
{
    struct curl_api api;
    void *lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    void *f;

    if (lib == NULL)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "remote models need libcurl.so.4: install the package "
                        "libcurl4");
#define LOAD(name)                                                             \
    f = dlsym(lib, "curl_" #name);                                             \
    if (f == NULL)                                                             \
        goto old;                                                              \
    memcpy(&api.name, &f, sizeof f);
    CURL_FUNCTIONS(LOAD)
#undef LOAD
    if (api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)dlclose(lib);
        return rag_fail(err, RAG_E_UNSUPPORTED, "libcurl cannot be set up");
    }
    api.ready = true;
    curl = api; /* the library stays loaded until the process ends */
    return RAG_OK;
old:
    (void)dlclose(lib);
    return rag_fail(err, RAG_E_UNSUPPORTED,
                    "libcurl.so.4 is too old: version 7.85 or newer is needed");
}

static rag_status load(rag_error *err)
{
    rag_status st = RAG_OK;

    (void)pthread_mutex_lock(&curl_lock);
    if (!curl.ready)
        st = load_locked(err);
    (void)pthread_mutex_unlock(&curl_lock);
    return st;
}

const char *rag_http_library(rag_error *err)
{
    return load(err) == RAG_OK ? curl.version() : NULL;
}

/* ---- a client and its requests */

typedef struct transfer {
    struct transfer *next;
    rag_http *h;
    rag_http_request req;
    char *url;
    CURL *easy; /* NULL while it waits for its turn */
    rag_buf body;
    size_t n_head_bytes;
    size_t n_tries;
    long status;
    int64_t due_ms;         /* not before */
    int64_t start_ms;       /* of this try */
    int64_t mark_ms;        /* start of the idle window */
    size_t n_marked;        /* bytes in it */
    int64_t retry_after_ms; /* -1: the server said nothing */
    CURLcode result;
    char why[CURL_ERROR_SIZE];
    rag_fault_kind late; /* which limit of time it broke */
    bool over_cap, streamed, finished;
    rag_status stopped; /* by its data callback, with error below */
    rag_error error;
} transfer;

struct rag_http {
    char *base;
    char *host;
    char *key;
    char *ca_file;
    rag_http_opts o; /* its strings are the copies above */
    CURLM *multi;
    struct curl_slist *headers;
    transfer *first; /* in the order of rag_http_start() */
    int64_t hold_ms; /* no new request before */
    size_t n_active;
    uint64_t rnd;
    bool loopback;
};

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* libcurl sends header values as they are: a line break would be a header. */
static rag_status check_key(const char *key, rag_error *err)
{
    size_t n = strlen(key);

    if (n > KEY_MAX_BYTES)
        return rag_fail(err, RAG_E_INVAL, "API key of %zu bytes, at most %u", n,
                        KEY_MAX_BYTES);
    for (size_t i = 0; i < n; i++)
        if (key[i] <= ' ' || key[i] > '~')
            return rag_fail(err, RAG_E_INVAL,
                            "API key holds a space, line break or other "
                            "character that no key has (byte %zu of %zu)",
                            i + 1, n);
    return RAG_OK;
}

static rag_status add_header(rag_http *h, const char *line, rag_error *err)
{
    struct curl_slist *more = curl.slist_append(h->headers, line);

    if (more == NULL)
        return rag_fail_nomem(err);
    h->headers = more;
    return RAG_OK;
}

static rag_status make_headers(rag_http *h, rag_error *err)
{
    rag_buf auth;
    rag_status st;

    rag_buf_init(&auth, KEY_MAX_BYTES + 64);
    TRY(add_header(h, "Content-Type: application/json", err));
    TRY(add_header(h, "Accept: application/json, text/event-stream", err));
    TRY(add_header(h, "Expect:", err)); /* no pause before larger bodies */
    if (h->key != NULL) {
        rag_buf_addf(&auth, "Authorization: Bearer %s", h->key);
        TRY(rag_buf_status(&auth, err));
        TRY(add_header(h, auth.ptr, err));
    }
    st = RAG_OK;
out:
    if (auth.cap != 0)
        explicit_bzero(auth.ptr, auth.len);
    rag_buf_dispose(&auth);
    return st;
}

static void set_defaults(rag_http_opts *o)
{
    if (o->n_in_flight == 0)
        o->n_in_flight = IN_FLIGHT_DEFAULT;
    if (o->n_in_flight > IN_FLIGHT_MAX)
        o->n_in_flight = IN_FLIGHT_MAX;
    if (o->n_retries == 0)
        o->n_retries = RETRIES_DEFAULT;
    else if (o->n_retries == SIZE_MAX)
        o->n_retries = 0;
    o->connect_ms = o->connect_ms > 0 ? o->connect_ms : CONNECT_MS;
    o->first_ms = o->first_ms > 0 ? o->first_ms : FIRST_MS;
    o->idle_ms = o->idle_ms > 0 ? o->idle_ms : IDLE_MS;
    o->backoff_ms = o->backoff_ms > 0 ? o->backoff_ms : BACKOFF_MS;
}

rag_status rag_http_new(rag_http **out, const char *base_url,
                        const rag_http_opts *opts, rag_error *err)
{
    rag_http *h = NULL;
    rag_url url;
    rag_status st;

    *out = NULL;
    TRY(rag_url_parse(&url, base_url, err));
    if (opts->key != NULL)
        TRY(check_key(opts->key, err));
    if (!url.tls && !url.loopback && !opts->allow_http) {
        st = rag_fail(err, RAG_E_INVAL,
                      "%.*s: plain http sends documents and key unprotected: "
                      "use https, or allow http for this server",
                      (int)url.authority.len, url.authority.ptr);
        goto out;
    }
    TRY(load(err));
    h = rag_calloc(1, sizeof *h);
    if (h == NULL)
        goto nomem;
    h->o = *opts;
    set_defaults(&h->o);
    h->loopback = url.loopback;
    h->rnd = (uint64_t)now_ms() ^ (uint64_t)(uintptr_t)h;
    h->base = rag_strdup(base_url);
    h->host = rag_strndup(url.authority.ptr, url.authority.len);
    if (h->base == NULL || h->host == NULL)
        goto nomem;
    if (opts->key != NULL && opts->key[0] != '\0' &&
        (h->key = rag_strdup(opts->key)) == NULL)
        goto nomem;
    if (opts->ca_file != NULL &&
        (h->ca_file = rag_strdup(opts->ca_file)) == NULL)
        goto nomem;
    h->multi = curl.multi_init();
    if (h->multi == NULL)
        goto nomem;
    TRY(make_headers(h, err));
    *out = h;
    h = NULL;
    goto out;
nomem:
    st = rag_fail_nomem(err);
out:
    rag_http_free(h);
    return st;
}

static void end_try(transfer *t)
{
    if (t->easy == NULL)
        return;
    (void)curl.multi_remove_handle(t->h->multi, t->easy);
    curl.easy_cleanup(t->easy);
    t->easy = NULL;
    t->h->n_active--;
}

static void transfer_free(transfer *t)
{
    end_try(t);
    rag_buf_dispose(&t->body);
    rag_free(t->url);
    rag_free(t);
}

void rag_http_drop(rag_http *h)
{
    rag_sigpipe g;

    rag_sigpipe_hold(&g);
    while (h->first != NULL) {
        transfer *t = h->first;

        h->first = t->next;
        transfer_free(t);
    }
    rag_sigpipe_release(&g);
}

static void wipe_free(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    rag_free(secret);
}

void rag_http_free(rag_http *h)
{
    rag_sigpipe g;

    if (h == NULL)
        return;
    rag_http_drop(h);
    if (h->multi != NULL) {
        rag_sigpipe_hold(&g);
        (void)curl.multi_cleanup(h->multi);
        rag_sigpipe_release(&g);
    }
    for (struct curl_slist *s = h->headers; s != NULL; s = s->next)
        explicit_bzero(s->data, strlen(s->data));
    if (h->headers != NULL)
        curl.slist_free_all(h->headers);
    wipe_free(h->key);
    rag_free(h->ca_file);
    rag_free(h->host);
    rag_free(h->base);
    rag_free(h);
}

const char *rag_http_host(const rag_http *h)
{
    return h->host;
}

rag_status rag_http_start(rag_http *h, const rag_http_request *r,
                          rag_error *err)
{
    transfer *t = rag_calloc(1, sizeof *t);
    transfer **end = &h->first;
    rag_buf url;

    if (t == NULL)
        return rag_fail_nomem(err);
    rag_buf_init(&url, RAG_URL_MAX_BYTES + 256);
    rag_buf_addz(&url, h->base);
    rag_buf_addz(&url, r->path);
    rag_buf_init(&t->body, r->max_body_bytes > RAG_ERRTEXT_MAX_BODY
                               ? r->max_body_bytes
                               : RAG_ERRTEXT_MAX_BODY);
    t->h = h;
    t->req = *r;
    t->url = rag_buf_take(&url, NULL);
    rag_buf_dispose(&url);
    if (t->url == NULL) {
        transfer_free(t);
        return rag_fail_nomem(err);
    }
    t->req.path = t->url + strlen(h->base);
    while (*end != NULL)
        end = &(*end)->next;
    *end = t;
    return RAG_OK;
}

/* ---- what curl calls */

static void mark(transfer *t, size_t n_bytes)
{
    t->n_marked += n_bytes;
    if (t->n_marked >= (t->req.data != NULL ? 1 : SLOW_BYTES)) {
        t->n_marked = 0;
        t->mark_ms = now_ms();
    }
}

static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
    transfer *t = ctx;
    rag_str line = rag_str_n(bytes, size * n);
    size_t colon = rag_str_find_char(line, ':');

    t->n_head_bytes += line.len;
    if (t->n_head_bytes > HEADERS_MAX_BYTES) {
        t->over_cap = true;
        return 0;
    }
    if (t->n_head_bytes == line.len) /* the first byte of the reply */
        t->mark_ms = now_ms();
    if (colon != SIZE_MAX &&
        rag_str_ieqz(rag_str_cut(line, 0, colon), "retry-after"))
        t->retry_after_ms = rag_retry_after_ms(
            rag_str_cut(line, colon + 1, line.len), time(NULL));
    return line.len;
}

static bool is_ok(long status)
{
    return status >= 200 && status < 300;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    transfer *t = ctx;
    size_t len = size * n;
    size_t room;

    mark(t, len);
    (void)curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    room = is_ok(t->status) ? t->req.max_body_bytes : RAG_ERRTEXT_MAX_BODY;
    room = t->body.len < room ? room - t->body.len : 0;
    rag_buf_add(&t->body, bytes, len < room ? len : room);
    if (t->body.failed != RAG_OK)
        return 0;
    if (len <= room)
        return len;
    t->over_cap = true; /* of an error reply, what there is will do */
    return 0;
}

/* ---- one try */

#define SET(option, value)                                                     \
    do {                                                                       \
        if (curl.easy_setopt(t->easy, option, value) != CURLE_OK)              \
            goto refused;                                                      \
    } while (0)

static rag_status set_up(transfer *t, rag_error *err)
{
    const rag_http *h = t->h;

    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_URL, t->url);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* no key to proxies */
    SET(CURLOPT_HTTPHEADER, h->headers);
    SET(CURLOPT_USERAGENT, "rag/" RAG_VERSION);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a cancel waits for no name server */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)h->o.connect_ms);
    SET(CURLOPT_ERRORBUFFER, t->why);
    SET(CURLOPT_PRIVATE, (void *)t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)t);
    if (h->ca_file != NULL)
        SET(CURLOPT_CAINFO, h->ca_file);
    if (h->loopback)
        SET(CURLOPT_PROXY, ""); /* a proxy could not reach it */
    if (t->req.body.ptr != NULL) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->req.body.len);
        SET(CURLOPT_POSTFIELDS, t->req.body.ptr);
    }
    return RAG_OK;
refused:
    return rag_fail(err, RAG_E_UNSUPPORTED,
                    "libcurl refuses an option that keeps connections safe: "
                    "version 7.87 or newer is needed");
}

static rag_status start_try(transfer *t, int64_t now, rag_error *err)
{
    rag_status st;

    t->easy = curl.easy_init();
    if (t->easy == NULL)
        return rag_fail_nomem(err);
    t->h->n_active++;
    rag_buf_clear(&t->body);
    t->n_head_bytes = 0;
    t->n_marked = 0;
    t->status = 0;
    t->retry_after_ms = -1;
    t->result = CURLE_OK;
    t->why[0] = '\0';
    t->late = RAG_FAULT_NONE;
    t->over_cap = t->finished = false;
    t->start_ms = t->mark_ms = now;
    t->n_tries++;
    st = set_up(t, err);
    if (st == RAG_OK && curl.multi_add_handle(t->h->multi, t->easy) != CURLM_OK)
        st = rag_fail_nomem(err);
    return st;
}

static rag_status start_due(rag_http *h, int64_t now, rag_error *err)
{
    for (transfer *t = h->first; t != NULL; t = t->next) {
        rag_status st;

        if (h->n_active >= h->o.n_in_flight || h->hold_ms > now)
            break;
        if (t->easy != NULL || t->due_ms > now)
            continue;
        st = start_try(t, now, err);
        if (st != RAG_OK)
            return st;
    }
    return RAG_OK;
}

static void note_finished(rag_http *h)
{
    CURLMsg *m;
    int left;

    while ((m = curl.multi_info_read(h->multi, &left)) != NULL) {
        void *p = NULL;
        transfer *t;

        if (m->msg != CURLMSG_DONE)
            continue;
        (void)curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
        t = p;
        t->result = m->data.result;
        t->finished = true;
    }
}

static void check_time(transfer *t, int64_t now)
{
    const rag_http_opts *o = &t->h->o;

    if (t->easy == NULL || t->finished)
        return;
    if (t->n_head_bytes == 0 && now - t->start_ms > o->first_ms)
        t->late = RAG_FAULT_FIRST_LATE;
    if (t->n_head_bytes != 0 && now - t->mark_ms > o->idle_ms)
        t->late = RAG_FAULT_BODY_LATE;
    t->finished = t->late != RAG_FAULT_NONE;
}

/* What arrived of a streamed answer goes to its callback, outside of curl. */
static void give(transfer *t)
{
    if (t->req.data == NULL || t->body.len == 0 || !is_ok(t->status))
        return;
    t->streamed = true;
    if (t->stopped == RAG_OK)
        t->stopped = t->req.data(t->req.ctx, rag_buf_str(&t->body), &t->error);
    rag_buf_clear(&t->body);
    if (t->stopped != RAG_OK)
        t->finished = true;
}

/* ---- how a try ended */

static rag_fault_kind kind_of(CURLcode code)
{
    static const struct {
        CURLcode code;
        rag_fault_kind kind;
    } kinds[] = {
        {CURLE_OK, RAG_FAULT_NONE},
        {CURLE_COULDNT_RESOLVE_HOST, RAG_FAULT_NO_HOST},
        {CURLE_COULDNT_RESOLVE_PROXY, RAG_FAULT_NO_PROXY},
        {CURLE_COULDNT_CONNECT, RAG_FAULT_NO_CONNECTION},
        {CURLE_OPERATION_TIMEDOUT, RAG_FAULT_CONNECT_LATE},
        {CURLE_GOT_NOTHING, RAG_FAULT_BROKEN},
        {CURLE_SEND_ERROR, RAG_FAULT_BROKEN},
        {CURLE_RECV_ERROR, RAG_FAULT_BROKEN},
        {CURLE_PARTIAL_FILE, RAG_FAULT_BROKEN},
        {CURLE_HTTP2, RAG_FAULT_BROKEN},
        {CURLE_HTTP2_STREAM, RAG_FAULT_BROKEN},
        {CURLE_PEER_FAILED_VERIFICATION, RAG_FAULT_CERTIFICATE},
        {CURLE_SSL_CACERT_BADFILE, RAG_FAULT_CA_FILE},
        {CURLE_OUT_OF_MEMORY, RAG_FAULT_NOMEM},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].code == code)
            return kinds[i].kind;
    return RAG_FAULT_OTHER;
}

/* The only time limit that curl keeps is the one of the connection. */
static void describe(rag_fault *f, const transfer *t)
{
    const rag_http *h = t->h;
    bool ok = is_ok(t->status);
    long os = 0;

    memset(f, 0, sizeof *f);
    f->host = h->host;
    f->key = rag_str_of(h->key);
    f->status = t->status;
    f->body = rag_buf_str(&t->body);
    f->retry_after_ms = t->retry_after_ms;
    f->max_bytes = t->req.max_body_bytes;
    f->why =
        rag_str_of(t->why[0] != '\0' ? t->why : curl.easy_strerror(t->result));
    if (t->body.failed == RAG_E_NOMEM)
        f->kind = RAG_FAULT_NOMEM;
    else if (t->late != RAG_FAULT_NONE)
        f->kind = t->late;
    else if (t->over_cap && (ok || t->n_head_bytes > HEADERS_MAX_BYTES))
        f->kind = RAG_FAULT_TOO_MUCH;
    else if (!t->over_cap) /* what there is of an error reply will do */
        f->kind = kind_of(t->result);
    f->limit_ms = f->kind == RAG_FAULT_CONNECT_LATE ? h->o.connect_ms
                  : f->kind == RAG_FAULT_FIRST_LATE ? h->o.first_ms
                                                    : h->o.idle_ms;
    if (f->kind == RAG_FAULT_NO_CONNECTION &&
        curl.easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os) == CURLE_OK)
        f->os_errno = (int)os;
}

/* Failures that may pass, of requests whose answer nobody has seen. */
static bool may_retry(const transfer *t, const rag_fault *f,
                      const rag_http_reply *reply)
{
    if (t->req.once || t->streamed || t->n_tries > t->h->o.n_retries ||
        t->retry_after_ms > RETRY_AFTER_MAX_MS)
        return false;
    if (f->kind != RAG_FAULT_NONE)
        return rag_fault_passes(f->kind);
    return rag_retry_status(t->status) &&
           (t->req.again == NULL || t->req.again(t->req.ctx, reply));
}

static int64_t pause_ms(transfer *t)
{
    rag_http *h = t->h;

    if (t->retry_after_ms >= 0)
        return t->retry_after_ms;
    h->rnd ^= h->rnd << 13; /* xorshift: spreads clients, hides nothing */
    h->rnd ^= h->rnd >> 7;
    h->rnd ^= h->rnd << 17;
    return rag_retry_pause_ms(h->o.backoff_ms, t->n_tries, h->rnd);
}

static rag_status judge(bool *again, const transfer *t, rag_http_reply *reply,
                        rag_error *err)
{
    rag_fault f;

    *again = false;
    if (t->stopped != RAG_OK) {
        *err = t->error;
        return t->stopped;
    }
    describe(&f, t);
    reply->st = rag_fault_explain(&f, err);
    *again = reply->st != RAG_OK && may_retry(t, &f, reply);
    return reply->st;
}

/* Puts a failed try back into the queue, or reports: true when it is over. */
static bool settle(transfer *t, rag_http_reply *reply, int64_t now,
                   rag_error *err)
{
    rag_http *h = t->h;
    rag_sigpipe g;
    bool again;

    if (t->status == 0)
        (void)curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    memset(reply, 0, sizeof *reply);
    reply->status = t->status;
    reply->streamed = t->streamed;
    reply->ms = (double)(now - t->start_ms);
    reply->body = rag_buf_str(&t->body);
    reply->st = judge(&again, t, reply, err);
    rag_sigpipe_hold(&g);
    end_try(t);
    rag_sigpipe_release(&g);
    rag_log(RAG_LOG_DEBUG, "%s%s: status %ld, %zu bytes, %.0f ms, try %zu",
            h->host, t->req.path, t->status, t->body.len, reply->ms,
            t->n_tries);
    if (!again)
        return true;
    t->due_ms = now + pause_ms(t);
    if (t->retry_after_ms > 0 && h->hold_ms < t->due_ms)
        h->hold_ms = t->due_ms;
    t->finished = false;
    return false;
}

/* Takes the finished transfers out of the queue and reports them. */
static rag_status settle_all(rag_http *h, int64_t now, rag_error *err)
{
    transfer **at = &h->first;

    while (*at != NULL) {
        transfer *t = *at;
        rag_http_reply reply;
        rag_status st;

        if (!t->finished || !settle(t, &reply, now, err)) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        t->next = NULL;
        st = t->req.done(t->req.ctx, &reply, err);
        transfer_free(t);
        if (st != RAG_OK)
            return st;
        at = &h->first; /* done may have started more */
    }
    return RAG_OK;
}

/* Until something arrives or the next request is due. */
static void wait_some(rag_http *h, int64_t now)
{
    int64_t ms = POLL_MS;
    rag_sigpipe g;

    for (transfer *t = h->first; t != NULL; t = t->next) {
        int64_t due = t->due_ms > h->hold_ms ? t->due_ms : h->hold_ms;

        if (t->easy == NULL && h->n_active < h->o.n_in_flight && due - now < ms)
            ms = due > now ? due - now : 0;
    }
    rag_sigpipe_hold(&g);
    (void)curl.multi_poll(h->multi, NULL, 0, (int)ms, NULL);
    rag_sigpipe_release(&g);
}

rag_status rag_http_run(rag_http *h, rag_error *err)
{
    rag_error own;
    rag_status st = RAG_OK;

    if (err == NULL)
        err = &own; /* callbacks need one to pass on */
    while (h->first != NULL) {
        int64_t now = now_ms();
        int running;
        rag_sigpipe g;

        if (h->o.cancelled != NULL && h->o.cancelled(h->o.cancel_ctx)) {
            st = rag_fail(err, RAG_E_CANCELLED, "interrupted");
            break;
        }
        TRY(start_due(h, now, err));
        rag_sigpipe_hold(&g);
        (void)curl.multi_perform(h->multi, &running);
        rag_sigpipe_release(&g);
        note_finished(h);
        now = now_ms();
        for (transfer *t = h->first; t != NULL; t = t->next) {
            give(t);
            check_time(t, now);
        }
        TRY(settle_all(h, now, err));
        if (h->first != NULL)
            wait_some(h, now);
    }
out:
    if (st != RAG_OK)
        rag_http_drop(h);
    else
        rag_error_clear(err);
    return st;
}
