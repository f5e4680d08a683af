/*
 * Reranking over HTTP. One request a batch, one after the other: the candidates
 * of a question fit into one.
 *
 * Where the endpoint lies and which of two requests it takes is found out once:
 * a URL without a path or with /v1 is asked at /v1/rerank, and at /rerank when
 * that is not there (text-embeddings-inference and others have no /v1); a
 * server that misses the field `texts` is asked in that form.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "model/rerank_priv.h"
#include "net/errtext.h"
#include "net/url.h"

/* a search can do without: it does not wait as long as an ingest does */
#define FIRST_MS 60000
#define N_RETRIES 1u
/* the texts of one request as they are; escaped they may be six times that */
#define MAX_BATCH_BYTES ((size_t)1 << 20)
#define MAX_REQUEST_BYTES ((size_t)16 << 20)
/* many servers send the texts back */
#define REPLY_EXTRA_BYTES ((size_t)1 << 20)
/* a text that is not taken at this length is not refused for its length */
#define MIN_TEXT_BYTES ((size_t)256)

/* What became of one request. */
typedef struct reply {
    rag_status st;
    long status;
    rag_buf body;
    rag_error error;
} reply;

/* ---- where -------------------------------------------------------------- */

static rag_status set_paths(rag_reranker *r, rag_buf *url, rag_error *err)
{
    static const char *const ends[] = {"/rerank", "/reranking", "/reranks"};
    rag_url parts;
    rag_status st = rag_url_parse(&parts, url->ptr, err);

    if (st != RAG_OK)
        return st;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (rag_str_ends(parts.path, ends[i])) {
            r->paths[0] = ends[i];
            rag_buf_trunc(url, url->len - strlen(ends[i]));
            return RAG_OK;
        }
    if (parts.path.len == 0 || rag_str_ends(parts.path, "/v1")) {
        rag_buf_trunc(url, url->len - (parts.path.len == 0 ? 0 : 3));
        r->paths[0] = "/v1/rerank";
        r->paths[1] = "/rerank";
    } else {
        r->paths[0] = "/rerank";
    }
    return RAG_OK;
}

static rag_status open_http(rag_reranker *r, rag_error *err)
{
    rag_http_opts o = {.key = r->o.key,
                       .ca_file = r->o.ca_file,
                       .allow_http = r->o.allow_http,
                       .n_in_flight = 1,
                       .n_retries = N_RETRIES,
                       .first_ms = FIRST_MS,
                       .cancelled = r->o.cancelled,
                       .cancel_ctx = r->o.cancel_ctx};
    char *url = NULL;
    rag_status st;
    rag_buf b;

    if (r->o.url == NULL || r->o.url[0] == '\0')
        return rag_fail(err, RAG_E_INVAL,
                        "rerank.model is http:%s, but rerank.url is not set",
                        r->o.model);
    rag_buf_init(&b, RAG_URL_MAX_BYTES + 64);
    TRY(rag_url_normalise(&url, r->o.url, 0, err));
    rag_buf_addz(&b, url);
    TRY(rag_buf_status(&b, err));
    TRY(set_paths(r, &b, err));
    st = rag_http_new(&r->http, b.ptr, &o, err);
out:
    rag_free(url);
    rag_buf_dispose(&b);
    return st;
}

/* ---- one request -------------------------------------------------------- */

static rag_status write_body(rag_buf *body, const rag_reranker *r,
                             rag_str query, const rag_str *texts, size_t n,
                             rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    if (!r->tei)
        rag_jw_strz(w, "model", r->o.model);
    rag_jw_str(w, "query", query);
    if (r->tei)
        rag_jw_bool(w, "truncate", true);
    else
        rag_jw_int(w, "top_n", (int64_t)n);
    rag_jw_array(w, r->tei ? "texts" : "documents");
    for (size_t i = 0; i < n; i++)
        rag_jw_str(
            w, NULL,
            rag_str_cut(texts[i], 0,
                        rag_utf8_grapheme_floor(texts[i], r->max_bytes)));
    rag_jw_end(w);
    rag_jw_end(w);
    st = rag_jw_finish(body, w, false, err);
    rag_jw_free(w);
    return st;
}

static rag_status on_reply(void *ctx, const rag_http_reply *got, rag_error *err)
{
    reply *p = ctx;

    p->st = got->st;
    p->status = got->status;
    rag_buf_adds(&p->body, got->body);
    if (got->st != RAG_OK && err != NULL)
        p->error = *err;
    return rag_buf_status(&p->body, err);
}

/* Does the server say that something is too long, or that it is too much? */
static bool is_refusal(long status, rag_str body)
{
    static const char *const words[] = {
        "too large", "too long",   "exceed", "maximum",  "less than", "at most",
        "context",   "batch size", "reduce", "too many", "limit"};
    char text[RAG_ERRTEXT_MAX_BYTES + 8];

    if (status == 413)
        return true;
    if (status != 400 && status != 422 && status != 500)
        return false;
    rag_errtext_show(text, body, rag_str_n("", 0));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(text, words[i]) != NULL)
            return true;
    return false;
}

/* What a retry cannot mend is not tried again. */
static bool again(void *ctx, const rag_http_reply *got)
{
    (void)ctx;
    return !is_refusal(got->status, got->body);
}

/* Sends texts [n]; what came is in p. */
static rag_status post(reply *p, rag_reranker *r, rag_str query,
                       const rag_str *texts, size_t n, rag_error *err)
{
    rag_http_request q = {.path = r->paths[r->path],
                          .once = r->once || r->failed_before,
                          .done = on_reply,
                          .again = again,
                          .ctx = p};
    rag_error why = {RAG_OK, ""};
    rag_buf body;
    rag_status st;

    rag_buf_clear(&p->body);
    p->st = RAG_OK;
    p->status = 0;
    rag_buf_init(&body, MAX_REQUEST_BYTES);
    TRY(write_body(&body, r, query, texts, n, err));
    q.body = rag_buf_str(&body);
    q.max_body_bytes = REPLY_EXTRA_BYTES + 4 * body.len;
    TRY(rag_http_start(r->http, &q, err));
    st = rag_http_run(r->http, &why);
    if (st != RAG_OK && err != NULL)
        *err = why;
out:
    rag_buf_dispose(&body);
    return st;
}

/* The server did not understand: is there another way to ask it? */
static bool try_otherwise(rag_reranker *r, const reply *p)
{
    char text[RAG_ERRTEXT_MAX_BYTES + 8];

    if (r->settled || p->st != RAG_E_REMOTE)
        return false;
    if ((p->status == 404 || p->status == 405) && r->path == 0 &&
        r->paths[1] != NULL) {
        r->path = 1;
        return true;
    }
    if (p->status != 400 && p->status != 422)
        return false;
    rag_errtext_show(text, rag_buf_str(&p->body), rag_str_n("", 0));
    if (r->tei || strstr(text, "texts") == NULL)
        return false;
    r->tei = true;
    return true;
}

/* Finds out how to ask, and asks. *p: the answer, or the first refusal. */
static rag_status ask(reply *p, rag_reranker *r, rag_str query,
                      const rag_str *texts, size_t n, rag_error *err)
{
    rag_error first = {RAG_OK, ""};
    rag_status st;

    for (;;) {
        st = post(p, r, query, texts, n, err);
        if (st != RAG_OK)
            return st;
        if (p->st == RAG_E_REMOTE && first.code == RAG_OK)
            first = p->error;
        if (!try_otherwise(r, p))
            break;
    }
    if (p->st == RAG_OK || is_refusal(p->status, rag_buf_str(&p->body))) {
        r->settled = true;
        return RAG_OK;
    }
    if (!r->settled) { /* next time from the start */
        r->path = 0;
        r->tei = false;
    }
    if (p->st == RAG_E_REMOTE && first.code != RAG_OK)
        p->error = first;
    return RAG_OK;
}

/* ---- all of them -------------------------------------------------------- */

typedef struct run {
    rag_reranker *r;
    rag_str query;
    const rag_str *texts;
    size_t n;
    double *raw;
    size_t n_scored;
    rag_error refused; /* what the server says of a text it never takes */
} run;

static size_t batch_len(const run *u, size_t first)
{
    size_t n = 0;
    size_t bytes = 0;

    while (first + n < u->n && n < u->r->batch_now) {
        bytes += u->texts[first + n].len;
        if (n != 0 && bytes > MAX_BATCH_BYTES)
            break;
        n++;
    }
    return n;
}

/* texts [first, first + *n) were refused: fewer of them, then less of the one
 * that is left. *n 0: it is given up. */
static void shrink(run *u, size_t first, size_t *n, const reply *p)
{
    rag_reranker *r = u->r;
    size_t len = u->texts[first].len;

    if (*n > 1) {
        r->batch_now = (*n + 1) / 2;
        *n = r->batch_now;
        return;
    }
    if (len > r->max_bytes)
        len = r->max_bytes;
    if (len > MIN_TEXT_BYTES) {
        r->max_bytes = len / 2 > MIN_TEXT_BYTES ? len / 2 : MIN_TEXT_BYTES;
        return;
    }
    if (u->refused.code == RAG_OK)
        u->refused = p->error;
    *n = 0;
}

/* One batch from first on; *n: how many texts are dealt with. */
static rag_status take(run *u, size_t first, size_t *n, reply *p,
                       rag_error *err)
{
    rag_reranker *r = u->r;
    size_t max_before = r->max_bytes;
    size_t batch_before = r->batch_now;
    rag_status st;

    *n = batch_len(u, first);
    for (;;) {
        st = ask(p, r, u->query, u->texts + first, *n, err);
        if (st != RAG_OK)
            return st;
        if (p->st == RAG_OK)
            break;
        if (!is_refusal(p->status, rag_buf_str(&p->body))) {
            if (err != NULL)
                *err = p->error;
            return p->st;
        }
        shrink(u, first, n, p);
        if (*n == 0) { /* this text; the next ones may be taken */
            r->max_bytes = max_before;
            if (u->n_scored == 0 && u->n > 1) {
                if (err != NULL)
                    *err = u->refused;
                return p->st;
            }
            *n = 1;
            return RAG_OK;
        }
    }
    /* the length was the trouble, not the number */
    if (r->max_bytes < max_before)
        r->batch_now = batch_before;
    st = rag_rerank_read(u->raw + first, *n, rag_buf_str(&p->body),
                         rag_http_host(r->http), err);
    if (st == RAG_OK)
        u->n_scored += *n;
    return st;
}

static rag_status run_http(double *raw, rag_reranker *r, rag_str query,
                           const rag_str *texts, size_t n, rag_error *err)
{
    run u = {.r = r, .query = query, .texts = texts, .n = n, .raw = raw};
    reply p = {.st = RAG_OK};
    rag_status st = RAG_OK;
    size_t done = 0;

    rag_buf_init(&p.body, REPLY_EXTRA_BYTES + 4 * MAX_REQUEST_BYTES);
    while (done < n) {
        size_t took;

        TRY(take(&u, done, &took, &p, err));
        done += took;
    }
    if (u.n_scored == 0) {
        st = u.refused.code;
        if (err != NULL)
            *err = u.refused;
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        r->about.n_cut += texts[i].len > r->max_bytes;
out:
    r->failed_before = st == RAG_E_NET;
    rag_buf_dispose(&p.body);
    return st;
}

const rag_rerank_ops rag_rerank_http = {
    .provider = "http",
    .open = open_http,
    .run = run_http,
};
