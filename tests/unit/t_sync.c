/* The rules of the sync: what is removed, kept, read again, and what is not
 * even opened. Reads, opens and hashes are counted at the linker's seams. */

#include "sync_fixture.h"

#include <sys/wait.h>

#include "base/walk.h"
#include "doc/doc.h"

/* ---- what a run costs ---------------------------------------------------- */

static int n_opened;
static int n_read;
static bool disk_fails; /* the next reading fails as a broken disk does */

int __real_rag_walk_open(int root_fd, const char *key, bool follow);
int __wrap_rag_walk_open(int root_fd, const char *key, bool follow);
int __wrap_rag_walk_open(int root_fd, const char *key, bool follow)
{
    __atomic_add_fetch(&n_opened, 1, __ATOMIC_SEQ_CST);
    return __real_rag_walk_open(root_fd, key, follow);
}

rag_status __real_rag_doc_read(int fd, const char *name,
                               const rag_doc_opts *opts, rag_doc_sink sink,
                               void *ctx, rag_error *err);
rag_status __wrap_rag_doc_read(int fd, const char *name,
                               const rag_doc_opts *opts, rag_doc_sink sink,
                               void *ctx, rag_error *err);
rag_status __wrap_rag_doc_read(int fd, const char *name,
                               const rag_doc_opts *opts, rag_doc_sink sink,
                               void *ctx, rag_error *err)
{
    __atomic_add_fetch(&n_read, 1, __ATOMIC_SEQ_CST);
    if (disk_fails)
        return rag_fail(err, RAG_E_IO, "cannot be read: input/output error");
    return __real_rag_doc_read(fd, name, opts, sink, ctx, err);
}

static void reset(void)
{
    n_opened = n_read = 0;
}

/* ---- removing ------------------------------------------------------------ */

static void test_removed(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/b.md", "banana");
    sy_doc(&f, "docs/sub/c.md", "cherry");
    SY_OK(&f, "docs");
    assert_string_equal(f.said.ptr, "docs/a.md=added;docs/b.md=added;"
                                    "docs/sub/c.md=added;");
    assert_int_equal(f.rep.n_added, 3);
    assert_string_equal(sy_find(&f, "banana", RAG_LEXICAL), "docs/b.md;");
    assert_int_equal(unlink(sy_at(&f, "docs/b.md")), 0);
    SY_OK(&f, "docs");
    assert_string_equal(f.said.ptr, "docs/a.md=unchanged;"
                                    "docs/sub/c.md=unchanged;"
                                    "docs/b.md=removed;");
    assert_string_equal(sy_list(&f), "docs/a.md;docs/sub/c.md;");
    assert_string_equal(sy_find(&f, "banana", RAG_LEXICAL), "");
    /* the folder of a file is gone, and the one above it was listed */
    assert_int_equal(unlink(sy_at(&f, "docs/sub/c.md")), 0);
    assert_int_equal(rmdir(sy_at(&f, "docs/sub")), 0);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_removed, 1);
    assert_string_equal(sy_list(&f), "docs/a.md;");
    sy_done(&f);
}

/* a run over a part removes nothing elsewhere */
static void test_part(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/s/b.md", "banana");
    sy_doc(&f, "docs/s/c.md", "cherry");
    SY_OK(&f, "docs");
    assert_int_equal(unlink(sy_at(&f, "docs/a.md")), 0);
    assert_int_equal(unlink(sy_at(&f, "docs/s/b.md")), 0);
    SY_OK(&f, "docs/s");
    assert_string_equal(f.said.ptr,
                        "docs/s/c.md=unchanged;docs/s/b.md=removed;");
    assert_string_equal(sy_list(&f), "docs/a.md(gone);docs/s/c.md;");
    SY_OK(&f, "docs/s/c.md");
    assert_int_equal(f.rep.n_removed, 0);
    sy_done(&f);
}

static void test_root_missing(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/s/a.md", "apple");
    sy_doc(&f, "more/b.md", "banana");
    SY_OK(&f, "docs", "more");
    assert_int_equal(rename(sy_at(&f, "docs"), sy_at(&f, "away")), 0);
    /* named or not, the other root is still synced */
    sy_doc(&f, "more/c.md", "cherry");
    OK(SY_RUN_ALL(&f), &f.err);
    assert_true(f.rep.roots_missing);
    assert_int_equal(f.rep.n_failed, 1);
    assert_int_equal(f.rep.n_added, 1);
    assert_int_equal(f.rep.n_removed, 0);
    SY_OK(&f, "docs", "more");
    assert_true(f.rep.roots_missing);
    assert_non_null(strstr(f.said.ptr, "docs=failed;"));
    assert_int_equal(f.rep.n_removed, 0);
    /* a folder and a file in it that the store knows */
    SY_OK(&f, "docs/s");
    assert_true(f.rep.roots_missing);
    SY_OK(&f, "docs/s/a.md");
    assert_true(f.rep.roots_missing);
    assert_string_equal(sy_list(&f), "docs/s/a.md(gone);more/b.md;more/c.md;");
    assert_int_equal(rename(sy_at(&f, "away"), sy_at(&f, "docs")), 0);
    OK(SY_RUN_ALL(&f), &f.err);
    assert_false(f.rep.roots_missing);
    assert_int_equal(f.rep.n_unchanged, 3);
    sy_done(&f);
}

/* a typing error does nothing at all */
static void test_never_there(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/b.md", "banana");
    assert_int_equal(SY_RUN(&f, "docs", "dosc"), RAG_E_INVAL);
    assert_non_null(strstr(f.err.msg, "dosc"));
    assert_string_equal(sy_list(&f), "");
    assert_int_equal(SY_RUN_ALL(&f), RAG_E_INVAL); /* no root was made */
    SY_OK(&f, "docs");
    assert_int_equal(unlink(sy_at(&f, "docs/a.md")), 0);
    assert_int_equal(SY_RUN(&f, "docs", "docs/never.md"), RAG_E_INVAL);
    assert_string_equal(sy_list(&f), "docs/a.md(gone);docs/b.md;");
    /* special files are none */
    assert_int_equal(mkfifo(sy_at(&f, "pipe"), 0666), 0);
    assert_int_equal(SY_RUN(&f, "docs", "pipe"), RAG_E_INVAL);
    assert_string_equal(sy_list(&f), "docs/a.md(gone);docs/b.md;");
    sy_done(&f);
}

/* As a user whom permissions stop; 0: all right. */
static int unreadable(void)
{
    sy f;
    int bad = 0;

    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 77;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/s/b.md", "banana");
    sy_doc(&f, "docs/s/t/c.md", "cherry");
    if (SY_RUN(&f, "docs") != RAG_OK || f.rep.n_added != 3)
        bad = 1;
    (void)chmod(sy_at(&f, "docs/s"), 0);
    if (SY_RUN(&f, "docs") != RAG_OK || !f.rep.roots_missing ||
        f.rep.n_failed != 1 || f.rep.n_removed != 0 || f.rep.n_kept != 2 ||
        f.rep.n_unchanged != 1)
        bad = bad != 0 ? bad : 2;
    (void)chmod(sy_at(&f, "docs/s"), 0755);
    (void)chmod(sy_at(&f, "docs"), 0);
    if (SY_RUN(&f, "docs") != RAG_OK || !f.rep.roots_missing ||
        f.rep.n_removed != 0)
        bad = bad != 0 ? bad : 3;
    (void)chmod(sy_at(&f, "docs"), 0755);
    if (strcmp(sy_list(&f), "docs/a.md;docs/s/b.md;docs/s/t/c.md;") != 0)
        bad = bad != 0 ? bad : 4;
    /* a file that may not be read now keeps its version, and is tried again */
    (void)chmod(sy_at(&f, "docs/a.md"), 0);
    if (SY_RUN(&f, "docs") != RAG_OK || f.rep.n_failed != 1 ||
        f.rep.n_unchanged != 2)
        bad = bad != 0 ? bad : 5;
    if (strcmp(sy_find(&f, "apple", RAG_LEXICAL), "docs/a.md(broken);") != 0)
        bad = bad != 0 ? bad : 6;
    (void)chmod(sy_at(&f, "docs/a.md"), 0644);
    if (SY_RUN(&f, "docs") != RAG_OK || f.rep.n_failed != 0)
        bad = bad != 0 ? bad : 7;
    if (bad != 0)
        (void)fprintf(stderr, "said: %s\nwhy: %s\n", f.said.ptr, f.why.ptr);
    sy_done(&f);
    return bad;
}

static void test_unreadable(void **state)
{
    int status = 0;
    pid_t pid;

    (void)state;
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0)
        _exit(unreadable());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- kept ---------------------------------------------------------------- */

static void test_filters_keep(void **state)
{
    const char *drafts[] = {"drafts"};
    const char *texts[] = {"*.txt"};
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/drafts/b.md", "banana");
    SY_OK(&f, "docs");
    f.o.exclude = drafts;
    f.o.n_exclude = 1;
    SY_OK(&f, "docs");
    assert_string_equal(f.said.ptr,
                        "docs/a.md=unchanged;docs/drafts/b.md=kept;");
    f.o.n_exclude = 0;
    f.o.include = texts;
    f.o.n_include = 1;
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_kept, 2);
    /* a bare run uses the filters of the last named one */
    f.o.n_include = 0;
    OK(SY_RUN_ALL(&f), &f.err);
    assert_int_equal(f.rep.n_kept, 2);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_unchanged, 2);
    sy_put(&f, "docs/.ragignore", "a.md\n");
    SY_OK(&f, "docs");
    assert_string_equal(f.said.ptr,
                        "docs/drafts/b.md=unchanged;docs/a.md=kept;");
    assert_string_equal(sy_list(&f), "docs/a.md;docs/drafts/b.md;");
    /* left out and gone: nobody looked, it stays */
    f.o.exclude = drafts;
    f.o.n_exclude = 1;
    assert_int_equal(unlink(sy_at(&f, "docs/drafts/b.md")), 0);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_removed, 0);
    sy_done(&f);
}

static void test_broken_keeps(void **state)
{
    static const char zeros[4096];
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/b.md", "banana");
    SY_OK(&f, "docs");
    sy_putn(&f, "docs/a.md", zeros, sizeof zeros); /* no text any more */
    sy_put(&f, "docs/b.md", "");
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_failed, 2);
    assert_non_null(strstr(f.why.ptr, "last good version"));
    assert_string_equal(sy_list(&f), "docs/a.md(broken);docs/b.md(broken);");
    assert_string_equal(sy_find(&f, "apple", RAG_LEXICAL),
                        "docs/a.md(broken);");
    /* remembered: reported again, not read again */
    reset();
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_failed, 2);
    assert_int_equal(n_opened, 0);
    /* and mended */
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/b.md", "cherry");
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_updated, 2);
    assert_string_equal(sy_list(&f), "docs/a.md;docs/b.md;");
    assert_string_equal(sy_find(&f, "banana", RAG_LEXICAL), "");
    sy_done(&f);
}

static void numbered(const sy *f, int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[64];
        char word[64];

        (void)snprintf(name, sizeof name, "docs/n%02d.md", i);
        (void)snprintf(word, sizeof word, "zq%c%c", 'a' + i / 10, 'a' + i % 10);
        sy_doc(f, name, word);
    }
}

static void forget(const sy *f, int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[64];

        (void)snprintf(name, sizeof name, "docs/n%02d.md", i);
        assert_int_equal(unlink(sy_at(f, name)), 0);
    }
}

static void test_held_back(void **state)
{
    static const char zeros[64];
    sy f;

    (void)state;
    sy_init(&f);
    f.cfg.n_jobs = 4;
    numbered(&f, 0, 20);
    SY_OK(&f, "docs");
    forget(&f, 0, 11);
    sy_doc(&f, "docs/new.md", "novelty");
    sy_doc(&f, "docs/n19.md", "changed");
    SY_OK(&f, "docs");
    assert_true(f.rep.needs_prune);
    assert_non_null(strstr(f.notes.ptr, "--prune"));
    assert_int_equal(f.rep.n_removed, 0);
    assert_int_equal(f.rep.n_kept, 11);
    assert_int_equal(f.rep.n_added, 1);
    assert_int_equal(f.rep.n_updated, 1);
    assert_string_equal(sy_find(&f, "zqad", RAG_LEXICAL), "docs/n03.md(gone);");
    f.o.prune = true;
    SY_OK(&f, "docs");
    assert_false(f.rep.needs_prune);
    assert_int_equal(f.rep.n_removed, 11);
    f.o.prune = false;
    /* ten may go, also when that is most of them */
    forget(&f, 11, 20);
    assert_int_equal(unlink(sy_at(&f, "docs/new.md")), 0);
    sy_doc(&f, "docs/last.md", "last");
    SY_OK(&f, "docs");
    assert_false(f.rep.needs_prune);
    assert_int_equal(f.rep.n_removed, 10);
    /* a third of many may go; files that were never stored do not count */
    numbered(&f, 0, 36);
    for (int i = 0; i < 20; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "docs/z%d.bin", i);
        sy_putn(&f, name, zeros, sizeof zeros);
    }
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_skipped, 20);
    forget(&f, 0, 12);
    for (int i = 0; i < 20; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "docs/z%d.bin", i);
        assert_int_equal(unlink(sy_at(&f, name)), 0);
    }
    SY_OK(&f, "docs");
    assert_false(f.rep.needs_prune);
    assert_int_equal(f.rep.n_removed, 12);
    sy_done(&f);
}

/* ---- forgetting ---------------------------------------------------------- */

static rag_rm_report rm(sy *f, const char *glob, bool ignore)
{
    rag_rm_opts o = {.globs = &glob, .n_globs = 1, .ignore = ignore};
    rag_rm_report rep;
    rag *r;

    OK(rag_open(&r, &f->cfg, RAG_OPEN_WRITE, 0, &f->err), &f->err);
    OK(rag_rm(&rep, r, &o, NULL, NULL, &f->err), &f->err);
    rag_close(r);
    return rep;
}

static void test_rm(void **state)
{
    rag_rm_report rep;
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/b.md", "banana");
    sy_doc(&f, "docs/x\ny.md", "newline");
    sy_doc(&f, "more/a.md", "avocado");
    SY_OK(&f, "docs", "more");
    rep = rm(&f, "docs/a.md", false);
    assert_int_equal(rep.n_files, 1);
    assert_int_equal(rep.n_come_back, 1);
    assert_string_equal(sy_find(&f, "apple", RAG_LEXICAL), "");
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_added, 1); /* as it was said */
    rep = rm(&f, "docs/a.md", true);
    assert_int_equal(rep.n_come_back, 0);
    (void)rm(&f, sy_at(&f, "docs/x\ny.md"), true);
    OK(SY_RUN_ALL(&f), &f.err);
    /* the list names files, not patterns: more/a.md is another one */
    assert_string_equal(f.said.ptr, "docs/b.md=unchanged;more/a.md=unchanged;");
    /* the root above takes over: the list still holds */
    SY_OK(&f, "docs", "more", "docs/../");
    assert_null(strstr(f.said.ptr, "docs/a.md"));
    /* by name it is wanted again */
    SY_OK(&f, "docs/a.md");
    assert_int_equal(f.rep.n_added, 1);
    SY_OK(&f, "docs");
    assert_non_null(strstr(f.said.ptr, "docs/a.md=unchanged;"));
    /* gone anyway */
    assert_int_equal(unlink(sy_at(&f, "docs/b.md")), 0);
    rep = rm(&f, "docs/b.md", false);
    assert_int_equal(rep.n_come_back, 0);
    sy_done(&f);
}

static void test_rm_file_root(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    SY_OK(&f, "docs/a.md");
    (void)rm(&f, "docs/a.md", true);
    OK(SY_RUN_ALL(&f), &f.err);
    assert_string_equal(sy_list(&f), "");
    SY_OK(&f, "docs/a.md");
    assert_string_equal(sy_list(&f), "docs/a.md;");
    (void)rm(&f, "docs/a.md", false);
    OK(SY_RUN_ALL(&f), &f.err);
    assert_string_equal(sy_list(&f), "docs/a.md;");
    sy_done(&f);
}

/* ---- unchanged ----------------------------------------------------------- */

static void test_unchanged(void **state)
{
    struct timespec t[2] = {{1000000000, 5}, {1000000000, 5}};
    sy f;

    (void)state;
    sy_init(&f);
    sy_put(&f, "docs/a.md", "# one\n\nfirst text\n");
    assert_int_equal(utimensat(AT_FDCWD, sy_at(&f, "docs/a.md"), t, 0), 0);
    SY_OK(&f, "docs");
    reset();
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_unchanged, 1);
    assert_int_equal(n_opened, 0); /* not even opened */
    /* touched: a hash, no reading, no new version */
    sy_age(&f, "docs/a.md", 1800);
    reset();
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_unchanged, 1);
    assert_int_equal(n_opened, 1);
    assert_int_equal(n_read, 0);
    reset();
    SY_OK(&f, "docs");
    assert_int_equal(n_opened, 0); /* the new look is kept */
    /* the same size and the old time: only ctime tells */
    assert_int_equal(utimensat(AT_FDCWD, sy_at(&f, "docs/a.md"), t, 0), 0);
    SY_OK(&f, "docs");
    sy_put(&f, "docs/a.md", "# two\n\nother text\n");
    assert_int_equal(utimensat(AT_FDCWD, sy_at(&f, "docs/a.md"), t, 0), 0);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_updated, 1);
    sy_done(&f);
}

/* a file as young as the look at it may have changed within the clock's grain
 */
static void test_two_seconds(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_age(&f, "docs/a.md", 0);
    SY_OK(&f, "docs");
    reset();
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_unchanged, 1);
    assert_int_equal(n_opened, 1); /* hashed */
    assert_int_equal(n_read, 0);
    /* from the future: never trusted */
    sy_age(&f, "docs/a.md", -3600);
    SY_OK(&f, "docs");
    reset();
    SY_OK(&f, "docs");
    assert_int_equal(n_opened, 1);
    sy_done(&f);
}

static void test_failed_remembered(void **state)
{
    static const char zeros[100];
    sy f;

    (void)state;
    sy_init(&f);
    sy_put(&f, "docs/bad.pdf", "%PDF-1.4\nthis is no PDF at all\n");
    sy_putn(&f, "docs/b.bin", zeros, sizeof zeros);
    sy_put(&f, "docs/empty.md", "");
    sy_doc(&f, "docs/a.md", "apple");
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_failed, 1);
    assert_int_equal(f.rep.n_skipped, 2);
    reset();
    SY_OK(&f, "docs");
    assert_string_equal(f.said.ptr,
                        "docs/a.md=unchanged;docs/b.bin=skipped;"
                        "docs/bad.pdf=failed;docs/empty.md=skipped;");
    assert_non_null(strstr(f.why.ptr, "PDF"));
    assert_int_equal(n_opened, 0);
    /* touched, it is read again: there is no version to be equal to */
    sy_age(&f, "docs/bad.pdf", 100);
    SY_OK(&f, "docs");
    assert_int_equal(n_read, 1);
    assert_int_equal(f.rep.n_failed, 1);
    sy_done(&f);
}

/* a failure of the machine says nothing about the file */
static void test_disk_fails(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    disk_fails = true;
    SY_OK(&f, "docs");
    disk_fails = false;
    assert_int_equal(f.rep.n_failed, 1);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_added, 1);
    assert_string_equal(sy_list(&f), "docs/a.md;");
    sy_done(&f);
}

static void test_other_settings(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    SY_OK(&f, "docs");
    f.cfg.chunk_min_tokens = 20;
    f.cfg.chunk_max_tokens = 40;
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_updated, 1);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_unchanged, 1);
    f.o.type = "text";
    SY_OK(&f, "docs/a.md");
    assert_int_equal(f.rep.n_updated, 1);
    sy_done(&f);
}

/* the reader that was asked for is a setting of the root */
static void test_type_of_root(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_put(&f, "docs/a.log", "# heading\n\ntext of it\n");
    f.o.type = "markdown";
    SY_OK(&f, "docs/a.log");
    f.o.type = NULL;
    OK(SY_RUN_ALL(&f), &f.err);
    assert_int_equal(f.rep.n_unchanged, 1);
    sy_done(&f);
}

static void test_records(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_put(&f, "docs/c.jsonl",
           "{\"_id\":\"1\",\"title\":\"\",\"text\":\"the apple record\"}\n"
           "{\"_id\":\"2\",\"title\":\"\",\"text\":\"the banana record\"}\n"
           "{\"_id\":\"3\",\"title\":\"\",\"te\n"
           "{\"_id\":\"4\",\"title\":\"\",\"text\":\"the cherry record\"}\n");
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_added, 1);
    assert_int_equal(f.rep.n_partial, 1);
    assert_int_equal(f.rep.n_failed, 0);
    assert_non_null(strstr(f.why.ptr, "3")); /* the line */
    assert_string_equal(sy_list(&f), "docs/c.jsonl#1;docs/c.jsonl#2;"
                                     "docs/c.jsonl#4;");
    assert_string_equal(sy_find(&f, "cherry", RAG_LEXICAL), "docs/c.jsonl#4;");
    /* said again, as of any file that is not whole */
    reset();
    SY_OK(&f, "docs");
    assert_int_equal(n_opened, 0);
    assert_int_equal(f.rep.n_unchanged, 1);
    assert_int_equal(f.rep.n_partial, 1);
    sy_age(&f, "docs/c.jsonl", 60);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_unchanged, 1);
    assert_int_equal(f.rep.n_partial, 1);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_partial, 1);
    sy_done(&f);
}

/* ---- roots --------------------------------------------------------------- */

static void test_overlap(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/s/b.md", "banana");
    sy_doc(&f, "docs/s/t/c.md", "cherry");
    /* child, file, then the parent: moved, not read again */
    SY_OK(&f, "docs/s/t");
    SY_OK(&f, "docs/a.md");
    SY_OK(&f, "docs/s");
    assert_int_equal(f.rep.n_unchanged, 1);
    assert_int_equal(f.rep.n_added, 1);
    reset();
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_unchanged, 3);
    assert_int_equal(n_opened, 0);
    assert_string_equal(sy_list(&f), "docs/a.md;docs/s/b.md;docs/s/t/c.md;");
    /* the child again: still in the parent */
    SY_OK(&f, "docs/s/t");
    assert_int_equal(f.rep.n_unchanged, 1);
    SY_OK(&f, "docs/s/t/c.md", "docs/s", "docs");
    assert_int_equal(f.rep.n_added, 0);
    assert_string_equal(sy_list(&f), "docs/a.md;docs/s/b.md;docs/s/t/c.md;");
    OK(SY_RUN_ALL(&f), &f.err);
    assert_int_equal(f.rep.n_unchanged, 3);
    sy_done(&f);
    /* all in one command */
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/s/b.md", "banana");
    SY_OK(&f, "docs/a.md", "docs/s", "docs", "docs/s");
    assert_string_equal(sy_list(&f), "docs/a.md;docs/s/b.md;");
    sy_done(&f);
}

static void test_through_link(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    assert_int_equal(symlink("docs", sy_at(&f, "link")), 0);
    SY_OK(&f, "link");
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_unchanged, 1);
    SY_OK(&f, "link/a.md");
    assert_int_equal(f.rep.n_unchanged, 1);
    assert_string_equal(sy_list(&f), "docs/a.md;");
    /* the link is gone, the root is not */
    assert_int_equal(unlink(sy_at(&f, "link")), 0);
    assert_int_equal(SY_RUN(&f, "link"), RAG_E_INVAL);
    OK(SY_RUN_ALL(&f), &f.err);
    assert_int_equal(f.rep.n_unchanged, 1);
    sy_done(&f);
}

static void test_follow(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "out/b.md", "banana");
    assert_int_equal(symlink("../out", sy_at(&f, "docs/l")), 0);
    assert_int_equal(symlink("..", sy_at(&f, "out/loop")), 0);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_added, 1);
    f.o.follow = true;
    SY_OK(&f, "docs");
    assert_non_null(strstr(f.said.ptr, "docs/l/b.md=added;"));
    /* without it the linked file is left out, so it is kept */
    f.o.follow = false;
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_removed, 0);
    sy_done(&f);
}

static void test_root_changes_kind(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/x", "apple");
    SY_OK(&f, "docs/x");
    assert_int_equal(unlink(sy_at(&f, "docs/x")), 0);
    sy_doc(&f, "docs/x/a.md", "banana");
    OK(SY_RUN_ALL(&f), &f.err);
    assert_true(f.rep.roots_missing);
    SY_OK(&f, "docs/x");
    assert_string_equal(sy_list(&f), "docs/x/a.md;");
    /* and back: what was in the folder is not thrown away in silence */
    assert_int_equal(unlink(sy_at(&f, "docs/x/a.md")), 0);
    assert_int_equal(rmdir(sy_at(&f, "docs/x")), 0);
    sy_doc(&f, "docs/x", "cherry");
    SY_OK(&f, "docs/x");
    assert_true(f.rep.roots_missing);
    assert_string_equal(sy_list(&f), "docs/x/a.md(gone);");
    (void)rm(&f, "docs/x/a.md", false);
    SY_OK(&f, "docs/x");
    assert_string_equal(sy_list(&f), "docs/x;");
    sy_done(&f);
}

/* the store is no document, wherever it lies */
static void test_store_inside(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    (void)snprintf(f.store, sizeof f.store, "%s/docs/st", f.base);
    SY_OK(&f, "docs");
    SY_OK(&f, "docs");
    assert_string_equal(f.said.ptr, "docs/a.md=unchanged;");
    sy_done(&f);
}

/* ---- names --------------------------------------------------------------- */

static void test_names(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/\xEA\xB0\x80.md", "nfc");
    sy_doc(&f, "docs/\xE1\x84\x80\xE1\x85\xA1.md", "nfd");
    sy_doc(&f, "docs/a b.md", "space");
    sy_doc(&f, "docs/a\nb.md", "newline");
    sy_doc(&f, "docs/\xFF.md", "invalid");
    sy_doc(&f, "docs/#p1:3.md", "parts");
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_added, 6);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_unchanged, 6);
    assert_string_equal(sy_find(&f, "nfc", RAG_LEXICAL),
                        "docs/\xEA\xB0\x80.md;");
    assert_string_equal(sy_find(&f, "nfd", RAG_LEXICAL),
                        "docs/\xE1\x84\x80\xE1\x85\xA1.md;");
    assert_string_equal(sy_find(&f, "invalid", RAG_LEXICAL), "docs/\\xff.md;");
    /* valid UTF-8 is given as it is; terminals are the command line's care */
    assert_string_equal(sy_find(&f, "newline", RAG_LEXICAL), "docs/a\nb.md;");
    assert_int_equal(unlink(sy_at(&f, "docs/\xFF.md")), 0);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_removed, 1);
    assert_int_equal(rm(&f, "docs/a b.md", true).n_files, 1);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_added, 0);
    SY_OK(&f, "docs/a\nb.md");
    assert_int_equal(f.rep.n_unchanged, 1);
    sy_done(&f);
}

static void pipe_in(sy *f, const char *name, const char *text)
{
    FILE *in = tmpfile();

    assert_non_null(in);
    (void)fputs(text, in);
    (void)fflush(in);
    (void)lseek(fileno(in), 0, SEEK_SET);
    f->o.stdin_fd = fileno(in);
    f->o.name = name;
    OK(SY_RUN_ALL(f), &f->err);
    f->o.stdin_fd = -1;
    f->o.name = NULL;
    (void)fclose(in);
}

static void test_stdin(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    pipe_in(&f, "notes.md", "# Note\n\nthe apple\n");
    assert_string_equal(f.said.ptr, "notes.md=added;");
    pipe_in(&f, "notes.md", "# Note\n\nthe apple\n");
    assert_string_equal(f.said.ptr, "notes.md=unchanged;");
    pipe_in(&f, NULL, "something of a banana\n");
    pipe_in(&f, "notes.md", "# Note\n\nthe cherry\n");
    assert_string_equal(f.said.ptr, "notes.md=updated;");
    assert_string_equal(sy_list(&f), "notes.md;stdin;");
    assert_string_equal(sy_find(&f, "apple", RAG_LEXICAL), "");
    assert_string_equal(sy_find(&f, "cherry", RAG_LEXICAL), "notes.md;");
    /* no sync takes it away */
    sy_doc(&f, "docs/a.md", "date");
    SY_OK(&f, "docs");
    OK(SY_RUN_ALL(&f), &f.err);
    assert_string_equal(sy_list(&f), "notes.md;stdin;docs/a.md;");
    assert_int_equal(rm(&f, "notes.md", false).n_come_back, 0);
    pipe_in(&f, "none.md", "");
    assert_string_equal(f.said.ptr, "none.md=skipped;");
    sy_done(&f);
}

/* ---- dry runs, stale files ------------------------------------------------
 */

static uint64_t generation(sy *f)
{
    rag_state *s;
    uint64_t n;
    rag *r;

    OK(rag_open(&r, &f->cfg, RAG_OPEN_READ, 0, &f->err), &f->err);
    OK(rag_state_get(&s, r, &f->err), &f->err);
    n = s->generation;
    rag_state_free(s);
    rag_close(r);
    return n;
}

static void test_dry_run(void **state)
{
    struct stat sb;
    uint64_t was;
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/b.md", "banana");
    f.o.dry_run = true;
    OK(sy_run_mode(&f, RAG_OPEN_NONE, (const char *const[]){"docs", NULL}),
       &f.err);
    assert_int_equal(f.rep.n_added, 2);
    assert_int_equal(f.rep.n_chunks, 2);
    assert_true(f.rep.n_tokens > 10);
    assert_int_equal(f.rep.n_requests, 0); /* no model, no request */
    f.cfg.embed_model = "openai:fake";     /* and none is sent */
    f.cfg.embed_batch_texts = 1;
    OK(sy_run_mode(&f, RAG_OPEN_NONE, (const char *const[]){"docs", NULL}),
       &f.err);
    assert_int_equal(f.rep.n_requests, 2);
    f.cfg.embed_model = "none";
    assert_int_equal(stat(f.store, &sb), -1); /* no store was made */
    assert_int_equal(
        sy_run_mode(&f, RAG_OPEN_NONE, (const char *const[]){"dosc", NULL}),
        RAG_E_INVAL);
    f.o.dry_run = false;
    SY_OK(&f, "docs");
    was = generation(&f);
    assert_int_equal(unlink(sy_at(&f, "docs/a.md")), 0);
    sy_doc(&f, "docs/b.md", "blueberry");
    sy_doc(&f, "docs/c.md", "cherry");
    sy_doc(&f, "more/d.md", "date");
    f.o.dry_run = true;
    OK(sy_run_mode(&f, RAG_OPEN_READ,
                   (const char *const[]){"docs", "more", NULL}),
       &f.err);
    assert_string_equal(f.said.ptr, "docs/b.md=updated;docs/c.md=added;"
                                    "docs/a.md=removed;more/d.md=added;");
    f.o.dry_run = false;
    assert_int_equal(generation(&f), was);
    assert_string_equal(sy_list(&f), "docs/a.md(gone);docs/b.md(changed);");
    sy_done(&f);
}

static void test_stale(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    sy_doc(&f, "docs/b.md", "banana");
    SY_OK(&f, "docs");
    assert_string_equal(sy_find(&f, "apple", RAG_LEXICAL), "docs/a.md;");
    sy_put(&f, "docs/a.md", "# quite another text\n");
    assert_int_equal(unlink(sy_at(&f, "docs/b.md")), 0);
    assert_string_equal(sy_find(&f, "apple", RAG_LEXICAL),
                        "docs/a.md(changed);");
    assert_string_equal(sy_find(&f, "banana", RAG_LEXICAL), "docs/b.md(gone);");
    sy_done(&f);
}

/* ---- two at once, and stopping ---------------------------------------------
 */

static void busy_and_search(sy *f, const rag_ingest_file *file)
{
    rag_status st;
    rag *r = NULL;

    (void)file;
    if (f->n++ != 0)
        return;
    st = rag_open(&r, &f->cfg, RAG_OPEN_WRITE, 0, &f->err);
    assert_int_equal(st, RAG_E_BUSY);
    /* readers see the last whole state */
    assert_string_equal(sy_find(f, "apple", RAG_LEXICAL),
                        "docs/a.md(changed);");
    assert_string_equal(sy_find(f, "apricot", RAG_LEXICAL), "");
}

static void test_at_once(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_doc(&f, "docs/a.md", "apple");
    SY_OK(&f, "docs");
    sy_doc(&f, "docs/a.md", "apricot");
    sy_doc(&f, "docs/b.md", "banana");
    f.on_file = busy_and_search;
    SY_OK(&f, "docs");
    assert_true(f.n >= 2);
    assert_string_equal(sy_find(&f, "apricot", RAG_LEXICAL), "docs/a.md;");
    assert_string_equal(sy_find(&f, "apple", RAG_LEXICAL), "");
    sy_done(&f);
}

static void stop_at_third(sy *f, const rag_ingest_file *file)
{
    (void)file;
    if (++f->n == 3)
        f->cancel = true;
}

static void test_cancel(void **state)
{
    uint64_t n_first;
    sy f;

    (void)state;
    sy_init(&f);
    f.cfg.n_jobs = 1;
    numbered(&f, 0, 40);
    f.on_file = stop_at_third;
    assert_int_equal(SY_RUN(&f, "docs"), RAG_E_CANCELLED);
    assert_true(f.rep.interrupted);
    n_first = f.rep.n_added;
    assert_true(n_first >= 3 && n_first < 40);
    /* what was finished is kept */
    assert_string_equal(sy_find(&f, "zqaa", RAG_LEXICAL), "docs/n00.md;");
    f.on_file = NULL;
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_unchanged, n_first);
    assert_int_equal(f.rep.n_added, 40 - n_first);
    /* nothing is removed by a run that did not see everything */
    f.on_file = stop_at_third;
    forget(&f, 20, 22);
    assert_int_equal(SY_RUN(&f, "docs"), RAG_E_CANCELLED);
    assert_int_equal(f.rep.n_removed, 0);
    sy_done(&f);
}

static void test_strict(void **state)
{
    sy f;

    (void)state;
    sy_init(&f);
    sy_put(&f, "docs/a.pdf", "%PDF-1.4\nthis is no PDF at all\n");
    sy_doc(&f, "docs/b.md", "banana");
    f.o.strict = true;
    assert_int_equal(SY_RUN(&f, "docs/a.pdf", "docs/b.md"), RAG_E_FORMAT);
    assert_non_null(strstr(f.err.msg, "docs/a.pdf"));
    f.o.strict = false;
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_failed, 1);
    assert_string_equal(sy_list(&f), "docs/b.md;");
    sy_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_part),
        cmocka_unit_test(test_root_missing),
        cmocka_unit_test(test_never_there),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_filters_keep),
        cmocka_unit_test(test_broken_keeps),
        cmocka_unit_test(test_held_back),
        cmocka_unit_test(test_rm),
        cmocka_unit_test(test_rm_file_root),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_two_seconds),
        cmocka_unit_test(test_failed_remembered),
        cmocka_unit_test(test_disk_fails),
        cmocka_unit_test(test_other_settings),
        cmocka_unit_test(test_type_of_root),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_through_link),
        cmocka_unit_test(test_follow),
        cmocka_unit_test(test_root_changes_kind),
        cmocka_unit_test(test_store_inside),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_stdin),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_strict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
