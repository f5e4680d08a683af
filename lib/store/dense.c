#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store_priv.h"

#define INDEX_PREFIX "vectors-"
#define INDEX_SUFFIX ".idx"
/* chunk ids of the exact part, gathered before their vectors are read */
#define EXACT_BATCH ((size_t)16384)

/* ---- the file -------------------------------------------------------------
 */

char *rag_index_path(const rag_store *s, int64_t generation)
{
    char name[64];

    (void)sqlite3_snprintf((int)sizeof name, name,
                           INDEX_PREFIX "%lld" INDEX_SUFFIX,
                           (long long)generation);
    return rag_file_join(s->dir, name);
}

void rag_index_close(rag_store *s)
{
    rag_vindex_close(s->vindex);
    s->vindex = NULL;
    s->vindex_generation = 0;
    s->vindex_failed = 0;
}

rag_status rag_index_use(rag_vindex **out, rag_store *s, rag_space *sp,
                         rag_error *err)
{
    uint8_t key[RAG_SHA256_BYTES];
    int64_t generation = s->state.index_generation;
    bool found = false;
    char *path = NULL;
    rag_error why = {RAG_OK, ""};
    rag_status st = RAG_OK;

    *out = NULL;
    if (generation <= 0 || s->state.index_space != sp->id ||
        s->state_dir == NULL || s->vindex_failed == generation)
        return RAG_OK;
    if (s->vindex != NULL && s->vindex_generation == generation) {
        *out = s->vindex;
        return RAG_OK;
    }
    rag_index_close(s);
    path = rag_index_path(s, generation);
    if (path == NULL)
        return rag_fail_nomem(err);
    st = rag_vindex_key(key, &found, s->state_dir, false, &why);
    if (st == RAG_OK && found)
        st = rag_vindex_open(&s->vindex, path, sp->dims, (uint64_t)generation,
                             key, &why);
    rag_free(path);
    if (st == RAG_E_NOMEM)
        return rag_fail_nomem(err);
    if (st != RAG_OK || !found) {
        rag_log(RAG_LOG_DEBUG, "vector index not used: %s",
                found ? why.msg : "this user has no key for it");
        s->vindex = NULL;
        s->vindex_failed = generation;
        return RAG_OK;
    }
    s->vindex_generation = generation;
    *out = s->vindex;
    return RAG_OK;
}

rag_status rag_index_verify(rag_store *s, bool fully, rag_error *err)
{
    struct stat sb;
    char *path = rag_index_path(s, s->state.index_generation);
    rag_status st = RAG_OK;

    if (path == NULL)
        return rag_fail_nomem(err);
    if (lstat(path, &sb) != 0 || !S_ISREG(sb.st_mode) ||
        (int64_t)sb.st_size != s->state.index_bytes)
        st = rag_fail(err, RAG_E_INDEX,
                      "the vector index file is missing or has another size");
    else if (fully || (int64_t)sb.st_ino != s->state.index_inode ||
             (int64_t)sb.st_ctim.tv_sec * 1000000000 + sb.st_ctim.tv_nsec !=
                 s->state.index_ctime_ns)
        st = rag_vindex_verify(path, s->state.index_sha256, err);
    rag_free(path);
    return st;
}

void rag_index_remove_old(rag_store *s)
{
    const size_t prefix = sizeof INDEX_PREFIX - 1;
    char keep[64];
    DIR *d = opendir(s->dir);
    struct dirent *e;

    if (d == NULL)
        return;
    (void)sqlite3_snprintf((int)sizeof keep, keep,
                           INDEX_PREFIX "%lld" INDEX_SUFFIX,
                           (long long)s->state.index_generation);
    /* also temporary files of a build that was killed: they begin with the
     * name of their target */
    while ((e = readdir(d)) != NULL)
        if (strncmp(e->d_name, INDEX_PREFIX, prefix) == 0 &&
            strcmp(e->d_name, keep) != 0)
            (void)unlinkat(dirfd(d), e->d_name, 0);
    (void)closedir(d);
}

/* ---- building ---------------------------------------------------------------
 */

typedef struct source {
    rag_store *s;
    rag_space *sp;
    int64_t *ids;
    uint16_t *vectors;
    size_t n;
} source;

static rag_status source_take(void *ctx, const int64_t *chunk_ids,
                              const uint16_t *rows, size_t n, rag_error *err)
{
    source *x = ctx;
    size_t dims = x->sp->dims;

    (void)err;
    /* rows come in the order of vector ids; they belong in that of chunks */
    for (size_t i = 0; i < n; i++) {
        size_t low = 0;
        size_t high = x->n;

        while (low < high) {
            size_t mid = (low + high) / 2;

            if (x->ids[mid] < chunk_ids[i])
                low = mid + 1;
            else
                high = mid;
        }
        memcpy(x->vectors + low * dims, rows + i * dims, dims * sizeof *rows);
    }
    return RAG_OK;
}

/* Ids of the chunks in (after, ...] that are live and embedded, at most cap. */
static size_t next_ids(int64_t *ids, size_t cap, const rag_bits *set,
                       int64_t after)
{
    size_t n = 0;
    size_t from = (size_t)(after + 1);

    for (size_t at = from / 8; at < set->n_bytes && n < cap; at++)
        for (unsigned v = set->bits[at]; v != 0 && n < cap; v &= v - 1) {
            size_t id = at * 8 + (size_t)__builtin_ctz(v);

            if (id >= from)
                ids[n++] = (int64_t)id;
        }
    return n;
}

typedef struct builder {
    rag_store *s;
    rag_space *sp;
    rag_bits set; /* what is built */
} builder;

static rag_status give_vectors(void *ctx, int64_t *ids, uint16_t *vectors,
                               size_t *n, size_t cap, int64_t after,
                               rag_error *err)
{
    builder *b = ctx;
    source x = {b->s, b->sp, ids, vectors, 0};

    if (rag_cancelled(b->s))
        return rag_fail_cancelled(err);
    x.n = *n = next_ids(ids, cap, &b->set, after < 0 ? -1 : after);
    if (*n == 0)
        return RAG_OK;
    return rag_vectors_scan(b->s, b->sp, ids, *n, source_take, &x, err);
}

/* a & b & ~c, in new memory. */
static rag_status combine(uint8_t **bits, rag_bits *out, const rag_bitmap *a,
                          const rag_bitmap *b, const rag_bitmap *c,
                          const rag_store_filter *f, rag_error *err)
{
    size_t n = a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes;
    uint8_t *v;

    if (f != NULL && f->n_bytes < n)
        n = f->n_bytes;
    v = rag_malloc(n);
    if (v == NULL)
        return rag_fail_nomem(err);
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        unsigned w = a->bits[i] & b->bits[i];

        if (f != NULL)
            w &= f->bits[i];
        if (c != NULL && i < c->n_bytes)
            w &= ~(unsigned)c->bits[i];
        v[i] = (uint8_t)w;
        out->n_set += (uint64_t)__builtin_popcount(w);
    }
    out->bits = *bits = v;
    out->n_bytes = n;
    return RAG_OK;
}

/* What was built becomes the index in one transaction. */
static rag_status adopt(rag_store *s, const builder *b,
                        const rag_vindex_info *info, const char *path,
                        rag_error *err)
{
    struct stat sb;
    rag_status st;

    memset(&sb, 0, sizeof sb);
    (void)lstat(path, &sb); /* zeros only mean: verified by its hash */
    TRY(rag_txn_begin(s, err));
    TRY(rag_bitmap_load(&s->indexed, s, RAG_BITS_INDEXED(b->sp->id), err));
    for (size_t at = 0; at < s->indexed.n_bytes || at < b->set.n_bytes; at++) {
        unsigned want = at < b->set.n_bytes ? b->set.bits[at] : 0u;
        unsigned have = at < s->indexed.n_bytes ? s->indexed.bits[at] : 0u;

        for (unsigned v = want ^ have; v != 0; v &= v - 1) {
            unsigned bit = (unsigned)__builtin_ctz(v);

            TRY(rag_bitmap_set(&s->indexed, (int64_t)(at * 8 + bit), 1,
                               (want >> bit & 1u) != 0, err));
        }
    }
    s->state.index_generation = (int64_t)info->generation;
    s->state.index_space = b->sp->id;
    s->state.index_vectors = (int64_t)info->n_vectors;
    s->state.index_bytes = (int64_t)info->file_bytes;
    s->state.index_inode = (int64_t)sb.st_ino;
    s->state.index_ctime_ns =
        (int64_t)sb.st_ctim.tv_sec * 1000000000 + sb.st_ctim.tv_nsec;
    memcpy(s->state.index_sha256, info->sha256, RAG_SHA256_BYTES);
    memcpy(s->state.index_kind, info->kind, sizeof s->state.index_kind);
    s->state.index_kind[sizeof s->state.index_kind - 1] = '\0';
    s->state_dirty = true;
    TRY(rag_txn_commit(s, err));
out:
    if (st != RAG_OK)
        rag_txn_abort(s);
    return st;
}

/* The number of the next file is taken before it is made: a build that was
 * killed never leaves a file under a number that is used again. */
static rag_status take_generation(rag_store *s, rag_error *err)
{
    rag_status st;

    TRY(rag_txn_begin(s, err));
    s->state.index_seq++;
    s->state_dirty = true;
    TRY(rag_txn_commit(s, err));
out:
    return st;
}

rag_status rag_index_rebuild(rag_store *s, rag_error *err)
{
    builder b = {s, NULL, {NULL, 0, 0}};
    rag_vindex_build job;
    rag_vindex_info info;
    uint8_t *bits = NULL;
    char *path = NULL;
    bool found = false;
    rag_status st;

    memset(&job, 0, sizeof job);
    TRY(rag_txn_commit(s, err));
    TRY(rag_space_use(&b.sp, s, 0, err));
    if (b.sp == NULL || s->state_dir == NULL)
        return RAG_OK;
    TRY(take_generation(s, err));
    TRY(rag_space_use(&b.sp, s, 0, err));
    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(combine(&bits, &b.set, &s->live, &b.sp->embedded, NULL, NULL, err));
    if (b.set.n_set == 0)
        goto out;
    TRY(rag_vindex_key(job.key, &found, s->state_dir, true, err));
    if (!found)
        goto out; /* said in the log; searches are exact without it */
    path = rag_index_path(s, s->state.index_seq);
    if (path == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    job.path = path;
    job.dims = b.sp->dims;
    job.n_vectors = b.set.n_set;
    job.generation = (uint64_t)s->state.index_seq;
    job.source = give_vectors;
    job.ctx = &b;
    job.cancelled = s->opts.cancelled;
    job.cancel_ctx = s->opts.cancel_ctx;
    TRY(rag_vindex_make(&info, &job, err));
    TRY(adopt(s, &b, &info, path, err));
    rag_index_close(s);
out:
    rag_free(path);
    rag_free(bits);
    return st;
}

/* ---- searching --------------------------------------------------------------
 */

/* The best so far: best first, ties by chunk id. */
typedef struct best {
    rag_store_hit *hits; /* [cap] */
    size_t n;
    size_t cap;
    const float *query;
    size_t dims;
} best;

static bool is_better(float score, int64_t id, const rag_store_hit *h)
{
    return score > h->score || (score >= h->score && id < h->chunk_id);
}

static void best_add(best *b, int64_t id, float score)
{
    size_t at = b->n;

    if (score != score)
        return; /* NaN: a damaged vector is like nothing */
    if (b->n == b->cap) {
        if (b->cap == 0 || !is_better(score, id, &b->hits[b->n - 1]))
            return;
        at--;
    } else {
        b->n++;
    }
    for (; at > 0 && is_better(score, id, &b->hits[at - 1]); at--)
        b->hits[at] = b->hits[at - 1];
    b->hits[at].chunk_id = id;
    b->hits[at].score = score;
    b->hits[at].coverage = 0.0f;
}

static rag_status best_rows(void *ctx, const int64_t *chunk_ids,
                            const uint16_t *rows, size_t n, rag_error *err)
{
    best *b = ctx;
    float v[RAG_SCAN_ROWS];

    (void)err;
    rag_vindex_dots(v, rows, n, b->dims, b->query);
    for (size_t i = 0; i < n; i++)
        best_add(b, chunk_ids[i], v[i]);
    return RAG_OK;
}

static rag_status exact(best *b, rag_store *s, rag_space *sp,
                        const rag_bits *set, rag_error *err)
{
    int64_t *ids;
    int64_t after = -1;
    size_t n;
    rag_status st = RAG_OK;

    if (set->n_set == 0)
        return RAG_OK;
    ids = rag_realloc_array(NULL, EXACT_BATCH, sizeof *ids);
    if (ids == NULL)
        return rag_fail_nomem(err);
    while ((n = next_ids(ids, EXACT_BATCH, set, after)) != 0) {
        if (rag_cancelled(s)) {
            st = rag_fail_cancelled(err);
            goto out;
        }
        TRY(rag_vectors_scan(s, sp, ids, n, best_rows, b, err));
        after = ids[n - 1];
    }
out:
    rag_free(ids);
    return st;
}

/* What the file holds, searched there; *used false: it could not. */
static rag_status from_file(best *b, bool *used, rag_store *s, rag_space *sp,
                            const rag_store_filter *filter, rag_error *err)
{
    rag_vindex *index = NULL;
    rag_store_hit *found = NULL;
    uint8_t *bits = NULL;
    rag_bits allowed;
    size_t n = 0;
    rag_error why = {RAG_OK, ""};
    rag_status st;

    *used = false;
    TRY(rag_index_use(&index, s, sp, err));
    if (index == NULL)
        return RAG_OK;
    TRY(rag_bitmap_load(&s->indexed, s, RAG_BITS_INDEXED(sp->id), err));
    found = rag_realloc_array(NULL, b->cap + 1, sizeof *found);
    if (found == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(combine(&bits, &allowed, &s->live, &sp->embedded, NULL, filter, err));
    st = rag_vindex_search(found, &n, b->cap, index, b->query, &allowed, &why);
    if (st == RAG_E_INDEX) { /* damaged within: as if there were none */
        rag_log(RAG_LOG_DEBUG, "vector index not used: %s", why.msg);
        s->vindex_failed = s->vindex_generation;
        rag_vindex_close(s->vindex);
        s->vindex = NULL;
        st = RAG_OK;
        goto out;
    }
    if (st != RAG_OK) {
        st = rag_fail(err, st, "%s", why.msg);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        if (rag_bitmap_get(&s->indexed, found[i].chunk_id) &&
            rag_bitmap_get(&s->live, found[i].chunk_id))
            best_add(b, found[i].chunk_id, found[i].score);
    *used = true;
out:
    rag_free(found);
    rag_free(bits);
    return st;
}

rag_status rag_store_dense(rag_store_hit *hits, size_t *n, size_t cap,
                           rag_store *s, const float *query, size_t dims,
                           const rag_store_filter *filter, const char **warning,
                           rag_error *err)
{
    best b = {hits, 0, cap, query, dims};
    rag_space *sp = NULL;
    uint8_t *bits = NULL;
    rag_bits rest;
    bool used = false;
    rag_status st = rag_view_begin(s, err);

    *n = 0;
    if (warning != NULL)
        *warning = NULL;
    if (st != RAG_OK)
        return st;
    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(rag_space_use(&sp, s, 0, err));
    if (sp == NULL || cap == 0)
        goto out;
    if (sp->dims != dims) {
        st = rag_fail(err, RAG_E_MISMATCH,
                      "the store holds vectors of %zu dimensions, the query "
                      "has %zu",
                      sp->dims, dims);
        goto out;
    }
    TRY(from_file(&b, &used, s, sp, filter, err));
    if (!used && s->state.index_generation > 0 && warning != NULL)
        *warning = "the vector index file is missing, damaged or not this "
                   "user's: searched exactly without it; `rag ingest` by the "
                   "store's owner builds it again";
    TRY(combine(&bits, &rest, &s->live, &sp->embedded,
                used ? &s->indexed : NULL, filter, err));
    TRY(exact(&b, s, sp, &rest, err));
    *n = b.n;
out:
    rag_free(bits);
    rag_view_end(s);
    return st;
}
