#include "net/http_wire.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

/* the type checks are macros around the linked functions; ours are pointers */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "base/mem.h"
#include "net/errtext.h"
#include "net/retry.h"
#include "net/sigpipe.h"

/* No API sends more; curl itself caps a single header at 100 KB. */
#define HEADERS_MAX_BYTES ((size_t)256 * 1024)
#define AUTH_MAX_BYTES 16384u

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
                    "libcurl.so.4 is too old: version 7.87 or newer is needed");
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

const char *rag_http_wire_library(rag_error *err)
{
    return load(err) == RAG_OK ? curl.version() : NULL;
}

/* ---- a wire: shared connections and headers */

struct rag_http_wire {
    CURLM *multi;
    struct curl_slist *headers;
    char *ca_file;
    bool loopback;
    int64_t connect_ms;
};

int64_t rag_http_wire_now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static rag_status add_header(rag_http_wire *w, const char *line, rag_error *err)
{
    struct curl_slist *more = curl.slist_append(w->headers, line);

    if (more == NULL)
        return rag_fail_nomem(err);
    w->headers = more;
    return RAG_OK;
}

static rag_status make_headers(rag_http_wire *w, const char *key,
                               rag_error *err)
{
    rag_buf auth;
    rag_status st;

    rag_buf_init(&auth, AUTH_MAX_BYTES);
    TRY(add_header(w, "Content-Type: application/json", err));
    TRY(add_header(w, "Accept: application/json, text/event-stream", err));
    TRY(add_header(w, "Expect:", err)); /* no pause before larger bodies */
    if (key != NULL) {
        rag_buf_addf(&auth, "Authorization: Bearer %s", key);
        TRY(rag_buf_status(&auth, err));
        TRY(add_header(w, auth.ptr, err));
    }
    st = RAG_OK;
out:
    if (auth.cap != 0)
        explicit_bzero(auth.ptr, auth.len);
    rag_buf_dispose(&auth);
    return st;
}

rag_status rag_http_wire_open(rag_http_wire **out, const char *key,
                              const char *ca_file, bool loopback,
                              int64_t connect_ms, rag_error *err)
{
    rag_http_wire *w = NULL;
    rag_status st;

    *out = NULL;
    TRY(load(err));
    w = rag_calloc(1, sizeof *w);
    if (w == NULL)
        goto nomem;
    w->loopback = loopback;
    w->connect_ms = connect_ms;
    w->multi = curl.multi_init();
    if (w->multi == NULL)
        goto nomem;
    if (ca_file != NULL && (w->ca_file = rag_strdup(ca_file)) == NULL)
        goto nomem;
    TRY(make_headers(w, key, err));
    *out = w;
    w = NULL;
    goto out;
nomem:
    st = rag_fail_nomem(err);
out:
    rag_http_wire_close(w);
    return st;
}

void rag_http_wire_close(rag_http_wire *w)
{
    rag_sigpipe g;

    if (w == NULL)
        return;
    if (w->multi != NULL) {
        rag_sigpipe_hold(&g);
        (void)curl.multi_cleanup(w->multi);
        rag_sigpipe_release(&g);
    }
    for (struct curl_slist *s = w->headers; s != NULL; s = s->next)
        explicit_bzero(s->data, strlen(s->data)); /* one holds the key */
    if (w->headers != NULL)
        curl.slist_free_all(w->headers);
    rag_free(w->ca_file);
    rag_free(w);
}

/* ---- what curl calls */

static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
    rag_http_try *t = ctx;
    rag_str line = rag_str_n(bytes, size * n);
    size_t colon = rag_str_find_char(line, ':');

    if (t->n_head_bytes == 0) /* the first byte of the reply */
        t->mark_ms = rag_http_wire_now_ms();
    t->n_head_bytes += line.len;
    if (t->n_head_bytes > HEADERS_MAX_BYTES) {
        t->over_cap = true;
        return 0;
    }
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
    rag_http_try *t = ctx;
    size_t len = size * n;
    size_t room;

    t->n_marked += len;
    if (t->n_marked >= t->alive_bytes) {
        t->n_marked = 0;
        t->mark_ms = rag_http_wire_now_ms();
    }
    (void)curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    room = is_ok(t->status) ? t->max_body_bytes : RAG_ERRTEXT_MAX_BODY;
    room = t->in.len < room ? room - t->in.len : 0;
    rag_buf_add(&t->in, bytes, len < room ? len : room);
    t->over_cap = len > room;
    return t->in.failed != RAG_OK || t->over_cap ? 0 : len;
}

/* ---- one try */

#define SET(option, value)                                                     \
    do {                                                                       \
        if (curl.easy_setopt(t->easy, option, value) != CURLE_OK)              \
            goto refused;                                                      \
    } while (0)

static rag_status set_up(const rag_http_wire *w, rag_http_try *t,
                         rag_error *err)
{
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_URL, t->url);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* no key to proxies */
    SET(CURLOPT_HTTPHEADER, w->headers);
    SET(CURLOPT_USERAGENT, "rag/" RAG_VERSION);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a cancel waits for no name server */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)w->connect_ms);
    SET(CURLOPT_ERRORBUFFER, t->text);
    SET(CURLOPT_PRIVATE, (void *)t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)t);
    if (w->ca_file != NULL)
        SET(CURLOPT_CAINFO, w->ca_file);
    if (w->loopback)
        SET(CURLOPT_PROXY, ""); /* a proxy could not reach it */
    if (t->body.ptr != NULL) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body.len);
        SET(CURLOPT_POSTFIELDS, t->body.ptr);
    }
    return RAG_OK;
refused:
    return rag_fail(err, RAG_E_UNSUPPORTED,
                    "libcurl refuses an option that keeps connections safe: "
                    "version 7.87 or newer is needed");
}

rag_status rag_http_wire_start(rag_http_wire *w, rag_http_try *t,
                               rag_error *err)
{
    rag_status st;

    _Static_assert(sizeof t->text >= CURL_ERROR_SIZE, "curl writes so much");
    t->easy = curl.easy_init();
    if (t->easy == NULL)
        return rag_fail_nomem(err);
    t->running = true;
    rag_buf_clear(&t->in);
    t->n_head_bytes = t->n_marked = 0;
    t->status = 0;
    t->retry_after_ms = -1;
    t->fault = RAG_FAULT_NONE;
    t->os_errno = 0;
    t->text[0] = '\0';
    t->why = t->text;
    t->over_cap = t->ended = false;
    t->start_ms = t->mark_ms = rag_http_wire_now_ms();
    st = set_up(w, t, err);
    if (st == RAG_OK && curl.multi_add_handle(w->multi, t->easy) != CURLM_OK)
        st = rag_fail_nomem(err);
    return st;
}

void rag_http_wire_stop(rag_http_wire *w, rag_http_try *t)
{
    rag_sigpipe g;

    if (!t->running)
        return;
    rag_sigpipe_hold(&g);
    (void)curl.multi_remove_handle(w->multi, t->easy);
    curl.easy_cleanup(t->easy);
    rag_sigpipe_release(&g);
    t->easy = NULL;
    t->running = false;
}

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
        /* the only time limit that curl keeps for us */
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

static void end_try(rag_http_try *t, CURLcode code)
{
    long os = 0;

    t->ended = true;
    if (t->text[0] == '\0')
        t->why = curl.easy_strerror(code);
    if (t->status == 0)
        (void)curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    if (t->in.failed == RAG_E_NOMEM)
        t->fault = RAG_FAULT_NOMEM;
    else if (!t->over_cap)
        t->fault = kind_of(code);
    else if (is_ok(t->status) || t->n_head_bytes > HEADERS_MAX_BYTES)
        t->fault = RAG_FAULT_TOO_MUCH;
    /* else: what there is of an error reply will do */
    if (t->fault == RAG_FAULT_NO_CONNECTION &&
        curl.easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os) == CURLE_OK)
        t->os_errno = (int)os;
}

void rag_http_wire_work(rag_http_wire *w)
{
    rag_sigpipe g;
    CURLMsg *m;
    int n;

    rag_sigpipe_hold(&g);
    (void)curl.multi_perform(w->multi, &n);
    rag_sigpipe_release(&g);
    while ((m = curl.multi_info_read(w->multi, &n)) != NULL) {
        void *t = NULL;

        if (m->msg == CURLMSG_DONE &&
            curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t) == CURLE_OK)
            end_try(t, m->data.result);
    }
}

void rag_http_wire_wait(rag_http_wire *w, int64_t ms)
{
    rag_sigpipe g;

    rag_sigpipe_hold(&g);
    (void)curl.multi_poll(w->multi, NULL, 0, (int)ms, NULL);
    rag_sigpipe_release(&g);
}
