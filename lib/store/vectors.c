#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_priv.h"

/* ids that are gathered before their vectors are read in the order of rows */
#define SCAN_BATCH ((size_t)16384)

/* ---- storing vectors
 * ---------------------------------------------------------- */

static rag_status find_vector(int64_t *id, rag_store *s, int64_t space_id,
                              const uint8_t *key, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    *id = 0;
    TRY(rag_q_open(&q, s, "SELECT id FROM vector WHERE space_id=?1 AND key=?2",
                   err));
    rag_q_int(&q, space_id);
    rag_q_blob(&q, rag_str_n((const char *)key, RAG_STORE_KEY_BYTES));
    TRY(rag_q_step(&row, &q, err));
    if (row)
        *id = rag_q_col(&q, 0);
    if (*id < 0 || *id > RAG_MAX_VECTOR_ID)
        st = rag_db_corrupt(s, "the number of a vector makes no sense", err);
out:
    rag_q_close(&q);
    return st;
}

static rag_status give(rag_store *s, rag_space *sp, int64_t chunk_id,
                       int64_t vector_id, rag_error *err)
{
    rag_status st;

    TRY(rag_nums_set(&sp->vectors, s, chunk_id, (uint32_t)vector_id, err));
    TRY(rag_bitmap_set(&sp->embedded, chunk_id, 1, true, err));
    s->state_dirty = true;
out:
    return st;
}

static rag_status check_ids(const rag_store *s, const int64_t *ids, size_t n,
                            rag_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 1 || ids[i] >= s->state.next_chunk)
            return rag_fail(err, RAG_E_INVAL, "no chunk %lld",
                            (long long)ids[i]);
    return RAG_OK;
}

static rag_status begin_vectors(rag_space **sp, rag_store *s, int64_t space_id,
                                const int64_t *ids, size_t n, rag_error *err)
{
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(check_ids(s, ids, n, err));
    TRY(rag_space_use(sp, s, space_id, err));
    if (*sp == NULL)
        st = rag_fail(err, RAG_E_INVAL, "there is no embedding space yet");
out:
    return st;
}

rag_status rag_store_vectors_reuse(bool *hit, rag_store *s, int64_t space_id,
                                   const int64_t *chunk_ids,
                                   const uint8_t *keys, size_t n,
                                   rag_error *err)
{
    rag_space *sp = NULL;
    size_t bytes = 0;
    rag_status st;

    TRY(begin_vectors(&sp, s, space_id, chunk_ids, n, err));
    for (size_t i = 0; i < n; i++) {
        int64_t id;

        TRY(find_vector(&id, s, sp->id, keys + i * RAG_STORE_KEY_BYTES, err));
        hit[i] = id != 0;
        if (id == 0)
            continue;
        TRY(give(s, sp, chunk_ids[i], id, err));
        bytes += sizeof(uint32_t);
    }
out:
    return rag_txn_done(s, st, bytes, err);
}

static rag_status insert_vector(int64_t *id, rag_store *s, rag_space *sp,
                                const uint8_t *key, const uint16_t *half,
                                rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    if (s->state.next_vector > RAG_MAX_VECTOR_ID)
        return rag_fail(err, RAG_E_LIMIT, "the store holds too many vectors");
    TRY(rag_q_open(&q, s,
                   "INSERT INTO vector(id,space_id,key,data)"
                   " VALUES(?1,?2,?3,?4)",
                   err));
    *id = s->state.next_vector++;
    rag_q_int(&q, *id);
    rag_q_int(&q, sp->id);
    rag_q_blob(&q, rag_str_n((const char *)key, RAG_STORE_KEY_BYTES));
    rag_q_blob(&q, rag_str_n((const char *)half, sp->dims * sizeof *half));
    TRY(rag_q_run(&q, err));
out:
    rag_q_close(&q);
    return st;
}

static rag_status count_vectors(rag_store *s, int64_t space_id, int64_t n,
                                rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    TRY(rag_q_open(&q, s, "UPDATE space SET n_vectors=n_vectors+?2 WHERE id=?1",
                   err));
    rag_q_int(&q, space_id);
    rag_q_int(&q, n);
    TRY(rag_q_run(&q, err));
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_store_vectors_put(rag_store *s, int64_t space_id,
                                 const int64_t *chunk_ids, const uint8_t *keys,
                                 const float *vectors, size_t n, rag_error *err)
{
    rag_space *sp = NULL;
    uint16_t *half = NULL;
    int64_t n_new = 0;
    size_t bytes = 0;
    rag_status st;

    TRY(begin_vectors(&sp, s, space_id, chunk_ids, n, err));
    half = rag_realloc_array(NULL, sp->dims, sizeof *half);
    if (half == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        const uint8_t *key = keys + i * RAG_STORE_KEY_BYTES;
        int64_t id;

        TRY(find_vector(&id, s, sp->id, key, err));
        if (id == 0) {
            rag_vindex_to_half(half, vectors + i * sp->dims, sp->dims);
            TRY(insert_vector(&id, s, sp, key, half, err));
            n_new++;
            bytes += sp->dims * sizeof *half;
        }
        TRY(give(s, sp, chunk_ids[i], id, err));
    }
    if (n_new != 0)
        TRY(count_vectors(s, sp->id, n_new, err));
out:
    rag_free(half);
    return rag_txn_done(s, st, bytes, err);
}

/* ---- reading vectors --------------------------------------------------------
 */

typedef struct pair {
    uint32_t vector_id;
    uint32_t chunk_id;
} pair;

static int by_vector(const void *a, const void *b)
{
    const pair *x = a;
    const pair *y = b;

    if (x->vector_id != y->vector_id)
        return x->vector_id < y->vector_id ? -1 : 1;
    return x->chunk_id < y->chunk_id ? -1 : x->chunk_id > y->chunk_id;
}

/* What a scan needs while it runs; one allocation each. */
typedef struct scan {
    rag_store *s;
    rag_space *sp;
    pair *pairs;    /* [SCAN_BATCH] */
    uint16_t *rows; /* [RAG_SCAN_ROWS x dims] */
    int64_t ids[RAG_SCAN_ROWS];
    size_t n_rows;
    rag_scan_fn fn;
    void *ctx;
} scan;

static rag_status scan_emit(scan *x, int64_t chunk_id, rag_str data,
                            rag_error *err)
{
    size_t bytes = x->sp->dims * sizeof *x->rows;
    rag_status st = RAG_OK;

    if (data.len != bytes)
        return rag_db_corrupt(x->s, "a vector has the wrong length", err);
    memcpy(x->rows + x->n_rows * x->sp->dims, data.ptr, bytes);
    x->ids[x->n_rows++] = chunk_id;
    if (x->n_rows == RAG_SCAN_ROWS) {
        st = x->fn(x->ctx, x->ids, x->rows, x->n_rows, err);
        x->n_rows = 0;
    }
    return st;
}

/* pairs [n] by vector id: one walk over the table, which starts anew where
 * a longer gap would read rows for nothing. */
static rag_status scan_rows(scan *x, size_t n, rag_error *err)
{
    const uint32_t gap = 64;
    rag_q q = {0};
    size_t i = 0;
    bool row;
    rag_status st = RAG_OK;

    while (i < n) {
        int64_t at = 0;
        size_t upto = i + 1;

        while (upto < n &&
               x->pairs[upto].vector_id - x->pairs[upto - 1].vector_id <= gap)
            upto++;
        TRY(rag_q_open(&q, x->s,
                       "SELECT id,data FROM vector WHERE id BETWEEN ?1 AND ?2"
                       " ORDER BY id",
                       err));
        rag_q_int(&q, x->pairs[i].vector_id);
        rag_q_int(&q, x->pairs[upto - 1].vector_id);
        while (i < upto) {
            int64_t want = x->pairs[i].vector_id;

            if (at < want) {
                TRY(rag_q_step(&row, &q, err));
                at = row ? rag_q_col(&q, 0) : INT64_MAX;
            }
            if (at > want) {
                st = rag_db_corrupt(x->s, "a vector is missing", err);
                goto out;
            }
            if (at == want)
                TRY(scan_emit(x, x->pairs[i++].chunk_id, rag_q_str(&q, 1),
                              err));
        }
        rag_q_close(&q);
    }
out:
    rag_q_close(&q);
    return st;
}

static rag_status scan_batch(scan *x, const int64_t *chunk_ids, size_t n,
                             rag_error *err)
{
    rag_status st = RAG_OK;

    for (size_t i = 0; i < n; i++) {
        uint32_t v;

        TRY(rag_nums_get(&v, &x->sp->vectors, x->s, chunk_ids[i], err));
        if (v == 0) {
            st = rag_db_corrupt(x->s, "a chunk's vector is not known", err);
            goto out;
        }
        x->pairs[i].vector_id = v;
        x->pairs[i].chunk_id = (uint32_t)chunk_ids[i];
    }
    qsort(x->pairs, n, sizeof *x->pairs, by_vector);
    TRY(scan_rows(x, n, err));
out:
    return st;
}

rag_status rag_vectors_scan(rag_store *s, rag_space *sp,
                            const int64_t *chunk_ids, size_t n, rag_scan_fn fn,
                            void *ctx, rag_error *err)
{
    scan *x = rag_calloc(1, sizeof *x);
    size_t most = n < SCAN_BATCH ? n : SCAN_BATCH;
    rag_status st = RAG_OK;

    if (x == NULL)
        return rag_fail_nomem(err);
    x->s = s;
    x->sp = sp;
    x->fn = fn;
    x->ctx = ctx;
    x->pairs = rag_realloc_array(NULL, most + 1, sizeof *x->pairs);
    x->rows =
        rag_realloc_array(NULL, RAG_SCAN_ROWS, sp->dims * sizeof *x->rows);
    if (x->pairs == NULL || x->rows == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i += most)
        TRY(scan_batch(x, chunk_ids + i, n - i < most ? n - i : most, err));
    if (x->n_rows != 0)
        TRY(fn(ctx, x->ids, x->rows, x->n_rows, err));
out:
    rag_free(x->pairs);
    rag_free(x->rows);
    rag_free(x);
    return st;
}

/* ---- cosines of a few
 * -------------------------------------------------------- */

typedef struct dots {
    const float *query;
    size_t dims;
    float *out; /* by position in ids */
    const int64_t *ids;
    size_t n;
} dots;

static rag_status take_dots(void *ctx, const int64_t *chunk_ids,
                            const uint16_t *rows, size_t n, rag_error *err)
{
    dots *d = ctx;
    float v[RAG_SCAN_ROWS];

    (void)err;
    rag_vindex_dots(v, rows, n, d->dims, d->query);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < d->n; k++)
            if (d->ids[k] == chunk_ids[i])
                d->out[k] = v[i];
    return RAG_OK;
}

rag_status rag_store_cosines(float *out, rag_store *s, const int64_t *chunk_ids,
                             size_t n, const float *query, size_t dims,
                             rag_error *err)
{
    dots d = {query, dims, out, chunk_ids, n};
    int64_t *have = NULL;
    size_t n_have = 0;
    rag_space *sp = NULL;
    rag_status st = rag_view_begin(s, err);

    for (size_t i = 0; i < n; i++)
        out[i] = __builtin_nanf("");
    if (st != RAG_OK)
        return st;
    TRY(rag_space_use(&sp, s, 0, err));
    if (sp == NULL || n == 0)
        goto out;
    if (sp->dims != dims) {
        st = rag_fail(err, RAG_E_MISMATCH,
                      "the store holds vectors of %zu dimensions, the query "
                      "has %zu",
                      sp->dims, dims);
        goto out;
    }
    have = rag_realloc_array(NULL, n, sizeof *have);
    if (have == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        if (rag_bitmap_get(&sp->embedded, chunk_ids[i]))
            have[n_have++] = chunk_ids[i];
    if (n_have != 0)
        TRY(rag_vectors_scan(s, sp, have, n_have, take_dots, &d, err));
out:
    rag_free(have);
    rag_view_end(s);
    return st;
}
