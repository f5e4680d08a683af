#include "model/embed.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "model/embed_priv.h"
#include "net/url.h"

#define N_IN_FLIGHT 4u
#define BATCH_TOKENS 16384u
#define MAX_BATCH_TEXTS 2048u /* what OpenAI takes at most */
#define MAX_NAME_BYTES 512u   /* of a model, a prefix */

static const rag_embed_ops *const providers[] = {
    &rag_embed_openai, &rag_embed_ollama, &rag_embed_local};

static const rag_embed_ops *find(const char *provider)
{
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        if (provider != NULL && strcmp(providers[i]->provider, provider) == 0)
            return providers[i];
    return NULL;
}

/* name="text", its quotes and backslashes escaped, on one line. */
static void add_quoted(rag_buf *b, const char *name, const char *text)
{
    rag_str s = rag_str_of(text);

    if (s.len == 0)
        return;
    rag_buf_addf(b, " %s=\"", name);
    for (size_t i = 0; i < s.len;) {
        size_t n = 0;

        while (i + n < s.len && s.ptr[i + n] != '"' && s.ptr[i + n] != '\\')
            n++;
        rag_utf8_show(b, rag_str_cut(s, i, i + n), false);
        i += n;
        if (i < s.len)
            rag_buf_addf(b, "\\%c", s.ptr[i++]);
    }
    rag_buf_addc(b, '"');
}

static rag_status make_fingerprint(rag_embedder *e, rag_error *err)
{
    rag_buf b;
    rag_status st;

    rag_buf_init(&b, (size_t)64 * MAX_NAME_BYTES);
    rag_buf_addf(&b, "%s:", e->ops->provider);
    rag_utf8_show(&b, rag_str_of(e->o.model), false);
    if (e->o.dims_asked != 0)
        rag_buf_addf(&b, " dims=%zu", e->o.dims_asked);
    if (e->encoder != NULL) {
        const rag_encoder_info *info = rag_encoder_about(e->encoder);

        rag_buf_addf(&b, " sha256=%s", info->sha256_hex);
        /* the same weights can be imported with another --pooling; mean says
         * nothing, so that stores from before this mattered stay valid */
        if (strcmp(info->pooling, "mean") != 0)
            rag_buf_addf(&b, " pooling=\"%s\"", info->pooling);
    }
    add_quoted(&b, "query", e->query_prefix);
    add_quoted(&b, "passage", e->passage_prefix);
    st = rag_buf_status(&b, err);
    if (st == RAG_OK) {
        e->fingerprint = rag_arena_strndup(&e->arena, b.ptr, b.len);
        if (e->fingerprint == NULL)
            st = rag_fail_nomem(err);
    }
    rag_buf_dispose(&b);
    return st;
}

static rag_status copy(const char **field, rag_embedder *e, const char *what,
                       rag_error *err)
{
    if (*field == NULL)
        return RAG_OK;
    for (const char *p = *field; *p != '\0'; p++)
        if (*p == '\r' || *p == '\n')
            return rag_fail(err, RAG_E_INVAL, "%s holds a line break", what);
    *field = rag_arena_strdup(&e->arena, *field);
    return *field != NULL ? RAG_OK : rag_fail_nomem(err);
}

static rag_status copy_opts(rag_embedder *e, const rag_embed_opts *o,
                            rag_error *err)
{
    rag_status st;

    e->o = *o;
    if (o->model == NULL || o->model[0] == '\0' ||
        strlen(o->model) > MAX_NAME_BYTES)
        return rag_fail(err, RAG_E_INVAL, "embed.model names no model");
    TRY(copy(&e->o.model, e, "embed.model", err));
    TRY(copy(&e->o.model_path, e, "the path of the model", err));
    TRY(copy(&e->o.query_prefix, e, "the query prefix", err));
    TRY(copy(&e->o.passage_prefix, e, "the passage prefix", err));
    e->query_prefix = e->o.query_prefix;
    e->passage_prefix = e->o.passage_prefix;
    if (e->o.n_in_flight == 0)
        e->o.n_in_flight = N_IN_FLIGHT;
    if (e->o.batch_texts == 0)
        e->o.batch_texts = RAG_EMBED_BATCH_TEXTS;
    if (e->o.batch_texts > MAX_BATCH_TEXTS)
        e->o.batch_texts = MAX_BATCH_TEXTS;
    if (e->o.batch_tokens == 0)
        e->o.batch_tokens = BATCH_TOKENS;
    e->batch_now = e->o.batch_texts;
    if (o->dims_asked > RAG_EMBED_MAX_DIMS)
        return rag_fail(err, RAG_E_INVAL, "%zu dimensions asked, at most %u",
                        o->dims_asked, RAG_EMBED_MAX_DIMS);
out:
    return st;
}

rag_status rag_embed_new(rag_embedder **out, const rag_embed_opts *opts,
                         rag_error *err)
{
    const rag_embed_ops *ops = find(opts->provider);
    rag_embedder *e;
    rag_status st;

    *out = NULL;
    if (ops == NULL)
        return rag_fail(err, RAG_E_INVAL,
                        "no embedding provider '%s': builtin, openai or ollama",
                        opts->provider != NULL ? opts->provider : "");
    e = rag_calloc(1, sizeof *e);
    if (e == NULL)
        return rag_fail_nomem(err);
    e->ops = ops;
    e->refused = SIZE_MAX;
    rag_arena_init(&e->arena);
    rag_floats_init(&e->floats);
    TRY(copy_opts(e, opts, err));
    TRY(ops->open(e, err));
    e->o.key = e->o.url = e->o.ca_file = NULL; /* http has its copies */
    TRY(make_fingerprint(e, err));
    *out = e;
    e = NULL;
out:
    rag_embed_free(e);
    return st;
}

void rag_embed_free(rag_embedder *e)
{
    if (e == NULL)
        return;
    rag_http_free(e->http);
    if (e->encoder != NULL)
        rag_encoder_close(e->encoder);
    rag_floats_dispose(&e->floats);
    rag_free(e->vectors);
    rag_arena_dispose(&e->arena);
    rag_free(e);
}

size_t rag_embed_dims(const rag_embedder *e)
{
    return e->dims;
}

const char *rag_embed_prefix(const rag_embedder *e, rag_embed_kind kind)
{
    const char *prefix =
        kind == RAG_EMBED_QUERY ? e->query_prefix : e->passage_prefix;

    return prefix != NULL ? prefix : "";
}

void rag_embed_lengths(const rag_embedder *e, double *shortest, double *longest)
{
    *shortest = e->shortest;
    *longest = e->longest;
}

const char *rag_embed_fingerprint(const rag_embedder *e)
{
    return e->fingerprint;
}

size_t rag_embed_window(const rag_embedder *e)
{
    return e->encoder != NULL ? rag_encoder_about(e->encoder)->max_tokens : 0;
}

uint64_t rag_embed_windowed(const rag_embedder *e)
{
    return e->encoder != NULL ? rag_encoder_windowed(e->encoder) : 0;
}

size_t rag_embed_refused(const rag_embedder *e)
{
    return e->refused;
}

static rag_status check_dims(rag_embedder *e, size_t dims, rag_error *err)
{
    if (dims == 0 || dims > RAG_EMBED_MAX_DIMS)
        return rag_fail(err, RAG_E_FORMAT,
                        "%s: vectors of %zu numbers, 1 to %u are possible",
                        e->o.model, dims, RAG_EMBED_MAX_DIMS);
    if (e->dims == 0 && e->o.dims_asked != 0 && dims != e->o.dims_asked)
        return rag_fail(err, RAG_E_FORMAT,
                        "%s: vectors of %zu numbers though %zu were asked",
                        e->o.model, dims, e->o.dims_asked);
    if (e->dims != 0 && dims != e->dims)
        return rag_fail(err, RAG_E_FORMAT,
                        "%s: a vector of %zu numbers, the ones before had %zu",
                        e->o.model, dims, e->dims);
    return RAG_OK;
}

rag_status rag_embed_finish(rag_embedder *e, float *vectors, size_t n,
                            size_t dims, size_t first, rag_error *err)
{
    rag_status st = check_dims(e, dims, err);

    if (st != RAG_OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        float *v = vectors + i * dims;
        double sum = 0;
        double len;

        for (size_t k = 0; k < dims; k++)
            sum += (double)v[k] * (double)v[k];
        if (!isfinite(sum))
            return rag_fail(err, RAG_E_FORMAT,
                            "%s: the vector of text %zu holds a number that "
                            "is not finite",
                            e->o.model, first + i);
        if (sum < 1e-30) /* a float32 vector this short has no direction */
            return rag_fail(err, RAG_E_FORMAT,
                            "%s: the vector of text %zu is zero", e->o.model,
                            first + i);
        len = sqrt(sum);
        if (e->shortest <= 0 || len < e->shortest)
            e->shortest = len;
        if (len > e->longest)
            e->longest = len;
        sum = 1.0 / len;
        for (size_t k = 0; k < dims; k++)
            v[k] = (float)((double)v[k] * sum);
    }
    e->dims = dims;
    return RAG_OK;
}

rag_status rag_embed_ignore(void *ctx, size_t first, size_t n,
                            const float *vectors, size_t dims, rag_error *err)
{
    (void)ctx;
    (void)first;
    (void)n;
    (void)vectors;
    (void)dims;
    (void)err;
    return RAG_OK;
}

rag_status rag_embed(rag_embedder *e, const rag_str *texts, size_t n_texts,
                     rag_embed_kind kind, rag_embed_done done, void *ctx,
                     rag_error *err)
{
    e->refused = SIZE_MAX;
    if (n_texts == 0)
        return RAG_OK;
    return e->ops->run(e, texts, n_texts, rag_embed_prefix(e, kind), done, ctx,
                       err);
}

typedef struct one_vector {
    float *out;
    size_t cap;
} one_vector;

static rag_status take_one(void *ctx, size_t first, size_t n,
                           const float *vectors, size_t dims, rag_error *err)
{
    const one_vector *one = ctx;

    (void)first;
    (void)n;
    if (dims > one->cap)
        return rag_fail(err, RAG_E_LIMIT,
                        "a vector of %zu numbers, room for %zu", dims,
                        one->cap);
    memcpy(one->out, vectors, dims * sizeof *vectors);
    return RAG_OK;
}

rag_status rag_embed_one(float *out, size_t cap, rag_embedder *e, rag_str text,
                         rag_embed_kind kind, rag_error *err)
{
    one_vector one = {out, cap};

    return rag_embed(e, &text, 1, kind, take_one, &one, err);
}

rag_status rag_embed_blame(const rag_embedder *e, rag_status st, rag_error *err)
{
    if (e->encoder != NULL || (st != RAG_E_FORMAT && st != RAG_E_LIMIT))
        return st;
    if (err != NULL)
        err->code = RAG_E_REMOTE;
    return RAG_E_REMOTE;
}

rag_status rag_embed_check(rag_embedder *e, double *ms, rag_error *err)
{
    struct timespec a;
    struct timespec b;
    rag_status st;

    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    st = e->ops->check(e, err);
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    *ms = (double)(b.tv_sec - a.tv_sec) * 1e3 +
          (double)(b.tv_nsec - a.tv_nsec) / 1e6;
    return st;
}
