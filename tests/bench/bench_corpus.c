/*
 * bench_corpus — documents of a given size out of the lines of real ones.
 *
 * usage: bench_corpus files DIR N BYTES < LINES
 *        bench_corpus records DIR N BYTES < LINES
 *
 * files: N Markdown files of about BYTES in folders of 200. records: record
 * files (JSON lines) of 10,000 each. Lines are drawn by a fixed sequence of
 * pseudo-random numbers: two runs make the same bytes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_IN_FOLDER 200u
#define RECORDS_IN_FILE 10000u

static char **lines;
static size_t n_lines;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t next(void)
{
    static uint64_t x;
    uint64_t z = x += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void read_lines(void)
{
    size_t cap = 0;
    size_t room = 0;
    char *line = NULL;
    ssize_t n;

    while ((n = getline(&line, &room, stdin)) > 0) {
        line[n - 1] = '\0';
        /* plain sentences: no structure that would cut a document */
        if (n < 30 || n > 400 || strchr("#`-|{<>/ \t=*!", line[0]) != NULL)
            continue;
        if (n_lines == cap) {
            cap = cap != 0 ? cap * 2 : 4096;
            lines = realloc(lines, cap * sizeof *lines);
            if (lines == NULL)
                die("lines");
        }
        lines[n_lines] = strdup(line);
        if (lines[n_lines++] == NULL)
            die("lines");
    }
    free(line);
    if (n_lines < 100) {
        fprintf(stderr, "bench_corpus: hardly any lines\n");
        exit(1);
    }
}

static void put_escaped(FILE *f, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            (void)fputc('\\', f);
        if ((unsigned char)*s >= 0x20)
            (void)fputc(*s, f);
    }
}

static FILE *open_new(const char *dir, const char *fmt, unsigned long i)
{
    char name[64];
    char path[4200];
    FILE *f;

    (void)snprintf(name, sizeof name, fmt, i);
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    if (f == NULL)
        die(path);
    return f;
}

static void make_files(const char *dir, unsigned long n, size_t bytes)
{
    char sub[4096];

    for (unsigned long i = 0; i < n; i++) {
        size_t done = 0;
        FILE *f;

        (void)snprintf(sub, sizeof sub, "%s/%04lu", dir, i / FILES_IN_FOLDER);
        if (i % FILES_IN_FOLDER == 0 && mkdir(sub, 0777) != 0 &&
            errno != EEXIST)
            die(sub);
        f = open_new(sub, "note-%06lu.md", i);
        done += (size_t)fprintf(f, "# Note %lu\n\n", i);
        while (done < bytes)
            done += (size_t)fprintf(f, "%s\n", lines[next() % n_lines]);
        if (fclose(f) != 0)
            die(sub);
    }
}

static void make_records(const char *dir, unsigned long n, size_t bytes)
{
    FILE *f = NULL;

    for (unsigned long i = 0; i < n; i++) {
        size_t done = 0;

        if (i % RECORDS_IN_FILE == 0) {
            if (f != NULL && fclose(f) != 0)
                die(dir);
            f = open_new(dir, "records-%03lu.jsonl", i / RECORDS_IN_FILE);
        }
        (void)fprintf(f, "{\"_id\": \"r%lu\", \"text\": \"", i);
        while (done < bytes) {
            const char *line = lines[next() % n_lines];

            done += strlen(line) + 1;
            put_escaped(f, line);
            (void)fputc(' ', f);
        }
        (void)fprintf(f, "\"}\n");
    }
    if (f != NULL && fclose(f) != 0)
        die(dir);
}

int main(int argc, char **argv)
{
    if (argc != 5 ||
        (strcmp(argv[1], "files") != 0 && strcmp(argv[1], "records") != 0)) {
        fprintf(stderr, "usage: bench_corpus files|records DIR N BYTES\n");
        return 2;
    }
    read_lines();
    if (mkdir(argv[2], 0777) != 0 && errno != EEXIST)
        die(argv[2]);
    if (strcmp(argv[1], "files") == 0)
        make_files(argv[2], strtoul(argv[3], NULL, 10),
                   strtoul(argv[4], NULL, 10));
    else
        make_records(argv[2], strtoul(argv[3], NULL, 10),
                     strtoul(argv[4], NULL, 10));
    return 0;
}
