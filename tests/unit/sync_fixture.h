#ifndef RAG_TESTS_SYNC_FIXTURE_H
#define RAG_TESTS_SYNC_FIXTURE_H

/* Folders of documents, a store beside them, and what an ingest of them says.
 * Every run opens the store anew, as a command does. */

#include "test.h"

#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "rag.h"

typedef struct sy {
    char base[64]; /* removed at the end; documents lie in base/docs */
    char store[80], state[80], data[80], cwd[80];
    rag_config cfg;
    rag_ingest_opts o; /* of the next runs, without paths */
    rag_ingest_report rep;
    rag_buf said;  /* "a.md=added;" for every file, relative to base */
    rag_buf why;   /* reasons and warnings, one a line */
    rag_buf notes; /* for people, one a line */
    rag_error err;
    /* called for every file and every progress; may be NULL */
    void (*on_file)(struct sy *f, const rag_ingest_file *file);
    void (*on_progress)(struct sy *f, const rag_ingest_progress *p);
    rag *r; /* open while a run lasts */
    bool cancel;
    long n;
} sy;

/* base/name; a few at once. */
static inline const char *sy_at(const sy *f, const char *name)
{
    static char path[8][2048];
    static unsigned turn;
    char *p = path[turn++ % 8];

    (void)snprintf(p, 2048, "%s/%s", f->base, name);
    return p;
}

/* Sets the times of a file to some time ago, so that a look at it is trusted.
 */
static inline void sy_age(const sy *f, const char *name, long secs)
{
    struct timespec t[2];

    (void)clock_gettime(CLOCK_REALTIME, &t[0]);
    t[0].tv_sec -= secs;
    t[1] = t[0];
    assert_int_equal(
        utimensat(AT_FDCWD, sy_at(f, name), t, AT_SYMLINK_NOFOLLOW), 0);
}

/* Writes a file with its folders; an hour old. */
static inline void sy_putn(const sy *f, const char *name, const char *text,
                           size_t n)
{
    char path[2048];
    FILE *out;

    (void)snprintf(path, sizeof path, "%s", sy_at(f, name));
    for (char *p = path + strlen(f->base) + 1; *p != '\0'; p++)
        if (*p == '/') {
            *p = '\0';
            (void)mkdir(path, 0777);
            *p = '/';
        }
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
    sy_age(f, name, 3600);
}

static inline void sy_put(const sy *f, const char *name, const char *text)
{
    sy_putn(f, name, text, strlen(text));
}

/* A short Markdown document about a word of its own. */
static inline void sy_doc(const sy *f, const char *name, const char *word)
{
    char text[512];

    (void)snprintf(text, sizeof text,
                   "# About %s\n\nThis page explains %s in one sentence.\n",
                   word, word);
    sy_put(f, name, text);
}

static inline void sy_numbered(const sy *f, int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[64];
        char word[64];

        (void)snprintf(name, sizeof name, "docs/n%02d.md", i);
        (void)snprintf(word, sizeof word, "zq%c%c", 'a' + i / 10, 'a' + i % 10);
        sy_doc(f, name, word);
    }
}

static inline void sy_forget(const sy *f, int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[64];

        (void)snprintf(name, sizeof name, "docs/n%02d.md", i);
        assert_int_equal(unlink(sy_at(f, name)), 0);
    }
}

static inline bool sy_cancelled(void *ctx)
{
    const sy *f = ctx;

    return f->cancel;
}

static inline void sy_init(sy *f)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->base, sizeof f->base, "/tmp/rag_sync_XXXXXX");
    assert_non_null(folder_new(f->base));
    (void)snprintf(f->store, sizeof f->store, "%s/st", f->base);
    (void)snprintf(f->state, sizeof f->state, "%s/state", f->base);
    (void)snprintf(f->data, sizeof f->data, "%s/data", f->base);
    (void)snprintf(f->cwd, sizeof f->cwd, "%s", f->base);
    (void)mkdir(sy_at(f, "docs"), 0777);
    f->cfg =
        (rag_config){.store_dir = f->store,
                     .state_dir = f->state,
                     .data_dir = f->data,
                     .cwd = f->cwd,
                     .embed_model = "none",
                     .retrieve_k = 8,
                     .embed_price_per_mtok = -1,
                     .retrieve_dense_weight = -1,
                     .n_jobs = 1, /* so that the order is the same every time */
                     .cancelled = sy_cancelled,
                     .cancel_ctx = f};
    f->o.stdin_fd = -1;
    rag_buf_init(&f->said, 1 << 24);
    rag_buf_init(&f->why, 1 << 24);
    rag_buf_init(&f->notes, 1 << 20);
}

static inline void sy_done(sy *f)
{
    rag_buf_dispose(&f->said);
    rag_buf_dispose(&f->why);
    rag_buf_dispose(&f->notes);
    folder_drop(f->base);
}

/* A test with an sy of its own in *state, dropped also when it fails. */
static inline int sy_set_up(void **state)
{
    static sy f;

    sy_init(&f);
    *state = &f;
    return 0;
}

static inline int sy_tear_down(void **state)
{
    sy_done(*state);
    return 0;
}

#define SY_TEST(test)                                                          \
    cmocka_unit_test_setup_teardown(test, sy_set_up, sy_tear_down)

static inline void sy_on_file(void *ctx, const rag_ingest_file *file)
{
    sy *f = ctx;

    rag_buf_adds(&f->said, file->path);
    rag_buf_addf(&f->said, "=%s;", rag_ingest_result_name(file->result));
    rag_buf_adds(&f->why, file->reason);
    rag_buf_addc(&f->why, '\n');
    for (size_t i = 0; i < file->n_warnings; i++) {
        rag_buf_adds(&f->why, file->warnings[i]);
        rag_buf_addc(&f->why, '\n');
    }
    if (f->on_file != NULL)
        f->on_file(f, file);
}

static inline void sy_on_progress(void *ctx, const rag_ingest_progress *p)
{
    sy *f = ctx;

    if (f->on_progress != NULL)
        f->on_progress(f, p);
}

static inline void sy_on_note(void *ctx, const char *line)
{
    sy *f = ctx;

    rag_buf_addz(&f->notes, line);
    rag_buf_addc(&f->notes, '\n');
}

/* Opens, ingests, closes. paths: names below base, NULL-terminated; or "/..."
 * as they are. */
static inline rag_status sy_run_mode(sy *f, rag_open_mode mode,
                                     const char *const *paths)
{
    rag_ingest_watch w = {sy_on_file, sy_on_progress, sy_on_note, f};
    const char *full[64];
    char store[64][256];
    rag_ingest_opts o = f->o;
    rag_status st;

    for (; paths[o.n_paths] != NULL; o.n_paths++) {
        assert_true(o.n_paths < 64);
        (void)snprintf(store[o.n_paths], sizeof store[0], "%s",
                       paths[o.n_paths][0] == '/' ? paths[o.n_paths]
                                                  : sy_at(f, paths[o.n_paths]));
        full[o.n_paths] = store[o.n_paths];
    }
    o.paths = full;
    rag_buf_clear(&f->said);
    rag_buf_clear(&f->why);
    rag_buf_clear(&f->notes);
    memset(&f->rep, 0, sizeof f->rep);
    f->cancel = false;
    f->n = 0;
    st = rag_open(&f->r, &f->cfg, mode, 0, &f->err);
    if (st != RAG_OK)
        return st;
    st = rag_ingest(&f->rep, f->r, &o, &w, &f->err);
    rag_close(f->r);
    f->r = NULL;
    return st;
}

#define SY_RUN(f, ...)                                                         \
    sy_run_mode((f), RAG_OPEN_CREATE, (const char *const[]){__VA_ARGS__, NULL})
/* every known root */
#define SY_RUN_ALL(f)                                                          \
    sy_run_mode((f), RAG_OPEN_CREATE, (const char *const[]){NULL})
#define SY_OK(f, ...) OK(SY_RUN((f), __VA_ARGS__), &(f)->err)

static inline rag_status sy_add_name(void *ctx, const rag_document *d,
                                     rag_error *err)
{
    rag_buf *b = ctx;

    rag_buf_adds(b, d->name);
    if (d->stale != NULL)
        rag_buf_addf(b, "(%s)", d->stale);
    rag_buf_addc(b, ';');
    return rag_buf_status(b, err);
}

/* Documents of the store: "docs/a.md;docs/b.md(changed);". */
static inline const char *sy_list(sy *f)
{
    static rag_buf b;
    rag *r;

    rag_buf_dispose(&b);
    rag_buf_init(&b, 1 << 24);
    OK(rag_open(&r, &f->cfg, RAG_OPEN_READ, 0, &f->err), &f->err);
    OK(rag_list(r, NULL, true, sy_add_name, &b, &f->err), &f->err);
    rag_close(r);
    return b.ptr;
}

/* Names of the documents that a search finds, best first. */
static inline const char *sy_find_in(sy *f, rag *r, const char *query,
                                     rag_mode mode)
{
    static rag_buf b;
    rag_search_opts o = {.mode = mode, .k = 5, .check_stale = true};
    rag_hits *h = NULL;

    rag_buf_dispose(&b);
    rag_buf_init(&b, 1 << 20);
    OK(rag_search(&h, r, rag_str_of(query), &o, &f->err), &f->err);
    for (size_t i = 0; i < h->n_hits; i++) {
        rag_buf_adds(&b, h->hits[i].document);
        if (h->hits[i].stale)
            rag_buf_addf(&b, "(%s)", h->hits[i].stale_why);
        rag_buf_addc(&b, ';');
    }
    rag_hits_free(h);
    return b.ptr;
}

static inline const char *sy_find(sy *f, const char *query, rag_mode mode)
{
    const char *found;
    rag *r;

    OK(rag_open(&r, &f->cfg, RAG_OPEN_READ, 0, &f->err), &f->err);
    found = sy_find_in(f, r, query, mode);
    rag_close(r);
    return found;
}

/* Forgets what glob means. */
static inline rag_rm_report sy_rm(sy *f, const char *glob, bool ignore)
{
    rag_rm_opts o = {.globs = &glob, .n_globs = 1, .ignore = ignore};
    rag_rm_report rep;
    rag *r;

    OK(rag_open(&r, &f->cfg, RAG_OPEN_WRITE, 0, &f->err), &f->err);
    OK(rag_rm(&rep, r, &o, NULL, NULL, &f->err), &f->err);
    rag_close(r);
    return rep;
}

#endif /* RAG_TESTS_SYNC_FIXTURE_H */
