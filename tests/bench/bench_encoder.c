/*
 * bench_encoder — the built-in encoder, measured on request.
 *
 * usage: bench_encoder MODEL THREADS
 *
 * Reads commands from stdin, one a line, and answers each with one line, so
 * that bench_encoder.py can take turns between this program and others:
 *
 *   tier     the kernels in use
 *   ids N    the ids of document N (0..15, 256 tokens each), of the query (16)
 *   text N   the text itself
 *   vector N the vector of document N or the query
 *   docs     seconds, and CPU seconds, for the 16 documents, THREADS threads
 *   query    seconds for the query of 13 tokens, hot, one thread (least of 20)
 *   peak     int8 operations a second that THREADS threads can do in registers
 *            with the tier's own instruction: nothing loaded, nothing stored;
 *            by CPU time, best of 20
 *   work     operations of the matrix products of the 16 documents
 *   tokens   megabytes a second of the tokenizer, one thread
 *   open     seconds to open the model and close it (least of 20)
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "nn/cpu.h"
#include "nn/encoder.h"
#include "nn/weights.h"

#define N_DOCS 16u
#define DOC_TOKENS 256u
#define QUERY_TOKENS 13u
#define MOST_THREADS 64u

typedef struct bench {
    const char *path;
    size_t n_threads;
    rag_encoder *many;
    rag_encoder *one;
    rag_str texts[N_DOCS + 1];
    float *vectors;
    size_t dims;
} bench;

static void die(const char *what)
{
    fprintf(stderr, "bench_encoder: %s\n", what);
    exit(2);
}

static double clock_of(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double now(void)
{
    return clock_of(CLOCK_MONOTONIC);
}

/* ---- texts ------------------------------------------------------------- */

static const char *const words[] = {
    "the",    "server",   "답변은",  "문서에서", "찾은",      "근거와",
    "함께",   "표시된다", "request", "returns",  "a",         "response",
    "with",   "status",   "code",    "and",      "설정",      "파일을",
    "수정한", "뒤",       "다시",    "시작한다", "parameter", "value",
    "is",     "checked",  "before",  "it",       "reaches",   "database",
    "검색",   "결과"};

static size_t count(bench *b, rag_str text)
{
    rag_error err;
    size_t n;

    if (rag_encoder_tokens(NULL, 0, &n, b->one, text, &err) != RAG_OK)
        die(err.msg);
    return n;
}

/* A text of exactly n tokens, other words for every seed. */
static rag_str make_text(bench *b, const char *prefix, size_t n, uint32_t seed)
{
    rag_buf buf;
    rag_str text;

    rag_buf_init(&buf, (size_t)1 << 20);
    rag_buf_add(&buf, prefix, strlen(prefix));
    while (count(b, rag_buf_str(&buf)) < n) {
        size_t before = buf.len;

        seed = seed * 1664525u + 1013904223u;
        rag_buf_addf(&buf, " %s",
                     words[(seed >> 16) % (sizeof words / sizeof *words)]);
        if (count(b, rag_buf_str(&buf)) > n)
            rag_buf_trunc(&buf, before);
    }
    text.len = buf.len;
    text.ptr = rag_buf_take(&buf, NULL);
    if (text.ptr == NULL)
        die("no memory");
    return text;
}

/* ---- peak -------------------------------------------------------------- */

#define LOOPS ((size_t)200000)

#if defined(__x86_64__)

#define STEP(OP, R) OP " %%" R "15, %%" R "14, %%" R
/* Ten sums in flight hide the latency of the instruction. */
#define TEN(OP, R)                                                                \
    STEP(OP, R)                                                                   \
    "0\n" STEP(OP, R) "1\n" STEP(OP, R) "2\n" STEP(OP, R) "3\n" STEP(             \
        OP,                                                                       \
        R) "4\n" STEP(OP,                                                         \
                      R) "5\n" STEP(OP,                                           \
                                    R) "6\n" STEP(OP,                             \
                                                  R) "7\n" STEP(OP,               \
                                                                R) "8\n" STEP(OP, \
                                                                              R) "9\n"

#define DEFINE_PEAK(NAME, OP, R, TARGET)                                       \
    __attribute__((target(TARGET))) static void NAME(size_t n)                 \
    {                                                                          \
        for (size_t i = 0; i < n; i++)                                         \
            __asm__ volatile(TEN(OP, R)::                                      \
                                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",     \
                                   "xmm5", "xmm6", "xmm7", "xmm8", "xmm9");    \
    }
DEFINE_PEAK(peak_512, "vpdpbusd", "zmm", "avx512f,avx512vnni")
DEFINE_PEAK(peak_256, "%{vex%} vpdpbusd", "ymm", "avx2")

/* Without the instruction: two products, their sum, the sum. */
__attribute__((target("avx2"))) static void peak_avx2(size_t n)
{
    for (size_t i = 0; i < n; i++) {
#define STEP3(I, T)                                                            \
    "vpmaddubsw %%ymm15, %%ymm14, %%ymm" T "\n"                                \
    "vpmaddwd %%ymm13, %%ymm" T ", %%ymm" T "\n"                               \
    "vpaddd %%ymm" T ", %%ymm" I ", %%ymm" I "\n"
        __asm__ volatile(
            STEP3("0", "8") STEP3("1", "9") STEP3("2", "10") STEP3("3", "11")
                STEP3("4", "12") STEP3("5", "8") STEP3("6", "9")
                    STEP3("7", "10") STEP3("0", "11") STEP3("1", "12")::
                        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
                          "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                          "xmm12");
    }
}

/* Products of tiles of 16 x 64 bytes into four sums, each long enough behind
 * the one before. The encoder has asked for the tiles. */
static void peak_amx(size_t n)
{
    /* palette 1; 64 bytes a row and 16 rows for each of eight tiles */
    _Alignas(64) uint8_t shapes[64] = {1};

    for (size_t t = 0; t < 8; t++) {
        shapes[16 + 2 * t] = 64;
        shapes[48 + t] = 16;
    }
#define STEP_T(I) "tdpbssd %%tmm5, %%tmm4, %%tmm" I "\n"
    __asm__ volatile("ldtilecfg %0" ::"m"(shapes));
    for (size_t i = 0; i < n; i++)
        __asm__ volatile(STEP_T("0") STEP_T("1") STEP_T("2") STEP_T("3") STEP_T(
            "0") STEP_T("1") STEP_T("2") STEP_T("3") STEP_T("0") STEP_T("1")::);
    __asm__ volatile("tilerelease");
}

static void *peak_thread(void *arg)
{
    const char *tier = arg;

    if (strcmp(tier, "amx") == 0)
        peak_amx(LOOPS);
    else if (strcmp(tier, "avx512") == 0)
        peak_512(LOOPS);
    else if (strcmp(tier, "avxvnni") == 0)
        peak_256(LOOPS);
    else
        peak_avx2(LOOPS);
    return NULL;
}

static double ops_of(const char *tier)
{
    if (strcmp(tier, "amx") == 0)
        return 2.0 * 16 * 16 * 64;
    return strcmp(tier, "avx512") == 0 ? 128.0 : 64.0;
}

/* The best of short runs: none of them is disturbed throughout. */
static double peak(const bench *b)
{
    double best = 0.0;
    char tier[16];

    snprintf(tier, sizeof tier, "%s", rag_encoder_tier());
    for (size_t n = 0; n < 20; n++) {
        pthread_t threads[MOST_THREADS];
        double began = clock_of(CLOCK_PROCESS_CPUTIME_ID);
        double rate;

        for (size_t i = 1; i < b->n_threads; i++) {
            if (pthread_create(&threads[i], NULL, peak_thread, tier) != 0)
                die("no thread");
        }
        peak_thread(tier);
        for (size_t i = 1; i < b->n_threads; i++)
            pthread_join(threads[i], NULL);
        rate = (double)(b->n_threads * b->n_threads) * (double)LOOPS * 10.0 *
               ops_of(tier) / (clock_of(CLOCK_PROCESS_CPUTIME_ID) - began);
        best = rate > best ? rate : best;
    }
    return best;
}

#else

static double peak(const bench *b)
{
    (void)b;
    return 0.0;
}

#endif

/* ---- commands ---------------------------------------------------------- */

static double run(bench *b, rag_encoder *e, size_t first, size_t n)
{
    double began = now();
    rag_error err;

    if (rag_encoder_run(b->vectors + first * b->dims, e, b->texts + first, n,
                        NULL, NULL, &err) != RAG_OK)
        die(err.msg);
    return now() - began;
}

static double query(bench *b)
{
    double best = 1e9;

    for (size_t i = 0; i < 20; i++) {
        double s = run(b, b->one, N_DOCS, 1);

        best = s < best ? s : best;
    }
    return best;
}

static double open_close(const bench *b)
{
    double best = 1e9;

    for (size_t i = 0; i < 20; i++) {
        double began = now();
        rag_encoder *e;
        rag_error err;

        if (rag_encoder_open(&e, b->path, b->n_threads, &err) != RAG_OK)
            die(err.msg);
        rag_encoder_close(e);
        best = now() - began < best ? now() - began : best;
    }
    return best;
}

static double tokens(bench *b)
{
    double began = now();
    size_t n_bytes = 0;

    while (n_bytes < (size_t)1 << 20) {
        for (size_t i = 0; i < N_DOCS; i++) {
            count(b, b->texts[i]);
            n_bytes += b->texts[i].len;
        }
    }
    return (double)n_bytes / 1e6 / (now() - began);
}

static double work(const bench *b)
{
    rag_weights w;
    rag_error err;
    double ops;

    if (rag_weights_open(&w, b->path, &err) != RAG_OK)
        die(err.msg);
    ops = 2.0 * w.head->n_layers * w.head->hidden *
          (4.0 * w.head->hidden + 2.0 * w.head->ffn) * N_DOCS * DOC_TOKENS;
    rag_weights_close(&w);
    return ops;
}

static void print_ids(bench *b, size_t i)
{
    int32_t ids[512];
    rag_error err;
    size_t n;

    if (rag_encoder_tokens(ids, 512, &n, b->one, b->texts[i], &err) != RAG_OK)
        die(err.msg);
    for (size_t t = 0; t < n && t < 512; t++)
        printf("%s%d", t != 0 ? " " : "", (int)ids[t]);
}

static void print_vector(bench *b, size_t i)
{
    run(b, b->one, i, 1);
    for (size_t d = 0; d < b->dims; d++)
        printf("%s%.9g", d != 0 ? " " : "",
               (double)b->vectors[i * b->dims + d]);
}

static void print_docs(bench *b)
{
    double cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    double wall = run(b, b->many, 0, N_DOCS);

    printf("%.6f %.6f", wall, clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

static void answer(bench *b, const char *line)
{
    size_t i = 0;

    if (strchr(line, ' ') != NULL)
        i = (size_t)strtoul(strchr(line, ' '), NULL, 10);
    if (i > N_DOCS)
        die("no such document");
    if (strncmp(line, "ids", 3) == 0)
        print_ids(b, i);
    else if (strncmp(line, "vector", 6) == 0)
        print_vector(b, i);
    else if (strncmp(line, "text", 4) == 0)
        printf("%.*s", (int)b->texts[i].len, b->texts[i].ptr);
    else if (strncmp(line, "tier", 4) == 0)
        printf("%s", rag_encoder_tier());
    else if (strncmp(line, "docs", 4) == 0)
        print_docs(b);
    else if (strncmp(line, "query", 5) == 0)
        printf("%.6f", query(b));
    else if (strncmp(line, "peak", 4) == 0)
        printf("%.4g", peak(b));
    else if (strncmp(line, "work", 4) == 0)
        printf("%.6g", work(b));
    else if (strncmp(line, "tokens", 6) == 0)
        printf("%.2f", tokens(b));
    else if (strncmp(line, "open", 4) == 0)
        printf("%.6f", open_close(b));
    else
        die("no such command");
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    bench b = {0};
    char line[64];
    rag_error err;

    if (argc != 3)
        die("usage: bench_encoder MODEL THREADS");
    b.path = argv[1];
    b.n_threads = (size_t)strtoul(argv[2], NULL, 10);
    if (b.n_threads == 0 || b.n_threads > MOST_THREADS)
        die("threads: 1 to 64");
    if (rag_encoder_open(&b.many, b.path, b.n_threads, &err) != RAG_OK ||
        rag_encoder_open(&b.one, b.path, 1, &err) != RAG_OK)
        die(err.msg);
    b.dims = rag_encoder_about(b.one)->dims;
    b.vectors = calloc((N_DOCS + 1) * b.dims, sizeof *b.vectors);
    if (b.vectors == NULL)
        die("no memory");
    for (uint32_t i = 0; i < N_DOCS; i++)
        b.texts[i] = make_text(&b, "passage:", DOC_TOKENS, i + 1);
    b.texts[N_DOCS] = make_text(&b, "query:", QUERY_TOKENS, 99);
    run(&b, b.many, 0, N_DOCS + 1);
    while (fgets(line, sizeof line, stdin) != NULL)
        answer(&b, line);
    return 0;
}
