/* Patterns and ignore files: the table is git's documentation (gitignore(5)),
 * each line with what `git check-ignore` says. */

#include "test.h"

#include <unistd.h>

#include "base/glob.h"
#include "base/ignore.h"

static bool glob(const char *pat, const char *path)
{
    return rag_glob_match(rag_str_of(pat), rag_str_of(path));
}

static void test_glob(void **state)
{
    (void)state;
    assert_true(glob("a.md", "a.md"));
    assert_false(glob("a.md", "A.md"));
    assert_false(glob("a.md", "a.mdx"));
    assert_true(glob("*.md", "a.md"));
    assert_true(glob("*.md", ".md"));
    assert_false(glob("*.md", "a/b.md"));
    assert_true(glob("a/*", "a/b"));
    assert_false(glob("a/*", "a/b/c"));
    assert_false(glob("a/*", "a"));
    assert_true(glob("?", "x"));
    assert_false(glob("?", "/"));
    assert_false(glob("?", ""));
    assert_true(glob("*", ""));
    assert_true(glob("", ""));
    assert_false(glob("", "a"));
    assert_true(glob("\\*", "*"));
    assert_false(glob("\\*", "a"));
    assert_true(glob("a\\", "a\\"));
}

static void test_deep(void **state)
{
    (void)state;
    assert_true(glob("**/foo", "foo"));
    assert_true(glob("**/foo", "a/b/foo"));
    assert_false(glob("**/foo", "a/xfoo"));
    assert_true(glob("**/foo/bar", "x/foo/bar"));
    assert_true(glob("abc/**", "abc/d/e"));
    assert_false(glob("abc/**", "abc"));
    assert_false(glob("abc/**", "x/abc/d"));
    assert_true(glob("a/**/b", "a/b"));
    assert_true(glob("a/**/b", "a/x/y/b"));
    assert_false(glob("a/**/b", "a/xb"));
    assert_true(glob("**", "a/b/c"));
    /* "other consecutive asterisks are considered regular asterisks" */
    assert_false(glob("foo**bar", "foo/x/bar"));
    assert_true(glob("foo**bar", "fooxbar"));
    assert_false(glob("**.md", "a/b.md"));
    assert_true(glob("a**", "ab"));
    assert_false(glob("a**", "a/b"));
}

static void test_class(void **state)
{
    (void)state;
    assert_true(glob("[abc]", "b"));
    assert_false(glob("[abc]", "d"));
    assert_true(glob("[a-c]x", "bx"));
    assert_true(glob("[!a-c]", "d"));
    assert_true(glob("[^a-c]", "d"));
    assert_false(glob("[!a]", "/"));
    assert_true(glob("[]a]", "]"));
    assert_true(glob("[a-]", "-"));
    assert_true(glob("[\\]]", "]"));
    assert_true(glob("[[:digit:]]", "7"));
    assert_false(glob("[[:digit:]]", "d"));
    assert_true(glob("[x[:upper:]_]", "Q"));
    assert_true(glob("[x[:upper:]_]", "_"));
    assert_false(glob("[[:nonsense:]]", "n"));
    assert_true(glob("[", "[")); /* no class at all */
    assert_true(glob("a[b", "a[b"));
    assert_false(glob("[a", "a"));
}

/* a character is what a person sees as one, not its first byte */
static void test_characters(void **state)
{
    (void)state;
    assert_true(glob("?.md", "한.md"));
    assert_false(glob("?.md", "한글.md"));
    assert_true(glob("[가-힣].md", "한.md"));
    assert_false(glob("[가-힣].md", "a.md"));
    assert_true(glob("[!a].md", "한.md"));
    assert_true(glob("?.md", "\xFF.md"));
    assert_true(glob("\xFF*", "\xFF\xFE"));
    assert_false(glob("[\x80]", "\x81"));
    assert_true(glob("[\x80]", "\x80"));
}

/* a time bomb ends: no match after a bounded effort */
static void test_bomb(void **state)
{
    char path[201];

    (void)state;
    memset(path, 'a', 200);
    path[200] = '\0';
    assert_false(glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", path));
    assert_false(glob("**/**/**/**/**/**/**/**/b", "a/a/a/a/a/a/a/a/a/a/a"));
    assert_true(glob("*a*a*a*a*a*a", path));
}

static bool pick(const char *pat, const char *path)
{
    return rag_glob_pick(rag_str_of(pat), rag_str_of(path));
}

static void test_pick(void **state)
{
    (void)state;
    assert_true(pick("*.md", "a/b/c.md"));
    assert_true(pick("docs", "docs/a/b.md"));
    assert_true(pick("docs/", "docs/a/b.md"));
    assert_true(pick("./docs", "docs/b.md"));
    assert_true(pick("docs/a", "docs/a/b.md"));
    assert_false(pick("docs/a", "docs/ab.md"));
    assert_false(pick("docs/a", "x/docs/a/b.md"));
    assert_true(pick("a", "docs/a/b.md"));
    assert_true(pick("b.md", "docs/a/b.md"));
    assert_false(pick("docs/*.md", "docs/a/b.md"));
    assert_true(pick("docs/**", "docs/a/b.md"));
    assert_false(pick("", "a"));
    assert_false(pick("./", "a"));
    assert_true(rag_glob_is(RAG_STR_LIT("a*")));
    assert_false(rag_glob_is(RAG_STR_LIT("a.md")));
}

/* ---- ignore files ------------------------------------------------------- */

static bool hit(const char *rules, const char *folder, const char *path,
                bool is_dir)
{
    rag_ignore *g = rag_ignore_new();
    rag_error err;
    bool yes;

    assert_non_null(g);
    OK(rag_ignore_add(g, rag_str_of(folder), rag_str_of(rules), &err), &err);
    yes = rag_ignore_hit(g, rag_str_of(path), is_dir);
    rag_ignore_free(g);
    return yes;
}

static void test_rules(void **state)
{
    (void)state;
    assert_true(hit("*.log\n", "", "a/b.log", false));
    assert_true(hit("*.log", "", "b.log", false));
    assert_false(hit("", "", "b.log", false));
    assert_false(hit("# b.log\n\n   \n", "", "b.log", false));
    assert_true(hit("\\#x", "", "#x", false));
    assert_true(hit("\\!x", "", "!x", false));
    assert_false(hit("*.log\n!b.log\n", "", "b.log", false));
    assert_true(hit("!b.log\n*.log\n", "", "b.log", false)); /* the last wins */
    /* folders only */
    assert_true(hit("build/", "", "a/build", true));
    assert_false(hit("build/", "", "a/build", false));
    /* anchored by a slash at the front or in the middle */
    assert_true(hit("/a.md", "", "a.md", false));
    assert_false(hit("/a.md", "", "x/a.md", false));
    assert_true(hit("doc/a.md", "", "doc/a.md", false));
    assert_false(hit("doc/a.md", "", "x/doc/a.md", false));
    assert_true(hit("**/doc/a.md", "", "x/doc/a.md", false));
    assert_true(hit("doc/frotz/", "", "doc/frotz", true));
    assert_false(hit("doc/frotz/", "", "a/doc/frotz", true));
    assert_true(hit("/*\n!/foo\n", "", "bar", true));
    assert_false(hit("/*\n!/foo\n", "", "foo", true));
    assert_false(hit("foo/*", "", "foo/bar/hello.c", false));
    assert_true(hit("foo/*", "", "foo/test.json", false));
}

static void test_rule_lines(void **state)
{
    (void)state;
    assert_true(hit("a.md   \n", "", "a.md", false)); /* trailing spaces */
    assert_true(hit("a\\ \n", "", "a ", false));      /* unless escaped */
    assert_true(hit("a.md\r\nb.md\r\n", "", "a.md", false));
    assert_true(hit("\xEF\xBB\xBF"
                    "a.md\n",
                    "", "a.md", false));
    assert_true(hit("a b.md", "", "a b.md", false));
    assert_false(hit("/\n!\n", "", "a", true));
}

/* rules of a file hold below its own folder */
static void test_rule_folder(void **state)
{
    (void)state;
    assert_true(hit("/a.md", "sub", "sub/a.md", false));
    assert_false(hit("/a.md", "sub", "a.md", false));
    assert_false(hit("/a.md", "sub", "subx/a.md", false));
    assert_false(hit("*.md", "sub", "subx/a.md", false));
    assert_true(hit("*.md", "sub", "sub/x/a.md", false));
    assert_false(hit("*", "sub", "sub", true));
}

static void test_cut(void **state)
{
    rag_ignore *g = rag_ignore_new();
    rag_error err;
    size_t n;

    (void)state;
    assert_non_null(g);
    OK(rag_ignore_add(g, RAG_STR_LIT(""), RAG_STR_LIT("*.a\n*.b\n"), &err),
       &err);
    n = rag_ignore_count(g);
    assert_int_equal(n, 2);
    OK(rag_ignore_add(g, RAG_STR_LIT("s"), RAG_STR_LIT("!x.a\n"), &err), &err);
    assert_false(rag_ignore_hit(g, RAG_STR_LIT("s/x.a"), false));
    rag_ignore_cut(g, n);
    assert_true(rag_ignore_hit(g, RAG_STR_LIT("s/x.a"), false));
    rag_ignore_free(g);
}

static rag_status make(rag_error *err)
{
    rag_ignore *g = rag_ignore_new();
    rag_status st;

    if (g == NULL)
        return rag_fail_nomem(err);
    st = rag_ignore_add(g, RAG_STR_LIT("s"),
                        RAG_STR_LIT("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n"), err);
    rag_ignore_free(g);
    return st;
}

static void test_oom(void **state)
{
    rag_error err;

    (void)state;
    CHECK_OOM(make(&err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glob),        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_class),       cmocka_unit_test(test_characters),
        cmocka_unit_test(test_bomb),        cmocka_unit_test(test_pick),
        cmocka_unit_test(test_rules),       cmocka_unit_test(test_rule_lines),
        cmocka_unit_test(test_rule_folder), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
