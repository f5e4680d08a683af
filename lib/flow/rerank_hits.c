/*
 * The best candidates, which fusion found, are put in the order that a reranker
 * sees. What it does not score (more candidates than it is given, results that
 * its server leaves out) follows in the order of the fusion. Equal scores keep
 * that order, too, so the same replies give the same hits.
 *
 * `score` orders the hits, so it becomes the reranker's; of those behind, the
 * fused one below the lowest of these. The evidence stays what the store said:
 * it is calibrated, a reranker's scores are not, and of one to the next they
 * mean different things.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "flow/flow_priv.h"

/* when the setting says nothing; more are slow and, measured by others, no
 * better (docs/search.md) */
#define CANDIDATES ((size_t)20)
#define MAX_CANDIDATES ((size_t)1000)
/* what a passage looks like to the model, of all candidates */
#define MAX_INPUT_BYTES ((size_t)256 << 20)

bool rag_flow_reranks(const rag *r)
{
    const char *model = r->cfg.rerank_model;

    return model != NULL && strcmp(model, "none") != 0;
}

size_t rag_flow_rerank_candidates(const rag *r)
{
    size_t n = r->cfg.rerank_candidates;

    return n == 0 ? CANDIDATES : n > MAX_CANDIDATES ? MAX_CANDIDATES : n;
}

rag_status rag_flow_reranker_new(rag_reranker **out, const rag_config *cfg,
                                 rag_error *err)
{
    rag_rerank_opts o = {.url = cfg->rerank_url,
                         .key = cfg->rerank_key,
                         .n_threads = cfg->n_jobs,
                         .allow_http = cfg->allow_http,
                         .ca_file = cfg->ca_file,
                         .cancelled = cfg->cancelled,
                         .cancel_ctx = cfg->cancel_ctx};
    const char *model = cfg->rerank_model;
    char provider[16];
    char *path = NULL;
    bool builtin;
    rag_status st = RAG_OK;

    *out = NULL;
    if (model == NULL || strcmp(model, "none") == 0)
        return RAG_OK;
    builtin = strncmp(model, "builtin:", 8) == 0;
    if (!rag_flow_model_parts(provider, &o.model, model) ||
        (!builtin && strcmp(provider, "http") != 0))
        return rag_fail(err, RAG_E_INVAL,
                        "rerank.model is '%s': write builtin:NAME, http:NAME "
                        "or none",
                        model);
    o.provider = provider;
    if (builtin)
        st = rag_flow_model_path(&path, cfg, o.model, err);
    o.model_path = path;
    if (st == RAG_OK)
        st = rag_rerank_new(out, &o, err);
    rag_free(path);
    return st;
}

/* ---- one question ------------------------------------------------------- */

typedef struct task {
    rag *r;
    rag_hits *hits;
    size_t n; /* the first so many hits are given to the model */
    rag_buf inputs;
    rag_str *texts;
    double *scores;
} task;

/* Passages as the embedding model sees them: with title and headings. */
static rag_status render(task *t, rag_error *err)
{
    size_t *ends = rag_calloc(t->n, sizeof *ends);
    rag_status st = RAG_OK;
    rag_buf one;

    if (ends == NULL)
        return rag_fail_nomem(err);
    rag_buf_init(&one, MAX_INPUT_BYTES);
    for (size_t i = 0; i < t->n; i++) {
        const rag_hit *h = &t->hits->hits[i];
        rag_chunk_parts p = {.type = RAG_DOC_TEXT,
                             .title = h->title,
                             .headings = h->headings,
                             .n_headings = h->n_headings,
                             .context = h->context,
                             .body = h->text};

        (void)rag_doc_type_of(&p.type, h->type);
        rag_buf_clear(&one);
        rag_chunk_input(&one, &p);
        rag_utf8_scrub(&t->inputs, rag_buf_str(&one));
        ends[i] = t->inputs.len;
    }
    TRY(rag_buf_status(&one, err));
    TRY(rag_buf_status(&t->inputs, err));
    for (size_t i = 0; i < t->n; i++)
        t->texts[i] = rag_str_cut(rag_buf_str(&t->inputs),
                                  i == 0 ? 0 : ends[i - 1], ends[i]);
out:
    rag_buf_dispose(&one);
    rag_free(ends);
    return st;
}

static int by_rerank(const void *a, const void *b)
{
    const rag_hit *x = a;
    const rag_hit *y = b;

    if (isnan(x->rerank) != isnan(y->rerank))
        return isnan(x->rerank) ? 1 : -1;
    if (x->rerank != y->rerank && !isnan(x->rerank))
        return x->rerank < y->rerank ? 1 : -1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void reorder(task *t)
{
    rag_hits *h = t->hits;
    double lowest = 1;

    for (size_t i = 0; i < t->n; i++)
        h->hits[i].rerank = t->scores[i];
    qsort(h->hits, h->n_hits, sizeof *h->hits, by_rerank);
    for (size_t i = 0; i < h->n_hits; i++) {
        rag_hit *hit = &h->hits[i];

        hit->rank = (uint32_t)i + 1;
        if (isnan(hit->rerank)) {
            hit->score *= lowest;
            continue;
        }
        hit->score = hit->rerank;
        lowest = hit->rerank;
    }
}

/* A search is worth more than its last touch: it goes on without. */
static rag_status without(rag *r, rag_hits *h, rag_error *why, rag_error *err)
{
    const char *also = h->warning;
    rag_buf b;

    if (r->rerank_warned)
        return RAG_OK;
    r->rerank_warned = true;
    rag_buf_init(&b, 4 * sizeof why->msg);
    if (also != NULL)
        rag_buf_addf(&b, "%s; ", also);
    rag_buf_addf(&b, "hits are not reranked: %s", why->msg);
    h->warning = b.failed == RAG_OK ? rag_arena_strdup(&h->arena, b.ptr) : NULL;
    rag_buf_dispose(&b);
    return h->warning != NULL ? RAG_OK : rag_fail_nomem(err);
}

static bool is_theirs(rag_status st)
{
    return st == RAG_E_NET || st == RAG_E_REMOTE || st == RAG_E_FORMAT ||
           st == RAG_E_LIMIT;
}

static rag_status score(task *t, rag_str query, bool must, rag_error *err)
{
    rag_error why = {RAG_OK, ""};
    rag_status st = render(t, err);

    if (st != RAG_OK)
        return st;
    st = rag_rerank(t->scores, t->r->reranker, query, t->texts, t->n, &why);
    if (st == RAG_OK) {
        reorder(t);
        t->hits->reranked = true;
        return RAG_OK;
    }
    if (is_theirs(st) && !must)
        return without(t->r, t->hits, &why, err);
    if (err != NULL)
        *err = why;
    return rag_fail_prefix(err, st, "%s", t->r->cfg.rerank_model);
}

rag_status rag_flow_rerank(rag_hits *h, rag *r, rag_str query, size_t k,
                           bool must, rag_error *err)
{
    double began = rag_flow_now_ms();
    task t = {.r = r, .hits = h, .n = rag_flow_rerank_candidates(r)};
    rag_status st = RAG_OK;

    if (!rag_flow_reranks(r))
        return RAG_OK;
    query = rag_str_trim(query);
    rag_buf_init(&t.inputs, MAX_INPUT_BYTES);
    if (r->reranker == NULL)
        TRY(rag_flow_reranker_new(&r->reranker, &r->cfg, err));
    if (t.n > h->n_hits)
        t.n = h->n_hits;
    if (t.n != 0) {
        t.texts = rag_calloc(t.n, sizeof *t.texts);
        t.scores = rag_calloc(t.n, sizeof *t.scores);
        st = t.texts != NULL && t.scores != NULL ? score(&t, query, must, err)
                                                 : rag_fail_nomem(err);
    }
    if (h->n_hits > k)
        h->n_hits = k;
    h->ms_rerank = rag_flow_now_ms() - began;
out:
    rag_buf_dispose(&t.inputs);
    rag_free(t.texts);
    rag_free(t.scores);
    return st;
}
