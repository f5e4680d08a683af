/*
 * bench_vindex — what the vector index costs: building it, a cold process that
 * opens it and searches once, memory, recall against the exact scan.
 *
 *   bench_vindex N DIMS [FILE [QUERIES [SCAN_BYTES]]]
 *
 * FILE: float32 rows, little-endian (as `rag embed --raw` prints); without it
 * vectors are drawn around N / 50 random centres. Vectors are repeated with a
 * little noise when FILE has fewer than N. QUERIES: the same for queries;
 * without it they are vectors of the index with noise. SCAN_BYTES: rows that a
 * search scans. Not run by ctest.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/blas.h"
#include "store/vindex_priv.h"

#define QUERIES 200u
#define TOP 50u
#define GENERATION 1u

static const uint8_t key[RAG_SHA256_BYTES] = {9};
static rag_error err;

typedef struct set {
    size_t n;
    size_t dims;
    uint16_t *rows;
} set;

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Peak of resident memory. Not getrusage(): that hands the parent's on. */
static double peak_mb(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    double kb = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtod(line + 6, NULL);
    if (f != NULL)
        (void)fclose(f);
    return kb / 1024.0;
}

/* Begins a new peak at what is resident now. */
static double new_peak_mb(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");

    if (f != NULL) {
        (void)fputs("5", f);
        (void)fclose(f);
    }
    return peak_mb();
}

static void *must(void *p)
{
    if (p == NULL) {
        (void)fputs("out of memory\n", stderr);
        exit(1);
    }
    return p;
}

static void check(rag_status st)
{
    if (st != RAG_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
}

static float normal(void)
{
    double s = -6.0;

    for (int i = 0; i < 12; i++)
        s += drand48();
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

/* Base vectors: of the file, or random centres. */
static float *base_vectors(size_t *n, const set *s, const char *file)
{
    float *v = must(malloc(s->n * s->dims * sizeof *v));
    FILE *f;

    if (file == NULL) {
        *n = s->n / 50 + 1;
        for (size_t i = 0; i < *n; i++) {
            for (size_t j = 0; j < s->dims; j++)
                v[i * s->dims + j] = normal();
            unit(v + i * s->dims, s->dims);
        }
        return v;
    }
    f = must(fopen(file, "rb"));
    *n = fread(v, s->dims * sizeof *v, s->n, f);
    (void)fclose(f);
    return v;
}

static set set_new(size_t n, size_t dims, const char *file)
{
    set s = {.n = n, .dims = dims};
    size_t n_base = 0;
    float *base = base_vectors(&n_base, &s, file);
    float *v = must(malloc(dims * sizeof *v));
    float noise = (file == NULL ? .8f : .25f) / sqrtf((float)dims);

    s.rows = must(malloc(n * dims * sizeof *s.rows));
    for (size_t i = 0; i < n; i++) {
        bool as_is = file != NULL && i < n_base;

        memcpy(v, base + i % n_base * dims, dims * sizeof *v);
        for (size_t j = 0; j < dims && !as_is; j++)
            v[j] += noise * normal();
        unit(v, dims);
        rag_vindex_to_half(s.rows + i * dims, v, dims);
    }
    free(v);
    free(base);
    return s;
}

static rag_status give(void *ctx, int64_t *ids, uint16_t *vectors, size_t *n,
                       size_t cap, int64_t after, rag_error *e)
{
    const set *s = ctx;
    size_t left = s->n - (size_t)after;

    (void)e;
    *n = left < cap ? left : cap;
    for (size_t i = 0; i < *n; i++)
        ids[i] = after + 1 + (int64_t)i;
    memcpy(vectors, s->rows + (size_t)after * s->dims,
           *n * s->dims * sizeof *vectors);
    return RAG_OK;
}

static rag_bits all_bits(size_t n)
{
    rag_bits b = {.n_bytes = n / 8 + 1, .n_set = n};
    uint8_t *p = must(malloc(b.n_bytes));

    memset(p, 0xff, b.n_bytes);
    b.bits = p;
    return b;
}

/* What a cold process does; prints what the parent puts into its table. */
static int search_once(const char *path, size_t n, size_t dims,
                       const char *query_path)
{
    float *q = must(malloc(dims * sizeof *q));
    rag_bits bits = all_bits(n);
    rag_store_hit hits[TOP];
    size_t n_hits = 0;
    rag_vindex *v = NULL;
    double t0;
    double t1;
    double t2;
    FILE *f = must(fopen(query_path, "rb"));

    if (fread(q, sizeof *q, dims, f) != dims)
        return 1;
    (void)fclose(f);
    t0 = now_ms();
    check(rag_vindex_open(&v, path, dims, GENERATION, key, &err));
    t1 = now_ms();
    check(rag_vindex_search(hits, &n_hits, TOP, v, q, &bits, &err));
    t2 = now_ms();
    (void)printf("  open %.2f ms, search %.2f ms, resident %.1f MB, BLAS %s\n",
                 t1 - t0, t2 - t1, peak_mb(),
                 rag_blas_loaded() ? "loaded" : "not loaded");
    rag_vindex_close(v);
    return 0;
}

static int by_score(const void *pa, const void *pb)
{
    const rag_store_hit *a = pa;
    const rag_store_hit *b = pb;

    if (a->score > b->score || a->score < b->score)
        return a->score > b->score ? -1 : 1;
    return (a->chunk_id > b->chunk_id) - (a->chunk_id < b->chunk_id);
}

static void recall(const char *path, const set *s, const char *queries)
{
    rag_bits bits = all_bits(s->n);
    rag_store_hit *all = must(malloc(s->n * sizeof *all));
    float *dots = must(malloc(s->n * sizeof *dots));
    float *q = must(malloc(s->dims * sizeof *q));
    rag_store_hit got[TOP];
    rag_vindex *v = NULL;
    FILE *f = queries != NULL ? must(fopen(queries, "rb")) : NULL;
    size_t n_queries = 0;
    size_t at10 = 0;
    size_t at50 = 0;
    double ms = 0;
    double exact_ms = 0;

    check(rag_vindex_open(&v, path, s->dims, GENERATION, key, &err));
    for (; n_queries < QUERIES; n_queries++) {
        const uint16_t *row = s->rows + (n_queries * 7919 % s->n) * s->dims;
        size_t n = 0;
        double t0;

        rag_vindex_to_float(q, row, s->dims);
        for (size_t j = 0; j < s->dims && f == NULL; j++)
            q[j] += .4f / sqrtf((float)s->dims) * normal();
        if (f != NULL && fread(q, sizeof *q, s->dims, f) != s->dims)
            break;
        unit(q, s->dims);
        t0 = now_ms();
        rag_vindex_dots(dots, s->rows, s->n, s->dims, q);
        exact_ms += now_ms() - t0;
        for (size_t j = 0; j < s->n; j++)
            all[j] =
                (rag_store_hit){.chunk_id = (int64_t)j + 1, .score = dots[j]};
        qsort(all, s->n, sizeof *all, by_score);
        t0 = now_ms();
        check(rag_vindex_search(got, &n, TOP, v, q, &bits, &err));
        ms += now_ms() - t0;
        for (size_t a = 0; a < TOP; a++)
            for (size_t b = 0; b < n; b++)
                if (all[a].chunk_id == got[b].chunk_id) {
                    at10 += a < 10;
                    at50++;
                }
    }
    (void)printf("recall@10 %.4f, @50 %.4f; warm search %.2f ms, exact dots "
                 "alone %.2f ms\n",
                 (double)at10 / ((double)n_queries * 10.0),
                 (double)at50 / ((double)n_queries * (double)TOP),
                 ms / (double)n_queries, exact_ms / (double)n_queries);
    rag_vindex_close(v);
    if (f != NULL)
        (void)fclose(f);
    free(all);
    free(dots);
    free(q);
}

static void cold(const char *self, const char *path, const char *n,
                 const char *dims, const char *query_path)
{
    double t0 = now_ms();
    pid_t pid = vfork(); /* the parent is large */
    int status = 0;

    if (pid == 0) {
        (void)execl(self, self, "--search", path, n, dims, query_path,
                    (char *)NULL);
        _exit(99);
    }
    (void)waitpid(pid, &status, 0);
    (void)printf("  whole process %.2f ms, status %d\n", now_ms() - t0, status);
}

int main(int argc, char **argv)
{
    char path[] = "/tmp/bench_vindex.XXXXXX";
    char query_path[64];
    rag_vindex_info info;
    rag_vindex_build b = {.path = path, .generation = GENERATION};
    double before;
    double t0;
    float *q;
    FILE *f;
    set s;

    if (argc == 6 && strcmp(argv[1], "--search") == 0)
        return search_once(argv[2], (size_t)strtoull(argv[3], NULL, 10),
                           (size_t)strtoull(argv[4], NULL, 10), argv[5]);
    if (argc < 3)
        return 2;
    s = set_new((size_t)strtoull(argv[1], NULL, 10),
                (size_t)strtoull(argv[2], NULL, 10), argc > 3 ? argv[3] : NULL);
    if (mkstemp(path) < 0)
        return 1;
    memcpy(b.key, key, sizeof key);
    b.dims = s.dims;
    b.n_vectors = s.n;
    b.source = give;
    b.ctx = &s;
    b.scan_bytes = argc > 5 ? (size_t)strtoull(argv[5], NULL, 10) : 0;
    before = new_peak_mb();
    t0 = now_ms();
    check(rag_vindex_make(&info, &b, &err));
    (void)printf("%zu x %zu, %s, %.1f MB: made in %.0f ms, %.0f MB of memory "
                 "more\n",
                 s.n, s.dims, info.kind, (double)info.file_bytes / 1e6,
                 now_ms() - t0, peak_mb() - before);
    (void)fflush(stdout);

    (void)snprintf(query_path, sizeof query_path, "%s.query", path);
    q = must(malloc(s.dims * sizeof *q));
    rag_vindex_to_float(q, s.rows + s.n / 3 * s.dims, s.dims);
    f = must(fopen(query_path, "wb"));
    (void)fwrite(q, sizeof *q, s.dims, f);
    (void)fclose(f);
    free(q);
    for (int i = 0; i < 5; i++)
        cold("/proc/self/exe", path, argv[1], argv[2], query_path);
    recall(path, &s, argc > 4 ? argv[4] : NULL);
    (void)unlink(path);
    (void)unlink(query_path);
    free(s.rows);
    return 0;
}
