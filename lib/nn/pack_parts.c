/* The tensors of a source, checked on their way out of it. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "nn/pack.h"

static const char *const names[] = {
    [RAG_PART_WORDS] = "word embeddings",
    [RAG_PART_POSITIONS] = "position embeddings",
    [RAG_PART_TYPES] = "token type embeddings",
    [RAG_PART_EMBED_NORM_W] = "embedding norm weights",
    [RAG_PART_EMBED_NORM_B] = "embedding norm bias",
    [RAG_PART_Q_W] = "query weights",
    [RAG_PART_Q_B] = "query bias",
    [RAG_PART_K_W] = "key weights",
    [RAG_PART_K_B] = "key bias",
    [RAG_PART_V_W] = "value weights",
    [RAG_PART_V_B] = "value bias",
    [RAG_PART_QKV_W] = "query, key and value weights",
    [RAG_PART_QKV_B] = "query, key and value bias",
    [RAG_PART_MIX_W] = "attention output weights",
    [RAG_PART_MIX_B] = "attention output bias",
    [RAG_PART_NORM1_W] = "attention norm weights",
    [RAG_PART_NORM1_B] = "attention norm bias",
    [RAG_PART_UP_W] = "feed-forward input weights",
    [RAG_PART_UP_B] = "feed-forward input bias",
    [RAG_PART_DOWN_W] = "feed-forward output weights",
    [RAG_PART_DOWN_B] = "feed-forward output bias",
    [RAG_PART_NORM2_W] = "feed-forward norm weights",
    [RAG_PART_NORM2_B] = "feed-forward norm bias",
    [RAG_PART_FINAL_NORM_W] = "final norm weights",
    [RAG_PART_FINAL_NORM_B] = "final norm bias",
    [RAG_PART_HEAD_DENSE_W] = "head dense weights",
    [RAG_PART_HEAD_DENSE_B] = "head dense bias",
    [RAG_PART_HEAD_NORM_W] = "head norm weights",
    [RAG_PART_HEAD_NORM_B] = "head norm bias",
    [RAG_PART_HEAD_OUT_W] = "head output weights",
    [RAG_PART_HEAD_OUT_B] = "head output bias"};

static const char *name_of(rag_source_part part)
{
    return part < sizeof names / sizeof names[0] ? names[part] : "?";
}

rag_status rag_pack_parts_init(rag_pack_parts *p, const rag_source *s,
                               rag_error *err)
{
    memset(p, 0, sizeof *p);
    p->s = s;
    p->used = rag_calloc(s->n_tensors + 1, sizeof *p->used);
    return p->used != NULL ? RAG_OK : rag_fail_nomem(err);
}

void rag_pack_parts_dispose(rag_pack_parts *p)
{
    rag_free(p->used);
    rag_free(p->matrix);
    memset(p, 0, sizeof *p);
}

/* NULL: the model has none; else it counts as used. */
static const rag_source_tensor *find(rag_pack_parts *p, rag_source_part part,
                                     uint32_t layer)
{
    const rag_source_tensor *t = rag_source_find(p->s, part, layer);

    if (t != NULL)
        p->used[t - p->s->tensors] = true;
    return t;
}

static rag_status missing(rag_source_part part, uint32_t layer, rag_error *err)
{
    return rag_fail(err, RAG_E_FORMAT, "layer %u: no %s", layer, name_of(part));
}

static rag_status not_finite(rag_source_part part, uint32_t layer,
                             rag_error *err)
{
    return rag_fail(err, RAG_E_FORMAT, "layer %u: %s: not a number", layer,
                    name_of(part));
}

/* x [n] of t, whole blocks from value `at` on; false: not all finite. */
static bool values(float *x, const rag_source_tensor *t, size_t at, size_t n)
{
    bool ok = true;

    rag_dtype_values(x, t->type, t->bytes + rag_dtype_bytes(t->type, at), n);
    for (size_t i = 0; i < n; i++)
        ok = ok && isfinite(x[i]);
    return ok;
}

/* x of row (of the matrix) r: what int8 with scales stands for. */
static float scaled(const rag_source_tensor *t, float x, size_t r)
{
    size_t i = t->n_scales == 1 ? 0 : r;
    float zero = t->zeros != NULL ? (float)t->zeros[i] : 0.0f;

    return (x - zero) * t->scales[i];
}

static rag_status check_shape(const rag_source_tensor *t, size_t n_out,
                              size_t n_in, rag_error *err)
{
    size_t rows = t->transposed ? n_in : n_out;
    size_t cols = t->transposed ? n_out : n_in;

    if (t->n_rows != rows || t->n_cols != cols ||
        cols % rag_dtype_block(t->type) != 0)
        return rag_fail(err, RAG_E_FORMAT,
                        "layer %u: %s: %llu x %llu, want "
                        "%zu x %zu",
                        t->layer, name_of(t->part),
                        (unsigned long long)t->n_rows,
                        (unsigned long long)t->n_cols, rows, cols);
    if ((t->type == RAG_DTYPE_I8 || t->type == RAG_DTYPE_U8) !=
            (t->scales != NULL) ||
        (t->scales != NULL && t->n_scales != 1 && t->n_scales != n_out))
        return rag_fail(err, RAG_E_FORMAT, "layer %u: %s: %zu scales", t->layer,
                        name_of(t->part), t->n_scales);
    return RAG_OK;
}

/* Transposed: column by column of what is stored. row: scratch [n_out] */
static rag_status transpose(float *to, const rag_source_tensor *t, size_t n_out,
                            size_t n_in, rag_error *err)
{
    float *row = rag_malloc(n_out * sizeof *row);
    bool ok = true;

    if (row == NULL)
        return rag_fail_nomem(err);
    for (size_t k = 0; k < n_in; k++) {
        ok = values(row, t, k * n_out, n_out) && ok;
        for (size_t o = 0; o < n_out; o++)
            to[o * n_in + k] = row[o];
    }
    rag_free(row);
    return ok ? RAG_OK : not_finite(t->part, t->layer, err);
}

rag_status rag_pack_matrix(const float **out, rag_pack_parts *p,
                           rag_source_part part, uint32_t layer, size_t n_out,
                           size_t n_in, rag_error *err)
{
    const rag_source_tensor *t = find(p, part, layer);
    size_t n = n_out * n_in;
    bool ok = true;
    rag_status st;

    *out = NULL;
    if (t == NULL)
        return missing(part, layer, err);
    TRY(check_shape(t, n_out, n_in, err));
    if (!rag_mem_grow(&p->matrix, &p->matrix_cap, n, sizeof *p->matrix))
        return rag_fail_nomem(err);
    if (t->transposed)
        TRY(transpose(p->matrix, t, n_out, n_in, err));
    else if (!values(p->matrix, t, 0, n))
        return not_finite(part, layer, err);
    for (size_t i = 0; t->scales != NULL && i < n; i++) {
        p->matrix[i] = scaled(t, p->matrix[i], i / n_in);
        ok = ok && isfinite(p->matrix[i]);
    }
    if (!ok)
        return not_finite(part, layer, err);
    *out = p->matrix;
    p->last = t;
out:
    return st;
}

float rag_pack_step(const rag_pack_parts *p, size_t row)
{
    const rag_source_tensor *t = p->last;

    if (t == NULL || t->scales == NULL)
        return 0.0f;
    return fabsf(t->scales[t->n_scales == 1 ? 0 : row]);
}

rag_status rag_pack_vector(float *out, rag_pack_parts *p, rag_source_part part,
                           uint32_t layer, size_t n, bool may_miss,
                           rag_error *err)
{
    const rag_source_tensor *t = find(p, part, layer);
    rag_status st;

    memset(out, 0, n * sizeof *out);
    if (t == NULL)
        return may_miss ? RAG_OK : missing(part, layer, err);
    if (t->transposed || t->scales != NULL || t->n_rows != 1)
        return rag_fail(err, RAG_E_FORMAT, "layer %u: %s: no vector", layer,
                        name_of(part));
    TRY(check_shape(t, 1, n, err));
    if (!values(out, t, 0, n))
        st = not_finite(part, layer, err);
out:
    return st;
}

rag_status rag_pack_table(const rag_source_tensor **out, rag_pack_parts *p,
                          rag_source_part part, size_t n_rows, size_t n_cols,
                          bool may_miss, rag_error *err)
{
    const rag_source_tensor *t = find(p, part, 0);

    *out = t;
    if (t == NULL)
        return may_miss ? RAG_OK : missing(part, 0, err);
    if (t->transposed || t->n_rows < n_rows || t->n_rows > SIZE_MAX / n_cols)
        return rag_fail(err, RAG_E_FORMAT, "%s: %llu rows, want %zu",
                        name_of(part), (unsigned long long)t->n_rows, n_rows);
    return check_shape(t, (size_t)t->n_rows, n_cols, err);
}

rag_status rag_pack_row(float *out, const rag_source_tensor *t, size_t r,
                        rag_error *err)
{
    size_t n = (size_t)t->n_cols;
    bool ok = values(out, t, r * n, n);

    for (size_t i = 0; t->scales != NULL && i < n; i++) {
        out[i] = scaled(t, out[i], r);
        ok = ok && isfinite(out[i]);
    }
    return ok ? RAG_OK : not_finite(t->part, t->layer, err);
}

rag_status rag_pack_check_used(const rag_pack_parts *p, rag_error *err)
{
    for (size_t i = 0; i < p->s->n_tensors; i++) {
        const rag_source_tensor *t = &p->s->tensors[i];

        if (!p->used[i])
            return rag_fail(err, RAG_E_FORMAT,
                            "layer %u: %s: twice, or not of this architecture",
                            t->layer, name_of(t->part));
    }
    return RAG_OK;
}
