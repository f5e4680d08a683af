#include "model/chat.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "model/chat_priv.h"
#include "model/glue.h"
#include "net/errtext.h"

#define MAX_NAME_BYTES 512u
/* an answer is read by a person */
#define MAX_ANSWER_BYTES ((size_t)4 << 20)
/* servers wrap every token in a few hundred bytes */
#define MAX_STREAM_BYTES ((size_t)256 << 20)
#define MAX_EVENT_BYTES ((size_t)1 << 20)
#define MAX_REPLY_BYTES ((size_t)16 << 20)
#define MAX_REQUEST_BYTES ((size_t)64 << 20)
/* a slow machine reads a long prompt, or loads a model, before it answers */
#define FIRST_MS ((int64_t)600 * 1000)
#define IDLE_MS ((int64_t)120 * 1000)
/* tries with one parameter less each */
#define MAX_ADAPT 3

struct rag_chat_turn {
    rag_chat *c;
    rag_chat_result *result;
    rag_chat_text text;
    void *ctx;
    rag_sse sse;
    rag_buf plain; /* a JSON reply where a stream was asked */
    rag_buf safe;  /* an event, fit for the parser */
    rag_glue glue;
    bool begun, is_plain; /* what kind of reply it is */
    bool was_split;       /* of the event at hand */
    bool finished, done;
    size_t n_stream_bytes, n_answer_bytes;
    double start_ms;
    bool adapted;
};

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static const rag_chat_ops *find(const char *provider)
{
    static const rag_chat_ops *const all[] = {&rag_chat_openai,
                                              &rag_chat_ollama};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (provider != NULL && strcmp(all[i]->provider, provider) == 0)
            return all[i];
    return NULL;
}

static rag_status open_http(rag_chat *c, rag_error *err)
{
    rag_http_opts h = {.key = c->o.key,
                       .ca_file = c->o.ca_file,
                       .allow_http = c->o.allow_http,
                       .first_ms = FIRST_MS,
                       .idle_ms = IDLE_MS,
                       .cancelled = c->o.cancelled,
                       .cancel_ctx = c->o.cancel_ctx};
    char *url;
    rag_status st = rag_endpoint_url(&url, c->ops->endpoint, c->o.url, err);

    if (st == RAG_OK)
        st = rag_http_new(&c->http, url, &h, err);
    rag_free(url);
    c->o.key = c->o.url = c->o.ca_file = NULL; /* http has its copies */
    return st;
}

rag_status rag_chat_new(rag_chat **out, const rag_chat_opts *o, rag_error *err)
{
    const rag_chat_ops *ops = find(o->provider);
    rag_chat *c;
    rag_status st;

    *out = NULL;
    if (ops == NULL)
        return rag_fail(err, RAG_E_INVAL,
                        "no chat provider '%s': openai or ollama",
                        o->provider != NULL ? o->provider : "");
    if (o->model == NULL || o->model[0] == '\0' ||
        strlen(o->model) > MAX_NAME_BYTES || strpbrk(o->model, "\r\n") != NULL)
        return rag_fail(err, RAG_E_INVAL, "chat.model names no model");
    c = rag_calloc(1, sizeof *c);
    if (c == NULL)
        return rag_fail_nomem(err);
    rag_arena_init(&c->arena);
    c->ops = ops;
    c->o = *o;
    c->o.model = rag_arena_strdup(&c->arena, o->model);
    if (c->o.model == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(open_http(c, err));
    *out = c;
    c = NULL;
out:
    rag_chat_free(c);
    return st;
}

void rag_chat_free(rag_chat *c)
{
    if (c == NULL)
        return;
    rag_http_free(c->http);
    rag_arena_dispose(&c->arena);
    rag_free(c);
}

/* ---- what the providers report */

static rag_status give(rag_chat_turn *t, rag_str whole, rag_error *err)
{
    if (whole.len == 0)
        return RAG_OK;
    if (t->result->first_token_ms < 0)
        t->result->first_token_ms = now_ms() - t->start_ms;
    t->n_answer_bytes += whole.len;
    if (t->n_answer_bytes > MAX_ANSWER_BYTES)
        return rag_fail(err, RAG_E_LIMIT,
                        "%s: the answer is over its cap of %zu bytes",
                        rag_http_host(t->c->http), MAX_ANSWER_BYTES);
    return t->text(t->ctx, whole, err);
}

rag_status rag_chat_turn_text(rag_chat_turn *t, const rag_json *content,
                              rag_error *err)
{
    rag_str piece;
    rag_str whole;
    rag_status st;

    if (!rag_json_str(&piece, content))
        return RAG_OK; /* null beside the role, or beside a tool call */
    st = rag_glue_add(&whole, &t->glue, piece, t->was_split, err);
    return st == RAG_OK ? give(t, whole, err) : st;
}

void rag_chat_turn_finish(rag_chat_turn *t, rag_str reason)
{
    t->finished = true;
    t->result->withheld = rag_str_eqz(reason, "content_filter");
    if (t->result->withheld || rag_str_eqz(reason, "length"))
        t->result->cut = true;
}

void rag_chat_turn_usage(rag_chat_turn *t, const rag_json *prompt_tokens,
                         const rag_json *completion_tokens)
{
    int64_t n;

    if (rag_json_i64(&n, prompt_tokens) && n >= 0)
        t->result->prompt_tokens = n;
    if (rag_json_i64(&n, completion_tokens) && n >= 0)
        t->result->completion_tokens = n;
}

rag_status rag_chat_turn_error(rag_chat_turn *t, const rag_json *root,
                               rag_error *err)
{
    char shown[RAG_ERRTEXT_MAX_BYTES + 8];
    rag_status st = rag_chat_overflow(t->result, t->c, root, err);

    if (st != RAG_OK)
        return st;
    rag_errtext_show(shown, rag_errtext_find(root), rag_str_n("", 0));
    return rag_fail(err, RAG_E_REMOTE, "%s: the server broke off: %s",
                    rag_http_host(t->c->http),
                    shown[0] != '\0' ? shown : "no reason given");
}

/* ---- the reply */

static rag_status on_json(rag_chat_turn *t, rag_str text, rag_error *err)
{
    rag_json *root = NULL;
    rag_status st;

    rag_buf_clear(&t->safe);
    rag_glue_protect(&t->safe, &t->was_split, text);
    TRY(rag_buf_status(&t->safe, err));
    TRY(rag_json_parse(&root, rag_buf_str(&t->safe), t->safe.max_bytes,
                       rag_http_host(t->c->http), err));
    st = t->c->ops->event(t, root, err);
out:
    rag_json_free(root);
    return st;
}

static rag_status on_event(void *ctx, rag_str type, rag_str data,
                           rag_error *err)
{
    rag_chat_turn *t = ctx;

    (void)type;
    if (t->done || data.len == 0)
        return RAG_OK;
    if (t->c->ops->kind == RAG_SSE_EVENTS && rag_str_eqz(data, "[DONE]")) {
        t->done = t->finished = true;
        return RAG_OK;
    }
    return on_json(t, data, err);
}

/* A server may answer in one piece although a stream was asked: an event
 * stream never begins with '{'. */
static rag_status on_data(void *ctx, rag_str bytes, rag_error *err)
{
    rag_chat_turn *t = ctx;

    t->n_stream_bytes += bytes.len;
    if (t->n_stream_bytes > MAX_STREAM_BYTES)
        return rag_fail(err, RAG_E_LIMIT,
                        "%s: the stream is over its cap of %zu bytes",
                        rag_http_host(t->c->http), MAX_STREAM_BYTES);
    if (!t->begun) {
        bytes = rag_str_trim(bytes).len != 0 ? bytes : rag_str_n("", 0);
        t->begun = bytes.len != 0;
        t->is_plain = t->begun && t->c->ops->kind == RAG_SSE_EVENTS &&
                      rag_str_trim(bytes).ptr[0] == '{';
    }
    if (!t->is_plain)
        return rag_sse_feed(&t->sse, bytes, on_event, t, err);
    rag_buf_adds(&t->plain, bytes);
    return rag_buf_status(&t->plain, err);
}

/* The rest of a reply whose last byte is there. */
static rag_status end_reply(rag_chat_turn *t, rag_str body, rag_error *err)
{
    rag_str rest;
    rag_status st;

    if (!t->c->o.stream)
        st = on_json(t, body, err);
    else if (t->is_plain)
        st = on_json(t, rag_buf_str(&t->plain), err);
    else
        st = rag_sse_end(&t->sse, on_event, t, err);
    if (st != RAG_OK)
        return st;
    st = rag_glue_end(&rest, &t->glue, err);
    if (st == RAG_OK)
        st = give(t, rest, err);
    if (st == RAG_OK && !t->finished && t->c->o.stream && !t->is_plain)
        st = rag_fail(err, RAG_E_NET, "%s: the answer broke off",
                      rag_http_host(t->c->http));
    return st;
}

/* An error reply: too long a prompt, or a parameter that can be left out. */
static rag_status on_error(rag_chat_turn *t, const rag_http_reply *reply,
                           rag_error *err)
{
    rag_json *root = NULL;
    rag_status st = reply->st;

    if (reply->st != RAG_E_REMOTE || reply->body.len == 0 ||
        rag_json_parse(&root, reply->body, RAG_ERRTEXT_MAX_BODY, "error reply",
                       NULL) != RAG_OK)
        return st;
    if (rag_chat_overflow(t->result, t->c, root, err) != RAG_OK)
        st = RAG_E_LIMIT;
    else if (reply->status == 400 && t->c->ops->adapt != NULL)
        t->adapted = t->c->ops->adapt(t->c, rag_errtext_find(root));
    rag_json_free(root);
    return st;
}

static rag_status on_done(void *ctx, const rag_http_reply *reply,
                          rag_error *err)
{
    rag_chat_turn *t = ctx;

    return reply->st == RAG_OK ? end_reply(t, reply->body, err)
                               : on_error(t, reply, err);
}

static bool again(void *ctx, const rag_http_reply *reply)
{
    rag_chat_turn *t = ctx;
    rag_json *root = NULL;
    bool over;

    if (reply->status != 500 ||
        rag_json_parse(&root, reply->body, RAG_ERRTEXT_MAX_BODY, "error reply",
                       NULL) != RAG_OK)
        return true;
    over = rag_chat_overflow(t->result, t->c, root, NULL) != RAG_OK;
    rag_json_free(root);
    return !over;
}

/* ---- the request */

static rag_status write_body(rag_buf *body, const rag_chat *c,
                             const rag_chat_message *m, size_t n,
                             rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "model", c->o.model);
    rag_jw_array(w, "messages");
    for (size_t i = 0; i < n; i++) {
        rag_jw_obj(w, NULL);
        rag_jw_strz(w, "role", m[i].role);
        rag_jw_str(w, "content", m[i].content);
        rag_jw_end(w);
    }
    rag_jw_end(w);
    c->ops->fields(w, c);
    rag_jw_end(w);
    st = rag_jw_finish(body, w, false, err);
    rag_jw_free(w);
    return st;
}

static void turn_init(rag_chat_turn *t, rag_chat *c, rag_chat_result *out)
{
    memset(t, 0, sizeof *t);
    t->c = c;
    t->result = out;
    t->start_ms = now_ms();
    rag_sse_init(&t->sse, c->ops->kind, MAX_EVENT_BYTES);
    rag_buf_init(&t->plain, MAX_REPLY_BYTES);
    rag_buf_init(&t->safe, 4 * MAX_REPLY_BYTES); /* a bad byte becomes 4 */
    rag_glue_init(&t->glue, MAX_REPLY_BYTES);
    out->prompt_tokens = out->completion_tokens = out->context_tokens = -1;
    out->first_token_ms = -1;
    out->cut = false;
    out->withheld = false;
}

static void turn_dispose(rag_chat_turn *t)
{
    rag_sse_dispose(&t->sse);
    rag_buf_dispose(&t->plain);
    rag_buf_dispose(&t->safe);
    rag_glue_dispose(&t->glue);
}

static rag_status run_once(rag_chat_turn *t, const rag_chat_message *messages,
                           size_t n_messages, rag_error *err)
{
    rag_chat *c = t->c;
    rag_http_request q = {.path = c->ops->path,
                          .max_body_bytes = MAX_REPLY_BYTES,
                          .data = c->o.stream ? on_data : NULL,
                          .done = on_done,
                          .again = again,
                          .ctx = t};
    rag_buf body;
    rag_status st;

    rag_buf_init(&body, MAX_REQUEST_BYTES);
    TRY(write_body(&body, c, messages, n_messages, err));
    q.body = rag_buf_str(&body);
    TRY(rag_http_start(c->http, &q, err));
    st = rag_http_run(c->http, err);
out:
    rag_buf_dispose(&body);
    return st;
}

/* Older Ollama ignores truncate:false; this is the only sign of it. */
static void warn_if_cut(const rag_chat *c, const rag_chat_result *r)
{
    if (c->ops == &rag_chat_ollama && c->o.context_tokens != 0 &&
        r->prompt_tokens >= (int64_t)c->o.context_tokens)
        rag_log(RAG_LOG_WARN,
                "%s: the prompt filled the whole context (%lld tokens): the "
                "server may have cut it",
                rag_http_host(c->http), (long long)r->prompt_tokens);
}

rag_status rag_chat_run(rag_chat_result *out, rag_chat *c,
                        const rag_chat_message *messages, size_t n_messages,
                        rag_chat_text text, void *ctx, rag_error *err)
{
    rag_status st = RAG_OK;

    for (int i = 0; i <= MAX_ADAPT; i++) {
        rag_chat_turn t;
        bool adapted;

        turn_init(&t, c, out);
        t.text = text;
        t.ctx = ctx;
        st = run_once(&t, messages, n_messages, err);
        adapted = t.adapted;
        if (st != RAG_OK && t.n_answer_bytes != 0)
            out->cut = true;
        turn_dispose(&t);
        if (st == RAG_OK || !adapted)
            break;
    }
    if (st == RAG_OK)
        warn_if_cut(c, out);
    if (st != RAG_E_FORMAT)
        return st;
    if (err != NULL)
        err->code = RAG_E_REMOTE; /* a reply that is none */
    return RAG_E_REMOTE;
}

static rag_status on_checked(void *ctx, const rag_http_reply *reply,
                             rag_error *err)
{
    const rag_chat *c = ctx;

    if (reply->status != 404)
        return reply->st;
    if (c->ops->check_fields == NULL)
        return RAG_OK; /* it has no list of models, but it is there */
    return rag_fail(err, RAG_E_REMOTE,
                    "%s: no model '%s' there: ollama pull %s",
                    rag_http_host(c->http), c->o.model, c->o.model);
}

rag_status rag_chat_check(rag_chat *c, double *ms, rag_error *err)
{
    rag_http_request q = {.path = c->ops->check_path,
                          .max_body_bytes = MAX_REPLY_BYTES,
                          .once = true,
                          .done = on_checked,
                          .ctx = c};
    double start = now_ms();
    rag_jw *w = NULL;
    rag_buf body;
    rag_status st = RAG_OK;

    rag_buf_init(&body, MAX_REQUEST_BYTES);
    if (c->ops->check_fields != NULL) {
        w = rag_jw_new();
        if (w == NULL) {
            st = rag_fail_nomem(err);
            goto out;
        }
        rag_jw_obj(w, NULL);
        c->ops->check_fields(w, c);
        rag_jw_end(w);
        TRY(rag_jw_finish(&body, w, false, err));
        q.body = rag_buf_str(&body);
    }
    TRY(rag_http_start(c->http, &q, err));
    st = rag_http_run(c->http, err);
out:
    *ms = now_ms() - start;
    rag_jw_free(w);
    rag_buf_dispose(&body);
    return st;
}
