/*
 * bench_lexical — build, merge and search of the words index alone.
 *
 * usage: bench_lexical build DB N_CHUNKS PER_FLUSH SENTENCES...
 *        bench_lexical search DB QUERIES
 *
 * build: chunks of about 833 bytes drawn from files of sentences (one a line),
 * file by file in turn; the last chunks of the collection stay small segments.
 * search: every line of QUERIES once cold (SQLite opened anew, as one process a
 * question does) and once warm. Times are CPU time: other work on the machine
 * does not count.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/words.h"
#include "must.h"
#include "store/lexical.h"

#define CHUNK_BYTES 833u
#define MAX_FILES 8

static double now_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static sqlite3 *open_db(const char *path)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL",
                     NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(db));
        exit(1);
    }
    return db;
}

static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", text, sqlite3_errmsg(db));
        exit(1);
    }
}

static long peak_kb(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return r.ru_maxrss;
}

static size_t n_live;

static rag_bits all_live(int64_t n)
{
    uint8_t *bits = calloc((size_t)n / 8 + 1, 1);

    for (int64_t id = 1; id <= n; id++)
        bits[id / 8] |= (uint8_t)(1 << id % 8);
    n_live = (size_t)n;
    return (rag_bits){.bits = bits, .n_bytes = (size_t)n / 8 + 1};
}

struct sentences {
    char **lines;
    size_t n;
};

static struct sentences read_lines(const char *path)
{
    struct sentences s = {0};
    size_t cap = 0;
    char *line = NULL;
    size_t line_cap = 0;
    FILE *f = fopen(path, "r");

    if (f == NULL) {
        perror(path);
        exit(1);
    }
    while (getline(&line, &line_cap, f) > 0) {
        if (s.n == cap)
            s.lines = realloc(s.lines, (cap = 2 * cap + 64) * sizeof *s.lines);
        line[strcspn(line, "\n")] = '\0';
        s.lines[s.n++] = strdup(line);
    }
    free(line);
    fclose(f);
    return s;
}

static uint64_t seed = 1;

static size_t roll(size_t sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % sides;
}

static void draw_chunk(rag_buf *out, const struct sentences *s)
{
    rag_buf_clear(out);
    while (out->len < CHUNK_BYTES - 60) {
        rag_buf_addz(out, s->lines[roll(s->n)]);
        rag_buf_addc(out, ' ');
    }
}

static void merge_all(sqlite3 *db, rag_lex *x, const rag_bits *live)
{
    double longest = 0;
    bool more = true;
    int steps = 0;

    while (more) {
        double t = now_ms(CLOCK_PROCESS_CPUTIME_ID);

        sql(db, "BEGIN");
        must(rag_lex_merge(&more, x, live, false, &err));
        sql(db, "COMMIT");
        t = now_ms(CLOCK_PROCESS_CPUTIME_ID) - t;
        longest = t > longest ? t : longest;
        steps++;
    }
    printf("merge: %d steps, longest %.1f ms\n", steps, longest);
}

static int build(int argc, char **argv)
{
    int64_t n = atoll(argv[3]);
    int64_t per_flush = atoll(argv[4]);
    struct sentences files[MAX_FILES];
    size_t n_files = 0;
    rag_bits live = all_live(n);
    uint64_t bytes = 0;
    double spent = 0;
    sqlite3 *db;
    rag_lex *x;
    rag_buf b;

    for (int i = 5; i < argc && n_files < MAX_FILES; i++)
        files[n_files++] = read_lines(argv[i]);
    remove(argv[2]);
    db = open_db(argv[2]);
    sql(db, rag_lex_schema);
    must(rag_lex_new(&x, db, &err));
    rag_buf_init(&b, 1 << 20);
    for (int64_t id = 1; id <= n; id++) {
        double t;

        draw_chunk(&b, &files[(size_t)id % n_files]);
        bytes += b.len;
        t = now_ms(CLOCK_PROCESS_CPUTIME_ID);
        must(rag_lex_add(x, id, rag_str_n(NULL, 0), rag_buf_str(&b), &err));
        if (id % per_flush == 0 || id == n) {
            sql(db, "BEGIN");
            must(rag_lex_flush(x, &err));
            sql(db, "COMMIT");
        }
        spent += now_ms(CLOCK_PROCESS_CPUTIME_ID) - t;
    }
    printf("add and flush: %.0f CPU ms, %.1f MB of text, peak %ld MB\n", spent,
           (double)bytes / 1e6, peak_kb() / 1024);
    spent = now_ms(CLOCK_PROCESS_CPUTIME_ID);
    merge_all(db, x, &live);
    printf("merge: %.0f CPU ms, peak %ld MB\n",
           now_ms(CLOCK_PROCESS_CPUTIME_ID) - spent, peak_kb() / 1024);
    rag_lex_free(x);
    sql(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(db);
    {
        FILE *f = fopen(argv[2], "r");

        fseek(f, 0, SEEK_END);
        printf("file: %.1f MB, %.0f %% of the text\n", (double)ftell(f) / 1e6,
               100 * (double)ftell(f) / (double)bytes);
        fclose(f);
    }
    return 0;
}

struct query {
    rag_store_term terms[64];
    size_t n;
};

static rag_status add_word(void *ctx, const rag_word *w, rag_error *e)
{
    struct query *q = ctx;

    (void)e;
    if (q->n < 64 && !rag_words_is_stop(w->form))
        q->terms[q->n++] = (rag_store_term){w->key, RAG_TERM_SHOULD, 1, 1};
    return RAG_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void show_times(const char *name, double *ms, size_t n)
{
    qsort(ms, n, sizeof *ms, by_value);
    printf("%s: median %.2f, p95 %.2f, worst %.2f ms\n", name, ms[n / 2],
           ms[n * 95 / 100], ms[n - 1]);
}

static int search(char **argv)
{
    struct sentences queries = read_lines(argv[3]);
    double *cold = calloc(queries.n, sizeof *cold);
    double *warm = calloc(queries.n, sizeof *warm);
    rag_words *words = rag_words_new();
    rag_bits live;
    sqlite3 *db = open_db(argv[2]);
    sqlite3_stmt *stmt;

    sqlite3_prepare_v2(db, "SELECT max(last_chunk) FROM lex_segment", -1, &stmt,
                       NULL);
    sqlite3_step(stmt);
    live = all_live(sqlite3_column_int64(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    for (size_t i = 0; i < queries.n; i++) {
        struct query q = {.n = 0};
        rag_store_hit hits[50];
        rag_lex *x;
        size_t n;
        double t = now_ms(CLOCK_PROCESS_CPUTIME_ID);

        db = open_db(argv[2]);
        must(rag_lex_new(&x, db, &err));
        must(rag_words_each(words, rag_str_of(queries.lines[i]), add_word, &q,
                            &err));
        must(rag_lex_search(hits, &n, 50, x, q.terms, q.n, &live, NULL, &err));
        cold[i] = now_ms(CLOCK_PROCESS_CPUTIME_ID) - t;
        t = now_ms(CLOCK_PROCESS_CPUTIME_ID);
        must(rag_lex_search(hits, &n, 50, x, q.terms, q.n, &live, NULL, &err));
        warm[i] = now_ms(CLOCK_PROCESS_CPUTIME_ID) - t;
        rag_lex_free(x);
        sqlite3_close(db);
    }
    show_times("opening and first search", cold, queries.n);
    show_times("second search", warm, queries.n);
    printf("%zu chunks, peak %ld MB\n", n_live, peak_kb() / 1024);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 5 && strcmp(argv[1], "build") == 0)
        return build(argc, argv);
    if (argc == 4 && strcmp(argv[1], "search") == 0)
        return search(argv);
    fprintf(stderr, "usage: bench_lexical build DB N PER_FLUSH SENTENCES...\n"
                    "       bench_lexical search DB QUERIES\n");
    return 2;
}
