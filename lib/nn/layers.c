#include "nn/layers.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "nn/attend.h"
#include "nn/labels.h"
#include "nn/pooling.h"

/* TILE below: tokens that go through a layer's matrices together, kern->rows */

typedef void (*out_fn)(const rag_kern_out *o);

/* Rows of a tile as int8: x = q scale + mid. */
typedef struct rounded {
    int8_t *q; /* [TILE x n] */
    float *scale;
    float *mid;
    int32_t *sum; /* of q */
} rounded;

struct rag_layers {
    const rag_weights *w;
    const rag_kern *kern;
    out_fn act;       /* of the feed-forward part */
    void *slab;       /* holds all below */
    float *x;         /* [block x hidden] */
    float *qkv;       /* [TILE x 3 hidden] */
    int8_t *qkv_q;    /* [block x 3 hidden] */
    float *qkv_scale; /* [block x 3 n_heads] */
    int32_t *q_sum;   /* [block x n_heads] */
    float *mixed;     /* [block x hidden] what attention gives */
    float *inner;     /* [TILE x a part of ffn], inner_stride() apart */
    float *normed;    /* [TILE x hidden] */
    rounded x8;       /* [TILE x hidden] */
    rounded inner8;   /* [TILE x a part of ffn] */
    int32_t *acc;     /* [TILE x RAG_KERN_PANEL] */
    void *attention;  /* scratch of rag_attend */
};

/* y [n x n_out] = out(a [n x n_in] times m) for n <= TILE rows. */
static void product(float *y, size_t y_stride, const rag_layers *k,
                    const rounded *a, size_t n, size_t n_in, size_t n_out,
                    const rag_weights_matrix *m, out_fn out)
{
    const rag_kern *kern = k->kern;
    rag_kern_out o = {.y_stride = y_stride,
                      .acc = k->acc,
                      .n_rows = n,
                      .a_scale = a->scale,
                      .a_mid = a->mid};

    for (size_t p = 0; p < n_out; p += RAG_KERN_PANEL) {
        kern->gemm(k->acc, a->q, n_in, a->sum, n, m->w + p * n_in,
                   n_in / RAG_KERN_QUAD);
        o.y = y + p;
        o.w_scale = m->scale + p;
        o.w_sum = m->sum + p;
        o.bias = m->bias + p;
        out(&o);
    }
    rag_kern_end(kern);
}

/* The rows of m [n_out x n_in] from a multiple of RAG_KERN_PANEL on. */
static rag_weights_matrix rows_from(const rag_weights_matrix *m, size_t row,
                                    size_t n_in)
{
    return (rag_weights_matrix){m->w + row * n_in, m->scale + row, m->sum + row,
                                m->bias + row};
}

/* Numbers of the inner layer that are made, rounded and used together: whole
 * panels. */
static size_t inner_part(const rag_weights_head *h)
{
    return h->ffn / rag_weights_down(h);
}

/* Floats between rows of `inner`. One cache line more than they need: rows a
 * large power of two apart would all fall into a few sets of the cache. */
static size_t inner_stride(const rag_weights_head *h)
{
    return inner_part(h) + 16;
}

/* by [n], or NULL: what each column is multiplied by */
static void quantise(const rag_layers *k, rounded *to, const float *x,
                     size_t stride, size_t n_rows, size_t n, const float *by)
{
    rag_kern_rows t = {to->q,  to->scale, to->mid, to->sum, x,
                       stride, n_rows,    n,       by};

    k->kern->quantise(&t);
}

static void norm(const rag_layers *k, float *x, const float *w, const float *b,
                 size_t n_rows)
{
    const rag_weights_head *h = k->w->head;

    k->kern->norm(x, w, b, h->norm_eps, n_rows, h->hidden);
}

/* Layers of ModernBERT that see only what is near. */
static bool is_local(const rag_layers *k, size_t layer)
{
    const rag_weights_head *h = k->w->head;

    return h->arch == RAG_ARCH_MODERNBERT && layer % h->global_every != 0;
}

/* Where in its window the token `at` of a block stands. */
typedef struct position {
    size_t window;
    size_t token;
} position;

static void step(position *p, const rag_layers_block *b)
{
    if (++p->token == b->windows[p->window].n)
        *p = (position){p->window + 1, 0};
}

/* The n rows of qkv, tokens of the block from `at` on: queries and keys turned
 * to their positions, then all quantised head by head. */
static void heads(rag_layers *k, const rag_layers_block *b, size_t at, size_t n,
                  position *p, size_t layer)
{
    const rag_weights_head *h = k->w->head;
    size_t hidden = h->hidden;
    size_t n_heads = h->n_heads;
    size_t dims = hidden / n_heads;
    const float *table = h->arch == RAG_ARCH_MODERNBERT
                             ? k->w->rope[is_local(k, layer) ? 1 : 0]
                             : NULL;

    for (size_t t = 0; t < n; t++, step(p, b)) {
        float *row = k->qkv + t * 3 * hidden;
        rag_kern_heads x = {.q = k->qkv_q + (at + t) * 3 * hidden,
                            .scale = k->qkv_scale + (at + t) * 3 * n_heads,
                            .sum = k->q_sum + (at + t) * n_heads,
                            .x = row,
                            .n_heads = n_heads,
                            .dims = dims};

        if (table != NULL)
            k->kern->rope(row, table + p->token * dims, 2 * n_heads, dims);
        k->kern->heads(&x);
    }
}

static bool is_last(const rag_layers *k, size_t layer)
{
    return layer + 1 == k->w->head->n_layers;
}

/* The n rows of qkv, of which x8 are the tokens from p on: queries of the
 * pooled rows only. They are moved together, in x8 too, so that the weights
 * are read once for all of them; the queries of other rows are 0. */
static void pooled_queries(rag_layers *k, const rag_layers_block *b,
                           const rag_weights_matrix *q, position p, size_t n)
{
    const rag_weights_head *h = k->w->head;
    size_t hidden = h->hidden;
    rounded *x = &k->x8;
    float *rows[RAG_KERN_MOST_ROWS];
    size_t n_rows = 0;

    for (size_t t = 0; t < n; t++, step(&p, b)) {
        float *row = k->qkv + t * 3 * hidden;

        memset(row, 0, hidden * sizeof *row);
        if (p.token != rag_pooling_row(h, b->windows[p.window].n))
            continue;
        memmove(x->q + n_rows * hidden, x->q + t * hidden, hidden);
        x->scale[n_rows] = x->scale[t];
        x->mid[n_rows] = x->mid[t];
        x->sum[n_rows] = x->sum[t];
        rows[n_rows++] = row;
    }
    if (n_rows != 0)
        product(k->normed, hidden, k, x, n_rows, hidden, hidden, q,
                k->kern->out_linear);
    for (size_t i = 0; i < n_rows; i++)
        memcpy(rows[i], k->normed + i * hidden, hidden * sizeof **rows);
}

/* The n rows of qkv of what is in x8, the tokens from p on. */
static void project(rag_layers *k, const rag_layers_block *b,
                    const rag_weights_matrix *qkv, position p, size_t n,
                    bool pooled)
{
    size_t hidden = k->w->head->hidden;
    size_t from = pooled ? hidden : 0; /* keys begin here */
    rag_weights_matrix m = rows_from(qkv, from, hidden);

    product(k->qkv + from, 3 * hidden, k, &k->x8, n, hidden, 3 * hidden - from,
            &m, k->kern->out_linear);
    if (pooled)
        pooled_queries(k, b, qkv, p, n);
}

/* mixed: a row a token; or one a window, of its pooled row. */
static void attention(rag_layers *k, const rag_layers_block *b, size_t layer,
                      bool pooled)
{
    const rag_weights_head *h = k->w->head;
    size_t hidden = h->hidden;
    size_t n_heads = h->n_heads;
    size_t dims = hidden / n_heads;
    size_t at = 0;

    for (size_t i = 0; i < b->n_windows; i++) {
        size_t n = b->windows[i].n;
        size_t to = pooled ? i : at;

        for (size_t head = 0; head < n_heads; head++) {
            const int8_t *q = k->qkv_q + at * 3 * hidden + head * dims;
            const float *scale = k->qkv_scale + at * 3 * n_heads + head;
            rag_attend_head t = {
                .out = k->mixed + to * hidden + head * dims,
                .out_stride = hidden,
                .q = q,
                .k = q + hidden,
                .v = q + 2 * hidden,
                .stride = 3 * hidden,
                .q_scale = scale,
                .k_scale = scale + n_heads,
                .v_log = scale + 2 * n_heads,
                .scale_stride = 3 * n_heads,
                .q_sum = k->q_sum + at * n_heads + head,
                .sum_stride = n_heads,
                .n = n,
                .first = pooled ? rag_pooling_row(h, n) : 0,
                .n_queries = pooled ? 1 : n,
                .dims = dims,
                .reach = is_local(k, layer) ? h->local_window / 2 : 0,
                .scratch = k->attention};

            rag_attend(&t, k->kern);
        }
        at += n;
    }
}

static void embed(rag_layers *k, const rag_layers_block *b)
{
    const rag_weights *w = k->w;
    size_t hidden = w->head->hidden;
    float *x = k->x;

    for (size_t i = 0; i < b->n_windows; i++) {
        const rag_layers_window *v = &b->windows[i];

        for (size_t t = 0; t < v->n; t++, x += hidden) {
            rag_weights_row(x, w, (uint32_t)v->ids[t]);
            for (size_t d = 0; w->positions != NULL && d < hidden; d++)
                x[d] += w->positions[t * hidden + d];
            for (size_t d = 0; t >= v->n_first && d < hidden; d++)
                x[d] += w->type_step[d];
        }
    }
    norm(k, k->x, w->norm_w, w->norm_b, b->n_tokens);
}

/* inner [n x a part of ffn] = act(what is in x8 times `up`), from row `from` on
 */
static void inner_rows(rag_layers *k, const rag_weights_matrix *up, size_t from,
                       size_t n)
{
    const rag_weights_head *h = k->w->head;
    rag_weights_matrix m = rows_from(up, from, h->hidden);

    product(k->inner, inner_stride(h), k, &k->x8, n, h->hidden, inner_part(h),
            &m, k->act);
}

/* The same for ModernBERT: act(first of two panels) * second. */
static void gated_rows(rag_layers *k, const rag_weights_matrix *up, size_t from,
                       size_t n)
{
    const rag_weights_head *h = k->w->head;
    size_t stride = inner_stride(h);

    for (size_t p = 0; p < inner_part(h); p += RAG_KERN_PANEL) {
        size_t row = 2 * (from + p);
        rag_weights_matrix gate = rows_from(up, row, h->hidden);
        rag_weights_matrix other =
            rows_from(up, row + RAG_KERN_PANEL, h->hidden);

        product(k->inner + p, stride, k, &k->x8, n, h->hidden, RAG_KERN_PANEL,
                &gate, k->act);
        product(k->inner + p, stride, k, &k->x8, n, h->hidden, RAG_KERN_PANEL,
                &other, k->kern->out_mul);
    }
}

/* x [n x hidden] += what the inner layer makes of x8. A part of it at a time:
 * it stays in the cache. */
static void add_inner(rag_layers *k, float *x, const rag_weights_layer *l,
                      size_t n)
{
    const rag_weights_head *h = k->w->head;
    size_t part = inner_part(h);

    for (size_t i = 0; i < rag_weights_down(h); i++) {
        if (h->arch == RAG_ARCH_MODERNBERT)
            gated_rows(k, &l->up, i * part, n);
        else
            inner_rows(k, &l->up, i * part, n);
        quantise(k, &k->inner8, k->inner, inner_stride(h), n, part, NULL);
        product(x, h->hidden, k, &k->inner8, n, part, h->hidden, &l->down[i],
                k->kern->out_add);
    }
}

/* x [n x hidden] += what attention gives, for one tile from token `at` on. */
static void add_mixed(rag_layers *k, float *x, const rag_weights_layer *l,
                      size_t at, size_t n)
{
    size_t hidden = k->w->head->hidden;

    quantise(k, &k->x8, k->mixed + at * hidden, hidden, n, hidden, NULL);
    product(x, hidden, k, &k->x8, n, hidden, hidden, &l->mix, k->kern->out_add);
}

/* What follows attention, for one tile. */
static void feed_forward(rag_layers *k, const rag_weights_layer *l, size_t at,
                         size_t n)
{
    size_t hidden = k->w->head->hidden;
    float *x = k->x + at * hidden;

    add_mixed(k, x, l, at, n);
    norm(k, x, l->norm1_w, l->norm1_b, n);
    quantise(k, &k->x8, x, hidden, n, hidden, l->up_by);
    add_inner(k, x, l, n);
    norm(k, x, l->norm2_w, l->norm2_b, n);
}

/* ModernBERT: rows of x through a norm, into scratch; without one as they
 * are. */
static const float *before(rag_layers *k, const float *x, const float *w,
                           const float *b, size_t n)
{
    if (w == NULL)
        return x;
    memcpy(k->normed, x, n * k->w->head->hidden * sizeof *x);
    norm(k, k->normed, w, b, n);
    return k->normed;
}

/* The same for ModernBERT, whose norms come before the products. */
static void gated_forward(rag_layers *k, const rag_weights_layer *l, size_t at,
                          size_t n)
{
    size_t hidden = k->w->head->hidden;
    float *x = k->x + at * hidden;

    add_mixed(k, x, l, at, n);
    quantise(k, &k->x8, before(k, x, l->norm2_w, l->norm2_b, n), hidden, n,
             hidden, l->up_by);
    add_inner(k, x, l, n);
}

static size_t tile_at(const rag_layers *k, size_t at, size_t n)
{
    size_t tile = k->kern->rows;

    return n - at < tile ? n - at : tile;
}

/* x [n_windows x hidden] = the pooled rows of x; none stands before its
 * window's place. */
static void gather(rag_layers *k, const rag_layers_block *b)
{
    const rag_weights_head *h = k->w->head;
    size_t at = 0;

    for (size_t i = 0; i < b->n_windows; i++) {
        size_t n = b->windows[i].n;

        memmove(k->x + i * h->hidden,
                k->x + (at + rag_pooling_row(h, n)) * h->hidden,
                h->hidden * sizeof *k->x);
        at += n;
    }
}

static void layer(rag_layers *k, const rag_layers_block *b, size_t i)
{
    rag_weights_layer l = rag_weights_layer_at(k->w, i);
    bool modern = k->w->head->arch == RAG_ARCH_MODERNBERT;
    bool pooled = is_last(k, i) && rag_pooling_takes_one(k->w->head);
    const float *norm_w = modern && i != 0 ? l.norm1_w : NULL;
    size_t hidden = k->w->head->hidden;
    size_t n = b->n_tokens;
    position p = {0, 0};

    for (size_t at = 0; at < n; at += k->kern->rows) {
        size_t rows = tile_at(k, at, n);
        const float *x = before(k, k->x + at * hidden, norm_w, l.norm1_b, rows);

        quantise(k, &k->x8, x, hidden, rows, hidden, l.qkv_by);
        project(k, b, &l.qkv, p, rows, pooled);
        heads(k, b, at, rows, &p, i);
    }
    attention(k, b, i, pooled);
    if (pooled) {
        gather(k, b);
        n = b->n_windows;
    }
    for (size_t at = 0; at < n; at += k->kern->rows) {
        if (modern)
            gated_forward(k, &l, at, tile_at(k, at, n));
        else
            feed_forward(k, &l, at, tile_at(k, at, n));
    }
}

size_t rag_layers_out(const rag_weights *w)
{
    return w->head->n_labels != 0 ? w->head->n_labels : w->head->hidden;
}

rag_status rag_layers_run(rag_layers *k, const rag_layers_block *b,
                          rag_error *err)
{
    const rag_weights *w = k->w;
    size_t hidden = w->head->hidden;
    bool pooled = rag_pooling_takes_one(w->head);
    const float *x = k->x;
    rag_status st = RAG_OK;

    embed(k, b);
    for (size_t i = 0; i < w->head->n_layers; i++)
        layer(k, b, i);
    if (w->head->arch == RAG_ARCH_MODERNBERT)
        norm(k, k->x, w->final_w, w->final_b,
             pooled ? b->n_windows : b->n_tokens);
    for (size_t i = 0; i < b->n_windows && st == RAG_OK; i++) {
        const rag_layers_window *v = &b->windows[i];
        bool labels = w->head->n_labels != 0;
        size_t n = pooled ? 1 : v->n;

        rag_pooling_run(labels ? k->normed : v->out, w->head, x, n);
        /* there is room for a row more: TILE is larger than two */
        if (labels)
            st = rag_labels_run(v->out, w, k->kern, k->normed,
                                k->normed + hidden, err);
        else
            st = rag_pooling_normalise(v->out, hidden, err);
        x += n * hidden;
    }
    return st;
}

/* ---- scratch ----------------------------------------------------------- */

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

static rounded carve_rounded(char **at, size_t n_bytes, size_t tile)
{
    rounded r;

    r.q = carve(at, n_bytes);
    r.scale = carve(at, tile * sizeof *r.scale);
    r.mid = carve(at, tile * sizeof *r.mid);
    r.sum = carve(at, tile * sizeof *r.sum);
    return r;
}

/* Scratch for blocks of any shape. */
static rag_status make_scratch(rag_layers *k, rag_error *err)
{
    const rag_weights_head *h = k->w->head;
    size_t n = h->window > RAG_LAYERS_BLOCK_TOKENS ? h->window
                                                   : RAG_LAYERS_BLOCK_TOKENS;
    size_t tile = k->kern->rows;
    size_t x = n * h->hidden * sizeof(float);
    size_t qkv = tile * 3 * h->hidden * sizeof(float);
    size_t qkv_q = n * 3 * h->hidden;
    size_t qkv_scale = n * 3 * h->n_heads * sizeof(float);
    size_t q_sum = n * h->n_heads * sizeof(int32_t);
    size_t inner = tile * inner_stride(h) * sizeof(float);
    size_t normed = tile * h->hidden * sizeof(float);
    size_t x_q = tile * h->hidden;
    size_t inner_q = tile * inner_part(h);
    size_t acc = tile * RAG_KERN_PANEL * sizeof(int32_t);
    size_t attention_bytes =
        rag_attend_bytes(h->window, h->hidden / h->n_heads);
    char *at;

    k->slab =
        rag_malloc(64 + 2 * lines(x) + lines(qkv) + lines(qkv_q) +
                   lines(qkv_scale) + lines(q_sum) + lines(inner) +
                   lines(normed) + lines(x_q) + lines(inner_q) +
                   6 * lines(tile * 4) + lines(acc) + lines(attention_bytes));
    if (k->slab == NULL)
        return rag_fail_nomem(err);
    at = (char *)k->slab + (64 - (uintptr_t)k->slab % 64) % 64;
    k->x = carve(&at, x);
    k->qkv = carve(&at, qkv);
    k->qkv_q = carve(&at, qkv_q);
    k->qkv_scale = carve(&at, qkv_scale);
    k->q_sum = carve(&at, q_sum);
    k->mixed = carve(&at, x);
    k->inner = carve(&at, inner);
    k->normed = carve(&at, normed);
    k->x8 = carve_rounded(&at, x_q, tile);
    k->inner8 = carve_rounded(&at, inner_q, tile);
    k->acc = carve(&at, acc);
    k->attention = carve(&at, attention_bytes);
    return RAG_OK;
}

static out_fn act_of(const rag_weights *w, const rag_kern *kern)
{
    const out_fn all[RAG_ACTS] = {[RAG_ACT_GELU] = kern->out_gelu,
                                  [RAG_ACT_SILU] = kern->out_silu,
                                  [RAG_ACT_TANH_GELU] = kern->out_tanh_gelu,
                                  [RAG_ACT_RELU] = kern->out_relu};

    return all[w->head->act];
}

rag_status rag_layers_new(rag_layers **out, const rag_weights *w,
                          const rag_kern *kern, rag_error *err)
{
    rag_layers *k = rag_calloc(1, sizeof *k);
    rag_status st;

    *out = NULL;
    if (k == NULL)
        return rag_fail_nomem(err);
    k->w = w;
    k->kern = kern;
    k->act = act_of(w, kern);
    st = make_scratch(k, err);
    if (st == RAG_OK)
        *out = k;
    else
        rag_layers_free(k);
    return st;
}

void rag_layers_free(rag_layers *k)
{
    if (k == NULL)
        return;
    rag_free(k->slab);
    rag_free(k);
}
