/*
 * Every count is capped, every range lies inside the file and overlaps no
 * other, every number is finite.
 */
#include "nn/e5s1.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

/* a model has about 16 tensors a layer */
#define MAX_TENSORS (20u * RAG_WEIGHTS_MAX_LAYERS)
#define MAX_NMT_ENTRIES 65536u
/* longest piece; the real ones have 48 bytes at most */
#define MAX_PIECE_BYTES 1024u
#define Q4_VALUES 32u
#define Q4_BYTES 18u

typedef struct reader {
    const unsigned char *ptr;
    size_t len;
    size_t at;
    bool bad; /* something lay behind the end */
} reader;

static const unsigned char *take(reader *r, size_t n)
{
    const unsigned char *p = r->ptr + r->at;

    if (r->bad || n > r->len - r->at) {
        r->bad = true;
        return NULL;
    }
    r->at += n;
    return p;
}

static uint64_t number(reader *r, size_t n_bytes)
{
    const unsigned char *p = take(r, n_bytes);
    uint64_t v = 0;

    for (size_t i = 0; p != NULL && i < n_bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static uint32_t u32(reader *r)
{
    return (uint32_t)number(r, 4);
}

static int32_t i32(reader *r)
{
    uint32_t v = u32(r);
    int32_t i;

    memcpy(&i, &v, sizeof i);
    return i;
}

static float float_at(const unsigned char *p)
{
    float f;

    memcpy(&f, p, sizeof f);
    return f;
}

static rag_status cut_off(rag_error *err)
{
    return rag_fail(err, RAG_E_FORMAT, "the file is cut off");
}

static rag_status read_head(rag_e5s1 *s, reader *r, rag_error *err)
{
    rag_weights_head *h = &s->head;
    const unsigned char *magic = take(r, 4);
    const unsigned char *eps;

    if (magic == NULL || memcmp(magic, "E5S1", 4) != 0)
        return rag_fail(err, RAG_E_FORMAT,
                        "not a model file this program can import (E5S1)");
    if (u32(r) != 1)
        return rag_fail(err, RAG_E_FORMAT, "an unknown version of E5S1");
    h->hidden = u32(r);
    h->n_layers = u32(r);
    h->n_heads = u32(r);
    h->ffn = u32(r);
    s->n_vocab = u32(r);
    h->window = u32(r);
    s->n_types = u32(r);
    eps = take(r, 4);
    if (eps != NULL)
        h->norm_eps = float_at(eps);
    if (u32(r) != Q4_VALUES && !r->bad)
        return rag_fail(err, RAG_E_FORMAT, "an unknown block size");
    h->n_pieces = u32(r);
    h->bos = i32(r);
    h->eos = i32(r);
    s->pad = i32(r);
    h->unk = i32(r);
    if (r->bad)
        return cut_off(err);
    if (s->n_vocab < h->n_pieces || s->n_vocab > 2 * RAG_WEIGHTS_MAX_PIECES ||
        s->n_types == 0 || s->n_types > 16)
        return rag_fail(err, RAG_E_FORMAT,
                        "a vocabulary of %zu rows, %u pieces", s->n_vocab,
                        h->n_pieces);
    return rag_weights_check_shape(h, RAG_E_FORMAT, err);
}

static rag_status read_pieces(rag_e5s1 *s, reader *r, rag_error *err)
{
    size_t n = s->head.n_pieces;
    uint64_t blob_bytes = number(r, 8);
    const unsigned char *offsets = take(r, (n + 1) * 4);
    const unsigned char *blob;
    reader off = {offsets, (n + 1) * 4, 0, false};
    size_t start;

    s->scores = take(r, n * 4);
    if (r->bad || blob_bytes > r->len - r->at)
        return cut_off(err);
    blob = take(r, (size_t)blob_bytes);
    s->pieces = rag_calloc(n, sizeof *s->pieces);
    if (s->pieces == NULL)
        return rag_fail_nomem(err);
    start = u32(&off);
    for (size_t i = 0; i < n; i++) {
        size_t end = u32(&off);

        if (start > end || end > blob_bytes || end - start > MAX_PIECE_BYTES)
            return rag_fail(err, RAG_E_FORMAT, "piece %zu lies outside", i);
        s->pieces[i] = rag_str_n((const char *)blob + start, end - start);
        if (!rag_utf8_valid(s->pieces[i]) ||
            !isfinite(float_at(s->scores + 4 * i)))
            return rag_fail(err, RAG_E_FORMAT,
                            "piece %zu: no UTF-8, or no score", i);
        start = end;
    }
    return RAG_OK;
}

static rag_status read_nmt(rag_e5s1 *s, reader *r, rag_error *err)
{
    size_t n = u32(r);
    size_t n_bytes = u32(r);
    size_t end;

    if (r->bad || n_bytes > r->len - r->at)
        return cut_off(err);
    end = r->at + n_bytes;
    if (n > MAX_NMT_ENTRIES)
        return rag_fail(err, RAG_E_FORMAT, "%zu normaliser entries", n);
    s->nmt = rag_calloc(n + 1, sizeof *s->nmt);
    if (s->nmt == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        rag_nmt_map *m = &s->nmt[i];

        m->cp = u32(r);
        m->n = (uint32_t)number(r, 1);
        m->le32 = take(r, (size_t)m->n * 4);
    }
    if (r->bad || r->at != end)
        return rag_fail(err, RAG_E_FORMAT, "normaliser of the wrong length");
    s->n_nmt = n;
    return RAG_OK;
}

static rag_status read_tensor(rag_e5s1_tensor *t, reader *r, rag_error *err)
{
    size_t name_len = (size_t)number(r, 2);
    const unsigned char *name;
    uint64_t kind;
    uint64_t offset;
    uint64_t n_bytes;

    if (name_len > RAG_E5S1_MAX_NAME)
        return rag_fail(err, RAG_E_FORMAT, "a tensor name of %zu bytes",
                        name_len);
    name = take(r, name_len);
    kind = number(r, 1);
    t->n = u32(r);
    offset = number(r, 8);
    n_bytes = number(r, 8);
    if (r->bad)
        return cut_off(err);
    memcpy(t->name, name, name_len);
    t->name[name_len] = '\0';
    if (kind > 1)
        return rag_fail(err, RAG_E_FORMAT, "a tensor of unknown kind");
    t->q4 = kind == 1;
    if (offset > r->len || n_bytes > r->len - offset)
        return rag_fail(err, RAG_E_FORMAT, "a tensor lies outside the file");
    if (t->q4 ? t->n % Q4_VALUES != 0 || n_bytes != t->n / Q4_VALUES * Q4_BYTES
              : n_bytes != (uint64_t)t->n * 4)
        return rag_fail(err, RAG_E_FORMAT, "a tensor of the wrong length");
    t->bytes = r->ptr + offset;
    t->n_bytes = (size_t)n_bytes;
    return RAG_OK;
}

static rag_status check_overlaps(const rag_e5s1 *s, const reader *r,
                                 rag_error *err)
{
    for (size_t i = 0; i < s->n_tensors; i++) {
        const rag_e5s1_tensor *a = &s->tensors[i];

        if (a->bytes < r->ptr + r->at)
            return rag_fail(err, RAG_E_FORMAT, "a tensor lies in the header");
        for (size_t k = 0; k < i; k++) {
            const rag_e5s1_tensor *b = &s->tensors[k];

            if ((a->bytes < b->bytes + b->n_bytes &&
                 b->bytes < a->bytes + a->n_bytes) ||
                strcmp(a->name, b->name) == 0)
                return rag_fail(err, RAG_E_FORMAT, "two tensors overlap");
        }
    }
    return RAG_OK;
}

static rag_status read_tensors(rag_e5s1 *s, reader *r, rag_error *err)
{
    size_t n = u32(r);
    rag_status st;

    if (r->bad)
        return cut_off(err);
    if (n > MAX_TENSORS)
        return rag_fail(err, RAG_E_FORMAT, "%zu tensors", n);
    s->tensors = rag_calloc(n + 1, sizeof *s->tensors);
    if (s->tensors == NULL)
        return rag_fail_nomem(err);
    for (; s->n_tensors < n; s->n_tensors++)
        TRY(read_tensor(&s->tensors[s->n_tensors], r, err));
    TRY(check_overlaps(s, r, err));
out:
    return st;
}

static rag_status read_all(rag_e5s1 *s, rag_error *err)
{
    reader r = {s->map.ptr, s->map.len, 0, false};
    rag_status st;

    TRY(read_head(s, &r, err));
    TRY(read_pieces(s, &r, err));
    TRY(read_nmt(s, &r, err));
    TRY(read_tensors(s, &r, err));
out:
    return st;
}

rag_status rag_e5s1_open(rag_e5s1 *out, const char *path, rag_error *err)
{
    rag_status st;

    memset(out, 0, sizeof *out);
    TRY(rag_file_map(&out->map, path, err));
    TRY(read_all(out, err));
out:
    if (st != RAG_OK)
        rag_e5s1_close(out);
    return st;
}

void rag_e5s1_close(rag_e5s1 *s)
{
    rag_free(s->pieces);
    rag_free(s->nmt);
    rag_free(s->tensors);
    rag_file_unmap(&s->map);
    memset(s, 0, sizeof *s);
}

rag_status rag_e5s1_find(const rag_e5s1_tensor **out, const rag_e5s1 *s,
                         int layer, const char *name, size_t n, rag_error *err)
{
    rag_buf want;
    rag_status st = RAG_OK;

    *out = NULL;
    rag_buf_init(&want, 128);
    if (layer >= 0)
        rag_buf_addf(&want, "l%d.", layer);
    rag_buf_addz(&want, name);
    TRY(rag_buf_status(&want, err));
    for (size_t i = 0; i < s->n_tensors; i++) {
        if (strcmp(s->tensors[i].name, want.ptr) == 0)
            *out = &s->tensors[i];
    }
    if (*out == NULL)
        st = rag_fail(err, RAG_E_FORMAT, "no tensor %s", want.ptr);
    else if ((*out)->n != n)
        st = rag_fail(err, RAG_E_FORMAT, "tensor %s: %zu values, want %zu",
                      want.ptr, (*out)->n, n);
out:
    rag_buf_dispose(&want);
    return st;
}

rag_status rag_e5s1_values(float *x, const rag_e5s1_tensor *t, size_t at,
                           size_t n, rag_error *err)
{
    const unsigned char *p = t->bytes + at * 4;
    bool ok = true;

    if (t->q4) {
        p = t->bytes + at / Q4_VALUES * Q4_BYTES;
        for (size_t b = 0; b < n; b += Q4_VALUES, p += Q4_BYTES) {
            float d = rag_weights_half((uint16_t)(p[0] | p[1] << 8));

            ok = ok && isfinite(d);
            for (size_t i = 0; i < 16; i++) {
                x[b + i] = d * (float)((int)(p[2 + i] & 15) - 8);
                x[b + i + 16] = d * (float)((int)(p[2 + i] >> 4) - 8);
            }
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            x[i] = float_at(p + 4 * i);
            ok = ok && isfinite(x[i]);
        }
    }
    if (!ok)
        return rag_fail(err, RAG_E_FORMAT, "tensor %s: not a number", t->name);
    return RAG_OK;
}

rag_status rag_e5s1_vector(float *x, const rag_e5s1 *s, int layer,
                           const char *name, size_t n, rag_error *err)
{
    const rag_e5s1_tensor *t;
    rag_status st;

    TRY(rag_e5s1_find(&t, s, layer, name, n, err));
    if (t->q4 && n % Q4_VALUES != 0)
        return rag_fail(err, RAG_E_FORMAT, "tensor %s: length", name);
    TRY(rag_e5s1_values(x, t, 0, n, err));
out:
    return st;
}

float rag_e5s1_score(const rag_e5s1 *s, size_t i)
{
    return float_at(s->scores + 4 * i);
}
