/*
 * Embedding over HTTP, whatever the provider: batches by count and estimated
 * tokens, several in flight. A batch that the server refuses as too large or
 * malformed is cut in two until it passes or a single text is left, which then
 * is the one that is named; what was in flight and the other halves are still
 * finished, because they are paid for.
 */
#include <string.h>

#include "base/mem.h"
#include "model/embed_priv.h"
#include "net/errtext.h"

/* a number of a vector as text is at most about 25 bytes */
#define NUMBER_BYTES 32u
#define REPLY_EXTRA_BYTES ((size_t)1 << 20)
/* the texts of one request, escaped */
#define MAX_REQUEST_BYTES ((size_t)64 << 20)

typedef struct run run;

typedef struct job {
    struct job *next;
    run *run;
    size_t first, n;
    rag_buf body;
} job;

typedef struct half {
    size_t first, n;
} half;

struct run {
    rag_embedder *e;
    const rag_str *texts;
    size_t n_texts;
    const char *prefix;
    rag_embed_done done;
    void *ctx;
    size_t next;  /* first text that is in no batch yet */
    half *halves; /* [n_halves] of refused batches, a stack */
    size_t n_halves, halves_cap;
    job *jobs; /* in flight */
    size_t n_jobs;
    bool any_ok;
    rag_status refused; /* a single text was: its error is kept here */
    rag_error error;
};

rag_status rag_embed_remote_open(rag_embedder *e, rag_error *err)
{
    rag_http_opts o = {.key = e->o.key,
                       .ca_file = e->o.ca_file,
                       .allow_http = e->o.allow_http,
                       .n_in_flight = e->o.n_in_flight,
                       .cancelled = e->o.cancelled,
                       .cancel_ctx = e->o.cancel_ctx};
    char *url;
    rag_status st = rag_endpoint_url(&url, e->ops->endpoint, e->o.url, err);

    if (st == RAG_OK)
        st = rag_http_new(&e->http, url, &o, err);
    rag_free(url);
    return st;
}

/* At least what any tokenizer makes of it: three bytes of ASCII a token (code,
 * digits), one token for every other character (Hangul: about 0.55). */
static size_t estimate_tokens(rag_str s)
{
    size_t n_ascii = 0;
    size_t n_other = 0;

    for (size_t i = 0; i < s.len; i++) {
        n_ascii += (unsigned char)s.ptr[i] < 0x80;
        n_other += (unsigned char)s.ptr[i] >= 0xC0;
    }
    return n_ascii / 3 + n_other + 1;
}

/* How many texts from first on make the next batch. */
static size_t batch_len(const run *r, size_t first)
{
    const rag_embedder *e = r->e;
    size_t left = r->n_texts - first;
    size_t n = 0;
    size_t n_tokens = 0;

    while (n < left && n < e->batch_now) {
        n_tokens += estimate_tokens(r->texts[first + n]);
        if (n != 0 && n_tokens > e->o.batch_tokens)
            break;
        n++;
    }
    return n;
}

static rag_status write_body(rag_buf *body, const run *r, size_t first,
                             size_t n, rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_buf text;
    rag_status st = RAG_OK;

    rag_buf_init(&text, MAX_REQUEST_BYTES);
    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "model", r->e->o.model);
    r->e->ops->fields(w, &r->e->o);
    rag_jw_array(w, "input");
    for (size_t i = 0; i < n; i++) {
        rag_buf_clear(&text);
        rag_buf_addz(&text, r->prefix);
        rag_buf_adds(&text, r->texts[first + i]);
        TRY(rag_buf_status(&text, err));
        rag_jw_str(w, NULL, rag_buf_str(&text));
    }
    rag_jw_end(w);
    rag_jw_end(w);
    st = rag_jw_finish(body, w, false, err);
out:
    rag_jw_free(w);
    rag_buf_dispose(&text);
    return st;
}

/* Does this reply mean that the batch, not the server, is the trouble? */
static bool is_refusal(const rag_http_reply *reply)
{
    static const char *const words[] = {"too large", "too long", "exceed",
                                        "maximum",   "context",  "batch"};
    char text[RAG_ERRTEXT_MAX_BYTES + 8];

    switch (reply->status) {
    case 400:
    case 413:
    case 422:
        return true;
    case 500:
        break;
    default:
        return false;
    }
    rag_errtext_show(text, reply->body, rag_str_n("", 0));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(text, words[i]) != NULL)
            return true;
    return false;
}

static bool again(void *ctx, const rag_http_reply *reply)
{
    (void)ctx;
    return !is_refusal(reply);
}

static rag_status on_reply(void *ctx, const rag_http_reply *reply,
                           rag_error *err);

static void job_free(job *j)
{
    rag_buf_dispose(&j->body);
    rag_free(j);
}

static rag_status start_job(run *r, size_t first, size_t n, rag_error *err)
{
    rag_http_request q = {.path = r->e->ops->path,
                          .max_body_bytes =
                              REPLY_EXTRA_BYTES +
                              n * RAG_EMBED_MAX_DIMS * NUMBER_BYTES,
                          .once = r->e->once,
                          .done = on_reply,
                          .again = again};
    job *j = rag_calloc(1, sizeof *j);
    rag_status st;

    if (j == NULL)
        return rag_fail_nomem(err);
    rag_buf_init(&j->body, MAX_REQUEST_BYTES);
    j->run = r;
    j->first = first;
    j->n = n;
    q.ctx = j;
    TRY(write_body(&j->body, r, first, n, err));
    q.body = rag_buf_str(&j->body);
    TRY(rag_http_start(r->e->http, &q, err));
    j->next = r->jobs;
    r->jobs = j;
    r->n_jobs++;
    j = NULL;
out:
    if (j != NULL)
        job_free(j);
    return st;
}

/* Keeps as many requests on their way as allowed. */
static rag_status fill(run *r, rag_error *err)
{
    while (r->n_jobs < r->e->o.n_in_flight) {
        half h;
        rag_status st;

        if (r->n_halves != 0) {
            h = r->halves[--r->n_halves];
        } else if (r->refused == RAG_OK && r->next < r->n_texts) {
            h.first = r->next;
            h.n = batch_len(r, r->next);
            r->next += h.n;
        } else {
            break;
        }
        st = start_job(r, h.first, h.n, err);
        if (st != RAG_OK)
            return st;
    }
    return RAG_OK;
}

static rag_status push(run *r, size_t first, size_t n, rag_error *err)
{
    if (!rag_mem_grow(&r->halves, &r->halves_cap, r->n_halves + 1,
                      sizeof *r->halves))
        return rag_fail_nomem(err);
    r->halves[r->n_halves].first = first;
    r->halves[r->n_halves++].n = n;
    return RAG_OK;
}

static rag_status refuse(run *r, const job *j, rag_error *err)
{
    size_t n = j->n / 2;
    rag_status st;

    if (j->n > 1) {
        if (r->e->batch_now > n)
            r->e->batch_now = n; /* perhaps there were too many */
        st = push(r, j->first + n, j->n - n, err);
        return st == RAG_OK ? push(r, j->first, n, err) : st;
    }
    r->e->batch_now = r->e->o.batch_texts; /* no: it was this one */
    st = rag_fail_prefix(err, RAG_E_REMOTE, "text %zu (%zu bytes)", j->first,
                         r->texts[j->first].len);
    if (r->refused == RAG_OK) {
        r->refused = st;
        r->error = *err;
        r->e->refused = j->first;
    }
    /* a server that has taken nothing yet would refuse the rest as well */
    return r->any_ok ? RAG_OK : st;
}

static rag_status one_vector(const float **values, size_t *n, rag_embedder *e,
                             const rag_json *slot, size_t i, rag_error *err)
{
    rag_str base64;

    if (rag_floats_get(values, n, &e->floats, slot))
        return RAG_OK;
    if (rag_json_str(&base64, slot))
        return rag_floats_base64(values, n, &e->floats, base64,
                                 e->floats.n_values + RAG_EMBED_MAX_DIMS, err);
    return rag_fail(err, RAG_E_FORMAT,
                    "%s: the vector of text %zu is not a list of numbers",
                    e->o.model, i);
}

static rag_status gather(rag_embedder *e, const rag_json **slots, const job *j,
                         size_t *dims, rag_error *err)
{
    *dims = 0;
    for (size_t i = 0; i < j->n; i++) {
        const float *v;
        size_t n;
        size_t need;
        rag_status st = one_vector(&v, &n, e, slots[i], j->first + i, err);

        if (st != RAG_OK)
            return st;
        if (i == 0)
            *dims = n;
        if (n != *dims || n == 0 || n > RAG_EMBED_MAX_DIMS)
            return rag_fail(err, RAG_E_FORMAT,
                            "%s: a vector of %zu numbers beside one of %zu",
                            e->o.model, n, *dims);
        if (!rag_mul_ok(&need, j->n, n) ||
            (e->vectors_cap < need &&
             !rag_mem_grow(&e->vectors, &e->vectors_cap, need,
                           sizeof *e->vectors)))
            return rag_fail_nomem(err);
        memcpy(e->vectors + i * n, v, n * sizeof *v);
    }
    return RAG_OK;
}

static rag_status read_reply(rag_embedder *e, const job *j, rag_str body,
                             size_t *dims, rag_error *err)
{
    rag_json *root = NULL;
    const rag_json **slots =
        rag_calloc(j->n, sizeof *slots); /* where each vector is */
    rag_status st;

    if (slots == NULL)
        return rag_fail_nomem(err);
    TRY(rag_floats_lift(&e->floats, body, j->n * RAG_EMBED_MAX_DIMS, err));
    TRY(rag_json_parse(&root, rag_buf_str(&e->floats.json), SIZE_MAX / 2,
                       rag_http_host(e->http), err));
    TRY(e->ops->slots(slots, j->n, root, err));
    TRY(gather(e, slots, j, dims, err));
    st = rag_embed_finish(e, e->vectors, j->n, *dims, j->first, err);
out:
    rag_json_free(root);
    rag_free(slots);
    return st;
}

static void unlink_job(run *r, job *j)
{
    job **at = &r->jobs;

    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    r->n_jobs--;
}

static rag_status on_reply(void *ctx, const rag_http_reply *reply,
                           rag_error *err)
{
    job *j = ctx;
    run *r = j->run;
    rag_status st = reply->st;
    size_t dims = 0;

    unlink_job(r, j);
    if (st == RAG_OK) {
        TRY(read_reply(r->e, j, reply->body, &dims, err));
        r->any_ok = true;
        TRY(r->done(r->ctx, j->first, j->n, r->e->vectors, dims, err));
    } else if (st == RAG_E_REMOTE && is_refusal(reply)) {
        TRY(refuse(r, j, err));
    } else {
        goto out;
    }
    st = fill(r, err);
out:
    job_free(j);
    return st;
}

rag_status rag_embed_remote_run(rag_embedder *e, const rag_str *texts,
                                size_t n_texts, const char *prefix,
                                rag_embed_done done, void *ctx, rag_error *err)
{
    run r = {.e = e,
             .texts = texts,
             .n_texts = n_texts,
             .prefix = prefix,
             .done = done,
             .ctx = ctx};
    rag_status st = fill(&r, err);

    /* requests may have been queued before fill() failed: run() drops them */
    if (st == RAG_OK)
        st = rag_http_run(e->http, err);
    else
        rag_http_drop(e->http);
    while (r.jobs != NULL) {
        job *j = r.jobs;

        r.jobs = j->next;
        job_free(j);
    }
    rag_free(r.halves);
    if (st == RAG_OK && r.refused != RAG_OK) {
        st = r.refused;
        if (err != NULL)
            *err = r.error;
    }
    return st;
}

rag_status rag_embed_remote_check(rag_embedder *e, rag_error *err)
{
    rag_str text = RAG_STR_LIT("ping");
    rag_status st;

    e->once = true;
    st = rag_embed_remote_run(e, &text, 1, "", rag_embed_ignore, NULL, err);
    e->once = false;
    return st;
}

const char *rag_embed_http_library(rag_error *err)
{
    return rag_http_library(err);
}
