#include "nn/weights.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "nn/kern.h"
#include "nn/tokens_blob.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the model file is used in place and is little-endian"
#endif

/* a block of Q4_0: a half-float scale and 32 values of 4 bits */
#define Q4_VALUES 32u
#define Q4_BYTES 18u

static_assert(sizeof(rag_weights_head) == 1328, "no padding");
static_assert(sizeof(rag_weights_section) == 24, "no padding");
static_assert(sizeof(rag_weights_head) +
                      RAG_WEIGHTS_SECTIONS * sizeof(rag_weights_section) <=
                  RAG_WEIGHTS_HEAD_BYTES,
              "the table fits");

float rag_weights_half(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t exponent = bits >> 10 & 31u;
    uint32_t fraction = bits & 0x3FFu;
    uint32_t out;
    float f;

    if (exponent == 0) { /* zero and subnormal: fraction / 2^24 */
        f = (float)fraction * 5.9604644775390625e-8f;
        return sign != 0 ? -f : f;
    }
    out =
        sign | (exponent == 31 ? 255u : exponent + 112u) << 23 | fraction << 13;
    memcpy(&f, &out, sizeof f);
    return f;
}

size_t rag_weights_matrix_bytes(size_t n_out, size_t n_in)
{
    return n_out * n_in + 3 * n_out * sizeof(float);
}

size_t rag_weights_up(const rag_weights_head *h)
{
    return (h->arch == RAG_ARCH_MODERNBERT ? (size_t)2 : 1) * h->ffn;
}

size_t rag_weights_down(const rag_weights_head *h)
{
    return h->ffn % (RAG_WEIGHTS_DOWN * RAG_KERN_PANEL) == 0 ? RAG_WEIGHTS_DOWN
                                                             : 1;
}

size_t rag_weights_layer_bytes(const rag_weights_head *h)
{
    size_t n_down = rag_weights_down(h);

    return rag_weights_matrix_bytes((size_t)3 * h->hidden, h->hidden) +
           rag_weights_matrix_bytes(h->hidden, h->hidden) +
           rag_weights_matrix_bytes(rag_weights_up(h), h->hidden) +
           n_down * rag_weights_matrix_bytes(h->hidden, h->ffn / n_down) +
           (size_t)6 * h->hidden * sizeof(float);
}

/* Floats of the positions: learned ones, or two tables of turns. */
static size_t position_floats(const rag_weights_head *h)
{
    return h->arch == RAG_ARCH_MODERNBERT
               ? (size_t)2 * h->window * (h->hidden / h->n_heads)
               : (size_t)h->window * h->hidden;
}

size_t rag_weights_embed_bytes(const rag_weights_head *h)
{
    return (position_floats(h) + (size_t)5 * h->hidden) * sizeof(float);
}

size_t rag_weights_labels_bytes(const rag_weights_head *h)
{
    size_t hidden = h->hidden;

    if (h->n_labels == 0)
        return 0;
    return (hidden * hidden + 3 * hidden + h->n_labels * hidden + h->n_labels) *
           sizeof(float);
}

size_t rag_weights_row_bytes(const rag_weights_head *h)
{
    return h->vocab_format == RAG_WEIGHTS_VOCAB_Q4_0
               ? h->hidden / Q4_VALUES * Q4_BYTES
               : h->hidden + sizeof(float);
}

static rag_status check_modernbert(const rag_weights_head *h, rag_status code,
                                   rag_error *err)
{
    if (h->hidden / h->n_heads % (2 * RAG_KERN_LANES) != 0)
        return rag_fail(err, code, "heads of length %u",
                        h->hidden / h->n_heads);
    if (h->global_every == 0 || h->local_window < 2)
        return rag_fail(err, code,
                        "local attention over %u tokens, not in "
                        "every layer %u",
                        h->local_window, h->global_every);
    if (!(h->rope_global >= 1.0f && h->rope_global <= 1e9f) ||
        !(h->rope_local >= 1.0f && h->rope_local <= 1e9f))
        return rag_fail(err, code, "a rope base out of range");
    return RAG_OK;
}

static rag_status check_kinds(const rag_weights_head *h, rag_status code,
                              rag_error *err)
{
    if (h->arch != RAG_ARCH_BERT && h->arch != RAG_ARCH_MODERNBERT)
        return rag_fail(err, code, "architecture %u is not known", h->arch);
    if (h->pooling < RAG_POOL_MEAN || h->pooling > RAG_POOL_WEIGHTED)
        return rag_fail(err, code, "pooling %u is not known", h->pooling);
    if (h->head > RAG_HEAD_MODERNBERT ||
        (h->head == RAG_HEAD_NONE) != (h->n_labels == 0) ||
        h->n_labels > RAG_WEIGHTS_MAX_LABELS)
        return rag_fail(err, code, "a head of kind %u with %u labels", h->head,
                        h->n_labels);
    return RAG_OK;
}

rag_status rag_weights_check_shape(const rag_weights_head *h, rag_status code,
                                   rag_error *err)
{
    size_t dims;
    rag_status st;

    TRY(check_kinds(h, code, err));
    if (h->hidden == 0 || h->hidden > RAG_WEIGHTS_MAX_HIDDEN ||
        h->hidden % RAG_KERN_PANEL != 0)
        return rag_fail(err, code, "vector length %u", h->hidden);
    if (h->ffn == 0 || h->ffn > RAG_WEIGHTS_MAX_FFN ||
        h->ffn % RAG_KERN_PANEL != 0)
        return rag_fail(err, code, "inner length %u", h->ffn);
    if (h->n_heads == 0 || h->hidden % h->n_heads != 0)
        return rag_fail(err, code, "%u heads", h->n_heads);
    dims = h->hidden / h->n_heads;
    if (dims > RAG_WEIGHTS_MAX_HEAD_DIMS || dims % RAG_KERN_LANES != 0)
        return rag_fail(err, code, "heads of length %zu", dims);
    if (h->n_layers == 0 || h->n_layers > RAG_WEIGHTS_MAX_LAYERS)
        return rag_fail(err, code, "%u layers", h->n_layers);
    if (h->window < 8 || h->window > RAG_WEIGHTS_MAX_WINDOW)
        return rag_fail(err, code, "a window of %u tokens", h->window);
    if (h->n_vocab == 0 || h->n_vocab > RAG_TOKENS_MAX_PIECES)
        return rag_fail(err, code, "a vocabulary of %u", h->n_vocab);
    if (!(h->norm_eps >= 0.0f && h->norm_eps < 1.0f))
        return rag_fail(err, code, "a norm epsilon out of range");
    if (h->arch == RAG_ARCH_MODERNBERT)
        st = check_modernbert(h, code, err);
out:
    return st;
}

static bool ends_in_nul(const char *s, size_t n)
{
    return memchr(s, 0, n) != NULL;
}

static rag_status check_head(const rag_map *m, const char *path, rag_error *err)
{
    const rag_weights_head *h = (const void *)m->ptr;

    if (m->len < RAG_WEIGHTS_HEAD_BYTES ||
        memcmp(h->magic, "RAGMODEL", sizeof h->magic) != 0)
        return rag_fail(err, RAG_E_CORRUPT, "%s: not a model file of rag",
                        path);
    if (h->version != RAG_WEIGHTS_VERSION ||
        h->head_bytes != RAG_WEIGHTS_HEAD_BYTES)
        return rag_fail(err, RAG_E_CORRUPT,
                        "%s: model file version %u, this program reads %u; "
                        "import the model again with rag model add",
                        path, h->version, RAG_WEIGHTS_VERSION);
    if (h->file_bytes != m->len)
        return rag_fail(err, RAG_E_CORRUPT, "%s: %zu bytes, should be %llu",
                        path, m->len, (unsigned long long)h->file_bytes);
    if ((h->vocab_format != RAG_WEIGHTS_VOCAB_Q4_0 &&
         h->vocab_format != RAG_WEIGHTS_VOCAB_I8) ||
        h->act >= RAG_ACTS)
        return rag_fail(err, RAG_E_CORRUPT,
                        "%s: a kind of model this program does not know", path);
    if (!ends_in_nul(h->name, sizeof h->name) ||
        !ends_in_nul(h->query_prefix, sizeof h->query_prefix) ||
        !ends_in_nul(h->passage_prefix, sizeof h->passage_prefix) ||
        !ends_in_nul(h->licence, sizeof h->licence) ||
        !ends_in_nul(h->source, sizeof h->source) ||
        !ends_in_nul(h->label_names, sizeof h->label_names))
        return rag_fail(err, RAG_E_CORRUPT, "%s: text without an end", path);
    if (rag_weights_check_shape(h, RAG_E_CORRUPT, err) != RAG_OK)
        return rag_fail_prefix(err, RAG_E_CORRUPT, "%s", path);
    return RAG_OK;
}

/* The section's bytes; unless want is SIZE_MAX it must have exactly so many. */
static rag_status section(rag_str *out, const rag_map *m, size_t kind,
                          size_t want, rag_error *err)
{
    const rag_weights_section *all =
        (const void *)(m->ptr + sizeof(rag_weights_head));
    const rag_weights_section *s = &all[kind - 1];
    uint64_t least = RAG_WEIGHTS_HEAD_BYTES;

    if (kind > 1)
        least = all[kind - 2].offset + all[kind - 2].n_bytes;
    if (s->kind != kind || s->offset % RAG_WEIGHTS_ALIGN != 0 ||
        s->offset < least || s->offset > m->len ||
        s->n_bytes > m->len - s->offset ||
        (kind == RAG_WEIGHTS_SECTIONS && s->offset + s->n_bytes != m->len))
        return rag_fail(err, RAG_E_CORRUPT, "section %zu lies outside", kind);
    if (want != SIZE_MAX && s->n_bytes != want)
        return rag_fail(err, RAG_E_CORRUPT, "section %zu: %llu bytes, want %zu",
                        kind, (unsigned long long)s->n_bytes, want);
    *out = rag_str_n((const char *)m->ptr + s->offset, (size_t)s->n_bytes);
    return RAG_OK;
}

static const float *vector(const uint8_t **at, size_t n)
{
    const float *v = (const void *)*at;

    *at += n * sizeof *v;
    return v;
}

static void map_embed(rag_weights *w, const uint8_t *at)
{
    const rag_weights_head *h = w->head;
    size_t half = position_floats(h) / 2;

    if (h->arch == RAG_ARCH_MODERNBERT) {
        w->rope[0] = vector(&at, half);
        w->rope[1] = vector(&at, half);
    } else {
        w->positions = vector(&at, position_floats(h));
    }
    w->type_step = vector(&at, h->hidden);
    w->norm_w = vector(&at, h->hidden);
    w->norm_b = vector(&at, h->hidden);
    w->final_w = vector(&at, h->hidden);
    w->final_b = vector(&at, h->hidden);
}

static void map_labels(rag_weights *w, const uint8_t *at)
{
    size_t hidden = w->head->hidden;
    rag_weights_labels *l = &w->labels;

    if (w->head->n_labels == 0)
        return;
    l->dense = vector(&at, hidden * hidden);
    l->dense_b = vector(&at, hidden);
    l->norm_w = vector(&at, hidden);
    l->norm_b = vector(&at, hidden);
    l->out = vector(&at, w->head->n_labels * hidden);
    l->out_b = vector(&at, w->head->n_labels);
}

static rag_status map_tokens(rag_weights *w, rag_error *err)
{
    const rag_weights_head *h = w->head;
    rag_status st;
    rag_str s;

    TRY(section(&s, &w->map, RAG_WEIGHTS_TOKENS, SIZE_MAX, err));
    TRY(rag_tokens_model_open(&w->tokens, s, err));
    if (w->tokens.kind != h->tokens || w->tokens.n_pieces > h->n_vocab)
        return rag_fail(err, RAG_E_CORRUPT,
                        "tokenizer of kind %u with %u pieces, vocabulary of %u",
                        w->tokens.kind, w->tokens.n_pieces, h->n_vocab);
out:
    return st;
}

static rag_status map_sections(rag_weights *w, rag_error *err)
{
    const rag_weights_head *h = w->head;
    rag_status st;
    rag_str s;

    TRY(section(&s, &w->map, RAG_WEIGHTS_LAYERS,
                h->n_layers * rag_weights_layer_bytes(h), err));
    w->layers = (const void *)s.ptr;
    TRY(section(&s, &w->map, RAG_WEIGHTS_EMBED, rag_weights_embed_bytes(h),
                err));
    map_embed(w, (const void *)s.ptr);
    TRY(section(&s, &w->map, RAG_WEIGHTS_HEAD, rag_weights_labels_bytes(h),
                err));
    map_labels(w, (const void *)s.ptr);
    TRY(map_tokens(w, err));
    TRY(section(&s, &w->map, RAG_WEIGHTS_VOCAB,
                h->n_vocab * rag_weights_row_bytes(h), err));
    w->vocab = (const void *)s.ptr;
out:
    return st;
}

rag_status rag_weights_open(rag_weights *out, const char *path, rag_error *err)
{
    rag_status st;

    memset(out, 0, sizeof *out);
    TRY(rag_file_map(&out->map, path, err));
    TRY(check_head(&out->map, path, err));
    out->head = (const void *)out->map.ptr;
    st = map_sections(out, err);
    if (st != RAG_OK)
        st = rag_fail_prefix(err, st, "%s", path);
out:
    if (st != RAG_OK)
        rag_weights_close(out);
    return st;
}

void rag_weights_close(rag_weights *w)
{
    rag_file_unmap(&w->map);
    memset(w, 0, sizeof *w);
}

static rag_weights_matrix matrix(const uint8_t **at, size_t n_out, size_t n_in)
{
    const float *scale = (const void *)(*at + n_out * n_in);
    rag_weights_matrix m = {(const void *)*at, scale, scale + n_out,
                            scale + 2 * n_out};

    *at += rag_weights_matrix_bytes(n_out, n_in);
    return m;
}

rag_weights_layer rag_weights_layer_at(const rag_weights *w, size_t layer)
{
    size_t hidden = w->head->hidden;
    size_t n_down = rag_weights_down(w->head);
    const uint8_t *at = w->layers + layer * rag_weights_layer_bytes(w->head);
    rag_weights_layer l;

    l.qkv = matrix(&at, 3 * hidden, hidden);
    l.mix = matrix(&at, hidden, hidden);
    l.norm1_w = vector(&at, hidden);
    l.norm1_b = vector(&at, hidden);
    l.up = matrix(&at, rag_weights_up(w->head), hidden);
    for (size_t i = 0; i < RAG_WEIGHTS_DOWN; i++)
        l.down[i] = i < n_down ? matrix(&at, hidden, w->head->ffn / n_down)
                               : (rag_weights_matrix){0};
    l.norm2_w = vector(&at, hidden);
    l.norm2_b = vector(&at, hidden);
    l.qkv_by = vector(&at, hidden);
    l.up_by = vector(&at, hidden);
    return l;
}

static void q4_row(float *x, const uint8_t *p, size_t n)
{
    for (size_t b = 0; b < n / Q4_VALUES; b++, p += Q4_BYTES, x += Q4_VALUES) {
        float d = rag_weights_half((uint16_t)(p[0] | p[1] << 8));

        for (size_t i = 0; i < Q4_VALUES / 2; i++) {
            x[i] = d * (float)((int)(p[2 + i] & 15) - 8);
            x[i + Q4_VALUES / 2] = d * (float)((int)(p[2 + i] >> 4) - 8);
        }
    }
}

void rag_weights_row(float *x, const rag_weights *w, uint32_t token)
{
    size_t hidden = w->head->hidden;
    const uint8_t *p = w->vocab + token * rag_weights_row_bytes(w->head);
    float scale;

    if (w->head->vocab_format == RAG_WEIGHTS_VOCAB_Q4_0) {
        q4_row(x, p, hidden);
        return;
    }
    memcpy(&scale, p + hidden, sizeof scale);
    for (size_t d = 0; d < hidden; d++)
        x[d] = scale * (float)(int8_t)p[d];
}

rag_status rag_weights_verify(const char *path, rag_error *err)
{
    static const uint8_t zero[32];
    size_t hash_at = offsetof(rag_weights_head, head_sha256);
    uint8_t found[RAG_SHA256_BYTES];
    rag_sha256 *sha = NULL;
    rag_weights w;
    rag_status st;

    TRY(rag_weights_open(&w, path, err));
    sha = rag_sha256_new();
    if (sha == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    rag_sha256_add(sha, w.map.ptr, hash_at);
    rag_sha256_add(sha, zero, sizeof zero);
    rag_sha256_add(sha, w.map.ptr + hash_at + sizeof zero,
                   RAG_WEIGHTS_HEAD_BYTES - hash_at - sizeof zero);
    rag_sha256_end(sha, found);
    if (memcmp(found, w.head->head_sha256, sizeof found) != 0) {
        st = rag_fail(err, RAG_E_CORRUPT, "%s: the header was changed", path);
        goto out;
    }
    rag_hash_sha256(found, w.map.ptr + RAG_WEIGHTS_HEAD_BYTES,
                    w.map.len - RAG_WEIGHTS_HEAD_BYTES);
    if (memcmp(found, w.head->payload_sha256, sizeof found) != 0)
        st = rag_fail(err, RAG_E_CORRUPT,
                      "%s: damaged, its hash differs from the header's; import "
                      "the model again with rag model add",
                      path);
out:
    rag_sha256_free(sha);
    rag_weights_close(&w);
    return st;
}
