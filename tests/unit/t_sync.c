/* The rules of the sync: what is read again, and what is not even opened;
 * roots, names, dry runs, stopping. Reads and opens are counted at the linker's
 * seams. */

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

/* ---- unchanged ----------------------------------------------------------- */

static void test_unchanged(void **state)
{
    struct timespec t[2] = {{1000000000, 5}, {1000000000, 5}};
    sy *f = *state;

    sy_put(f, "docs/a.md", "# one\n\nfirst text\n");
    assert_int_equal(utimensat(AT_FDCWD, sy_at(f, "docs/a.md"), t, 0), 0);
    SY_OK(f, "docs");
    reset();
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_unchanged, 1);
    assert_int_equal(n_opened, 0); /* not even opened */
    /* touched: a hash, no reading, no new version */
    sy_age(f, "docs/a.md", 1800);
    reset();
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_unchanged, 1);
    assert_int_equal(n_opened, 1);
    assert_int_equal(n_read, 0);
    reset();
    SY_OK(f, "docs");
    assert_int_equal(n_opened, 0); /* the new look is kept */
    /* the same size and the old time: only ctime tells */
    assert_int_equal(utimensat(AT_FDCWD, sy_at(f, "docs/a.md"), t, 0), 0);
    SY_OK(f, "docs");
    sy_put(f, "docs/a.md", "# two\n\nother text\n");
    assert_int_equal(utimensat(AT_FDCWD, sy_at(f, "docs/a.md"), t, 0), 0);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_updated, 1);
}

/* a file as young as the look at it may have changed within the clock's grain
 */
static void test_two_seconds(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_age(f, "docs/a.md", 0);
    SY_OK(f, "docs");
    reset();
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_unchanged, 1);
    assert_int_equal(n_opened, 1); /* hashed */
    assert_int_equal(n_read, 0);
    /* from the future: never trusted */
    sy_age(f, "docs/a.md", -3600);
    SY_OK(f, "docs");
    reset();
    SY_OK(f, "docs");
    assert_int_equal(n_opened, 1);
}

static void test_failed_remembered(void **state)
{
    static const char zeros[100];
    sy *f = *state;

    sy_put(f, "docs/bad.pdf", "%PDF-1.4\nthis is no PDF at all\n");
    sy_putn(f, "docs/b.bin", zeros, sizeof zeros);
    sy_put(f, "docs/empty.md", "");
    sy_doc(f, "docs/a.md", "apple");
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_failed, 1);
    assert_int_equal(f->rep.n_skipped, 2);
    reset();
    SY_OK(f, "docs");
    assert_string_equal(f->said.ptr,
                        "docs/a.md=unchanged;docs/b.bin=skipped;"
                        "docs/bad.pdf=failed;docs/empty.md=skipped;");
    assert_non_null(strstr(f->why.ptr, "PDF"));
    assert_int_equal(n_opened, 0);
    /* touched, it is read again: there is no version to be equal to */
    sy_age(f, "docs/bad.pdf", 100);
    SY_OK(f, "docs");
    assert_int_equal(n_read, 1);
    assert_int_equal(f->rep.n_failed, 1);
}

/* a failure of the machine says nothing about the file */
static void test_disk_fails(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    disk_fails = true;
    SY_OK(f, "docs");
    disk_fails = false;
    assert_int_equal(f->rep.n_failed, 1);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_added, 1);
    assert_string_equal(sy_list(f), "docs/a.md;");
}

static void test_other_settings(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    SY_OK(f, "docs");
    f->cfg.chunk_min_tokens = 20;
    f->cfg.chunk_max_tokens = 40;
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_updated, 1);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_unchanged, 1);
    f->o.type = "text";
    SY_OK(f, "docs/a.md");
    assert_int_equal(f->rep.n_updated, 1);
}

/* the reader that was asked for is a setting of the root */
static void test_type_of_root(void **state)
{
    sy *f = *state;

    sy_put(f, "docs/a.log", "# heading\n\ntext of it\n");
    f->o.type = "markdown";
    SY_OK(f, "docs/a.log");
    f->o.type = NULL;
    OK(SY_RUN_ALL(f), &f->err);
    assert_int_equal(f->rep.n_unchanged, 1);
}

static void test_records(void **state)
{
    sy *f = *state;

    sy_put(f, "docs/c.jsonl",
           "{\"_id\":\"1\",\"title\":\"\",\"text\":\"the apple record\"}\n"
           "{\"_id\":\"2\",\"title\":\"\",\"text\":\"the banana record\"}\n"
           "{\"_id\":\"3\",\"title\":\"\",\"te\n"
           "{\"_id\":\"4\",\"title\":\"\",\"text\":\"the cherry record\"}\n");
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_added, 1);
    assert_int_equal(f->rep.n_partial, 1);
    assert_int_equal(f->rep.n_failed, 0);
    assert_non_null(strstr(f->why.ptr, "3")); /* the line */
    assert_string_equal(sy_list(f), "docs/c.jsonl#1;docs/c.jsonl#2;"
                                    "docs/c.jsonl#4;");
    assert_string_equal(sy_find(f, "cherry", RAG_LEXICAL), "docs/c.jsonl#4;");
    /* said again, as of any file that is not whole */
    reset();
    SY_OK(f, "docs");
    assert_int_equal(n_opened, 0);
    assert_int_equal(f->rep.n_unchanged, 1);
    assert_int_equal(f->rep.n_partial, 1);
    sy_age(f, "docs/c.jsonl", 60);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_unchanged, 1);
    assert_int_equal(f->rep.n_partial, 1);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_partial, 1);
}

static void test_broken_keeps(void **state)
{
    static const char zeros[4096];
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_doc(f, "docs/b.md", "banana");
    SY_OK(f, "docs");
    sy_putn(f, "docs/a.md", zeros, sizeof zeros); /* no text any more */
    sy_put(f, "docs/b.md", "");
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_failed, 2);
    assert_non_null(strstr(f->why.ptr, "last good version"));
    assert_string_equal(sy_list(f), "docs/a.md(broken);docs/b.md(broken);");
    assert_string_equal(sy_find(f, "apple", RAG_LEXICAL), "docs/a.md(broken);");
    /* remembered: reported again, not read again */
    reset();
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_failed, 2);
    assert_int_equal(n_opened, 0);
    /* and mended */
    sy_doc(f, "docs/a.md", "apple");
    sy_doc(f, "docs/b.md", "cherry");
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_updated, 2);
    assert_string_equal(sy_list(f), "docs/a.md;docs/b.md;");
    assert_string_equal(sy_find(f, "banana", RAG_LEXICAL), "");
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
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    assert_int_equal(symlink("docs", sy_at(f, "link")), 0);
    SY_OK(f, "link");
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_unchanged, 1);
    SY_OK(f, "link/a.md");
    assert_int_equal(f->rep.n_unchanged, 1);
    assert_string_equal(sy_list(f), "docs/a.md;");
    /* the link is gone, the root is not */
    assert_int_equal(unlink(sy_at(f, "link")), 0);
    assert_int_equal(SY_RUN(f, "link"), RAG_E_INVAL);
    OK(SY_RUN_ALL(f), &f->err);
    assert_int_equal(f->rep.n_unchanged, 1);
}

static void test_follow(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_doc(f, "out/b.md", "banana");
    assert_int_equal(symlink("../out", sy_at(f, "docs/l")), 0);
    assert_int_equal(symlink("..", sy_at(f, "out/loop")), 0);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_added, 1);
    f->o.follow = true;
    SY_OK(f, "docs");
    assert_non_null(strstr(f->said.ptr, "docs/l/b.md=added;"));
    /* without it the linked file is left out, so it is kept */
    f->o.follow = false;
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_removed, 0);
}

static void test_root_changes_kind(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/x", "apple");
    SY_OK(f, "docs/x");
    assert_int_equal(unlink(sy_at(f, "docs/x")), 0);
    sy_doc(f, "docs/x/a.md", "banana");
    OK(SY_RUN_ALL(f), &f->err);
    assert_true(f->rep.roots_missing);
    SY_OK(f, "docs/x");
    assert_string_equal(sy_list(f), "docs/x/a.md;");
    /* and back: what was in the folder is not thrown away in silence */
    assert_int_equal(unlink(sy_at(f, "docs/x/a.md")), 0);
    assert_int_equal(rmdir(sy_at(f, "docs/x")), 0);
    sy_doc(f, "docs/x", "cherry");
    SY_OK(f, "docs/x");
    assert_true(f->rep.roots_missing);
    assert_string_equal(sy_list(f), "docs/x/a.md(gone);");
    (void)sy_rm(f, "docs/x/a.md", false);
    SY_OK(f, "docs/x");
    assert_string_equal(sy_list(f), "docs/x;");
}

/* the store is no document, wherever it lies */
static void test_store_inside(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    (void)snprintf(f->store, sizeof f->store, "%s/docs/st", f->base);
    SY_OK(f, "docs");
    SY_OK(f, "docs");
    assert_string_equal(f->said.ptr, "docs/a.md=unchanged;");
}

/* ---- names --------------------------------------------------------------- */

static void test_names(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/\xEA\xB0\x80.md", "nfc");
    sy_doc(f, "docs/\xE1\x84\x80\xE1\x85\xA1.md", "nfd");
    sy_doc(f, "docs/a b.md", "space");
    sy_doc(f, "docs/a\nb.md", "newline");
    sy_doc(f, "docs/\xFF.md", "invalid");
    sy_doc(f, "docs/#p1:3.md", "parts");
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_added, 6);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_unchanged, 6);
    assert_string_equal(sy_find(f, "nfc", RAG_LEXICAL),
                        "docs/\xEA\xB0\x80.md;");
    assert_string_equal(sy_find(f, "nfd", RAG_LEXICAL),
                        "docs/\xE1\x84\x80\xE1\x85\xA1.md;");
    assert_string_equal(sy_find(f, "invalid", RAG_LEXICAL), "docs/\\xff.md;");
    /* valid UTF-8 is given as it is; terminals are the command line's care */
    assert_string_equal(sy_find(f, "newline", RAG_LEXICAL), "docs/a\nb.md;");
    assert_int_equal(unlink(sy_at(f, "docs/\xFF.md")), 0);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_removed, 1);
    assert_int_equal(sy_rm(f, "docs/a b.md", true).n_files, 1);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_added, 0);
    SY_OK(f, "docs/a\nb.md");
    assert_int_equal(f->rep.n_unchanged, 1);
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
    sy *f = *state;

    pipe_in(f, "notes.md", "# Note\n\nthe apple\n");
    assert_string_equal(f->said.ptr, "notes.md=added;");
    pipe_in(f, "notes.md", "# Note\n\nthe apple\n");
    assert_string_equal(f->said.ptr, "notes.md=unchanged;");
    pipe_in(f, NULL, "something of a banana\n");
    pipe_in(f, "notes.md", "# Note\n\nthe cherry\n");
    assert_string_equal(f->said.ptr, "notes.md=updated;");
    assert_string_equal(sy_list(f), "notes.md;stdin;");
    assert_string_equal(sy_find(f, "apple", RAG_LEXICAL), "");
    assert_string_equal(sy_find(f, "cherry", RAG_LEXICAL), "notes.md;");
    /* no sync takes it away */
    sy_doc(f, "docs/a.md", "date");
    SY_OK(f, "docs");
    OK(SY_RUN_ALL(f), &f->err);
    assert_string_equal(sy_list(f), "notes.md;stdin;docs/a.md;");
    assert_int_equal(sy_rm(f, "notes.md", false).n_come_back, 0);
    pipe_in(f, "none.md", "");
    assert_string_equal(f->said.ptr, "none.md=skipped;");
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
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_doc(f, "docs/b.md", "banana");
    f->o.dry_run = true;
    OK(sy_run_mode(f, RAG_OPEN_NONE, (const char *const[]){"docs", NULL}),
       &f->err);
    assert_int_equal(f->rep.n_added, 2);
    assert_int_equal(f->rep.n_chunks, 2);
    assert_true(f->rep.n_tokens > 10);
    assert_int_equal(f->rep.n_requests, 0); /* no model, no request */
    f->cfg.embed_model = "openai:fake";     /* and none is sent */
    f->cfg.embed_batch_texts = 1;
    OK(sy_run_mode(f, RAG_OPEN_NONE, (const char *const[]){"docs", NULL}),
       &f->err);
    assert_int_equal(f->rep.n_requests, 2);
    f->cfg.embed_model = "none";
    assert_int_equal(stat(f->store, &sb), -1); /* no store was made */
    assert_int_equal(
        sy_run_mode(f, RAG_OPEN_NONE, (const char *const[]){"dosc", NULL}),
        RAG_E_INVAL);
    f->o.dry_run = false;
    SY_OK(f, "docs");
    was = generation(f);
    assert_int_equal(unlink(sy_at(f, "docs/a.md")), 0);
    sy_doc(f, "docs/b.md", "blueberry");
    sy_doc(f, "docs/c.md", "cherry");
    sy_doc(f, "more/d.md", "date");
    f->o.dry_run = true;
    OK(sy_run_mode(f, RAG_OPEN_READ,
                   (const char *const[]){"docs", "more", NULL}),
       &f->err);
    assert_string_equal(f->said.ptr, "docs/b.md=updated;docs/c.md=added;"
                                     "docs/a.md=removed;more/d.md=added;");
    f->o.dry_run = false;
    assert_int_equal(generation(f), was);
    assert_string_equal(sy_list(f), "docs/a.md(gone);docs/b.md(changed);");
}

static void test_stale(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_doc(f, "docs/b.md", "banana");
    SY_OK(f, "docs");
    assert_string_equal(sy_find(f, "apple", RAG_LEXICAL), "docs/a.md;");
    sy_put(f, "docs/a.md", "# quite another text\n");
    assert_int_equal(unlink(sy_at(f, "docs/b.md")), 0);
    assert_string_equal(sy_find(f, "apple", RAG_LEXICAL),
                        "docs/a.md(changed);");
    assert_string_equal(sy_find(f, "banana", RAG_LEXICAL), "docs/b.md(gone);");
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
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    SY_OK(f, "docs");
    sy_doc(f, "docs/a.md", "apricot");
    sy_doc(f, "docs/b.md", "banana");
    f->on_file = busy_and_search;
    SY_OK(f, "docs");
    assert_true(f->n >= 2);
    assert_string_equal(sy_find(f, "apricot", RAG_LEXICAL), "docs/a.md;");
    assert_string_equal(sy_find(f, "apple", RAG_LEXICAL), "");
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
    sy *f = *state;

    f->cfg.n_jobs = 1;
    sy_numbered(f, 0, 40);
    f->on_file = stop_at_third;
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_CANCELLED);
    assert_true(f->rep.interrupted);
    n_first = f->rep.n_added;
    assert_true(n_first >= 3 && n_first < 40);
    /* what was finished is kept */
    assert_string_equal(sy_find(f, "zqaa", RAG_LEXICAL), "docs/n00.md;");
    f->on_file = NULL;
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_unchanged, n_first);
    assert_int_equal(f->rep.n_added, 40 - n_first);
    /* nothing is removed by a run that did not see everything */
    f->on_file = stop_at_third;
    sy_forget(f, 20, 22);
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_CANCELLED);
    assert_int_equal(f->rep.n_removed, 0);
}

static void test_strict(void **state)
{
    sy *f = *state;

    sy_put(f, "docs/a.pdf", "%PDF-1.4\nthis is no PDF at all\n");
    sy_doc(f, "docs/b.md", "banana");
    f->o.strict = true;
    assert_int_equal(SY_RUN(f, "docs/a.pdf", "docs/b.md"), RAG_E_FORMAT);
    assert_non_null(strstr(f->err.msg, "docs/a.pdf"));
    f->o.strict = false;
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_failed, 1);
    assert_string_equal(sy_list(f), "docs/b.md;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SY_TEST(test_broken_keeps),
        SY_TEST(test_unchanged),
        SY_TEST(test_two_seconds),
        SY_TEST(test_failed_remembered),
        SY_TEST(test_disk_fails),
        SY_TEST(test_other_settings),
        SY_TEST(test_type_of_root),
        SY_TEST(test_records),
        cmocka_unit_test(test_overlap),
        SY_TEST(test_through_link),
        SY_TEST(test_follow),
        SY_TEST(test_root_changes_kind),
        SY_TEST(test_store_inside),
        SY_TEST(test_names),
        SY_TEST(test_stdin),
        SY_TEST(test_dry_run),
        SY_TEST(test_stale),
        SY_TEST(test_at_once),
        SY_TEST(test_cancel),
        SY_TEST(test_strict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
