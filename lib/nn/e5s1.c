/*
 * Every count is capped, every range lies inside the file and overlaps no
 * other, every number is finite.
 */
#include "nn/e5s1.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "nn/binread.h"

/* a model has about 16 tensors a layer */
#define MAX_TENSORS (20u * MAX_LAYERS)
#define MAX_LAYERS 64u
#define MAX_NAME 63u
#define MAX_NMT_ENTRIES 65536u
/* longest piece; the real ones have 48 bytes at most */
#define MAX_PIECE_BYTES 1024u
#define Q4_VALUES 32u
#define Q4_BYTES 18u
#define MAX_PIECES (1u << 20)

/* What the header tells besides. */
typedef struct sizes {
    uint32_t n_rows; /* of the word table, at least n_pieces */
    uint32_t n_types;
} sizes;

typedef rag_binread reader;

static uint32_t u32(reader *r)
{
    return (uint32_t)rag_binread_number(r, 4);
}

static int32_t i32(reader *r)
{
    uint32_t v = u32(r);
    int32_t i;

    memcpy(&i, &v, sizeof i);
    return i;
}

bool rag_e5s1_is(const unsigned char *bytes, size_t n)
{
    return n >= 4 && memcmp(bytes, "E5S1", 4) == 0;
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

static rag_status read_head(rag_source *s, sizes *z, reader *r, rag_error *err)
{
    const unsigned char *magic = rag_binread_take(r, 4);
    const unsigned char *eps;

    if (magic == NULL || !rag_e5s1_is(magic, 4))
        return rag_fail(err, RAG_E_FORMAT, "no E5S1 file");
    if (u32(r) != 1)
        return rag_fail(err, RAG_E_FORMAT, "an unknown version of E5S1");
    s->arch = RAG_ARCH_BERT;
    s->pooling = RAG_POOL_MEAN;
    s->normalise = true;
    s->hidden = u32(r);
    s->n_layers = u32(r);
    s->n_heads = u32(r);
    s->ffn = u32(r);
    z->n_rows = u32(r);
    s->window = u32(r);
    z->n_types = u32(r);
    eps = rag_binread_take(r, 4);
    if (eps != NULL)
        s->norm_eps = float_at(eps);
    if (u32(r) != Q4_VALUES && !r->bad)
        return rag_fail(err, RAG_E_FORMAT, "an unknown block size");
    s->tokens.n_pieces = u32(r);
    s->tokens.bos = i32(r);
    s->tokens.eos = i32(r);
    s->tokens.pad = i32(r);
    s->tokens.unk = i32(r);
    if (r->bad)
        return cut_off(err);
    if (z->n_rows < s->tokens.n_pieces || z->n_rows > 2 * MAX_PIECES ||
        z->n_types == 0 || z->n_types > 16 || s->n_layers > MAX_LAYERS)
        return rag_fail(err, RAG_E_FORMAT,
                        "a vocabulary of %u rows, %u pieces, %u layers",
                        z->n_rows, s->tokens.n_pieces, s->n_layers);
    return RAG_OK;
}

/* Pieces that are no text: they never come out of a segmentation. */
static bool is_special(const rag_source_tokens *t, uint32_t i)
{
    return (int64_t)i == t->bos || (int64_t)i == t->eos ||
           (int64_t)i == t->unk || (int64_t)i == t->pad ||
           rag_str_eqz(t->pieces[i], "<mask>");
}

static rag_status read_pieces(rag_source *s, reader *r, rag_error *err)
{
    rag_source_tokens *t = &s->tokens;
    size_t n = t->n_pieces;
    uint64_t blob_bytes = rag_binread_number(r, 8);
    const unsigned char *offsets = rag_binread_take(r, (n + 1) * 4);
    const unsigned char *scores = rag_binread_take(r, n * 4);
    const unsigned char *blob;
    reader off = {offsets, (n + 1) * 4, 0, false};
    size_t start;

    if (r->bad || blob_bytes > r->len - r->at)
        return cut_off(err);
    blob = rag_binread_take(r, (size_t)blob_bytes);
    t->pieces = rag_arena_array(s->arena, n + 1, sizeof *t->pieces);
    t->scores = rag_arena_array(s->arena, n + 1, sizeof *t->scores);
    t->types = rag_arena_array(s->arena, n + 1, sizeof *t->types);
    if (t->pieces == NULL || t->scores == NULL || t->types == NULL)
        return rag_fail_nomem(err);
    start = u32(&off);
    for (uint32_t i = 0; i < n; i++) {
        size_t end = u32(&off);

        if (start > end || end > blob_bytes || end - start > MAX_PIECE_BYTES)
            return rag_fail(err, RAG_E_FORMAT, "piece %u lies outside", i);
        t->pieces[i] = rag_str_n((const char *)blob + start, end - start);
        t->scores[i] = float_at(scores + (size_t)4 * i);
        t->types[i] = is_special(t, i) ? RAG_PIECE_SPECIAL : RAG_PIECE_NORMAL;
        if (!rag_utf8_valid(t->pieces[i]) || !isfinite(t->scores[i]))
            return rag_fail(err, RAG_E_FORMAT,
                            "piece %u: no UTF-8, or no score", i);
        start = end;
    }
    t->kind = RAG_TOKENS_UNIGRAM;
    t->prefix_space = true;
    t->collapse_spaces = true;
    t->pair_double_eos = true;
    return RAG_OK;
}

static rag_status read_nmt(rag_source *s, reader *r, rag_error *err)
{
    size_t n = u32(r);
    size_t n_bytes = u32(r);
    size_t end;

    if (r->bad || n_bytes > r->len - r->at)
        return cut_off(err);
    end = r->at + n_bytes;
    if (n > MAX_NMT_ENTRIES)
        return rag_fail(err, RAG_E_FORMAT, "%zu normaliser entries", n);
    s->tokens.form = RAG_FORM_NMT;
    s->tokens.nmt = rag_arena_array(s->arena, n + 1, sizeof *s->tokens.nmt);
    if (s->tokens.nmt == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        rag_nmt_map *m = &s->tokens.nmt[i];

        m->cp = u32(r);
        m->n = (uint32_t)rag_binread_number(r, 1);
        m->le32 = rag_binread_take(r, (size_t)m->n * 4);
    }
    if (r->bad || r->at != end)
        return rag_fail(err, RAG_E_FORMAT, "normaliser of the wrong length");
    s->tokens.n_nmt = n;
    return RAG_OK;
}

/* ---- tensors ----------------------------------------------------------- */

/* Lengths that shapes are made of. */
typedef enum extent { ONE, HIDDEN, FFN, WORDS, WINDOW, TYPES } extent;

typedef struct known {
    const char *name; /* behind "lN." when it is of a layer */
    bool of_layer;
    rag_source_part part;
    extent rows;
    extent cols;
} known;

static const known parts[] = {
    {"emb.word", false, RAG_PART_WORDS, WORDS, HIDDEN},
    {"emb.pos", false, RAG_PART_POSITIONS, WINDOW, HIDDEN},
    {"emb.type", false, RAG_PART_TYPES, TYPES, HIDDEN},
    {"emb.ln.w", false, RAG_PART_EMBED_NORM_W, ONE, HIDDEN},
    {"emb.ln.b", false, RAG_PART_EMBED_NORM_B, ONE, HIDDEN},
    {"q.w", true, RAG_PART_Q_W, HIDDEN, HIDDEN},
    {"q.b", true, RAG_PART_Q_B, ONE, HIDDEN},
    {"k.w", true, RAG_PART_K_W, HIDDEN, HIDDEN},
    {"k.b", true, RAG_PART_K_B, ONE, HIDDEN},
    {"v.w", true, RAG_PART_V_W, HIDDEN, HIDDEN},
    {"v.b", true, RAG_PART_V_B, ONE, HIDDEN},
    {"ao.w", true, RAG_PART_MIX_W, HIDDEN, HIDDEN},
    {"ao.b", true, RAG_PART_MIX_B, ONE, HIDDEN},
    {"aln.w", true, RAG_PART_NORM1_W, ONE, HIDDEN},
    {"aln.b", true, RAG_PART_NORM1_B, ONE, HIDDEN},
    {"fi.w", true, RAG_PART_UP_W, FFN, HIDDEN},
    {"fi.b", true, RAG_PART_UP_B, ONE, FFN},
    {"fo.w", true, RAG_PART_DOWN_W, HIDDEN, FFN},
    {"fo.b", true, RAG_PART_DOWN_B, ONE, HIDDEN},
    {"oln.w", true, RAG_PART_NORM2_W, ONE, HIDDEN},
    {"oln.b", true, RAG_PART_NORM2_B, ONE, HIDDEN}};

static uint64_t length(const rag_source *s, const sizes *z, extent e)
{
    switch (e) {
    case HIDDEN:
        return s->hidden;
    case FFN:
        return s->ffn;
    case WORDS:
        return z->n_rows;
    case WINDOW:
        return s->window;
    case TYPES:
        return z->n_types;
    case ONE:
    default:
        return 1;
    }
}

/* Which tensor the name is of; sets part, layer and shape. */
static rag_status place(rag_source_tensor *t, const rag_source *s,
                        const sizes *z, rag_str name, rag_error *err)
{
    rag_str whole = name;
    size_t dot = rag_str_find_char(name, '.');
    bool of_layer = name.len > 1 && name.ptr[0] == 'l' && dot != SIZE_MAX;

    if (of_layer) {
        uint64_t layer;

        if (!rag_str_u64(&layer, rag_str_cut(name, 1, dot)) ||
            layer >= s->n_layers)
            layer = UINT32_MAX;
        t->layer = (uint32_t)layer;
        name = rag_str_cut(name, dot + 1, name.len);
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const known *k = &parts[i];

        if (k->of_layer != of_layer || t->layer == UINT32_MAX ||
            !rag_str_eqz(name, k->name))
            continue;
        t->part = k->part;
        t->n_rows = length(s, z, k->rows);
        t->n_cols = length(s, z, k->cols);
        return RAG_OK;
    }
    return rag_fail(err, RAG_E_FORMAT, "an unknown tensor %.*s",
                    rag_utf8_valid(whole) ? (int)whole.len : 0, whole.ptr);
}

static rag_status read_tensor(rag_source_tensor *t, const rag_source *s,
                              const sizes *z, reader *r, rag_error *err)
{
    size_t name_len = (size_t)rag_binread_number(r, 2);
    const unsigned char *name;
    uint64_t kind;
    uint64_t n;
    uint64_t offset;
    uint64_t n_bytes;
    rag_status st;

    if (name_len > MAX_NAME)
        return rag_fail(err, RAG_E_FORMAT, "a tensor name of %zu bytes",
                        name_len);
    name = rag_binread_take(r, name_len);
    kind = rag_binread_number(r, 1);
    n = u32(r);
    offset = rag_binread_number(r, 8);
    n_bytes = rag_binread_number(r, 8);
    if (r->bad)
        return cut_off(err);
    TRY(place(t, s, z, rag_str_n((const char *)name, name_len), err));
    if (kind > 1)
        return rag_fail(err, RAG_E_FORMAT, "a tensor of unknown kind");
    t->type = kind == 1 ? RAG_DTYPE_Q4_0 : RAG_DTYPE_F32;
    if (offset > r->len || n_bytes > r->len - offset)
        return rag_fail(err, RAG_E_FORMAT, "a tensor lies outside the file");
    if (n != t->n_rows * t->n_cols || n_bytes != rag_dtype_bytes(t->type, n))
        return rag_fail(err, RAG_E_FORMAT,
                        "tensor %.*s: %llu values in %llu bytes", (int)name_len,
                        (const char *)name, (unsigned long long)n,
                        (unsigned long long)n_bytes);
    t->bytes = r->ptr + offset;
out:
    return st;
}

static size_t tensor_bytes(const rag_source_tensor *t)
{
    return rag_dtype_bytes(t->type, t->n_rows * t->n_cols);
}

static rag_status check_overlaps(const rag_source *s, const reader *r,
                                 rag_error *err)
{
    for (size_t i = 0; i < s->n_tensors; i++) {
        const rag_source_tensor *a = &s->tensors[i];

        if (a->bytes < r->ptr + r->at)
            return rag_fail(err, RAG_E_FORMAT, "a tensor lies in the header");
        for (size_t k = 0; k < i; k++) {
            const rag_source_tensor *b = &s->tensors[k];

            if (a->bytes < b->bytes + tensor_bytes(b) &&
                b->bytes < a->bytes + tensor_bytes(a))
                return rag_fail(err, RAG_E_FORMAT, "two tensors overlap");
        }
    }
    return RAG_OK;
}

static rag_status read_tensors(rag_source *s, const sizes *z, reader *r,
                               rag_error *err)
{
    size_t n = u32(r);
    rag_status st;

    if (r->bad)
        return cut_off(err);
    if (n > MAX_TENSORS)
        return rag_fail(err, RAG_E_FORMAT, "%zu tensors", n);
    s->tensors = rag_arena_array(s->arena, n + 1, sizeof *s->tensors);
    if (s->tensors == NULL)
        return rag_fail_nomem(err);
    for (; s->n_tensors < n; s->n_tensors++)
        TRY(read_tensor(&s->tensors[s->n_tensors], s, z, r, err));
    TRY(check_overlaps(s, r, err));
out:
    return st;
}

static rag_status read_all(rag_source *s, rag_error *err)
{
    reader r = {s->maps[0].ptr, s->maps[0].len, 0, false};
    sizes z = {0};
    rag_status st;

    TRY(read_head(s, &z, &r, err));
    TRY(read_pieces(s, &r, err));
    TRY(read_nmt(s, &r, err));
    TRY(read_tensors(s, &z, &r, err));
out:
    return st;
}

rag_status rag_e5s1_open(rag_source *out, const char *path, rag_error *err)
{
    rag_status st;

    memset(out, 0, sizeof *out);
    out->arena = rag_malloc(sizeof *out->arena);
    if (out->arena == NULL)
        return rag_fail_nomem(err);
    rag_arena_init(out->arena);
    out->maps = rag_arena_array(out->arena, 1, sizeof *out->maps);
    if (out->maps == NULL)
        return rag_fail_nomem(err);
    TRY(rag_file_map(&out->maps[0], path, err));
    out->n_maps = 1;
    TRY(read_all(out, err));
    /* E5S1 does not carry these; it is only ever this model */
    memcpy(out->query_prefix, "query: ", 8);
    memcpy(out->passage_prefix, "passage: ", 10);
    memcpy(out->licence, "MIT (multilingual-e5-small)", 28);
out:
    return st;
}
