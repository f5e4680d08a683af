/*
 * Texts become windows of tokens; windows of several texts, longest first, are
 * put behind each other in blocks without padding; a worker takes a block
 * through all layers with its own scratch. Everything but attention works on
 * tiles of a few tokens, so that what a tile passes through stays in the cache.
 *
 * A token's numbers depend on its own row alone, attention on its own window
 * alone: so a text gives the same vector alone and in any batch.
 */
#include "nn/encoder.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/pool.h"
#include "nn/kern.h"
#include "nn/weights.h"

/* tokens that go through a layer's matrices together: their activations and a
 * panel of weights fit into a first-level cache */
#define TILE 48u
/* tokens of a block: enough to use each weight often, few enough to spread over
 * threads; a longer window is a block of its own */
#define BLOCK_TOKENS ((size_t)512)
/* text taken in hand at once: bounds the memory for ids */
#define GROUP_BYTES ((size_t)512 << 10)
#define GROUP_TEXTS ((size_t)4096)
/* fewer tokens than this are not worth waking threads for */
#define THREADS_FROM_TOKENS ((size_t)128)

typedef struct window {
    size_t text;        /* index in the group */
    const int32_t *ids; /* [n], without specials */
    size_t n;
    float *vector; /* [hidden], unit length afterwards */
} window;

typedef struct block {
    window *windows;
    size_t n_windows;
    size_t n_tokens;
} block;

typedef struct worker {
    rag_encoder *e;
    rag_tokens tokens;
    int32_t *ids; /* of all texts it tokenised in this group */
    size_t n_ids;
    size_t ids_cap;
    void *slab;       /* holds all below */
    float *x;         /* [block x hidden] */
    float *qkv;       /* [block x 3 hidden] */
    float *inner;     /* [TILE x ffn] */
    int8_t *x_q;      /* [TILE x hidden] */
    int8_t *inner_q;  /* [TILE x ffn] */
    float *scale;     /* [TILE] */
    float *mid;       /* [TILE] */
    int32_t *sum;     /* [TILE] */
    int32_t *acc;     /* [TILE x RAG_KERN_PANEL] */
    float *attention; /* scratch of the kernel */
    bool is_caller;
    rag_status st;
    rag_error err;
} worker;

typedef struct place {
    size_t worker; /* whose ids */
    size_t first;
    size_t n; /* without specials */
} place;

struct rag_encoder {
    rag_weights w;
    rag_encoder_info info;
    const rag_kern *kern;
    size_t n_threads;
    rag_pool *pool;  /* n_threads - 1 threads, made when first needed */
    worker *workers; /* [n_threads]; 0 is the caller */
    /* the group at hand */
    const rag_str *texts; /* [n_texts] */
    size_t n_texts;
    place *places; /* [GROUP_TEXTS] */
    window *windows;
    size_t windows_cap;
    size_t n_windows;
    float *vectors; /* [n_windows x hidden] */
    size_t vectors_cap;
    block *blocks;
    size_t blocks_cap;
    size_t n_blocks;
    atomic_size_t next;
    atomic_bool stop;
    bool (*cancelled)(void *);
    void *ctx;
};

/* ---- one block through the layers -------------------------------------- */

typedef void (*out_fn)(const rag_kern_out *o);

/* y [n x n_out] = out(a [n x n_in] times m) for n <= TILE quantised rows. */
static void product(float *y, size_t y_stride, const worker *k, const int8_t *a,
                    size_t n, size_t n_in, size_t n_out,
                    const rag_weights_matrix *m, out_fn out)
{
    const rag_kern *kern = k->e->kern;
    rag_kern_out o = {.y_stride = y_stride,
                      .acc = k->acc,
                      .n_rows = n,
                      .a_scale = k->scale,
                      .a_mid = k->mid};

    for (size_t p = 0; p < n_out; p += RAG_KERN_PANEL) {
        kern->gemm(k->acc, a, n_in, k->sum, n, m->w + p * n_in,
                   n_in / RAG_KERN_QUAD);
        o.y = y + p;
        o.w_scale = m->scale + p;
        o.w_sum = m->sum + p;
        o.bias = m->bias + p;
        out(&o);
    }
}

static void quantise(worker *k, int8_t *q, const float *x, size_t stride,
                     size_t n_rows, size_t n)
{
    for (size_t t = 0; t < n_rows; t++) {
        rag_kern_row row = k->e->kern->quantise(q + t * n, x + t * stride, n);

        k->scale[t] = row.scale;
        k->mid[t] = row.mid;
        k->sum[t] = row.sum;
    }
}

static void norm(const worker *k, float *x, const float *w, const float *b,
                 size_t n_rows)
{
    const rag_weights_head *h = k->e->w.head;

    for (size_t t = 0; t < n_rows; t++)
        k->e->kern->norm(x + t * h->hidden, w, b, h->norm_eps, h->hidden);
}

static void attention(worker *k, const block *b)
{
    const rag_weights_head *h = k->e->w.head;
    size_t dims = h->hidden / h->n_heads;
    float *rows = k->qkv;

    for (size_t i = 0; i < b->n_windows; i++) {
        size_t n = b->windows[i].n + 2;

        for (size_t head = 0; head < h->n_heads; head++) {
            float *q = rows + head * dims;
            rag_kern_attend t = {.out = q,
                                 .q = q,
                                 .k = q + h->hidden,
                                 .v = q + (size_t)2 * h->hidden,
                                 .stride = (size_t)3 * h->hidden,
                                 .n = n,
                                 .dims = dims,
                                 .scratch = k->attention};

            k->e->kern->attend(&t);
        }
        rows += n * 3 * h->hidden;
    }
}

static void embed(worker *k, const block *b)
{
    const rag_weights *w = &k->e->w;
    size_t hidden = w->head->hidden;
    float *x = k->x;

    for (size_t i = 0; i < b->n_windows; i++) {
        const window *v = &b->windows[i];

        for (size_t t = 0; t < v->n + 2; t++, x += hidden) {
            const float *position = w->positions + t * hidden;
            int32_t id = t == 0          ? w->head->bos
                         : t == v->n + 1 ? w->head->eos
                                         : v->ids[t - 1];

            rag_weights_row(x, w, (uint32_t)id);
            for (size_t d = 0; d < hidden; d++)
                x[d] += position[d];
        }
    }
    norm(k, k->x, w->norm_w, w->norm_b, b->n_tokens);
}

/* What follows attention, for one tile. */
static void feed_forward(worker *k, const rag_weights_layer *l, size_t at,
                         size_t n)
{
    const rag_kern *kern = k->e->kern;
    const rag_weights_head *h = k->e->w.head;
    size_t hidden = h->hidden;
    float *x = k->x + at * hidden;

    quantise(k, k->x_q, k->qkv + at * 3 * hidden, 3 * hidden, n, hidden);
    product(x, hidden, k, k->x_q, n, hidden, hidden, &l->mix, kern->out_add);
    norm(k, x, l->norm1_w, l->norm1_b, n);
    quantise(k, k->x_q, x, hidden, n, hidden);
    product(k->inner, h->ffn, k, k->x_q, n, hidden, h->ffn, &l->up,
            kern->out_gelu);
    quantise(k, k->inner_q, k->inner, h->ffn, n, h->ffn);
    product(x, hidden, k, k->inner_q, n, h->ffn, hidden, &l->down,
            kern->out_add);
    norm(k, x, l->norm2_w, l->norm2_b, n);
}

static size_t tile_at(size_t at, size_t n)
{
    return n - at < TILE ? n - at : TILE;
}

static void layer(worker *k, const block *b, const rag_weights_layer *l)
{
    size_t hidden = k->e->w.head->hidden;
    size_t n = b->n_tokens;

    for (size_t at = 0; at < n; at += TILE) {
        size_t rows = tile_at(at, n);

        quantise(k, k->x_q, k->x + at * hidden, hidden, rows, hidden);
        product(k->qkv + at * 3 * hidden, 3 * hidden, k, k->x_q, rows, hidden,
                3 * hidden, &l->qkv, k->e->kern->out_linear);
    }
    attention(k, b);
    for (size_t at = 0; at < n; at += TILE)
        feed_forward(k, l, at, tile_at(at, n));
}

/* Unit length; false when that cannot be (a damaged model). */
static bool normalise(float *v, size_t n)
{
    double square = 0.0;
    float scale;

    for (size_t d = 0; d < n; d++)
        square += (double)v[d] * (double)v[d];
    if (!(square > 1e-30 && square < 1e30))
        return false;
    scale = (float)(1.0 / sqrt(square));
    for (size_t d = 0; d < n; d++)
        v[d] *= scale;
    return true;
}

static rag_status damaged(rag_error *err)
{
    return rag_fail(err, RAG_E_CORRUPT,
                    "the model gives no vector: its file is damaged; import it "
                    "again with rag model add");
}

static rag_status run_block(worker *k, const block *b)
{
    const rag_weights *w = &k->e->w;
    size_t hidden = w->head->hidden;
    const float *x = k->x;

    embed(k, b);
    for (size_t i = 0; i < w->head->n_layers; i++) {
        rag_weights_layer l = rag_weights_layer_at(w, i);

        layer(k, b, &l);
    }
    for (size_t i = 0; i < b->n_windows; i++) {
        float *v = b->windows[i].vector;

        memset(v, 0, hidden * sizeof *v);
        for (size_t t = 0; t < b->windows[i].n + 2; t++, x += hidden) {
            for (size_t d = 0; d < hidden; d++)
                v[d] += x[d];
        }
        if (!normalise(v, hidden))
            return damaged(&k->err);
    }
    return RAG_OK;
}

/* ---- workers ----------------------------------------------------------- */

/* Rounds up to a cache line. */
static size_t lines(size_t n_bytes)
{
    return (n_bytes + 63) & ~(size_t)63;
}

static void *carve(char **at, size_t n_bytes)
{
    void *p = *at;

    *at += lines(n_bytes);
    return p;
}

/* Scratch for blocks of any shape; once a worker. */
static rag_status worker_scratch(worker *k, rag_error *err)
{
    const rag_weights_head *h = k->e->w.head;
    size_t n = h->window > BLOCK_TOKENS ? h->window : BLOCK_TOKENS;
    size_t x = n * h->hidden * sizeof(float);
    size_t inner = TILE * (size_t)h->ffn * sizeof(float);
    size_t x_q = TILE * (size_t)h->hidden;
    size_t inner_q = TILE * (size_t)h->ffn;
    size_t acc = (size_t)TILE * RAG_KERN_PANEL * sizeof(int32_t);
    size_t attention_bytes =
        rag_kern_attend_floats(h->window, h->hidden / h->n_heads) *
        sizeof(float);
    char *at;

    if (k->slab != NULL)
        return RAG_OK;
    k->slab = rag_malloc(64 + lines(x) + lines(3 * x) + lines(inner) +
                         lines(x_q) + lines(inner_q) + 3 * lines(TILE * 4) +
                         lines(acc) + lines(attention_bytes));
    if (k->slab == NULL)
        return rag_fail_nomem(err);
    at = (char *)k->slab + (64 - (uintptr_t)k->slab % 64) % 64;
    k->x = carve(&at, x);
    k->qkv = carve(&at, 3 * x);
    k->inner = carve(&at, inner);
    k->x_q = carve(&at, x_q);
    k->inner_q = carve(&at, inner_q);
    k->scale = carve(&at, TILE * 4);
    k->mid = carve(&at, TILE * 4);
    k->sum = carve(&at, TILE * 4);
    k->acc = carve(&at, acc);
    k->attention = carve(&at, attention_bytes);
    return RAG_OK;
}

static rag_status keep_ids(worker *k, size_t text)
{
    size_t n = k->tokens.n_ids - 2;

    if (!rag_mem_grow(&k->ids, &k->ids_cap, k->n_ids + n, sizeof *k->ids))
        return rag_fail_nomem(&k->err);
    if (n != 0)
        memcpy(k->ids + k->n_ids, k->tokens.ids + 1, n * sizeof *k->ids);
    k->e->places[text] = (place){(size_t)(k - k->e->workers), k->n_ids, n};
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
        k->st = run_block(k, &e->blocks[i]);
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
            TRY(worker_scratch(&e->workers[i], err));
    }
    TRY(worker_scratch(&e->workers[0], err));
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

static int longer_first(const void *a, const void *b)
{
    const window *x = a;
    const window *y = b;

    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return x->vector < y->vector ? -1 : x->vector > y->vector;
}

/* Cuts every text into windows of nearly equal length. */
static rag_status make_windows(rag_encoder *e, rag_error *err)
{
    size_t most = e->w.head->window - 2;
    size_t hidden = e->w.head->hidden;

    e->n_windows = 0;
    for (size_t i = 0; i < e->n_texts; i++) {
        const place *p = &e->places[i];
        size_t parts = p->n == 0 ? 1 : (p->n + most - 1) / most;
        const int32_t *ids = e->workers[p->worker].ids;
        size_t at = 0;

        if (!rag_mem_grow(&e->windows, &e->windows_cap, e->n_windows + parts,
                          sizeof *e->windows))
            return rag_fail_nomem(err);
        for (; parts != 0; parts--) {
            size_t n = (p->n - at + parts - 1) / parts;

            e->windows[e->n_windows++] =
                (window){i, ids != NULL ? ids + p->first + at : NULL, n, NULL};
            at += n;
        }
    }
    if (!rag_mem_grow(&e->vectors, &e->vectors_cap, e->n_windows * hidden,
                      sizeof *e->vectors))
        return rag_fail_nomem(err);
    for (size_t i = 0; i < e->n_windows; i++)
        e->windows[i].vector = e->vectors + i * hidden;
    return RAG_OK;
}

/* Puts the windows, longest first, into blocks; *n_tokens: of all. */
static rag_status make_blocks(rag_encoder *e, size_t *n_tokens, rag_error *err)
{
    size_t most;
    block *b = NULL;

    *n_tokens = 0;
    for (size_t i = 0; i < e->n_windows; i++)
        *n_tokens += e->windows[i].n + 2;
    qsort(e->windows, e->n_windows, sizeof *e->windows, longer_first);
    /* small groups: smaller blocks, so that every thread gets some */
    most = *n_tokens / (4 * e->n_threads);
    most = most < 64 ? 64 : most > BLOCK_TOKENS ? BLOCK_TOKENS : most;
    if (!rag_mem_grow(&e->blocks, &e->blocks_cap, e->n_windows,
                      sizeof *e->blocks))
        return rag_fail_nomem(err);
    e->n_blocks = 0;
    for (size_t i = 0; i < e->n_windows; i++) {
        size_t n = e->windows[i].n + 2;

        if (b == NULL || b->n_tokens + n > most) {
            b = &e->blocks[e->n_blocks++];
            *b = (block){&e->windows[i], 0, 0};
        }
        b->n_windows++;
        b->n_tokens += n;
    }
    return RAG_OK;
}

static int by_text(const void *a, const void *b)
{
    const window *x = a;
    const window *y = b;

    return x->vector < y->vector ? -1 : x->vector > y->vector;
}

/* The vectors of a text's windows, weighted by length, become one. */
static rag_status gather(float *out, rag_encoder *e, rag_error *err)
{
    size_t hidden = e->w.head->hidden;
    size_t i = 0;

    qsort(e->windows, e->n_windows, sizeof *e->windows, by_text);
    for (size_t t = 0; t < e->n_texts; t++, out += hidden) {
        if (i + 1 == e->n_windows || e->windows[i + 1].text != t) {
            memcpy(out, e->windows[i++].vector, hidden * sizeof *out);
            continue;
        }
        memset(out, 0, hidden * sizeof *out);
        for (; i < e->n_windows && e->windows[i].text == t; i++) {
            for (size_t d = 0; d < hidden; d++)
                out[d] += e->windows[i].vector[d] * (float)e->windows[i].n;
        }
        if (!normalise(out, hidden))
            return damaged(err);
    }
    return RAG_OK;
}

static rag_status run_group(float *out, rag_encoder *e, size_t n_bytes,
                            rag_error *err)
{
    size_t n_tokens;
    rag_status st;

    for (size_t i = 0; i < e->n_threads; i++)
        e->workers[i].n_ids = 0;
    /* about three bytes a token */
    TRY(run_workers(e,
                    e->n_texts > 1 && n_bytes / 3 >= 8 * THREADS_FROM_TOKENS
                        ? e->n_threads
                        : 1,
                    tokenise_job, err));
    TRY(make_windows(e, err));
    TRY(make_blocks(e, &n_tokens, err));
    TRY(run_workers(
        e,
        e->n_blocks > 1 && n_tokens >= THREADS_FROM_TOKENS ? e->n_threads : 1,
        block_job, err));
    TRY(gather(out, e, err));
out:
    return st;
}

rag_status rag_encoder_run(float *out, rag_encoder *e, const rag_str *texts,
                           size_t n_texts, bool (*cancelled)(void *), void *ctx,
                           rag_error *err)
{
    rag_status st = RAG_OK;

    e->cancelled = cancelled;
    e->ctx = ctx;
    for (size_t first = 0; first < n_texts;) {
        size_t n = 0;
        size_t n_bytes = 0;

        while (first + n < n_texts && n < GROUP_TEXTS && n_bytes < GROUP_BYTES)
            n_bytes += texts[first + n++].len;
        e->texts = texts + first;
        e->n_texts = n;
        TRY(run_group(out + first * e->w.head->hidden, e, n_bytes, err));
        first += n;
    }
out:
    return st;
}

/* ---- the rest ---------------------------------------------------------- */

static void fill_info(rag_encoder_info *out, const rag_weights *w)
{
    const rag_weights_head *h = w->head;

    memset(out, 0, sizeof *out);
    memcpy(out->name, h->name, sizeof out->name);
    memcpy(out->query_prefix, h->query_prefix, sizeof out->query_prefix);
    memcpy(out->passage_prefix, h->passage_prefix, sizeof out->passage_prefix);
    memcpy(out->licence, h->licence, sizeof out->licence);
    memcpy(out->source, h->source, sizeof out->source);
    rag_hash_hex(out->sha256_hex, h->payload_sha256, sizeof h->payload_sha256);
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
    e->places = rag_calloc(GROUP_TEXTS, sizeof *e->places);
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
        rag_free(e->workers[i].slab);
    }
    rag_free(e->workers);
    rag_free(e->places);
    rag_free(e->windows);
    rag_free(e->vectors);
    rag_free(e->blocks);
    rag_weights_close(&e->w);
    rag_free(e);
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
    return rag_cpu_name(rag_cpu_chosen());
}
