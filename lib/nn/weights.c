#include "nn/weights.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "nn/kern.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the model file is used in place and is little-endian"
#endif

/* a block of Q4_0: a half-float scale and 32 values of 4 bits */
#define Q4_VALUES 32u
#define Q4_BYTES 18u

static_assert(sizeof(rag_weights_head) == 672, "no padding");
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

size_t rag_weights_layer_bytes(const rag_weights_head *h)
{
    return rag_weights_matrix_bytes((size_t)3 * h->hidden, h->hidden) +
           rag_weights_matrix_bytes(h->hidden, h->hidden) +
           rag_weights_matrix_bytes(h->ffn, h->hidden) +
           rag_weights_matrix_bytes(h->hidden, h->ffn) +
           (size_t)4 * h->hidden * sizeof(float);
}

size_t rag_weights_embed_bytes(const rag_weights_head *h)
{
    return ((size_t)h->window + 2) * h->hidden * sizeof(float);
}

size_t rag_weights_vocab_bytes(const rag_weights_head *h)
{
    return (size_t)h->n_pieces * (h->hidden / Q4_VALUES) * Q4_BYTES;
}

rag_status rag_weights_check_shape(const rag_weights_head *h, rag_status code,
                                   rag_error *err)
{
    size_t dims;

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
    if (h->n_pieces == 0 || h->n_pieces > RAG_WEIGHTS_MAX_PIECES)
        return rag_fail(err, code, "a vocabulary of %u", h->n_pieces);
    if (h->bos < 0 || h->eos < 0 || h->unk < 0 ||
        (uint32_t)h->bos >= h->n_pieces || (uint32_t)h->eos >= h->n_pieces ||
        (uint32_t)h->unk >= h->n_pieces)
        return rag_fail(err, code, "special tokens outside the vocabulary");
    if (!(h->norm_eps >= 0.0f && h->norm_eps < 1.0f))
        return rag_fail(err, code, "a norm epsilon out of range");
    return RAG_OK;
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
    if (h->arch != RAG_WEIGHTS_ARCH_BERT ||
        h->tokens != RAG_WEIGHTS_TOKENS_UNIGRAM ||
        h->pooling != RAG_WEIGHTS_POOL_MEAN ||
        h->vocab_format != RAG_WEIGHTS_VOCAB_Q4_0)
        return rag_fail(err, RAG_E_CORRUPT,
                        "%s: a kind of model this program does not know", path);
    if (!ends_in_nul(h->name, sizeof h->name) ||
        !ends_in_nul(h->query_prefix, sizeof h->query_prefix) ||
        !ends_in_nul(h->passage_prefix, sizeof h->passage_prefix) ||
        !ends_in_nul(h->licence, sizeof h->licence) ||
        !ends_in_nul(h->source, sizeof h->source))
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

static rag_status map_tokens(rag_weights *w, rag_error *err)
{
    static const size_t page = RAG_NMT_PAGE * sizeof(uint32_t);
    static const size_t pages_at = RAG_NMT_PAGES * sizeof(uint16_t);
    const rag_weights_head *h = w->head;
    rag_tokens_model *t = &w->tokens;
    rag_status st;
    rag_str s;

    TRY(section(&s, &w->map, RAG_WEIGHTS_NMT_PAGES, SIZE_MAX, err));
    if (s.len < pages_at + page || (s.len - pages_at) % page != 0)
        return rag_fail(err, RAG_E_CORRUPT, "normaliser of %zu bytes", s.len);
    t->nmt.page_of = (const void *)s.ptr;
    t->nmt.pages = (const void *)(s.ptr + pages_at);
    t->nmt.n_pages = (s.len - pages_at) / page;
    TRY(section(&s, &w->map, RAG_WEIGHTS_NMT_TEXT, SIZE_MAX, err));
    t->nmt.text = s.ptr;
    t->nmt.n_text = s.len;
    TRY(section(&s, &w->map, RAG_WEIGHTS_NMT_RULES, SIZE_MAX, err));
    if (s.len % sizeof(rag_nmt_rule) != 0)
        return rag_fail(err, RAG_E_CORRUPT, "rules of %zu bytes", s.len);
    t->nmt.rules = (const void *)s.ptr;
    t->nmt.n_rules = s.len / sizeof(rag_nmt_rule);
    TRY(section(&s, &w->map, RAG_WEIGHTS_TRIE, SIZE_MAX, err));
    if (s.len < sizeof(uint32_t) || s.len % sizeof(uint32_t) != 0 ||
        s.len / sizeof(uint32_t) >= UINT32_MAX)
        return rag_fail(err, RAG_E_CORRUPT, "trie of %zu bytes", s.len);
    t->trie.units = (const void *)s.ptr;
    t->trie.n_units = (uint32_t)(s.len / sizeof(uint32_t));
    TRY(section(&s, &w->map, RAG_WEIGHTS_SCORES,
                (size_t)h->n_pieces * sizeof(float), err));
    t->scores = (const void *)s.ptr;
    t->n_pieces = h->n_pieces;
    t->unk_score = h->unk_score;
    t->bos = h->bos;
    t->eos = h->eos;
    t->unk = h->unk;
    t->by_word = (h->flags & RAG_WEIGHTS_FLAG_BY_WORD) != 0;
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
    w->positions = (const void *)s.ptr;
    w->norm_w = w->positions + (size_t)h->window * h->hidden;
    w->norm_b = w->norm_w + h->hidden;
    TRY(section(&s, &w->map, RAG_WEIGHTS_VOCAB, rag_weights_vocab_bytes(h),
                err));
    w->vocab = (const void *)s.ptr;
    TRY(map_tokens(w, err));
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

static const float *vector(const uint8_t **at, size_t n)
{
    const float *v = (const void *)*at;

    *at += n * sizeof *v;
    return v;
}

rag_weights_layer rag_weights_layer_at(const rag_weights *w, size_t i)
{
    size_t hidden = w->head->hidden;
    size_t ffn = w->head->ffn;
    const uint8_t *at = w->layers + i * rag_weights_layer_bytes(w->head);
    rag_weights_layer l;

    l.qkv = matrix(&at, 3 * hidden, hidden);
    l.mix = matrix(&at, hidden, hidden);
    l.norm1_w = vector(&at, hidden);
    l.norm1_b = vector(&at, hidden);
    l.up = matrix(&at, ffn, hidden);
    l.down = matrix(&at, hidden, ffn);
    l.norm2_w = vector(&at, hidden);
    l.norm2_b = vector(&at, hidden);
    return l;
}

void rag_weights_row(float *x, const rag_weights *w, uint32_t token)
{
    size_t n_blocks = w->head->hidden / Q4_VALUES;
    const uint8_t *p = w->vocab + token * n_blocks * Q4_BYTES;

    for (size_t b = 0; b < n_blocks; b++, p += Q4_BYTES, x += Q4_VALUES) {
        float d = rag_weights_half((uint16_t)(p[0] | p[1] << 8));

        for (size_t i = 0; i < Q4_VALUES / 2; i++) {
            x[i] = d * (float)((int)(p[2 + i] & 15) - 8);
            x[i + Q4_VALUES / 2] = d * (float)((int)(p[2 + i] >> 4) - 8);
        }
    }
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
