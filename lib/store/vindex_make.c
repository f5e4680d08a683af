#include "store/vindex_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/*
 * The index is written in three passes over the source, so that memory stays
 * bounded however many vectors there are: (1) count and take a sample, train;
 * (2) find the list of every vector, kept as four bytes each; (3) write every
 * vector to its place, through a small buffer a list, because the sizes of the
 * lists, and so all places, are known by then.
 */

/* The sample for training, as float16: 87,000 vectors of 384 dimensions. */
#define SAMPLE_BYTES ((size_t)64 << 20)
/* Sample vectors a list wants: fewer make poor centroids. */
#define SAMPLE_PER_LIST 40u
#define SAMPLE_PER_LIST_LEAST 20u
/* Lists that a question falls into are larger than the mean: on 100,000 real
 * vectors 28 MB were scanned where the mean said 16. */
#define CROWDING 1.75
/* Buffers of the third pass. */
#define STAGE_BYTES ((size_t)16 << 20)
#define STAGE_MAX_ROWS 64u
/* Vectors asked of the source at a time, bounded in bytes too. */
#define BATCH_BYTES ((size_t)3 << 20)
#define BATCH_MAX_ROWS 4096u

typedef struct maker {
    const rag_vindex_build *b;
    size_t dims;
    size_t row_bytes;
    size_t scan_bytes;
    uint64_t n_vectors; /* counted in the first pass */
    size_t n_lists;
    size_t n_probe;

    size_t batch_rows;
    int64_t *ids;   /* [batch_rows] */
    uint16_t *rows; /* [batch_rows x dims] */

    uint16_t *sample; /* [sample_cap x dims] */
    size_t sample_cap;
    size_t n_sample;

    uint16_t *centroids; /* [n_lists x dims] */
    rag_vindex_coarse *coarse;
    uint32_t *list_of; /* [n_vectors] */
    uint64_t *count;   /* [n_lists] */
    uint64_t *rows_at; /* [n_lists] */
    uint64_t *written; /* [n_lists] rows on disk */
    uint64_t file_bytes;
    uint64_t lists_at;

    size_t stage_rows;    /* a list */
    uint16_t *stage;      /* [n_lists x stage_rows x dims] */
    int64_t *stage_ids;   /* [n_lists x stage_rows] */
    uint32_t *stage_fill; /* [n_lists] */

    int fd;
    const char *tmp; /* its name */
} maker;

static void dispose(maker *m)
{
    rag_free(m->ids);
    rag_free(m->rows);
    rag_free(m->sample);
    rag_free(m->centroids);
    rag_vindex_coarse_free(m->coarse);
    rag_free(m->list_of);
    rag_free(m->count);
    rag_free(m->rows_at);
    rag_free(m->written);
    rag_free(m->stage);
    rag_free(m->stage_ids);
    rag_free(m->stage_fill);
}

static rag_status not_cancelled(const maker *m, rag_error *err)
{
    if (m->b->cancelled != NULL && m->b->cancelled(m->b->cancel_ctx))
        return rag_fail(err, RAG_E_CANCELLED, "cancelled");
    return RAG_OK;
}

static rag_status write_at(const maker *m, const void *bytes, size_t n,
                           uint64_t at, rag_error *err)
{
    const uint8_t *p = bytes;

    while (n != 0) {
        ssize_t k = pwrite(m->fd, p, n, (off_t)at);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return rag_fail_errno(err, errno, "cannot write %s", m->tmp);
        p += k;
        n -= (size_t)k;
        at += (uint64_t)k;
    }
    return RAG_OK;
}

/* ---- passes over the source --------------------------------------------- */

/* Handles n vectors (m->ids, m->rows), of which the first is number `first`. */
typedef rag_status (*batch_fn)(maker *m, size_t n, uint64_t first,
                               rag_error *err);

static rag_status changed(rag_error *err)
{
    return rag_fail(err, RAG_E_INDEX,
                    "vectors changed while the index was built");
}

/* One pass; *total is the number of vectors. */
static rag_status pass(uint64_t *total, maker *m, batch_fn fn, rag_error *err)
{
    int64_t after = 0;
    rag_status st;

    *total = 0;
    for (;;) {
        size_t n = 0;

        TRY(not_cancelled(m, err));
        TRY(m->b->source(m->b->ctx, m->ids, m->rows, &n, m->batch_rows, after,
                         err));
        if (n == 0)
            return RAG_OK;
        if (n > m->batch_rows) {
            st = rag_fail(err, RAG_E_INVAL, "%zu vectors, asked for %zu", n,
                          m->batch_rows);
            goto out;
        }
        for (size_t i = 0; i < n; i++) {
            if (m->ids[i] <= after) {
                st = rag_fail(err, RAG_E_INVAL,
                              "vector ids do not ascend at %lld",
                              (long long)m->ids[i]);
                goto out;
            }
            after = m->ids[i];
        }
        TRY(fn(m, n, *total, err));
        *total += n;
    }
out:
    return st;
}

/* Evenly spaced vectors, by their expected number; the same ones every time. */
static rag_status take_sample(maker *m, size_t n, uint64_t first,
                              rag_error *err)
{
    uint64_t expected = m->b->n_vectors;

    (void)err;
    for (size_t i = 0; i < n && m->n_sample < m->sample_cap; i++) {
        uint64_t no = first + i;
        /* in doubles: exact enough, and no overflow */
        double step = (double)m->sample_cap / (double)expected;

        if (m->sample_cap < expected && (uint64_t)((double)(no + 1) * step) ==
                                            (uint64_t)((double)no * step))
            continue;
        memcpy(m->sample + m->n_sample * m->dims, m->rows + i * m->dims,
               m->row_bytes);
        m->n_sample++;
    }
    return RAG_OK;
}

/* ---- pass 1: count, sample, train --------------------------------------- */

/* Lists for n vectors: one, which is exact, as long as a search may scan them
 * all. Then the power of two nearest to 3.2 times the square root (512 at
 * 33,000, 1024 at 100,000, 4096 at 1,000,000), as far as the sample reaches:
 * of the same number of scanned vectors more lists find more. */
static size_t lists_for(const maker *m, uint64_t n, size_t sample_rows)
{
    double want = 3.2 * sqrt((double)n);
    size_t lists = 1;

    if (n <= m->scan_bytes / m->row_bytes)
        return 1;
    while ((double)lists * 1.4142 < want && lists < RAG_VINDEX_MAX_LISTS)
        lists *= 2;
    while (lists > 1 && lists * SAMPLE_PER_LIST_LEAST > sample_rows)
        lists /= 2;
    return lists;
}

/* Lists that hold about as many bytes as a search may scan, where questions
 * fall. */
static size_t probes_for(const maker *m)
{
    double n = (double)m->scan_bytes * (double)m->n_lists /
               ((double)m->n_vectors * (double)m->row_bytes * CROWDING);

    if (m->n_vectors == 0 || n >= (double)m->n_lists)
        return m->n_lists;
    return n < 1.0 ? 1 : (size_t)n;
}

static rag_status train(maker *m, rag_error *err)
{
    size_t n = m->n_lists * m->dims;
    float *centroids = rag_malloc(n * sizeof *centroids);
    rag_status st;

    if (centroids == NULL)
        return rag_fail_nomem(err);
    TRY(rag_vindex_train(centroids, m->sample, m->n_sample, m->n_lists, m->b,
                         err));
    rag_vindex_to_half(m->centroids, centroids, n);
out:
    rag_free(centroids);
    return st;
}

static rag_status first_pass(maker *m, rag_error *err)
{
    size_t most = SAMPLE_BYTES / m->row_bytes;
    size_t lists = lists_for(m, m->b->n_vectors, most);
    rag_status st;

    if (lists > 1) {
        m->sample_cap = lists * SAMPLE_PER_LIST;
        if (m->sample_cap > most)
            m->sample_cap = most;
        m->sample = rag_malloc(m->sample_cap * m->row_bytes);
        if (m->sample == NULL)
            return rag_fail_nomem(err);
    }
    TRY(pass(&m->n_vectors, m, take_sample, err));
    if (m->n_vectors > UINT32_MAX) {
        st = rag_fail(err, RAG_E_LIMIT, "more than %u vectors", UINT32_MAX);
        goto out;
    }
    /* by the true number, which may be another than the expected one */
    m->n_lists = lists > 1 ? lists_for(m, m->n_vectors, m->n_sample) : 1;
    m->n_probe = probes_for(m);
    m->centroids = rag_calloc(m->n_lists * m->dims, sizeof *m->centroids);
    if (m->centroids == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    if (m->n_lists > 1)
        TRY(train(m, err));
    rag_free(m->sample); /* before the other passes need memory */
    m->sample = NULL;
out:
    return st;
}

/* ---- pass 2: the list of every vector ----------------------------------- */

static rag_status assign(maker *m, size_t n, uint64_t first, rag_error *err)
{
    if (first + n > m->n_vectors)
        return changed(err);
    return rag_vindex_coarse_assign(m->list_of + first, m->coarse, m->rows, n,
                                    err);
}

/* Sizes and places of the lists. */
static void lay_out(maker *m)
{
    uint64_t at = rag_vindex_mac_at(m->n_lists, m->dims) + RAG_SHA256_BYTES;

    for (uint64_t i = 0; i < m->n_vectors; i++)
        m->count[m->list_of[i]]++;
    at = (at + RAG_VINDEX_ALIGN - 1) / RAG_VINDEX_ALIGN * RAG_VINDEX_ALIGN;
    m->lists_at = at;
    for (size_t i = 0; i < m->n_lists; i++) {
        m->rows_at[i] = at;
        at = rag_vindex_list_end(at, m->count[i], m->dims);
    }
    m->file_bytes = at;
}

static rag_status second_pass(maker *m, rag_error *err)
{
    uint64_t total = m->n_vectors;
    rag_status st = RAG_OK;

    m->list_of = rag_calloc((size_t)m->n_vectors, sizeof *m->list_of);
    m->count = rag_calloc(m->n_lists, sizeof *m->count);
    m->rows_at = rag_calloc(m->n_lists, sizeof *m->rows_at);
    m->written = rag_calloc(m->n_lists, sizeof *m->written);
    if (m->list_of == NULL || m->count == NULL || m->rows_at == NULL ||
        m->written == NULL)
        return rag_fail_nomem(err);
    if (m->n_lists > 1) { /* else all are in list 0 */
        TRY(rag_vindex_coarse_new(&m->coarse, m->centroids, m->n_lists, m->dims,
                                  err));
        TRY(pass(&total, m, assign, err));
        rag_vindex_coarse_free(m->coarse);
        m->coarse = NULL;
    }
    if (total != m->n_vectors)
        return changed(err);
    lay_out(m);
out:
    return st;
}

/* ---- pass 3: the file --------------------------------------------------- */

static rag_status flush_list(maker *m, size_t list, rag_error *err)
{
    size_t n = m->stage_fill[list];
    uint64_t done = m->written[list];
    uint64_t ids_at =
        rag_vindex_ids_at(m->rows_at[list], m->count[list], m->dims);
    rag_status st;

    if (n == 0)
        return RAG_OK;
    TRY(write_at(m, m->stage + list * m->stage_rows * m->dims, n * m->row_bytes,
                 m->rows_at[list] + done * m->row_bytes, err));
    TRY(write_at(m, m->stage_ids + list * m->stage_rows, n * sizeof(int64_t),
                 ids_at + done * sizeof(int64_t), err));
    m->written[list] += n;
    m->stage_fill[list] = 0;
out:
    return st;
}

static rag_status place(maker *m, size_t n, uint64_t first, rag_error *err)
{
    if (first + n > m->n_vectors)
        return changed(err);
    for (size_t i = 0; i < n; i++) {
        size_t list = m->list_of[first + i];
        size_t at = list * m->stage_rows + m->stage_fill[list];

        memcpy(m->stage + at * m->dims, m->rows + i * m->dims, m->row_bytes);
        m->stage_ids[at] = m->ids[i];
        if (++m->stage_fill[list] == m->stage_rows) {
            rag_status st = flush_list(m, list, err);

            if (st != RAG_OK)
                return st;
        }
    }
    return RAG_OK;
}

static rag_status third_pass(maker *m, rag_error *err)
{
    uint64_t total = 0;
    size_t n_places;
    rag_status st;

    m->stage_rows = STAGE_BYTES / (m->n_lists * m->row_bytes);
    if (m->stage_rows > STAGE_MAX_ROWS)
        m->stage_rows = STAGE_MAX_ROWS;
    if (m->stage_rows == 0)
        m->stage_rows = 1;
    n_places = m->n_lists * m->stage_rows;
    m->stage = rag_malloc(n_places * m->row_bytes);
    m->stage_ids = rag_malloc(n_places * sizeof *m->stage_ids);
    m->stage_fill = rag_calloc(m->n_lists, sizeof *m->stage_fill);
    if (m->stage == NULL || m->stage_ids == NULL || m->stage_fill == NULL)
        return rag_fail_nomem(err);
    TRY(pass(&total, m, place, err));
    if (total != m->n_vectors) {
        st = changed(err);
        goto out;
    }
    for (size_t i = 0; i < m->n_lists; i++)
        TRY(flush_list(m, i, err));
out:
    return st;
}

static void put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

static void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

/* Bytes 0 magic, 8 size of the file, 16 generation, 24 number of vectors, 32
 * where the lists begin; 32 bits each: 40 dimensions, 44 lists, 48 lists to
 * look into; zeros to 64. */
static void put_head(uint8_t *p, const maker *m)
{
    memcpy(p, RAG_VINDEX_MAGIC, 8);
    put64(p + 8, m->file_bytes);
    put64(p + 16, m->b->generation);
    put64(p + 24, m->n_vectors);
    put64(p + 32, m->lists_at);
    put32(p + 40, (uint32_t)m->dims);
    put32(p + 44, (uint32_t)m->n_lists);
    put32(p + 48, (uint32_t)m->n_probe);
}

/* How far, root mean square, unit vectors lie from their mean, which only its
 * length tells. */
static float spread_of(const maker *m, size_t list)
{
    const uint16_t *row = m->centroids + list * m->dims;
    double sum = 0;

    for (size_t i = 0; i < m->dims; i++) {
        float x;

        rag_vindex_to_float(&x, row + i, 1);
        sum += (double)x * (double)x;
    }
    return sum < 1.0 ? (float)sqrt(1.0 - sum) : 0.0f;
}

/* Head, table, centroids and their MAC, last of all: a file without them is
 * nothing to anybody. */
static rag_status write_covered(const maker *m, rag_error *err)
{
    size_t mac_at = rag_vindex_mac_at(m->n_lists, m->dims);
    uint8_t *bytes = rag_calloc(1, mac_at + RAG_SHA256_BYTES);
    uint8_t *p;
    rag_status st;

    if (bytes == NULL)
        return rag_fail_nomem(err);
    put_head(bytes, m);
    p = bytes + RAG_VINDEX_HEAD_BYTES;
    for (size_t i = 0; i < m->n_lists; i++, p += RAG_VINDEX_ENTRY_BYTES) {
        float spread = spread_of(m, i);

        put64(p, m->rows_at[i]);
        put64(p + 8, m->count[i]);
        memcpy(p + 16, &spread, sizeof spread);
    }
    memcpy(p, m->centroids, m->n_lists * m->row_bytes);
    rag_hash_hmac(bytes + mac_at, m->b->key, RAG_SHA256_BYTES, bytes, mac_at);
    st = write_at(m, bytes, mac_at + RAG_SHA256_BYTES, 0, err);
    rag_free(bytes);
    return st;
}

/* Space is taken before the first byte is written, where the file system can:
 * a full disk is known at once. */
static rag_status take_space(const maker *m, rag_error *err)
{
    if (fallocate(m->fd, 0, 0, (off_t)m->file_bytes) == 0)
        return RAG_OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR)
        return rag_fail_errno(err, errno, "no room for %s", m->tmp);
    if (ftruncate(m->fd, (off_t)m->file_bytes) != 0)
        return rag_fail_errno(err, errno, "no room for %s", m->tmp);
    return RAG_OK;
}

/* ---- all of it ---------------------------------------------------------- */

static rag_status start(maker *m, const rag_vindex_build *b, rag_error *err)
{
    m->b = b;
    m->fd = -1;
    m->dims = b->dims;
    if (b->dims == 0 || b->dims > RAG_VINDEX_MAX_DIMS)
        return rag_fail(err, RAG_E_INVAL,
                        "vectors of %zu dimensions, 1 to %u "
                        "can be indexed",
                        b->dims, RAG_VINDEX_MAX_DIMS);
    m->row_bytes = b->dims * sizeof(uint16_t);
    m->scan_bytes = b->scan_bytes != 0 ? b->scan_bytes : RAG_VINDEX_SCAN_BYTES;
    m->batch_rows = BATCH_BYTES / m->row_bytes;
    if (m->batch_rows > BATCH_MAX_ROWS)
        m->batch_rows = BATCH_MAX_ROWS;
    m->ids = rag_malloc(m->batch_rows * sizeof *m->ids);
    m->rows = rag_malloc(m->batch_rows * m->row_bytes);
    return m->ids != NULL && m->rows != NULL ? RAG_OK : rag_fail_nomem(err);
}

static rag_status fill(rag_vindex_info *out, maker *m, rag_error *err)
{
    rag_status st;

    TRY(first_pass(m, err));
    TRY(second_pass(m, err));
    TRY(take_space(m, err));
    TRY(third_pass(m, err));
    TRY(write_covered(m, err));
    TRY(rag_vindex_hash(out->sha256, m->fd, m->tmp, m->b, err));
    out->generation = m->b->generation;
    out->n_vectors = m->n_vectors;
    out->dims = m->dims;
    out->file_bytes = m->file_bytes;
    out->n_lists = m->n_lists;
    rag_vindex_kind(out->kind, sizeof out->kind, m->n_lists);
out:
    return st;
}

rag_status rag_vindex_make(rag_vindex_info *out, const rag_vindex_build *b,
                           rag_error *err)
{
    maker m = {.fd = -1};
    rag_status st;
    rag_buf tmp;

    memset(out, 0, sizeof *out);
    rag_buf_init(&tmp, 2 * (size_t)FILENAME_MAX);
    rag_buf_addf(&tmp, "%s.tmp", b->path);
    TRY(rag_buf_status(&tmp, err));
    TRY(start(&m, b, err));
    m.tmp = tmp.ptr;
    /* there is one writer (the store's lock): what has this name was left by a
     * build that was killed */
    (void)unlink(tmp.ptr);
    m.fd =
        open(tmp.ptr, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (m.fd < 0) {
        st = rag_fail_errno(err, errno, "cannot create %s", tmp.ptr);
        goto out;
    }
    st = fill(out, &m, err);
    if (st == RAG_OK) {
        st = rag_file_commit(m.fd, tmp.ptr, b->path, err);
    } else {
        (void)close(m.fd); /* to be deleted */
        (void)unlink(tmp.ptr);
    }
out:
    dispose(&m);
    rag_buf_dispose(&tmp);
    return st;
}
