#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "store/blas.h"
#include "store/vindex_priv.h"

#define MANY 30000u /* enough for inverted lists */
#define DIMS 48u    /* not a multiple of the 32 lanes */
#define FEW 700u

static char folder[] = "/tmp/t_vindex.XXXXXX";
static const uint8_t key[RAG_SHA256_BYTES] = {1, 2, 3};
static rag_error err;

/* ---- vectors ------------------------------------------------------------ */

static uint64_t rng = 88172645463325252u;

static uint32_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 32);
}

/* near enough to a normal deviate */
static float normal(void)
{
    double s = -6.0;

    for (int i = 0; i < 12; i++)
        s += (double)rnd() / 4294967296.0;
    return (float)s;
}

static void unit(float *v, size_t dims)
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

static void draw(float *v, const set *s)
{
    const float *c = s->centres + (rnd() % CENTRES) * s->dims;

    for (size_t i = 0; i < s->dims; i++)
        v[i] = c[i] + 0.09f * normal();
    unit(v, s->dims);
}

static set set_new(size_t n, size_t dims)
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

static void set_free(set *s)
{
    free(s->rows);
    free(s->ids);
    free(s->centres);
}

static rag_status give(void *ctx, int64_t *ids, uint16_t *vectors, size_t *n,
                       size_t cap, int64_t after, rag_error *e)
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

static rag_vindex_build build_of(set *s, const char *path)
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

static rag_bits all_of(const set *s)
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

static bool has(const rag_bits *b, int64_t id)
{
    return id >= 0 && (size_t)id / 8 < b->n_bytes &&
           ((b->bits[id / 8] >> (id % 8)) & 1) != 0;
}

static void clear(rag_bits *b, int64_t id)
{
    uint8_t *p = (uint8_t *)(uintptr_t)b->bits + id / 8;

    if (has(b, id)) {
        *p = (uint8_t)(*p & ~(1u << (id % 8)));
        b->n_set--;
    }
}

static void bits_free(rag_bits *b)
{
    free((void *)(uintptr_t)b->bits);
}

static int hit_order(const void *pa, const void *pb)
{
    const rag_store_hit *a = pa;
    const rag_store_hit *b = pb;

    if (a->score > b->score || a->score < b->score)
        return a->score > b->score ? -1 : 1;
    return (a->chunk_id > b->chunk_id) - (a->chunk_id < b->chunk_id);
}

/* The truth, by another way than the code under test: all, sorted. */
static size_t brute(rag_store_hit *hits, size_t k, const set *s,
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

static double recall(rag_vindex *v, const set *s, const rag_bits *allowed,
                     size_t k)
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

static char path_buf[4][128];

static const char *in_folder(size_t slot, const char *name)
{
    (void)snprintf(path_buf[slot], sizeof path_buf[slot], "%s/%s", folder,
                   name);
    return path_buf[slot];
}

static bool exists(const char *path)
{
    struct stat sb;

    return lstat(path, &sb) == 0;
}

static void put_byte(const char *path, uint64_t at, uint8_t xor)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= xor;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    assert_int_equal(close(fd), 0);
}

static rag_status try_open(const char *path, size_t dims, uint64_t generation)
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
static int in_child(const char *what)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execl("/proc/self/exe", "t_vindex", what, folder, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* ---- tests -------------------------------------------------------------- */

static void test_missing_blas(void **state)
{
    static const char *const none[] = {"librag-no-such-blas.so.9", "libc.so.6",
                                       NULL};

    (void)state;
    assert_false(rag_blas_loaded());
    assert_int_equal(rag_blas_load(none, &err), RAG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "libopenblas0"));
    assert_false(rag_blas_loaded());
}

static int make_many(void)
{
    rag_vindex_build b = build_of(&many, many_path);

    return rag_vindex_make(&many_info, &b, &err) == RAG_OK ? 0 : 1;
}

/* Searching needs no BLAS: the file is made in a child. */
static void test_search_without_blas(void **state)
{
    rag_vindex *v = NULL;
    rag_bits all = all_of(&many);

    (void)state;
    assert_int_equal(in_child("make"), 0);
    OK(rag_vindex_open(&v, many_path, DIMS, 7, key, &err), &err);
    assert_true(recall(v, &many, &all, 10) >= .95);
    assert_false(rag_blas_loaded());
    rag_vindex_close(v);
    bits_free(&all);
}

static void test_many(void **state)
{
    rag_vindex *v = NULL;
    rag_bits all = all_of(&many);
    struct stat sb;

    (void)state;
    assert_int_equal(make_many(), 0);
    assert_true(rag_blas_loaded());
    assert_int_equal(many_info.n_vectors, MANY);
    assert_int_equal(many_info.n_lists, 512);
    assert_string_equal(many_info.kind, "IVF512,SQfp16");
    assert_int_equal(stat(many_path, &sb), 0);
    assert_int_equal(sb.st_size, many_info.file_bytes);
    assert_int_equal(sb.st_mode & 0777, 0600);
    OK(rag_vindex_verify(many_path, many_info.sha256, &err), &err);
    OK(rag_vindex_open(&v, many_path, DIMS, 7, key, &err), &err);
    assert_true(recall(v, &many, &all, 10) >= .95);
    assert_true(recall(v, &many, &all, 50) >= .95);
    rag_vindex_close(v);
    bits_free(&all);
}

/* Filters act before the top k is cut, and nothing else is ever returned. */
static void test_filters(void **state)
{
    static const unsigned keep_1_in[] = {2, 10, 100, 3000};
    rag_vindex *v = NULL;

    (void)state;
    OK(rag_vindex_open(&v, many_path, DIMS, 7, key, &err), &err);
    for (size_t f = 0; f < sizeof keep_1_in / sizeof *keep_1_in; f++) {
        rag_bits some = all_of(&many);

        for (size_t i = 0; i < many.n; i++)
            if (rnd() % keep_1_in[f] != 0)
                clear(&some, many.ids[i]);
        /* the number of hits is checked inside: all there are, up to k */
        assert_true(recall(v, &many, &some, 20) >= .95);
        bits_free(&some);
    }
    rag_vindex_close(v);
}

/* A filter that leaves one topic only: its vectors lie in few lists, far from
 * most queries. */
static void test_filter_far_away(void **state)
{
    rag_vindex *v = NULL;
    rag_bits some = all_of(&many);
    float near_it[DIMS];

    (void)state;
    memcpy(near_it, many.centres, sizeof near_it);
    for (size_t i = 0; i < many.n; i++) {
        float dot;

        rag_vindex_dots(&dot, many.rows + i * DIMS, 1, DIMS, near_it);
        if (dot < .75f)
            clear(&some, many.ids[i]);
    }
    assert_true(some.n_set > 20 && some.n_set < MANY / 20);
    OK(rag_vindex_open(&v, many_path, DIMS, 7, key, &err), &err);
    assert_true(recall(v, &many, &some, 20) >= .95);
    rag_vindex_close(v);
    bits_free(&some);
}

static void test_small_is_exact(void **state)
{
    set s = set_new(FEW, DIMS);
    const char *path = in_folder(1, "small");
    rag_vindex_build b = build_of(&s, path);
    rag_vindex_info info;
    rag_vindex_info again;
    rag_vindex *v = NULL;
    rag_bits all;

    (void)state;
    /* equal vectors: the smaller ids come first, also across the cut */
    for (size_t i = 100; i < 140; i++)
        memcpy(s.rows + i * DIMS, s.rows, DIMS * sizeof *s.rows);
    all = all_of(&s);
    OK(rag_vindex_make(&info, &b, &err), &err);
    assert_int_equal(info.n_lists, 1);
    OK(rag_vindex_open(&v, path, DIMS, 7, key, &err), &err);
    for (int round = 0; round < 40; round++) {
        float q[DIMS];
        rag_store_hit want[64];
        rag_store_hit got[64];
        size_t k = 1 + rnd() % 64;
        size_t n = 0;

        if (round < 10)
            rag_vindex_to_float(q, s.rows, DIMS);
        else
            draw(q, &s);
        OK(rag_vindex_search(got, &n, k, v, q, &all, &err), &err);
        assert_int_equal(n, brute(want, k, &s, q, &all));
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(got[i].chunk_id, want[i].chunk_id);
            assert_memory_equal(&got[i].score, &want[i].score, sizeof(float));
        }
        clear(&all, s.ids[rnd() % FEW]); /* and less every time */
    }
    rag_vindex_close(v);
    /* the same input makes the same file */
    OK(rag_vindex_make(&again, &b, &err), &err);
    assert_memory_equal(again.sha256, info.sha256, sizeof info.sha256);
    bits_free(&all);
    set_free(&s);
}

static void test_edges(void **state)
{
    set s = set_new(FEW, 3);
    const char *path = in_folder(1, "edges");
    rag_vindex_build b = build_of(&s, path);
    rag_vindex_info info;
    rag_vindex *v = NULL;
    rag_store_hit hits[FEW + 10];
    rag_bits all = all_of(&s);
    rag_bits none = {0};
    const uint16_t nan = 0x7e00;
    const float q[3] = {1, 0, 0};
    size_t n = 99;

    (void)state;
    s.rows[5] = nan; /* a damaged vector is never found, and hurts no other */
    b.n_vectors = 0; /* nor does a wrong guess */
    OK(rag_vindex_make(&info, &b, &err), &err);
    assert_int_equal(info.n_vectors, FEW);
    OK(rag_vindex_open(&v, path, 3, 7, key, &err), &err);
    OK(rag_vindex_search(hits, &n, FEW + 10, v, q, &all, &err), &err);
    assert_int_equal(n, FEW - 1);
    for (size_t i = 0; i < n; i++)
        assert_int_not_equal(hits[i].chunk_id, s.ids[1]);
    OK(rag_vindex_search(hits, &n, 10, v, q, &none, &err), &err);
    assert_int_equal(n, 0);
    OK(rag_vindex_search(hits, &n, 0, v, q, &all, &err), &err);
    assert_int_equal(n, 0);
    rag_vindex_close(v);

    s.n = 0; /* an empty index */
    b.n_vectors = MANY;
    OK(rag_vindex_make(&info, &b, &err), &err);
    assert_int_equal(info.n_vectors, 0);
    OK(rag_vindex_open(&v, path, 3, 7, key, &err), &err);
    OK(rag_vindex_search(hits, &n, 10, v, q, &all, &err), &err);
    assert_int_equal(n, 0);
    rag_vindex_close(v);

    b.dims = 0;
    assert_int_equal(rag_vindex_make(&info, &b, &err), RAG_E_INVAL);
    b.dims = RAG_VINDEX_MAX_DIMS + 1;
    assert_int_equal(rag_vindex_make(&info, &b, &err), RAG_E_INVAL);
    bits_free(&all);
    set_free(&s);
}

static void test_mismatch(void **state)
{
    uint8_t other[RAG_SHA256_BYTES];
    rag_vindex *v = NULL;
    const char *link_path = in_folder(1, "link");
    const char *fifo = in_folder(2, "fifo");

    (void)state;
    assert_int_equal(try_open(many_path, DIMS, 7), RAG_OK);
    assert_int_equal(try_open(many_path, DIMS, 8), RAG_E_INDEX);
    assert_int_equal(try_open(many_path, DIMS + 1, 7), RAG_E_INDEX);
    assert_int_equal(try_open(in_folder(3, "absent"), DIMS, 7), RAG_E_INDEX);
    assert_int_equal(try_open(folder, DIMS, 7), RAG_E_INDEX);
    assert_int_equal(symlink(many_path, link_path), 0);
    assert_int_equal(try_open(link_path, DIMS, 7), RAG_E_INDEX);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(try_open(fifo, DIMS, 7), RAG_E_INDEX);
    for (size_t i = 0; i < sizeof other; i++) {
        memcpy(other, key, sizeof other);
        other[i] ^= 1;
        assert_int_equal(rag_vindex_open(&v, many_path, DIMS, 7, other, &err),
                         RAG_E_INDEX);
    }
}

static void copy_file(const char *to, const char *from)
{
    rag_buf b;

    rag_buf_init(&b, SIZE_MAX / 2);
    OK(rag_file_read(&b, from, SIZE_MAX / 4, &err), &err);
    OK(rag_file_replace(to, b.ptr, b.len, &err), &err);
    rag_buf_dispose(&b);
}

static void test_truncations(void **state)
{
    const char *copy = in_folder(1, "cut");
    uint64_t at = many_info.file_bytes;

    (void)state;
    copy_file(copy, many_path);
    assert_int_equal(truncate(copy, (off_t)at + 1), 0);
    assert_int_equal(try_open(copy, DIMS, 7), RAG_E_INDEX);
    assert_int_equal(truncate(copy, (off_t)at), 0);
    assert_int_equal(try_open(copy, DIMS, 7), RAG_OK);
    while (at != 0) {
        at = at > 512 ? at - 512 : 0;
        assert_int_equal(truncate(copy, (off_t)at), 0);
        assert_int_equal(try_open(copy, DIMS, 7), RAG_E_INDEX);
    }
}

static void test_flips_in_head(void **state)
{
    const char *copy = in_folder(1, "flip");
    size_t end = rag_vindex_mac_at(many_info.n_lists, DIMS) + RAG_SHA256_BYTES;

    (void)state;
    copy_file(copy, many_path);
    for (size_t at = 0; at < end; at += at < 128 || at + 64 > end ? 1 : 97) {
        uint8_t bit = (uint8_t)(1u << (rnd() % 8));

        put_byte(copy, at, bit);
        assert_int_equal(try_open(copy, DIMS, 7), RAG_E_INDEX);
        put_byte(copy, at, bit);
    }
    assert_int_equal(try_open(copy, DIMS, 7), RAG_OK);
}

static void only_allowed(rag_vindex *v, const rag_bits *allowed)
{
    float q[DIMS];
    rag_store_hit hits[50];

    for (int i = 0; i < 20; i++) {
        size_t n = 0;

        draw(q, &many);
        OK(rag_vindex_search(hits, &n, 50, v, q, allowed, &err), &err);
        for (size_t a = 0; a < n; a++) {
            assert_true(has(allowed, hits[a].chunk_id));
            for (size_t b = 0; b < a; b++)
                assert_int_not_equal(hits[a].chunk_id, hits[b].chunk_id);
        }
    }
}

/* The lists are not covered by the MAC: whatever they hold, nothing crashes,
 * nothing is returned that is not allowed or twice, and verify sees it. */
static void test_flips_in_lists(void **state)
{
    const char *copy = in_folder(1, "flip");
    uint64_t from = rag_vindex_mac_at(many_info.n_lists, DIMS) + 64;
    rag_bits some = all_of(&many);
    rag_vindex *v = NULL;
    int fd;

    (void)state;
    for (size_t i = 0; i < many.n; i++)
        if (rnd() % 2 != 0)
            clear(&some, many.ids[i]);
    copy_file(copy, many_path);
    OK(rag_vindex_verify(copy, many_info.sha256, &err), &err);
    for (uint64_t at = from; at < many_info.file_bytes; at += 61)
        put_byte(copy, at, (uint8_t)(1u << (rnd() % 8)));
    assert_int_equal(rag_vindex_verify(copy, many_info.sha256, &err),
                     RAG_E_INDEX);
    OK(rag_vindex_open(&v, copy, DIMS, 7, key, &err), &err);
    only_allowed(v, &some);
    rag_vindex_close(v);

    /* the same id everywhere, then absurd ones (also infinities and NaN) */
    fd = open(copy, O_RDWR);
    assert_true(fd >= 0);
    for (int round = 0; round < 3; round++) {
        int64_t what[512];

        for (size_t i = 0; i < 512; i++)
            what[i] = round == 0   ? many.ids[3]
                      : round == 1 ? -1 - (int64_t)(rnd() % 2)
                                   : INT64_MAX - (int64_t)i;
        for (uint64_t at = from; at < many_info.file_bytes; at += sizeof what) {
            uint64_t n = many_info.file_bytes - at;

            n = n < sizeof what ? n : sizeof what;
            assert_int_equal(pwrite(fd, what, n, (off_t)at), (ssize_t)n);
        }
        OK(rag_vindex_open(&v, copy, DIMS, 7, key, &err), &err);
        only_allowed(v, &some);
        rag_vindex_close(v);
    }
    assert_int_equal(close(fd), 0);
    bits_free(&some);
}

/* Built with the right key, but with bounds that do not fit. */
static void test_bounds_under_mac(void **state)
{
    const char *copy = in_folder(1, "bounds");
    size_t mac_at = rag_vindex_mac_at(many_info.n_lists, DIMS);
    static const uint64_t values[] = {
        0, 1, 64, 1u << 30, UINT64_MAX, UINT64_MAX / 2, UINT64_MAX / 96};
    rag_buf b;

    (void)state;
    rag_buf_init(&b, SIZE_MAX / 2);
    OK(rag_file_read(&b, many_path, SIZE_MAX / 4, &err), &err);
    /* numbers of the head, then offset and length of two lists */
    for (size_t at = 8; at < RAG_VINDEX_HEAD_BYTES + 40; at += 8) {
        uint64_t old;

        if ((at >= 48 && at < RAG_VINDEX_HEAD_BYTES) ||
            at == RAG_VINDEX_HEAD_BYTES + 16)
            continue; /* no bounds */
        memcpy(&old, b.ptr + at, sizeof old);
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            if (values[i] == old)
                continue;
            memcpy(b.ptr + at, &values[i], sizeof old);
            rag_hash_hmac((uint8_t *)b.ptr + mac_at, key, sizeof key, b.ptr,
                          mac_at);
            OK(rag_file_replace(copy, b.ptr, b.len, &err), &err);
            assert_int_equal(try_open(copy, DIMS, 7), RAG_E_INDEX);
        }
        memcpy(b.ptr + at, &old, sizeof old);
    }
    rag_buf_dispose(&b);
}

static int make_on_full_disk(void)
{
    rag_vindex_build b = build_of(&many, many_path);
    struct rlimit lim = {200000, 200000};
    rag_vindex_info info;

    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &lim) != 0)
        return 9;
    if (rag_vindex_make(&info, &b, &err) != RAG_E_IO)
        return 1;
    return strstr(err.msg, many_path) != NULL ? 0 : 2;
}

static int make_and_die(void)
{
    rag_vindex_build b = build_of(&many, many_path);
    rag_vindex_info info;

    /* in the third pass: 8 batches and an end in each */
    many.kill_at = 22;
    return rag_vindex_make(&info, &b, &err) == RAG_OK ? 1 : 2;
}

static void old_one_is_whole(void)
{
    OK(rag_vindex_verify(many_path, many_info.sha256, &err), &err);
    assert_int_equal(try_open(many_path, DIMS, 7), RAG_OK);
}

static void test_full_disk(void **state)
{
    (void)state;
    assert_int_equal(in_child("full"), 0);
    assert_false(exists(in_folder(1, "many.tmp")));
    old_one_is_whole();
}

static void test_killed(void **state)
{
    int status = in_child("die");

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(exists(in_folder(1, "many.tmp")));
    old_one_is_whole();
    assert_int_equal(make_many(), 0); /* takes the rest away */
    assert_false(exists(in_folder(1, "many.tmp")));
    old_one_is_whole();
}

static size_t n_asked;
static size_t stop_at;

static bool stop(void *ctx)
{
    (void)ctx;
    return ++n_asked == stop_at;
}

static void test_cancelled(void **state)
{
    rag_vindex_build b = build_of(&many, many_path);
    rag_vindex_info info;
    rag_status st;

    (void)state;
    b.cancelled = stop;
    for (stop_at = 1;; stop_at = stop_at * 3 / 2 + 1) {
        n_asked = 0;
        st = rag_vindex_make(&info, &b, &err);
        assert_false(exists(in_folder(1, "many.tmp")));
        if (st == RAG_OK)
            break;
        assert_int_equal(st, RAG_E_CANCELLED);
        old_one_is_whole();
    }
    many_info = info;
    assert_true(stop_at > 40); /* it was asked in k-means too */
}

static void test_bad_source(void **state)
{
    const char *path = in_folder(1, "bad");
    rag_vindex_build b = build_of(&narrow, path);
    rag_vindex_info info;

    (void)state;
    for (narrow.fail_at = 1; narrow.fail_at < 18; narrow.fail_at += 5) {
        narrow.n_calls = 0;
        assert_int_equal(rag_vindex_make(&info, &b, &err), RAG_E_DB);
    }
    narrow.fail_at = 0;
    for (narrow.lose_at = 7; narrow.lose_at < 18; narrow.lose_at += 6) {
        narrow.n_calls = 0;
        assert_int_equal(rag_vindex_make(&info, &b, &err), RAG_E_INDEX);
    }
    narrow.lose_at = 0;
    narrow.disorder = true;
    assert_int_equal(rag_vindex_make(&info, &b, &err), RAG_E_INVAL);
    narrow.disorder = false;
    assert_false(exists(path));
    assert_false(exists(in_folder(2, "bad.tmp")));
}

/* ---- out of memory ------------------------------------------------------ */

static set tiny;
static rag_bits tiny_bits;

static rag_status all_steps(const char *path, set *s, const rag_bits *bits)
{
    rag_vindex_build b = build_of(s, path);
    rag_vindex_info info;
    rag_vindex *v = NULL;
    rag_store_hit hits[5];
    float q[1024] = {1};
    size_t n = 0;
    rag_status st;

    TRY(rag_vindex_make(&info, &b, &err));
    TRY(rag_vindex_open(&v, path, s->dims, 7, key, &err));
    TRY(rag_vindex_search(hits, &n, 5, v, q, bits, &err));
    TRY(rag_vindex_verify(path, info.sha256, &err));
out:
    rag_vindex_close(v);
    return st;
}

static void test_oom(void **state)
{
    rag_bits all = all_of(&narrow);
    const char *path = in_folder(1, "oom");

    (void)state;
    tiny = set_new(50, 8);
    tiny_bits = all_of(&tiny);
    CHECK_OOM(all_steps(path, &tiny, &tiny_bits));
    CHECK_OOM(all_steps(path, &narrow, &all));
    assert_false(exists(in_folder(2, "oom.tmp")));
    bits_free(&tiny_bits);
    bits_free(&all);
    set_free(&tiny);
}

static void test_lapack(void **state)
{
    extern int dgetrf_(int *m, int *n, double *a, int *lda, int *ipiv,
                       int *info);
    double a[4] = {0, 2, 4, 0}; /* columns: needs a row exchange */
    int two = 2;
    int ipiv[2] = {0, 0};
    int info = 7;

    (void)state;
    (void)dgetrf_(&two, &two, a, &two, ipiv, &info);
    assert_int_equal(info, 0);
    assert_int_equal(ipiv[0], 2);
}

static int remove_all(void **state)
{
    char cmd[160];

    (void)state;
    set_free(&many);
    set_free(&narrow);
    (void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", folder);
    return system(cmd);
}

static int as_child(const char *what)
{
    if (strcmp(what, "make") == 0)
        return make_many();
    return strcmp(what, "full") == 0 ? make_on_full_disk() : make_and_die();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_blas),
        cmocka_unit_test(test_search_without_blas),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_filter_far_away),
        cmocka_unit_test(test_small_is_exact),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_mismatch),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_flips_in_head),
        cmocka_unit_test(test_flips_in_lists),
        cmocka_unit_test(test_bounds_under_mac),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_bad_source),
        cmocka_unit_test(test_oom),
        cmocka_unit_test(test_lapack),
    };

    if (argc == 3)
        (void)snprintf(folder, sizeof folder, "%s", argv[2]);
    else if (mkdtemp(folder) == NULL)
        return 1;
    many = set_new(MANY, DIMS);
    narrow = set_new(20000, 8);
    many_path = in_folder(0, "many");
    if (argc == 3)
        return as_child(argv[1]);
    return cmocka_run_group_tests(tests, NULL, remove_all);
}
