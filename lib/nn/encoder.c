/*
 * Texts become windows of tokens; windows of several texts, longest first, are
 * put behind each other in blocks without padding; a worker takes a block
 * through all layers with its own scratch. The caller's thread is the first
 * worker, so a short query never waits for another thread.
 */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "nn/encoder_priv.h"

/* fewer tokens than this are not worth waking threads for */
#define THREADS_FROM_TOKENS ((size_t)128)

typedef rag_encoder_worker worker;

/* ---- workers ----------------------------------------------------------- */

static rag_status worker_layers(worker *k, rag_error *err)
{
    if (k->layers != NULL)
        return RAG_OK;
    return rag_layers_new(&k->layers, &k->e->w, k->e->kern, err);
}

static rag_status keep_ids(worker *k, size_t text)
{
    size_t front = k->tokens.model->bos >= 0 ? 1 : 0;
    size_t back = k->tokens.model->eos >= 0 ? 1 : 0;
    size_t n = k->tokens.n_ids - front - back;

    if (!rag_mem_grow(&k->ids, &k->ids_cap, k->n_ids + n, sizeof *k->ids))
        return rag_fail_nomem(&k->err);
    if (n != 0)
        memcpy(k->ids + k->n_ids, k->tokens.ids + front, n * sizeof *k->ids);
    k->e->places[text] =
        (rag_encoder_place){(size_t)(k - k->e->workers), k->n_ids, n};
    k->n_ids += n;
    return RAG_OK;
}

/* Takes texts until none is left. */
static void tokenise_job(void *arg)
{
    worker *k = arg;
    rag_encoder *e = k->e;

    while (k->st == RAG_OK && !atomic_load(&e->stop)) {
        size_t i = atomic_fetch_add(&e->next, 1);

        if (i >= e->n_texts)
            break;
        k->st = rag_tokens_encode(&k->tokens, e->texts[i], &k->err);
        if (k->st == RAG_OK)
            k->st = keep_ids(k, i);
        if (k->st != RAG_OK)
            atomic_store(&e->stop, true);
    }
}

/* Takes blocks until none is left; the caller's own thread asks whether to
 * stop. */
static void block_job(void *arg)
{
    worker *k = arg;
    rag_encoder *e = k->e;

    while (k->st == RAG_OK) {
        size_t i;

        if (k->is_caller && e->cancelled != NULL && e->cancelled(e->ctx))
            k->st = rag_fail(&k->err, RAG_E_CANCELLED, "embedding stopped");
        if (k->st != RAG_OK || atomic_load(&e->stop))
            break;
        i = atomic_fetch_add(&e->next, 1);
        if (i >= e->n_blocks)
            break;
        k->st = rag_layers_run(k->layers, &e->blocks[i], &k->err);
    }
    if (k->st != RAG_OK)
        atomic_store(&e->stop, true);
}

static rag_status start_pool(rag_encoder *e, rag_error *err)
{
    if (e->pool != NULL || e->n_threads == 1)
        return RAG_OK;
    return rag_pool_new(&e->pool, e->n_threads - 1, e->n_threads, err);
}

/* Runs the job on n workers, the first of them the caller. */
static rag_status run_workers(rag_encoder *e, size_t n, rag_pool_fn job,
                              rag_error *err)
{
    rag_status st;

    if (n > 1) {
        TRY(start_pool(e, err));
        for (size_t i = 0; i < n; i++)
            TRY(worker_layers(&e->workers[i], err));
    }
    TRY(worker_layers(&e->workers[0], err));
    atomic_store(&e->next, 0);
    atomic_store(&e->stop, false);
    for (size_t i = 0; i < n; i++) {
        e->workers[i].st = RAG_OK;
        if (i != 0)
            rag_pool_submit(e->pool, job, &e->workers[i]);
    }
    job(&e->workers[0]);
    if (n > 1)
        rag_pool_wait(e->pool);
    for (size_t i = 0; i < n && st == RAG_OK; i++) {
        st = e->workers[i].st;
        if (st != RAG_OK && err != NULL)
            *err = e->workers[i].err;
    }
out:
    return st;
}

/* ---- a group of texts -------------------------------------------------- */

static rag_status tokenise(rag_encoder *e, size_t n_bytes, rag_error *err)
{
    for (size_t i = 0; i < e->n_threads; i++)
        e->workers[i].n_ids = 0;
    /* about three bytes a token */
    return run_workers(e,
                       e->n_texts > 1 && n_bytes / 3 >= 8 * THREADS_FROM_TOKENS
                           ? e->n_threads
                           : 1,
                       tokenise_job, err);
}

static rag_status run_windows(rag_encoder *e, rag_error *err)
{
    size_t n_tokens;
    rag_status st;

    TRY(rag_encoder_make_blocks(e, &n_tokens, err));
    TRY(run_workers(
        e,
        e->n_blocks > 1 && n_tokens >= THREADS_FROM_TOKENS ? e->n_threads : 1,
        block_job, err));
out:
    return st;
}

static rag_status run_group(float *out, rag_encoder *e, size_t n_bytes,
                            rag_error *err)
{
    rag_status st;

    TRY(tokenise(e, n_bytes, err));
    TRY(rag_encoder_make_windows(e, err));
    TRY(run_windows(e, err));
    TRY(rag_encoder_gather(out, e, err));
out:
    return st;
}

rag_status rag_encoder_run(float *out, rag_encoder *e, const rag_str *texts,
                           size_t n_texts, bool (*cancelled)(void *), void *ctx,
                           rag_error *err)
{
    rag_status st = RAG_OK;

    if (e->info.is_cross)
        return rag_fail(err, RAG_E_INVAL,
                        "model %s scores pairs of texts, it makes no vectors",
                        e->info.name);
    e->cancelled = cancelled;
    e->ctx = ctx;
    for (size_t first = 0; first < n_texts;) {
        size_t n = 0;
        size_t n_bytes = 0;

        while (first + n < n_texts && n < RAG_ENCODER_GROUP_TEXTS &&
               n_bytes < RAG_ENCODER_GROUP_BYTES)
            n_bytes += texts[first + n++].len;
        e->texts = texts + first;
        e->n_texts = n;
        TRY(run_group(out + first * e->w.head->hidden, e, n_bytes, err));
        first += n;
    }
out:
    return st;
}

/* ---- pairs ------------------------------------------------------------- */

static rag_status run_pairs(float *logits, rag_encoder *e, size_t n_bytes,
                            rag_error *err)
{
    rag_status st;

    TRY(tokenise(e, n_bytes, err));
    TRY(rag_encoder_make_pairs(logits, e, err));
    TRY(run_windows(e, err));
out:
    return st;
}

/* step 0: first is one text, of all pairs. */
static rag_status label(float *logits, rag_encoder *e, const rag_str *first,
                        size_t step, const rag_str *second, size_t n_pairs,
                        rag_error *err)
{
    rag_status st = RAG_OK;

    if (!e->info.is_cross)
        return rag_fail(err, RAG_E_INVAL,
                        "model %s makes vectors, it does not score pairs",
                        e->info.name);
    if (e->pairs == NULL)
        e->pairs = rag_calloc(2 * RAG_ENCODER_GROUP_PAIRS, sizeof *e->pairs);
    if (e->pairs == NULL)
        return rag_fail_nomem(err);
    for (size_t at = 0; at < n_pairs;) {
        size_t n = 0;
        size_t n_bytes = 0;

        for (; at + n < n_pairs && n < RAG_ENCODER_GROUP_PAIRS &&
               n_bytes < RAG_ENCODER_GROUP_BYTES;
             n++) {
            e->pairs[2 * n] = first[(at + n) * step];
            e->pairs[2 * n + 1] = second[at + n];
            n_bytes += e->pairs[2 * n].len + e->pairs[2 * n + 1].len;
        }
        e->texts = e->pairs;
        e->n_texts = 2 * n;
        TRY(run_pairs(logits + at * e->info.n_labels, e, n_bytes, err));
        at += n;
    }
out:
    return st;
}

rag_status rag_encoder_labels(float *logits, rag_encoder *e,
                              const rag_str *first, const rag_str *second,
                              size_t n_pairs, bool (*cancelled)(void *),
                              void *ctx, rag_error *err)
{
    e->cancelled = cancelled;
    e->ctx = ctx;
    return label(logits, e, first, 1, second, n_pairs, err);
}

rag_status rag_encoder_score(float *scores, rag_encoder *e, rag_str query,
                             const rag_str *texts, size_t n_texts,
                             bool (*cancelled)(void *), void *ctx,
                             rag_error *err)
{
    rag_status st;

    if (e->info.n_labels > 1)
        return rag_fail(err, RAG_E_INVAL,
                        "model %s has %zu labels, a reranker has one",
                        e->info.name, e->info.n_labels);
    e->cancelled = cancelled;
    e->ctx = ctx;
    TRY(label(scores, e, &query, 0, texts, n_texts, err));
    for (size_t i = 0; i < n_texts; i++)
        scores[i] = 1.0f / (1.0f + expf(-scores[i]));
out:
    return st;
}

/* ---- the rest ---------------------------------------------------------- */

static const char *tokenizer_name(uint32_t kind)
{
    static const char *const names[] = {
        [RAG_TOKENS_UNIGRAM] = "Unigram",
        [RAG_TOKENS_WORDPIECE] = "WordPiece",
        [RAG_TOKENS_BYTE_BPE] = "byte-level BPE",
        [RAG_TOKENS_SP_BPE] = "SentencePiece BPE"};

    return kind < sizeof names / sizeof names[0] && names[kind] != NULL
               ? names[kind]
               : "?";
}

static const char *pooling_name(uint32_t pooling)
{
    switch (pooling) {
    case RAG_POOL_CLS:
        return "first token";
    case RAG_POOL_LAST:
        return "last token";
    case RAG_POOL_MAX:
        return "max";
    case RAG_POOL_WEIGHTED:
        return "weighted mean";
    default:
        return "mean";
    }
}

static void fill_info(rag_encoder_info *out, const rag_weights *w)
{
    const rag_weights_head *h = w->head;

    memset(out, 0, sizeof *out);
    memcpy(out->name, h->name, sizeof out->name);
    memcpy(out->query_prefix, h->query_prefix, sizeof out->query_prefix);
    memcpy(out->passage_prefix, h->passage_prefix, sizeof out->passage_prefix);
    memcpy(out->licence, h->licence, sizeof out->licence);
    memcpy(out->source, h->source, sizeof out->source);
    memcpy(out->label_names, h->label_names, sizeof out->label_names);
    rag_hash_hex(out->sha256_hex, h->payload_sha256, sizeof h->payload_sha256);
    out->arch = h->arch == RAG_ARCH_MODERNBERT ? "ModernBERT" : "BERT";
    out->tokenizer = tokenizer_name(h->tokens);
    out->pooling = pooling_name(h->pooling);
    out->is_cross = h->n_labels != 0;
    out->n_labels = h->n_labels;
    out->dims = h->hidden;
    out->max_tokens = h->window;
    out->file_bytes = w->map.len;
}

rag_status rag_encoder_open(rag_encoder **out, const char *path,
                            size_t n_threads, rag_error *err)
{
    rag_encoder *e = rag_calloc(1, sizeof *e);
    rag_status st;

    *out = NULL;
    if (e == NULL)
        return rag_fail_nomem(err);
    TRY(rag_weights_open(&e->w, path, err));
    fill_info(&e->info, &e->w);
    e->kern = rag_kern_chosen();
    e->n_threads = n_threads != 0 ? n_threads : rag_pool_cpus();
    e->workers = rag_calloc(e->n_threads, sizeof *e->workers);
    e->places = rag_calloc(RAG_ENCODER_GROUP_TEXTS, sizeof *e->places);
    if (e->workers == NULL || e->places == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < e->n_threads; i++) {
        e->workers[i].e = e;
        e->workers[i].is_caller = i == 0;
        rag_tokens_init(&e->workers[i].tokens, &e->w.tokens);
    }
    *out = e;
    e = NULL;
out:
    rag_encoder_close(e);
    return st;
}

void rag_encoder_close(rag_encoder *e)
{
    if (e == NULL)
        return;
    rag_pool_free(e->pool);
    for (size_t i = 0; e->workers != NULL && i < e->n_threads; i++) {
        rag_tokens_dispose(&e->workers[i].tokens);
        rag_free(e->workers[i].ids);
        rag_layers_free(e->workers[i].layers);
    }
    rag_free(e->workers);
    rag_free(e->places);
    rag_free(e->windows);
    rag_free(e->ids);
    rag_free(e->pairs);
    rag_free(e->vectors);
    rag_free(e->blocks);
    rag_weights_close(&e->w);
    rag_free(e);
}

uint64_t rag_encoder_windowed(const rag_encoder *e)
{
    return e->n_windowed;
}

const rag_encoder_info *rag_encoder_about(const rag_encoder *e)
{
    return &e->info;
}

rag_status rag_encoder_tokens(int32_t *ids, size_t cap, size_t *n,
                              rag_encoder *e, rag_str text, rag_error *err)
{
    rag_tokens *t = &e->workers[0].tokens;
    rag_status st;

    *n = 0;
    TRY(rag_tokens_encode(t, text, err));
    *n = t->n_ids;
    if (cap != 0)
        memcpy(ids, t->ids, (cap < *n ? cap : *n) * sizeof *ids);
out:
    return st;
}

rag_status rag_encoder_verify(const char *path, rag_error *err)
{
    return rag_weights_verify(path, err);
}

rag_status rag_encoder_peek(rag_encoder_info *out, const char *path,
                            rag_error *err)
{
    rag_weights w;
    rag_status st;

    memset(out, 0, sizeof *out);
    TRY(rag_weights_open(&w, path, err));
    fill_info(out, &w);
    rag_weights_close(&w);
out:
    return st;
}

const char *rag_encoder_tier(void)
{
    return rag_kern_chosen()->name;
}
