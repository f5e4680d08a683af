/*
 * One pass over the file's front with a reader that stops at the end of the
 * mapping. A count is believed only as far as the bytes behind it could hold
 * that many.
 */
#include "nn/gguf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/binread.h"

/* Real files: some 40 keys, some hundred tensors. */
#define MAX_VALUES 4096u
#define MAX_TENSORS 16384u
/* smallest pair: empty key, type, one byte; smallest tensor: empty name, no
 * axis, type, offset */
#define MIN_VALUE_BYTES 13u
#define MIN_TENSOR_BYTES 24u
#define DEFAULT_ALIGNMENT 32u
#define MAX_ALIGNMENT (1u << 20)

typedef rag_binread reader;

static rag_str string(reader *r)
{
    uint64_t n = rag_binread_number(r, 8);
    const unsigned char *p = rag_binread_take(r, n);

    return p != NULL ? rag_str_n((const char *)p, (size_t)n) : rag_str_n("", 0);
}

static rag_status cut_off(rag_error *err)
{
    return rag_fail(err, RAG_E_FORMAT, "the file is cut off");
}

static size_t item_bytes(rag_gguf_type t)
{
    switch (t) {
    case RAG_GGUF_U8:
    case RAG_GGUF_I8:
    case RAG_GGUF_BOOL:
        return 1;
    case RAG_GGUF_U16:
    case RAG_GGUF_I16:
        return 2;
    case RAG_GGUF_U32:
    case RAG_GGUF_I32:
    case RAG_GGUF_F32:
        return 4;
    case RAG_GGUF_U64:
    case RAG_GGUF_I64:
    case RAG_GGUF_F64:
        return 8;
    case RAG_GGUF_STRING:
    case RAG_GGUF_ARRAY:
        break;
    }
    return 0;
}

static rag_status read_items(rag_gguf_value *v, reader *r, rag_error *err)
{
    size_t start = r->at;
    size_t size = item_bytes(v->type);

    if (v->type == RAG_GGUF_STRING) {
        if (v->n > (r->len - r->at) / 8)
            return cut_off(err);
        for (uint64_t i = 0; i < v->n && !r->bad; i++)
            (void)string(r);
    } else {
        if (v->n > (r->len - r->at) / size)
            return cut_off(err);
        (void)rag_binread_take(r, v->n * size);
    }
    if (r->bad)
        return cut_off(err);
    v->ptr = r->ptr + start;
    v->n_bytes = r->at - start;
    return RAG_OK;
}

static rag_status read_value(rag_gguf_value *v, reader *r, rag_error *err)
{
    uint64_t type;

    v->key = string(r);
    type = rag_binread_number(r, 4);
    v->n = 1;
    if (type == RAG_GGUF_ARRAY) {
        v->is_array = true;
        type = rag_binread_number(r, 4);
        v->n = rag_binread_number(r, 8);
    }
    if (r->bad)
        return cut_off(err);
    if (type > RAG_GGUF_F64 || type == RAG_GGUF_ARRAY)
        return rag_fail(err, RAG_E_FORMAT, "a value of unknown type %llu",
                        (unsigned long long)type);
    v->type = (rag_gguf_type)type;
    return read_items(v, r, err);
}

static rag_status read_values(rag_gguf *g, rag_arena *a, reader *r, uint64_t n,
                              rag_error *err)
{
    rag_status st = RAG_OK;

    if (n > MAX_VALUES)
        return rag_fail(err, RAG_E_LIMIT, "%llu keys, at most %u",
                        (unsigned long long)n, MAX_VALUES);
    if (n > (r->len - r->at) / MIN_VALUE_BYTES)
        return cut_off(err);
    g->values = rag_arena_array(a, (size_t)n + 1, sizeof *g->values);
    if (g->values == NULL)
        return rag_fail_nomem(err);
    for (; g->n_values < n; g->n_values++) {
        const rag_gguf_value *v = &g->values[g->n_values];

        TRY(read_value(&g->values[g->n_values], r, err));
        for (size_t i = 0; i < g->n_values; i++)
            if (rag_str_eq(g->values[i].key, v->key))
                return rag_fail(err, RAG_E_FORMAT, "a key is there twice");
    }
out:
    return st;
}

static void set_type(rag_gguf_tensor *t, uint64_t ggml_type)
{
    static const struct {
        uint32_t id;
        rag_dtype type;
    } known[] = {
        {0, RAG_DTYPE_F32},   {1, RAG_DTYPE_F16},     {2, RAG_DTYPE_Q4_0},
        {3, RAG_DTYPE_Q4_1},  {6, RAG_DTYPE_Q5_0},    {7, RAG_DTYPE_Q5_1},
        {8, RAG_DTYPE_Q8_0},  {12, RAG_DTYPE_Q4_K},   {13, RAG_DTYPE_Q5_K},
        {14, RAG_DTYPE_Q6_K}, {20, RAG_DTYPE_IQ4_NL}, {30, RAG_DTYPE_BF16}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].id == ggml_type) {
            t->is_known = true;
            t->type = known[i].type;
        }
    }
}

/* The offset goes to *offset: where the data begins is not known yet. */
static rag_status read_tensor(rag_gguf_tensor *t, uint64_t *offset, reader *r,
                              rag_error *err)
{
    uint64_t n = 1;
    int len;

    t->name = string(r);
    len = t->name.len < 64 ? (int)t->name.len : 64;
    t->n_axes = (uint32_t)rag_binread_number(r, 4);
    if (!r->bad && (t->n_axes == 0 || t->n_axes > RAG_GGUF_MAX_AXES))
        return rag_fail(err, RAG_E_FORMAT, "tensor %.*s: %u axes", len,
                        t->name.ptr, t->n_axes);
    for (uint32_t i = 0; i < t->n_axes && !r->bad; i++) {
        t->shape[i] = rag_binread_number(r, 8);
        if (t->shape[i] != 0 && n > UINT64_MAX / t->shape[i])
            return rag_fail(err, RAG_E_FORMAT, "tensor %.*s: absurd shape", len,
                            t->name.ptr);
        n *= t->shape[i];
    }
    set_type(t, rag_binread_number(r, 4));
    *offset = rag_binread_number(r, 8);
    if (r->bad)
        return cut_off(err);
    if (!t->is_known)
        return RAG_OK;
    t->n_bytes = rag_dtype_bytes(t->type, n);
    if (t->shape[0] % rag_dtype_block(t->type) != 0 || t->n_bytes == SIZE_MAX)
        return rag_fail(err, RAG_E_FORMAT,
                        "tensor %.*s: rows that are no whole blocks", len,
                        t->name.ptr);
    return RAG_OK;
}

static rag_status place(rag_gguf_tensor *t, uint64_t offset, const reader *r,
                        uint64_t alignment, rag_error *err)
{
    uint64_t start = (r->at + alignment - 1) / alignment * alignment;
    int len = t->name.len < 64 ? (int)t->name.len : 64;

    if (!t->is_known)
        return RAG_OK;
    if (start > r->len || offset > r->len - start || offset % alignment != 0 ||
        t->n_bytes > r->len - start - offset)
        return rag_fail(err, RAG_E_FORMAT, "tensor %.*s: lies outside the file",
                        len, t->name.ptr);
    t->bytes = r->ptr + start + offset;
    return RAG_OK;
}

static int by_place(const void *a, const void *b)
{
    const rag_gguf_tensor *x = a;
    const rag_gguf_tensor *y = b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes;
}

static int by_name(const void *a, const void *b)
{
    return rag_str_cmp(*(const rag_str *)a, *(const rag_str *)b);
}

static rag_status check_tensors(const rag_gguf *g, rag_arena *a, rag_error *err)
{
    rag_str *names = rag_arena_array(a, g->n_tensors + 1, sizeof *names);

    if (names == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < g->n_tensors; i++)
        names[i] = g->tensors[i].name;
    qsort(names, g->n_tensors, sizeof *names, by_name);
    for (size_t i = 1; i < g->n_tensors; i++) {
        const rag_gguf_tensor *x = &g->tensors[i - 1];

        if (rag_str_eq(names[i - 1], names[i]))
            return rag_fail(err, RAG_E_FORMAT, "a tensor is there twice");
        if (x->is_known && x->bytes + x->n_bytes > g->tensors[i].bytes)
            return rag_fail(err, RAG_E_FORMAT, "two tensors overlap");
    }
    return RAG_OK;
}

static rag_status read_tensors(rag_gguf *g, rag_arena *a, reader *r, uint64_t n,
                               rag_error *err)
{
    uint32_t alignment = DEFAULT_ALIGNMENT;
    uint64_t *offsets;
    rag_status st = RAG_OK;

    if (n > MAX_TENSORS)
        return rag_fail(err, RAG_E_LIMIT, "%llu tensors, at most %u",
                        (unsigned long long)n, MAX_TENSORS);
    if (n > (r->len - r->at) / MIN_TENSOR_BYTES)
        return cut_off(err);
    if (rag_gguf_u32(&alignment, g, "general.alignment") &&
        (alignment == 0 || alignment % 8 != 0 || alignment > MAX_ALIGNMENT))
        return rag_fail(err, RAG_E_FORMAT, "an alignment of %u", alignment);
    g->tensors = rag_arena_array(a, (size_t)n + 1, sizeof *g->tensors);
    offsets = rag_arena_array(a, (size_t)n + 1, sizeof *offsets);
    if (g->tensors == NULL || offsets == NULL)
        return rag_fail_nomem(err);
    for (; g->n_tensors < n; g->n_tensors++)
        TRY(read_tensor(&g->tensors[g->n_tensors], &offsets[g->n_tensors], r,
                        err));
    for (size_t i = 0; i < n; i++)
        TRY(place(&g->tensors[i], offsets[i], r, alignment, err));
    qsort(g->tensors, g->n_tensors, sizeof *g->tensors, by_place);
    st = check_tensors(g, a, err);
out:
    return st;
}

rag_status rag_gguf_read(rag_gguf *out, rag_arena *a, const unsigned char *ptr,
                         size_t len, rag_error *err)
{
    reader r = {ptr, len, 0, false};
    const unsigned char *magic = rag_binread_take(&r, 4);
    uint64_t version = rag_binread_number(&r, 4);
    uint64_t n_tensors;
    uint64_t n_values;
    rag_status st;

    memset(out, 0, sizeof *out);
    if (magic == NULL || memcmp(magic, "GGUF", 4) != 0)
        return rag_fail(err, RAG_E_FORMAT, "not a GGUF file");
    if (r.bad)
        return cut_off(err);
    if (version >= 1u << 24)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "a big-endian GGUF file is not supported");
    if (version != 2 && version != 3)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "GGUF version %llu is not supported (2 and 3 are)",
                        (unsigned long long)version);
    n_tensors = rag_binread_number(&r, 8);
    n_values = rag_binread_number(&r, 8);
    if (r.bad)
        return cut_off(err);
    TRY(read_values(out, a, &r, n_values, err));
    TRY(read_tensors(out, a, &r, n_tensors, err));
out:
    return st;
}

const rag_gguf_value *rag_gguf_find(const rag_gguf *g, const char *key)
{
    for (size_t i = 0; i < g->n_values; i++)
        if (rag_str_eqz(g->values[i].key, key))
            return &g->values[i];
    return NULL;
}

rag_str rag_gguf_next_str(const unsigned char **at)
{
    size_t n = (size_t)rag_binread_number_at(*at, 8);
    rag_str s = rag_str_n((const char *)*at + 8, n);

    *at += 8 + n;
    return s;
}

static const rag_gguf_value *scalar(const rag_gguf *g, const char *key)
{
    const rag_gguf_value *v = rag_gguf_find(g, key);

    return v != NULL && !v->is_array ? v : NULL;
}

bool rag_gguf_str(rag_str *out, const rag_gguf *g, const char *key)
{
    const rag_gguf_value *v = scalar(g, key);
    const unsigned char *at;

    if (v == NULL || v->type != RAG_GGUF_STRING)
        return false;
    at = v->ptr;
    *out = rag_gguf_next_str(&at);
    return true;
}

bool rag_gguf_u32(uint32_t *out, const rag_gguf *g, const char *key)
{
    const rag_gguf_value *v = scalar(g, key);
    size_t size;
    uint64_t n;

    if (v == NULL || v->type == RAG_GGUF_STRING || v->type == RAG_GGUF_F32 ||
        v->type == RAG_GGUF_F64 || v->type == RAG_GGUF_BOOL)
        return false;
    size = item_bytes(v->type);
    n = rag_binread_number_at(v->ptr, size);
    /* a signed one that is negative is no count */
    if ((v->type == RAG_GGUF_I8 || v->type == RAG_GGUF_I16 ||
         v->type == RAG_GGUF_I32 || v->type == RAG_GGUF_I64) &&
        n >> (8 * size - 1) != 0)
        return false;
    if (n > UINT32_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

bool rag_gguf_float(float *out, const rag_gguf *g, const char *key)
{
    const rag_gguf_value *v = scalar(g, key);
    double d;

    if (v == NULL)
        return false;
    if (v->type == RAG_GGUF_F32) {
        memcpy(out, v->ptr, sizeof *out);
    } else if (v->type == RAG_GGUF_F64) {
        memcpy(&d, v->ptr, sizeof d);
        if (!(fabs(d) < 1e38))
            return false;
        *out = (float)d;
    } else {
        return false;
    }
    return true;
}

bool rag_gguf_bool(bool *out, const rag_gguf *g, const char *key)
{
    const rag_gguf_value *v = scalar(g, key);

    if (v == NULL || v->type != RAG_GGUF_BOOL)
        return false;
    *out = v->ptr[0] != 0;
    return true;
}
