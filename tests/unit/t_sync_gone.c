/* What the sync removes and what it keeps: files that are gone, left out by
 * filters or cannot be looked at, roots that are not there, `rag rm`. */

#include "sync_fixture.h"

#include <sys/wait.h>

/* ---- removing ------------------------------------------------------------ */

static void test_removed(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_doc(f, "docs/b.md", "banana");
    sy_doc(f, "docs/sub/c.md", "cherry");
    SY_OK(f, "docs");
    assert_string_equal(f->said.ptr, "docs/a.md=added;docs/b.md=added;"
                                     "docs/sub/c.md=added;");
    assert_int_equal(f->rep.n_added, 3);
    assert_string_equal(sy_find(f, "banana", RAG_LEXICAL), "docs/b.md;");
    assert_int_equal(unlink(sy_at(f, "docs/b.md")), 0);
    SY_OK(f, "docs");
    assert_string_equal(f->said.ptr, "docs/a.md=unchanged;"
                                     "docs/sub/c.md=unchanged;"
                                     "docs/b.md=removed;");
    assert_string_equal(sy_list(f), "docs/a.md;docs/sub/c.md;");
    assert_string_equal(sy_find(f, "banana", RAG_LEXICAL), "");
    /* the folder of a file is gone, and the one above it was listed */
    assert_int_equal(unlink(sy_at(f, "docs/sub/c.md")), 0);
    assert_int_equal(rmdir(sy_at(f, "docs/sub")), 0);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_removed, 1);
    assert_string_equal(sy_list(f), "docs/a.md;");
}

/* a run over a part removes nothing elsewhere */
static void test_part(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_doc(f, "docs/s/b.md", "banana");
    sy_doc(f, "docs/s/c.md", "cherry");
    SY_OK(f, "docs");
    assert_int_equal(unlink(sy_at(f, "docs/a.md")), 0);
    assert_int_equal(unlink(sy_at(f, "docs/s/b.md")), 0);
    SY_OK(f, "docs/s");
    assert_string_equal(f->said.ptr,
                        "docs/s/c.md=unchanged;docs/s/b.md=removed;");
    assert_string_equal(sy_list(f), "docs/a.md(gone);docs/s/c.md;");
    SY_OK(f, "docs/s/c.md");
    assert_int_equal(f->rep.n_removed, 0);
}

static void test_root_missing(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/s/a.md", "apple");
    sy_doc(f, "more/b.md", "banana");
    SY_OK(f, "docs", "more");
    assert_int_equal(rename(sy_at(f, "docs"), sy_at(f, "away")), 0);
    /* named or not, the other root is still synced */
    sy_doc(f, "more/c.md", "cherry");
    OK(SY_RUN_ALL(f), &f->err);
    assert_true(f->rep.roots_missing);
    assert_int_equal(f->rep.n_failed, 1);
    assert_int_equal(f->rep.n_added, 1);
    assert_int_equal(f->rep.n_removed, 0);
    SY_OK(f, "docs", "more");
    assert_true(f->rep.roots_missing);
    assert_non_null(strstr(f->said.ptr, "docs=failed;"));
    assert_int_equal(f->rep.n_removed, 0);
    /* a folder and a file in it that the store knows */
    SY_OK(f, "docs/s");
    assert_true(f->rep.roots_missing);
    SY_OK(f, "docs/s/a.md");
    assert_true(f->rep.roots_missing);
    assert_string_equal(sy_list(f), "docs/s/a.md(gone);more/b.md;more/c.md;");
    assert_int_equal(rename(sy_at(f, "away"), sy_at(f, "docs")), 0);
    OK(SY_RUN_ALL(f), &f->err);
    assert_false(f->rep.roots_missing);
    assert_int_equal(f->rep.n_unchanged, 3);
}

/* a typing error does nothing at all */
static void test_never_there(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_doc(f, "docs/b.md", "banana");
    assert_int_equal(SY_RUN(f, "docs", "dosc"), RAG_E_INVAL);
    assert_non_null(strstr(f->err.msg, "dosc"));
    assert_string_equal(sy_list(f), "");
    assert_int_equal(SY_RUN_ALL(f), RAG_E_INVAL); /* no root was made */
    SY_OK(f, "docs");
    assert_int_equal(unlink(sy_at(f, "docs/a.md")), 0);
    assert_int_equal(SY_RUN(f, "docs", "docs/never.md"), RAG_E_INVAL);
    assert_string_equal(sy_list(f), "docs/a.md(gone);docs/b.md;");
    /* special files are none */
    assert_int_equal(mkfifo(sy_at(f, "pipe"), 0666), 0);
    assert_int_equal(SY_RUN(f, "docs", "pipe"), RAG_E_INVAL);
    assert_string_equal(sy_list(f), "docs/a.md(gone);docs/b.md;");
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
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_doc(f, "docs/drafts/b.md", "banana");
    SY_OK(f, "docs");
    f->o.exclude = drafts;
    f->o.n_exclude = 1;
    SY_OK(f, "docs");
    assert_string_equal(f->said.ptr,
                        "docs/a.md=unchanged;docs/drafts/b.md=kept;");
    f->o.n_exclude = 0;
    f->o.include = texts;
    f->o.n_include = 1;
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_kept, 2);
    /* a bare run uses the filters of the last named one */
    f->o.n_include = 0;
    OK(SY_RUN_ALL(f), &f->err);
    assert_int_equal(f->rep.n_kept, 2);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_unchanged, 2);
    sy_put(f, "docs/.ragignore", "a.md\n");
    SY_OK(f, "docs");
    assert_string_equal(f->said.ptr,
                        "docs/drafts/b.md=unchanged;docs/a.md=kept;");
    assert_string_equal(sy_list(f), "docs/a.md;docs/drafts/b.md;");
    /* left out and gone: nobody looked, it stays */
    f->o.exclude = drafts;
    f->o.n_exclude = 1;
    assert_int_equal(unlink(sy_at(f, "docs/drafts/b.md")), 0);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_removed, 0);
}

static void test_held_back(void **state)
{
    static const char zeros[64];
    sy *f = *state;

    f->cfg.n_jobs = 4;
    sy_numbered(f, 0, 20);
    SY_OK(f, "docs");
    sy_forget(f, 0, 11);
    sy_doc(f, "docs/new.md", "novelty");
    sy_doc(f, "docs/n19.md", "changed");
    SY_OK(f, "docs");
    assert_true(f->rep.needs_prune);
    assert_non_null(strstr(f->notes.ptr, "--prune"));
    assert_int_equal(f->rep.n_removed, 0);
    assert_int_equal(f->rep.n_kept, 11);
    assert_int_equal(f->rep.n_added, 1);
    assert_int_equal(f->rep.n_updated, 1);
    assert_string_equal(sy_find(f, "zqad", RAG_LEXICAL), "docs/n03.md(gone);");
    f->o.prune = true;
    SY_OK(f, "docs");
    assert_false(f->rep.needs_prune);
    assert_int_equal(f->rep.n_removed, 11);
    f->o.prune = false;
    /* ten may go, also when that is most of them */
    sy_forget(f, 11, 20);
    assert_int_equal(unlink(sy_at(f, "docs/new.md")), 0);
    sy_doc(f, "docs/last.md", "last");
    SY_OK(f, "docs");
    assert_false(f->rep.needs_prune);
    assert_int_equal(f->rep.n_removed, 10);
    /* a third of many may go; files that were never stored do not count */
    sy_numbered(f, 0, 36);
    for (int i = 0; i < 20; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "docs/z%d.bin", i);
        sy_putn(f, name, zeros, sizeof zeros);
    }
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_skipped, 20);
    sy_forget(f, 0, 12);
    for (int i = 0; i < 20; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "docs/z%d.bin", i);
        assert_int_equal(unlink(sy_at(f, name)), 0);
    }
    SY_OK(f, "docs");
    assert_false(f->rep.needs_prune);
    assert_int_equal(f->rep.n_removed, 12);
}

/* ---- forgetting ---------------------------------------------------------- */

static void test_rm(void **state)
{
    rag_rm_report rep;
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_doc(f, "docs/b.md", "banana");
    sy_doc(f, "docs/x\ny.md", "newline");
    sy_doc(f, "more/a.md", "avocado");
    SY_OK(f, "docs", "more");
    rep = sy_rm(f, "docs/a.md", false);
    assert_int_equal(rep.n_files, 1);
    assert_int_equal(rep.n_come_back, 1);
    assert_string_equal(sy_find(f, "apple", RAG_LEXICAL), "");
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_added, 1); /* as it was said */
    rep = sy_rm(f, "docs/a.md", true);
    assert_int_equal(rep.n_come_back, 0);
    (void)sy_rm(f, sy_at(f, "docs/x\ny.md"), true);
    OK(SY_RUN_ALL(f), &f->err);
    /* the list names files, not patterns: more/a.md is another one */
    assert_string_equal(f->said.ptr,
                        "docs/b.md=unchanged;more/a.md=unchanged;");
    /* the root above takes over: the list still holds */
    SY_OK(f, "docs", "more", "docs/../");
    assert_null(strstr(f->said.ptr, "docs/a.md"));
    /* by name it is wanted again */
    SY_OK(f, "docs/a.md");
    assert_int_equal(f->rep.n_added, 1);
    SY_OK(f, "docs");
    assert_non_null(strstr(f->said.ptr, "docs/a.md=unchanged;"));
    /* gone anyway */
    assert_int_equal(unlink(sy_at(f, "docs/b.md")), 0);
    rep = sy_rm(f, "docs/b.md", false);
    assert_int_equal(rep.n_come_back, 0);
}

static void test_rm_file_root(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    SY_OK(f, "docs/a.md");
    (void)sy_rm(f, "docs/a.md", true);
    OK(SY_RUN_ALL(f), &f->err);
    assert_string_equal(sy_list(f), "");
    SY_OK(f, "docs/a.md");
    assert_string_equal(sy_list(f), "docs/a.md;");
    (void)sy_rm(f, "docs/a.md", false);
    OK(SY_RUN_ALL(f), &f->err);
    assert_string_equal(sy_list(f), "docs/a.md;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SY_TEST(test_removed),
        SY_TEST(test_part),
        SY_TEST(test_root_missing),
        SY_TEST(test_never_there),
        cmocka_unit_test(test_unreadable),
        SY_TEST(test_filters_keep),
        SY_TEST(test_held_back),
        SY_TEST(test_rm),
        SY_TEST(test_rm_file_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
