/*
 * What goes into a product, made easier for int8: less half of what all tokens
 * have in common, and its columns nearer to each other in size.
 *
 * In BERT and its kin the first token ([CLS], <s>) is where heads look that
 * have nothing to look for: a third to a half of all attention goes to it. Its
 * numbers reach twice as far as those of other tokens, so its int8 steps are
 * the coarsest, and every token inherits their error. But it is nearly the same
 * vector in every text. Half of it is taken out of the bias of the norm before
 * and put back, in floats, into what follows: the bias of the queries, that of
 * the mix (for the values; attention weights add up to 1) and the sum that goes
 * around attention. Keys need nothing: softmax does not see what is the same
 * for all. In front of the feed-forward part, where no token sees another, it
 * is half of the tokens' mean.
 *
 * What is left has columns many times as large as most; they alone would set
 * the steps of a token. Each column is divided by its size to the power of 3/8,
 * and the weights that it meets are multiplied by it (SmoothQuant,
 * arXiv:2211.10438, with an alpha found by trying, and without the weights' own
 * sizes).
 *
 * Nothing changes but what int8 loses. What vectors and sizes are shows a run
 * of the packed weights, in floats, over a short text of pieces from all over
 * the vocabulary.
 */
#include <math.h>

#include "base/mem.h"
#include "nn/kern.h"
#include "nn/pack.h"

/* tokens of the text; numbers of all of them stand together: [dim][TOKENS] */
#define TOKENS ((size_t)16)
/* steps of what is taken out: so coarse that machines do not differ */
#define STEPS 16.0f
/* more than this is no norm's output but a broken model: left as it is */
#define MOST 100.0f
/* columns smaller than this share of the largest count as so large */
#define LEAST_SIZE 0.000244140625f
/* steps of a factor within a power of two, for the same reason */
#define BY_STEPS 8.0f

struct rag_pack_shift {
    const rag_weights_head *h;
    float *x;     /* [hidden] */
    float *qkv;   /* [3 hidden] */
    float *mixed; /* [hidden] */
    float *inner; /* [ffn] */
    float *out;   /* [hidden] */
    float *eased; /* [hidden] what goes into a product instead of x */
    float *less;  /* [hidden] of one token: what a product gets less */
};

/* y [n_out x TOKENS] = m x [n_in x TOKENS] + bias. A double holds a product of
 * two floats exactly: the same sums with and without fused multiply-add. */
static void product(float *y, const float *x, const rag_weights_matrix *m,
                    size_t n_out, size_t n_in)
{
    for (size_t o = 0; o < n_out; o++, y += TOKENS) {
        const int8_t *w = m->w + o / RAG_KERN_PANEL * RAG_KERN_PANEL * n_in +
                          o % RAG_KERN_PANEL * RAG_KERN_QUAD;
        double sum[TOKENS] = {0};

        for (size_t k = 0; k < n_in; k++) {
            double wk =
                (double)w[k / RAG_KERN_QUAD * RAG_KERN_PANEL * RAG_KERN_QUAD +
                          k % RAG_KERN_QUAD];

            for (size_t t = 0; t < TOKENS; t++)
                sum[t] += wk * (double)x[k * TOKENS + t];
        }
        for (size_t t = 0; t < TOKENS; t++)
            y[t] = (float)(sum[t] * (double)m->scale[o] + (double)m->bias[o]);
    }
}

static void norm(float *x, const rag_weights_head *h, const float *w,
                 const float *b)
{
    for (size_t t = 0; t < TOKENS; t++) {
        double mean = 0.0;
        double square = 0.0;
        double inverse;

        for (size_t d = 0; d < h->hidden; d++)
            mean += (double)x[d * TOKENS + t] / (double)h->hidden;
        for (size_t d = 0; d < h->hidden; d++) {
            double off = (double)x[d * TOKENS + t] - mean;

            square += off * off / (double)h->hidden;
        }
        inverse = 1.0 / sqrt(square + (double)h->norm_eps);
        for (size_t d = 0; d < h->hidden; d++)
            x[d * TOKENS + t] = (float)(((double)x[d * TOKENS + t] - mean) *
                                            inverse * (double)w[d] +
                                        (double)b[d]);
    }
}

/* Weights of the tokens for token t from its scores; they add up to 1. */
static void soften(double *s)
{
    double most = s[0];
    double sum = 0.0;

    for (size_t j = 1; j < TOKENS; j++)
        most = s[j] > most ? s[j] : most;
    for (size_t j = 0; j < TOKENS; j++) {
        s[j] = exp(s[j] - most);
        sum += s[j];
    }
    for (size_t j = 0; j < TOKENS; j++)
        s[j] /= sum;
}

static void attention(rag_pack_shift *s)
{
    size_t n_heads = s->h->n_heads;
    size_t dims = s->h->hidden / n_heads;

    for (size_t at = 0; at < s->h->hidden; at += dims) {
        const float *q = s->qkv + at * TOKENS;
        const float *k = q + s->h->hidden * TOKENS;
        const float *v = k + s->h->hidden * TOKENS;

        for (size_t t = 0; t < TOKENS; t++) {
            double p[TOKENS] = {0};

            for (size_t d = 0; d < dims; d++) {
                for (size_t j = 0; j < TOKENS; j++)
                    p[j] +=
                        (double)q[d * TOKENS + t] * (double)k[d * TOKENS + j];
            }
            soften(p);
            for (size_t d = 0; d < dims; d++) {
                double sum = 0.0;

                for (size_t j = 0; j < TOKENS; j++)
                    sum += p[j] * (double)v[d * TOKENS + j];
                s->mixed[(at + d) * TOKENS + t] = (float)sum;
            }
        }
    }
}

static double act(double x, uint32_t kind)
{
    switch ((rag_source_act)kind) {
    case RAG_ACT_TANH_GELU:
        return 0.5 * x *
               (1.0 + tanh(0.7978845608 * (x + 0.044715 * x * x * x)));
    case RAG_ACT_SILU:
        return x / (1.0 + exp(-x));
    case RAG_ACT_RELU:
        return x > 0.0 ? x : 0.0;
    case RAG_ACT_GELU:
    default:
        return 0.5 * x * (1.0 + erf(x * 0.7071067812));
    }
}

/* x = norm(x + what was added) */
static void add(rag_pack_shift *s, const float *w, const float *b)
{
    for (size_t i = 0; i < s->h->hidden * TOKENS; i++)
        s->x[i] += s->out[i];
    norm(s->x, s->h, w, b);
}

/* eased = x by */
static const float *ease(rag_pack_shift *s, const float *x, const float *by)
{
    for (size_t i = 0; i < s->h->hidden * TOKENS; i++)
        s->eased[i] = x[i] * by[i / TOKENS];
    return s->eased;
}

static void run_attention(rag_pack_shift *s, const rag_weights_layer *l)
{
    size_t hidden = s->h->hidden;

    product(s->qkv, ease(s, s->x, l->qkv_by), &l->qkv, 3 * hidden, hidden);
    attention(s);
    product(s->out, s->mixed, &l->mix, hidden, hidden);
    add(s, l->norm1_w, l->norm1_b);
}

static void run_forward(rag_pack_shift *s, const rag_weights_layer *l)
{
    size_t hidden = s->h->hidden;
    size_t ffn = s->h->ffn;
    size_t n_down = rag_weights_down(s->h);
    size_t part = ffn / n_down;

    product(s->inner, ease(s, s->x, l->up_by), &l->up, ffn, hidden);
    for (size_t i = 0; i < ffn * TOKENS; i++)
        s->inner[i] = (float)act((double)s->inner[i], s->h->act);
    product(s->out, s->inner, &l->down[0], hidden, part);
    for (size_t d = 1; d < n_down; d++) {
        product(s->eased, s->inner + d * part * TOKENS, &l->down[d], hidden,
                part);
        for (size_t i = 0; i < hidden * TOKENS; i++)
            s->out[i] += s->eased[i];
    }
    add(s, l->norm2_w, l->norm2_b);
}

/* `less` = half of the mean of the first n tokens as they come out of a norm,
 * out of its bias. */
static void take(rag_pack_shift *s, float *norm_b, size_t n)
{
    bool ok = true;

    for (size_t d = 0; d < s->h->hidden; d++) {
        float sum = 0.0f;

        for (size_t t = 0; t < n; t++)
            sum += s->x[d * TOKENS + t];
        sum *= 0.5f / (float)n;
        ok = ok && fabsf(sum) <= MOST && fabsf(norm_b[d]) <= MOST;
        s->less[d] = ok ? rintf(sum * STEPS) / STEPS : 0.0f;
    }
    for (size_t d = 0; d < s->h->hidden; d++) {
        s->less[d] = ok ? s->less[d] : 0.0f;
        norm_b[d] -= s->less[d];
    }
}

/* The size of column d without `less`, the first token, which is like no other,
 * left out. */
static float size_of(const rag_pack_shift *s, size_t d)
{
    float sum = 0.0f;

    for (size_t t = 1; t < TOKENS; t++)
        sum += fabsf(s->x[d * TOKENS + t] - s->less[d]);
    return sum / (float)(TOKENS - 1);
}

/* x > 0 to the nearest of BY_STEPS steps of its power of two */
static float rough(float x)
{
    int log;
    float part = frexpf(x, &log);

    return ldexpf(rintf(part * BY_STEPS) / BY_STEPS, log);
}

/* x^(3/8), by square roots, which are the same on every machine */
static float power(float x)
{
    float half = sqrtf(x);

    return sqrtf(half * sqrtf(half));
}

/* by [hidden] = (greatest size / size)^(3/8): at least 1, so no weight grows */
static void put_factors(const rag_pack_shift *s, float *by)
{
    float most = 0.0f;

    for (size_t d = 0; d < s->h->hidden; d++) {
        by[d] = size_of(s, d);
        most = fmaxf(by[d], most);
    }
    for (size_t d = 0; d < s->h->hidden; d++) {
        float size = most > 0.0f && most <= MOST ? by[d] / most : 1.0f;

        by[d] = rough(1.0f / power(fmaxf(size, LEAST_SIZE)));
    }
}

static void put_ones(const rag_pack_shift *s, float *by)
{
    for (size_t d = 0; d < s->h->hidden; d++)
        by[d] = 1.0f;
}

/* x = `less` for every token */
static void fill(const rag_pack_shift *s, float *x)
{
    for (size_t i = 0; i < s->h->hidden * TOKENS; i++)
        x[i] = s->less[i / TOKENS];
}

/* What was taken out of the layer's input goes into its biases. */
static bool give_attention(rag_pack_shift *s, unsigned char *layer,
                           const rag_weights_layer *l)
{
    size_t hidden = s->h->hidden;
    float *query = rag_pack_inside(layer, l->qkv.bias);
    float *mix = rag_pack_inside(layer, l->mix.bias);
    bool ok = true;

    fill(s, s->mixed);
    product(s->qkv, ease(s, s->mixed, l->qkv_by), &l->qkv, 3 * hidden, hidden);
    product(s->out, s->qkv + 2 * hidden * TOKENS, &l->mix, hidden, hidden);
    for (size_t d = 0; d < hidden; d++) {
        query[d] = s->qkv[d * TOKENS];
        mix[d] = s->out[d * TOKENS] + s->less[d];
        ok = ok && isfinite(query[d]) && isfinite(mix[d]);
    }
    return ok;
}

static bool give_forward(rag_pack_shift *s, unsigned char *layer,
                         const rag_weights_layer *l)
{
    float *up = rag_pack_inside(layer, l->up.bias);
    float *down = rag_pack_inside(layer, l->down[0].bias);
    bool ok = true;

    fill(s, s->mixed);
    product(s->inner, ease(s, s->mixed, l->up_by), &l->up, s->h->ffn,
            s->h->hidden);
    for (size_t d = 0; d < s->h->ffn; d++) {
        up[d] = s->inner[d * TOKENS];
        ok = ok && isfinite(up[d]);
    }
    for (size_t d = 0; d < s->h->hidden; d++) {
        down[d] += s->less[d];
        ok = ok && isfinite(down[d]);
    }
    return ok;
}

void rag_pack_shift_begin(rag_pack_shift *s, unsigned char *layer)
{
    rag_weights_layer l = rag_pack_places(layer, s->h);
    float *by = rag_pack_inside(layer, l.qkv_by);

    if (s->x != NULL)
        put_factors(s, by);
    else
        put_ones(s, by);
}

static rag_status no_number(uint32_t i, rag_error *err)
{
    return rag_fail(err, RAG_E_FORMAT, "layer %u: bias: not a number", i);
}

/* The text goes through each half of the layer before that changes. */
rag_status rag_pack_shift_attention(rag_pack_shift *s, unsigned char *layer,
                                    uint32_t i, rag_error *err)
{
    rag_weights_layer l = rag_pack_places(layer, s->h);
    float *by = rag_pack_inside(layer, l.up_by);

    if (s->x == NULL) {
        put_ones(s, by);
        return RAG_OK;
    }
    run_attention(s, &l);
    if (!give_attention(s, layer, &l))
        return no_number(i, err);
    take(s, rag_pack_inside(layer, l.norm1_b), TOKENS);
    put_factors(s, by);
    return RAG_OK;
}

rag_status rag_pack_shift_forward(rag_pack_shift *s, unsigned char *layer,
                                  uint32_t i, rag_error *err)
{
    rag_weights_layer l = rag_pack_places(layer, s->h);

    if (s->x == NULL)
        return RAG_OK;
    run_forward(s, &l);
    if (!give_forward(s, layer, &l))
        return no_number(i, err);
    if (i + 1 < s->h->n_layers)
        take(s, rag_pack_inside(layer, l.norm2_b), 1);
    return RAG_OK;
}

/* The text: its first piece as ever, its last, and others. */
static rag_status start(rag_pack_shift *s, rag_pack_parts *p,
                        const float *embed, rag_error *err)
{
    const rag_source_tokens *tokens = &p->s->tokens;
    size_t hidden = s->h->hidden;
    float *row = s->out;
    const rag_source_tensor *t;
    rag_status st;

    TRY(rag_pack_table(&t, p, RAG_PART_WORDS, s->h->n_vocab, hidden, false,
                       err));
    for (size_t i = 0; i < TOKENS; i++) {
        size_t id = (2 * i + 1) * s->h->n_vocab / (2 * TOKENS);

        if (i == 0)
            id = (size_t)tokens->bos;
        else if (i + 1 == TOKENS && tokens->eos >= 0)
            id = (size_t)tokens->eos;
        TRY(rag_pack_row(row, t, id, err));
        for (size_t d = 0; d < hidden; d++)
            s->x[d * TOKENS + i] = row[d] + embed[i * hidden + d];
    }
out:
    return st;
}

static rag_status make_room(rag_pack_shift *s, rag_error *err)
{
    size_t hidden = s->h->hidden;
    float *x = rag_calloc((8 * hidden + s->h->ffn) * TOKENS, sizeof *x);

    if (x == NULL)
        return rag_fail_nomem(err);
    s->x = x;
    s->qkv = s->x + hidden * TOKENS;
    s->mixed = s->qkv + 3 * hidden * TOKENS;
    s->out = s->mixed + hidden * TOKENS;
    s->eased = s->out + hidden * TOKENS;
    s->less = s->eased + hidden * TOKENS;
    s->inner = s->less + hidden * TOKENS;
    return RAG_OK;
}

rag_status rag_pack_shift_new(rag_pack_shift **out, rag_pack_parts *p,
                              const rag_weights_head *h, float *embed,
                              rag_error *err)
{
    const rag_source_tokens *tokens = &p->s->tokens;
    float *norm_w = embed + ((size_t)h->window + 1) * h->hidden;
    float *norm_b = norm_w + h->hidden;
    rag_pack_shift *s = rag_calloc(1, sizeof *s);
    rag_status st = RAG_OK;

    *out = s;
    if (s == NULL)
        return rag_fail_nomem(err);
    s->h = h;
    if (h->arch == RAG_ARCH_MODERNBERT || h->window < TOKENS ||
        tokens->bos < 0 || (uint32_t)tokens->bos >= h->n_vocab ||
        (tokens->eos >= 0 && (uint32_t)tokens->eos >= h->n_vocab))
        return RAG_OK;
    TRY(make_room(s, err));
    TRY(start(s, p, embed, err));
    norm(s->x, h, norm_w, norm_b);
    take(s, norm_b, 1);
out:
    return st;
}

void rag_pack_shift_free(rag_pack_shift *s)
{
    if (s == NULL)
        return;
    rag_free(s->x);
    rag_free(s);
}
