#ifndef RAG_TESTS_VINDEX_SET_H
#define RAG_TESTS_VINDEX_SET_H

/* Sets of vectors, the index files made of them and the exact answers, for the
 * tests of the vector index. */

#include "test.h"

#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "store/vindex_priv.h"

#define MANY 30000u /* enough for inverted lists */
#define DIMS 48u    /* not a multiple of the 32 lanes */
#define FEW 700u

static char folder[] = "/tmp/t_vindex.XXXXXX";
static const uint8_t key[RAG_SHA256_BYTES] = {1, 2, 3};
static rag_error err;

/* ---- vectors ------------------------------------------------------------ */

static uint64_t rng = 88172645463325252u;

static inline uint32_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 32);
}

/* near enough to a normal deviate */
static inline float normal(void)
{
    double s = -6.0;

    for (int i = 0; i < 12; i++)
        s += (double)rnd() / 4294967296.0;
    return (float)s;
}

static inline void unit(float *v, size_t dims)
{
    double s = 0;

    for (size_t i = 0; i < dims; i++)
        s += (double)v[i] * (double)v[i];
    for (size_t i = 0; i < dims; i++)
        v[i] = (float)((double)v[i] / sqrt(s));
}

/* Vectors around 200 centres, as texts gather around topics. */
typedef struct set {
    size_t n;
    size_t dims;
    uint16_t *rows;
    int64_t *ids; /* ascending with gaps */
    float *centres;
    /* what the source does besides giving */
    size_t n_calls;
    size_t kill_at;
    size_t fail_at;
    size_t lose_at; /* from this call on the last vector is gone */
    bool disorder;
} set;

#define CENTRES 200u

static inline void draw(float *v, const set *s)
{
    const float *c = s->centres + (rnd() % CENTRES) * s->dims;

    for (size_t i = 0; i < s->dims; i++)
        v[i] = c[i] + 0.09f * normal();
    unit(v, s->dims);
}

static inline set set_new(size_t n, size_t dims)
{
    set s = {.n = n, .dims = dims};
    float *v = malloc(dims * sizeof *v);

    s.rows = malloc((n + 1) * dims * sizeof *s.rows);
    s.ids = malloc((n + 1) * sizeof *s.ids);
    s.centres = malloc(CENTRES * dims * sizeof *s.centres);
    assert_true(v != NULL && s.rows != NULL && s.ids != NULL &&
                s.centres != NULL);
    for (size_t i = 0; i < CENTRES; i++) {
        for (size_t j = 0; j < dims; j++)
            s.centres[i * dims + j] = normal();
        unit(s.centres + i * dims, dims);
    }
    for (size_t i = 0; i < n; i++) {
        draw(v, &s);
        rag_vindex_to_half(s.rows + i * dims, v, dims);
        s.ids[i] = (int64_t)(3 * i + 1 + rnd() % 3);
    }
    free(v);
    return s;
}

static inline void set_free(set *s)
{
    free(s->rows);
    free(s->ids);
    free(s->centres);
}

static inline rag_status give(void *ctx, int64_t *ids, uint16_t *vectors,
                              size_t *n, size_t cap, int64_t after,
                              rag_error *e)
{
    set *s = ctx;
    size_t from = 0;
    size_t end = s->n;

    s->n_calls++;
    if (s->n_calls == s->kill_at)
        (void)raise(SIGKILL);
    if (s->n_calls == s->fail_at)
        return rag_fail(e, RAG_E_DB, "source failed");
    if (s->lose_at != 0 && s->n_calls >= s->lose_at)
        end--;
    {
        size_t hi = end;

        while (from < hi) {
            size_t mid = from + (hi - from) / 2;

            if (s->ids[mid] > after)
                hi = mid;
            else
                from = mid + 1;
        }
    }
    *n = end - from < cap ? end - from : cap;
    memcpy(ids, s->ids + from, *n * sizeof *ids);
    memcpy(vectors, s->rows + from * s->dims, *n * s->dims * sizeof *vectors);
    if (s->disorder && *n > 2)
        ids[2] = ids[1];
    return RAG_OK;
}

static inline rag_vindex_build build_of(set *s, const char *path)
{
    rag_vindex_build b = {.path = path,
                          .dims = s->dims,
                          .n_vectors = s->n,
                          .generation = 7,
                          /* many: a tenth of them is scanned */
                          .scan_bytes = s->n < 10000 ? 0 : s->n * s->dims / 5,
                          .source = give,
                          .ctx = s};

    memcpy(b.key, key, sizeof key);
    s->n_calls = 0;
    return b;
}

static inline rag_bits all_of(const set *s)
{
    rag_bits b = {.n_bytes = (size_t)s->ids[s->n - 1] / 8 + 1};
    uint8_t *bits = calloc(b.n_bytes, 1);

    assert_non_null(bits);
    for (size_t i = 0; i < s->n; i++)
        bits[s->ids[i] / 8] |= (uint8_t)(1u << (s->ids[i] % 8));
    b.bits = bits;
    b.n_set = s->n;
    return b;
}

static inline bool has(const rag_bits *b, int64_t id)
{
    return id >= 0 && (size_t)id / 8 < b->n_bytes &&
           ((b->bits[id / 8] >> (id % 8)) & 1) != 0;
}

static inline void clear(rag_bits *b, int64_t id)
{
    uint8_t *p = (uint8_t *)(uintptr_t)b->bits + id / 8;

    if (has(b, id)) {
        *p = (uint8_t)(*p & ~(1u << (id % 8)));
        b->n_set--;
    }
}

static inline void bits_free(rag_bits *b)
{
    free((void *)(uintptr_t)b->bits);
}

static inline int hit_order(const void *pa, const void *pb)
{
    const rag_store_hit *a = pa;
    const rag_store_hit *b = pb;

    if (a->score > b->score || a->score < b->score)
        return a->score > b->score ? -1 : 1;
    return (a->chunk_id > b->chunk_id) - (a->chunk_id < b->chunk_id);
}

/* The truth, by another way than the code under test: all, sorted. */
static inline size_t brute(rag_store_hit *hits, size_t k, const set *s,
                           const float *query, const rag_bits *allowed)
{
    rag_store_hit *all = malloc(s->n * sizeof *all);
    size_t n = 0;

    assert_non_null(all);
    for (size_t i = 0; i < s->n; i++) {
        if (!has(allowed, s->ids[i]))
            continue;
        all[n].chunk_id = s->ids[i];
        rag_vindex_dots_scalar(&all[n].score, s->rows + i * s->dims, 1, s->dims,
                               query);
        n++;
    }
    qsort(all, n, sizeof *all, hit_order);
    n = n < k ? n : k;
    memcpy(hits, all, n * sizeof *hits);
    free(all);
    return n;
}

static inline double recall(rag_vindex *v, const set *s,
                            const rag_bits *allowed, size_t k)
{
    float q[1024];
    rag_store_hit want[64];
    rag_store_hit got[64];
    size_t found = 0;
    size_t total = 0;

    for (int i = 0; i < 50; i++) {
        size_t n = 0;
        size_t m;

        draw(q, s);
        m = brute(want, k, s, q, allowed);
        OK(rag_vindex_search(got, &n, k, v, q, allowed, &err), &err);
        assert_int_equal(n, m);
        total += m;
        for (size_t a = 0; a < n; a++) {
            assert_true(has(allowed, got[a].chunk_id));
            if (a > 0)
                assert_true(hit_order(&got[a - 1], &got[a]) < 0);
            for (size_t b = 0; b < m; b++)
                found += want[b].chunk_id == got[a].chunk_id;
        }
    }
    return (double)found / (double)total;
}

/* ---- files -------------------------------------------------------------- */

static const char *program;
static char path_buf[4][128];

static inline const char *in_folder(size_t slot, const char *name)
{
    (void)snprintf(path_buf[slot], sizeof path_buf[slot], "%s/%s", folder,
                   name);
    return path_buf[slot];
}

static inline bool exists(const char *path)
{
    struct stat sb;

    return lstat(path, &sb) == 0;
}

static inline void put_byte(const char *path, uint64_t at, uint8_t xor)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= xor;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    assert_int_equal(close(fd), 0);
}

static inline rag_status try_open(const char *path, size_t dims,
                                  uint64_t generation)
{
    rag_vindex *v = NULL;
    rag_status st = rag_vindex_open(&v, path, dims, generation, key, &err);

    assert_true((st == RAG_OK) == (v != NULL));
    rag_vindex_close(v);
    return st;
}

/* made once, used by several tests */
static set many;
static set narrow; /* as few dimensions and vectors as make inverted lists */
static rag_vindex_info many_info;
static const char *many_path;

/* Runs this program again to do one thing (a forked child must not use OpenMP);
 * its exit status as from waitpid(). */
static inline int in_child(const char *what)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execl(program, program, what, folder, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static inline int make_many(void)
{
    rag_vindex_build b = build_of(&many, many_path);

    return rag_vindex_make(&many_info, &b, &err) == RAG_OK ? 0 : 1;
}

static inline int remove_all(void **state)
{
    char cmd[160];

    (void)state;
    set_free(&many);
    set_free(&narrow);
    (void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", folder);
    return system(cmd);
}

/* Makes the sets and the folder; a child (see in_child()) gets the latter. */
static inline bool set_up(int argc, char **argv)
{
    program = argv[0];
    if (argc == 3)
        (void)snprintf(folder, sizeof folder, "%s", argv[2]);
    else if (folder_new(folder) == NULL)
        return false;
    many = set_new(MANY, DIMS);
    narrow = set_new(20000, 8);
    many_path = in_folder(0, "many");
    return true;
}

#endif /* RAG_TESTS_VINDEX_SET_H */
