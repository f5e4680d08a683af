#include "model/rerank.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "model/rerank_priv.h"

#define BATCH_TEXTS 32u     /* what text-embeddings-inference takes at most */
#define MAX_NAME_BYTES 512u /* of a model */
#define OUTSIDE 1e-3        /* float32 probabilities may lie so far outside */

static const rag_rerank_ops *const providers[] = {&rag_rerank_http,
                                                  &rag_rerank_builtin};

static const rag_rerank_ops *find(const char *provider)
{
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        if (provider != NULL && strcmp(providers[i]->provider, provider) == 0)
            return providers[i];
    return NULL;
}

static rag_status copy_opts(rag_reranker *r, const rag_rerank_opts *o,
                            rag_error *err)
{
    r->o = *o;
    if (o->model == NULL || o->model[0] == '\0' ||
        strlen(o->model) > MAX_NAME_BYTES)
        return rag_fail(err, RAG_E_INVAL, "rerank.model names no model");
    r->o.model = rag_arena_strdup(&r->arena, o->model);
    if (o->model_path != NULL)
        r->o.model_path = rag_arena_strdup(&r->arena, o->model_path);
    if (r->o.model == NULL ||
        (o->model_path != NULL && r->o.model_path == NULL))
        return rag_fail_nomem(err);
    if (r->o.batch_texts == 0)
        r->o.batch_texts = BATCH_TEXTS;
    r->batch_now = r->o.batch_texts;
    r->max_bytes = RAG_RERANK_MAX_TEXT_BYTES;
    return RAG_OK;
}

rag_status rag_rerank_new(rag_reranker **out, const rag_rerank_opts *opts,
                          rag_error *err)
{
    const rag_rerank_ops *ops = find(opts->provider);
    rag_reranker *r;
    rag_status st;

    *out = NULL;
    if (ops == NULL)
        return rag_fail(err, RAG_E_INVAL,
                        "no reranking provider '%s': builtin or http",
                        opts->provider != NULL ? opts->provider : "");
    r = rag_calloc(1, sizeof *r);
    if (r == NULL)
        return rag_fail_nomem(err);
    r->ops = ops;
    rag_arena_init(&r->arena);
    TRY(copy_opts(r, opts, err));
    TRY(ops->open(r, err));
    r->o.key = r->o.url = r->o.ca_file = NULL; /* http has its copies */
    *out = r;
    r = NULL;
out:
    rag_rerank_free(r);
    return st;
}

void rag_rerank_free(rag_reranker *r)
{
    if (r == NULL)
        return;
    rag_http_free(r->http);
    if (r->encoder != NULL)
        rag_encoder_close(r->encoder);
    rag_arena_dispose(&r->arena);
    rag_free(r);
}

rag_rerank_about rag_rerank_last(const rag_reranker *r)
{
    return r->about;
}

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

void rag_rerank_scale(double *raw, size_t n, rag_rerank_about *about)
{
    about->raw = false;
    about->lowest = about->highest = (double)NAN;
    about->n_unscored = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(raw[i])) {
            about->n_unscored++;
            continue;
        }
        about->lowest = fmin(about->lowest, raw[i]);
        about->highest = fmax(about->highest, raw[i]);
    }
    about->raw = about->lowest < -OUTSIDE || about->highest > 1 + OUTSIDE;
    for (size_t i = 0; i < n; i++)
        if (!isnan(raw[i]))
            raw[i] = about->raw ? sigmoid(raw[i]) : fmin(1, fmax(0, raw[i]));
}

rag_status rag_rerank(double *scores, rag_reranker *r, rag_str query,
                      const rag_str *texts, size_t n_texts, rag_error *err)
{
    rag_str *cut;
    rag_status st;

    memset(&r->about, 0, sizeof r->about);
    if (n_texts == 0)
        return RAG_OK;
    if (n_texts > RAG_RERANK_MAX_TEXTS)
        return rag_fail(err, RAG_E_LIMIT, "%zu passages to rerank, at most %u",
                        n_texts, RAG_RERANK_MAX_TEXTS);
    cut = rag_calloc(n_texts, sizeof *cut);
    if (cut == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < n_texts; i++) {
        scores[i] = (double)NAN;
        cut[i] = rag_str_cut(
            texts[i], 0,
            rag_utf8_grapheme_floor(texts[i], RAG_RERANK_MAX_TEXT_BYTES));
    }
    query = rag_str_cut(
        query, 0, rag_utf8_grapheme_floor(query, RAG_RERANK_MAX_QUERY_BYTES));
    st = r->ops->run(scores, r, query, cut, n_texts, err);
    rag_free(cut);
    if (st == RAG_OK)
        rag_rerank_scale(scores, n_texts, &r->about);
    return st;
}

rag_status rag_rerank_check(rag_reranker *r, double *ms, rag_error *err)
{
    rag_str text = RAG_STR_LIT("ping");
    struct timespec a;
    struct timespec b;
    double score;
    rag_status st;

    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    r->once = true;
    st = r->ops->check != NULL ? r->ops->check(r, err)
                               : rag_rerank(&score, r, text, &text, 1, err);
    r->once = false;
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    *ms = (double)(b.tv_sec - a.tv_sec) * 1e3 +
          (double)(b.tv_nsec - a.tv_nsec) / 1e6;
    return st;
}
