#include "net/http.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/errtext.h"
#include "net/fault.h"
#include "net/http_wire.h"
#include "net/retry.h"
#include "net/url.h"

#define POLL_MS 50 /* how late a cancel may be seen */
#define IN_FLIGHT_DEFAULT 4u
#define IN_FLIGHT_MAX 64u
#define RETRIES_DEFAULT 3u
#define CONNECT_MS ((int64_t)10 * 1000)
/* a model may have to be loaded and a long prompt read on a slow machine */
#define FIRST_MS ((int64_t)300 * 1000)
#define IDLE_MS ((int64_t)60 * 1000)
/* three pauses: about two seconds, what somebody waits for a wrong URL */
#define BACKOFF_MS ((int64_t)250)
/* who is told to come back later than this wants to know, not to wait */
#define RETRY_AFTER_MAX_MS ((int64_t)120 * 1000)
/* in every idle window a collected reply must bring at least this much; a
 * streamed one a single byte */
#define SLOW_BYTES 1024u
#define KEY_MAX_BYTES 8192u

/* A request, from rag_http_start() to its done. */
typedef struct transfer {
    struct transfer *next;
    rag_http_request req;
    rag_http_try wire;
    char *url;
    size_t n_tries;
    int64_t due_ms;     /* not before */
    bool streamed;      /* something was given to req.data */
    rag_status stopped; /* by req.data, with error below */
    rag_error error;
} transfer;

struct rag_http {
    char *base;
    char *host;
    char *key;       /* to blot it out of messages */
    rag_http_opts o; /* its strings are not used */
    rag_http_wire *wire;
    transfer *first; /* in the order of rag_http_start() */
    int64_t hold_ms; /* no new try before */
    size_t n_running;
    uint64_t rnd;
};

const char *rag_http_library(rag_error *err)
{
    return rag_http_wire_library(err);
}

const char *rag_http_host(const rag_http *h)
{
    return h->host;
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
    const char *key = opts->key;
    rag_http *h = NULL;
    rag_url url;
    rag_status st;

    *out = NULL;
    TRY(rag_url_parse(&url, base_url, err));
    if (key != NULL && key[0] == '\0')
        key = NULL;
    if (key != NULL)
        TRY(check_key(key, err));
    if (!url.tls && !url.loopback && !opts->allow_http) {
        st = rag_fail(err, RAG_E_INVAL,
                      "%.*s: plain http sends documents and key unprotected: "
                      "use https, or set net.allow_http",
                      (int)url.authority.len, url.authority.ptr);
        goto out;
    }
    h = rag_calloc(1, sizeof *h);
    if (h == NULL)
        goto nomem;
    h->o = *opts;
    set_defaults(&h->o);
    h->rnd = ((uint64_t)rag_http_wire_now_ms() ^ (uint64_t)(uintptr_t)h) | 1;
    h->base = rag_strdup(base_url);
    h->host = rag_strndup(url.authority.ptr, url.authority.len);
    if (h->base == NULL || h->host == NULL ||
        (key != NULL && (h->key = rag_strdup(key)) == NULL))
        goto nomem;
    TRY(rag_http_wire_open(&h->wire, key, opts->ca_file, url.loopback,
                           h->o.connect_ms, err));
    *out = h;
    h = NULL;
    goto out;
nomem:
    st = rag_fail_nomem(err);
out:
    rag_http_free(h);
    return st;
}

static void stop_try(rag_http *h, transfer *t)
{
    if (!t->wire.running)
        return;
    rag_http_wire_stop(h->wire, &t->wire);
    h->n_running--;
}

static void transfer_free(rag_http *h, transfer *t)
{
    stop_try(h, t);
    rag_buf_dispose(&t->wire.in);
    rag_free(t->url);
    rag_free(t);
}

void rag_http_drop(rag_http *h)
{
    while (h->first != NULL) {
        transfer *t = h->first;

        h->first = t->next;
        transfer_free(h, t);
    }
}

void rag_http_free(rag_http *h)
{
    if (h == NULL)
        return;
    rag_http_drop(h);
    rag_http_wire_close(h->wire);
    if (h->key != NULL)
        explicit_bzero(h->key, strlen(h->key));
    rag_free(h->key);
    rag_free(h->host);
    rag_free(h->base);
    rag_free(h);
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
    t->url = rag_buf_take(&url, NULL);
    rag_buf_dispose(&url);
    rag_buf_init(&t->wire.in, r->max_body_bytes > RAG_ERRTEXT_MAX_BODY
                                  ? r->max_body_bytes
                                  : RAG_ERRTEXT_MAX_BODY);
    t->req = *r;
    t->wire.url = t->url;
    t->wire.body = r->body;
    t->wire.max_body_bytes = r->max_body_bytes;
    t->wire.alive_bytes = r->data != NULL ? 1 : SLOW_BYTES;
    if (t->url == NULL) {
        transfer_free(h, t);
        return rag_fail_nomem(err);
    }
    t->req.path = t->url + strlen(h->base);
    while (*end != NULL)
        end = &(*end)->next;
    *end = t;
    return RAG_OK;
}

static rag_status start_due(rag_http *h, int64_t now, rag_error *err)
{
    for (transfer *t = h->first; t != NULL; t = t->next) {
        rag_status st;

        if (h->n_running >= h->o.n_in_flight || h->hold_ms > now)
            break;
        if (t->wire.running || t->due_ms > now)
            continue;
        t->n_tries++;
        st = rag_http_wire_start(h->wire, &t->wire, err);
        h->n_running += t->wire.running;
        if (st != RAG_OK)
            return st;
    }
    return RAG_OK;
}

static bool is_ok(long status)
{
    return status >= 200 && status < 300;
}

/* What arrived of a streamed answer goes to its callback, outside of curl. */
static void give(transfer *t)
{
    rag_http_try *w = &t->wire;

    if (t->req.data == NULL || w->in.len == 0 || !is_ok(w->status))
        return;
    t->streamed = true;
    t->stopped = t->req.data(t->req.ctx, rag_buf_str(&w->in), &t->error);
    rag_buf_clear(&w->in);
    if (t->stopped != RAG_OK)
        w->ended = true;
}

static void check_time(const rag_http *h, rag_http_try *w, int64_t now)
{
    if (!w->running || w->ended)
        return;
    if (w->n_head_bytes == 0 && now - w->start_ms > h->o.first_ms)
        w->fault = RAG_FAULT_FIRST_LATE;
    if (w->n_head_bytes != 0 && now - w->mark_ms > h->o.idle_ms)
        w->fault = RAG_FAULT_BODY_LATE;
    w->ended = w->fault != RAG_FAULT_NONE;
}

/* ---- how a try ended */

static void describe(rag_fault *f, const rag_http *h, const transfer *t)
{
    const rag_http_try *w = &t->wire;

    memset(f, 0, sizeof *f);
    f->kind = w->fault;
    f->host = h->host;
    f->key = rag_str_of(h->key);
    f->why = rag_str_of(w->why);
    f->os_errno = w->os_errno;
    f->limit_ms = w->fault == RAG_FAULT_CONNECT_LATE ? h->o.connect_ms
                  : w->fault == RAG_FAULT_FIRST_LATE ? h->o.first_ms
                                                     : h->o.idle_ms;
    f->max_bytes = t->req.max_body_bytes;
    f->status = w->status;
    f->body = rag_buf_str(&w->in);
    f->retry_after_ms = w->retry_after_ms;
}

/* Failures that may pass, of requests whose answer nobody has seen. */
static bool may_retry(const rag_http *h, const transfer *t,
                      const rag_http_reply *reply)
{
    const rag_http_try *w = &t->wire;

    if (t->req.once || t->streamed || t->n_tries > h->o.n_retries ||
        w->retry_after_ms > RETRY_AFTER_MAX_MS)
        return false;
    if (w->fault != RAG_FAULT_NONE)
        return rag_fault_passes(w->fault);
    return rag_retry_status(w->status) &&
           (t->req.again == NULL || t->req.again(t->req.ctx, reply));
}

static int64_t pause_ms(rag_http *h, const transfer *t)
{
    if (t->wire.retry_after_ms >= 0)
        return t->wire.retry_after_ms;
    h->rnd ^= h->rnd << 13; /* xorshift: spreads clients, hides nothing */
    h->rnd ^= h->rnd >> 7;
    h->rnd ^= h->rnd << 17;
    return rag_retry_pause_ms(h->o.backoff_ms, t->n_tries, h->rnd);
}

/* true: another try may help */
static bool judge(rag_http_reply *reply, const rag_http *h, const transfer *t,
                  int64_t now, rag_error *err)
{
    rag_fault f;

    memset(reply, 0, sizeof *reply);
    reply->status = t->wire.status;
    reply->streamed = t->streamed;
    reply->ms = (double)(now - t->wire.start_ms);
    reply->body = rag_buf_str(&t->wire.in);
    if (t->stopped != RAG_OK) {
        *err = t->error;
        reply->st = t->stopped;
        return false;
    }
    describe(&f, h, t);
    reply->st = rag_fault_explain(&f, err);
    return reply->st != RAG_OK && may_retry(h, t, reply);
}

/* Puts a failed try back into the queue, or reports: true when it is over. */
static bool settle(rag_http *h, transfer *t, rag_http_reply *reply, int64_t now,
                   rag_error *err)
{
    bool again = judge(reply, h, t, now, err);

    stop_try(h, t);
    rag_log(RAG_LOG_DEBUG, "%s%s: status %ld, %zu bytes, %.0f ms, try %zu",
            h->host, t->req.path, reply->status, reply->body.len, reply->ms,
            t->n_tries);
    if (!again)
        return true;
    t->due_ms = now + pause_ms(h, t);
    if (t->wire.retry_after_ms > 0 && h->hold_ms < t->due_ms)
        h->hold_ms = t->due_ms;
    t->wire.ended = false;
    return false;
}

/* Takes the transfers that are over out of the queue and reports them. */
static rag_status settle_all(rag_http *h, int64_t now, rag_error *err)
{
    transfer **at = &h->first;

    while (*at != NULL) {
        transfer *t = *at;
        rag_http_reply reply;
        rag_status st;

        if (!t->wire.ended || !settle(h, t, &reply, now, err)) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        t->next = NULL;
        st = t->req.done(t->req.ctx, &reply, err);
        transfer_free(h, t);
        if (st != RAG_OK)
            return st;
        at = &h->first; /* done may have started more */
    }
    return RAG_OK;
}

/* Until something arrives or the next try is due. */
static void wait_some(rag_http *h, int64_t now)
{
    int64_t ms = POLL_MS;

    for (transfer *t = h->first; t != NULL; t = t->next) {
        int64_t due = t->due_ms > h->hold_ms ? t->due_ms : h->hold_ms;

        if (!t->wire.running && h->n_running < h->o.n_in_flight &&
            due - now < ms)
            ms = due > now ? due - now : 0;
    }
    rag_http_wire_wait(h->wire, ms);
}

static rag_status run_once(rag_http *h, rag_error *err)
{
    int64_t now;
    rag_status st;

    if (h->o.cancelled != NULL && h->o.cancelled(h->o.cancel_ctx))
        return rag_fail(err, RAG_E_CANCELLED, "interrupted");
    st = start_due(h, rag_http_wire_now_ms(), err);
    if (st != RAG_OK)
        return st;
    rag_http_wire_work(h->wire);
    now = rag_http_wire_now_ms();
    for (transfer *t = h->first; t != NULL; t = t->next) {
        give(t);
        check_time(h, &t->wire, now);
    }
    st = settle_all(h, now, err);
    if (st == RAG_OK && h->first != NULL)
        wait_some(h, now);
    return st;
}

rag_status rag_http_run(rag_http *h, rag_error *err)
{
    rag_error own;
    rag_status st = RAG_OK;

    if (err == NULL)
        err = &own; /* callbacks need one to pass on */
    while (st == RAG_OK && h->first != NULL)
        st = run_once(h, err);
    if (st != RAG_OK)
        rag_http_drop(h);
    else
        rag_error_clear(err); /* of failures that were dealt with */
    return st;
}
