#include "nn/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* The format's own cap is 100 MB; an encoder's header has some 20 kB. */
#define MAX_HEADER_BYTES ((size_t)8 << 20)
/* 64 layers with adapters and heads beside: some hundreds are usual */
#define MAX_ENTRIES 16384u
/* beyond 2^53 a JSON number is not exact */
#define MAX_OFFSET ((int64_t)1 << 53)

static rag_status bad(rag_error *err, rag_str name, const char *what)
{
    int n = name.len < 128 ? (int)name.len : 128;

    return rag_fail(err, RAG_E_FORMAT, "tensor %.*s: %s", n, name.ptr, what);
}

static void read_type(rag_safetensor *t, rag_str dtype)
{
    static const struct {
        const char *name;
        rag_dtype type;
    } known[] = {{"F32", RAG_DTYPE_F32},
                 {"F16", RAG_DTYPE_F16},
                 {"BF16", RAG_DTYPE_BF16}};

    t->is_float = false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (rag_str_eqz(dtype, known[i].name)) {
            t->is_float = true;
            t->type = known[i].type;
        }
    }
}

/* n = the product of the shape, false when it is none or too large. */
static bool read_shape(uint64_t *n, rag_safetensor *t, const rag_json *shape)
{
    *n = 1;
    if (!rag_json_is_array(shape))
        return false;
    for (const rag_json *i = rag_json_first(shape); i != NULL;
         i = rag_json_next(i)) {
        int64_t v;

        if (!rag_json_i64(&v, i) || v < 0 || v > MAX_OFFSET ||
            t->n_axes == RAG_SAFETENSORS_MAX_AXES)
            return false;
        if (v != 0 && *n > (uint64_t)MAX_OFFSET / (uint64_t)v)
            return false;
        *n *= (uint64_t)v;
        t->shape[t->n_axes++] = (uint64_t)v;
    }
    return true;
}

static rag_status read_entry(rag_safetensor *t, rag_arena *a,
                             const rag_json *item, const unsigned char *data,
                             size_t n_data, rag_error *err)
{
    rag_str name = rag_json_key(item);
    const rag_json *range = rag_json_get(item, "data_offsets");
    const rag_json *first = rag_json_first(range);
    int64_t from;
    int64_t to;
    uint64_t n;

    if (!rag_json_is_obj(item))
        return bad(err, name, "no description");
    if (!rag_arena_str(a, &t->name, name))
        return rag_fail_nomem(err);
    read_type(t, rag_json_get_str(item, "dtype"));
    if (!read_shape(&n, t, rag_json_get(item, "shape")))
        return bad(err, name, "no shape of at most 4 axes");
    if (rag_json_count(range) != 2 || !rag_json_i64(&from, first) ||
        !rag_json_i64(&to, rag_json_next(first)) || from < 0 || to < from ||
        (uint64_t)to > n_data)
        return bad(err, name, "lies outside the file");
    t->bytes = data + from;
    t->n_bytes = (size_t)(to - from);
    if (t->is_float && rag_dtype_bytes(t->type, n) != t->n_bytes)
        return bad(err, name, "its length does not fit its shape");
    return RAG_OK;
}

static int by_place(const void *a, const void *b)
{
    const rag_safetensor *x = a;
    const rag_safetensor *y = b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes;
}

static int by_name(const void *a, const void *b)
{
    return rag_str_cmp(*(const rag_str *)a, *(const rag_str *)b);
}

static rag_status check_names(const rag_safetensors *s, rag_arena *a,
                              rag_error *err)
{
    rag_str *names = rag_arena_array(a, s->n + 1, sizeof *names);

    if (names == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < s->n; i++)
        names[i] = s->list[i].name;
    qsort(names, s->n, sizeof *names, by_name);
    for (size_t i = 1; i < s->n; i++)
        if (rag_str_eq(names[i - 1], names[i]))
            return bad(err, names[i], "there twice");
    return RAG_OK;
}

static rag_status read_list(rag_safetensors *out, rag_arena *a,
                            const rag_json *root, const unsigned char *data,
                            size_t n_data, rag_error *err)
{
    size_t n = rag_json_count(root);
    rag_status st;

    if (!rag_json_is_obj(root) || n > MAX_ENTRIES)
        return rag_fail(err, RAG_E_FORMAT, "a header of %zu tensors", n);
    out->list = rag_arena_array(a, n + 1, sizeof *out->list);
    if (out->list == NULL)
        return rag_fail_nomem(err);
    for (const rag_json *i = rag_json_first(root); i != NULL;
         i = rag_json_next(i)) {
        if (rag_str_eqz(rag_json_key(i), "__metadata__"))
            continue;
        TRY(read_entry(&out->list[out->n], a, i, data, n_data, err));
        out->n++;
    }
    qsort(out->list, out->n, sizeof *out->list, by_place);
    for (size_t i = 1; i < out->n; i++) {
        const rag_safetensor *before = &out->list[i - 1];

        if (before->bytes + before->n_bytes > out->list[i].bytes)
            return bad(err, out->list[i].name, "overlaps another one");
    }
    TRY(check_names(out, a, err));
    /* the format has no holes; a terabyte of zeros would be hashed */
    if (out->n != 0 &&
        out->list[out->n - 1].bytes + out->list[out->n - 1].n_bytes !=
            data + n_data)
        st = rag_fail(err, RAG_E_FORMAT, "bytes behind the last tensor");
out:
    return st;
}

rag_status rag_safetensors_read(rag_safetensors *out, rag_arena *a,
                                const unsigned char *ptr, size_t len,
                                rag_error *err)
{
    rag_json *root = NULL;
    uint64_t n_header = 0;
    rag_status st;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < 8 && len >= 8; i++)
        n_header |= (uint64_t)ptr[i] << 8 * i;
    if (len < 8 || n_header > len - 8)
        return rag_fail(err, RAG_E_FORMAT,
                        "not a safetensors file, or cut off");
    if (n_header > MAX_HEADER_BYTES)
        return rag_fail(err, RAG_E_LIMIT,
                        "a safetensors header of %llu bytes, at most %zu",
                        (unsigned long long)n_header, MAX_HEADER_BYTES);
    TRY(rag_json_parse(&root, rag_str_n((const char *)ptr + 8, n_header),
                       MAX_HEADER_BYTES, "safetensors header", err));
    st = read_list(out, a, root, ptr + 8 + n_header, len - 8 - n_header, err);
out:
    rag_json_free(root);
    return st;
}
