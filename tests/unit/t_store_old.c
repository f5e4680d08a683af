/* Every store of tests/data/db_vN.sqlite, one for each released schema, opens,
 * is brought up to date by a writer, and is searched, shown, checked and
 * added to. tests/data/make_db.sh made them; their documents are gone. */

#include "sync_fixture.h"

#include <dirent.h>

#include "../fake/fakeuse.h"
#include "base/file.h"

/* documents lay here; nothing of it is needed, or may be there */
#define SAMPLE "/tmp/rag_db_sample"
#define MAX_STORE_BYTES ((size_t)300 << 10)

static const char *db_name; /* of the running test */

static void open_copy(sy *f)
{
    static char url[256];
    char path[512];
    rag_buf b;

    sy_init(f);
    (void)snprintf(url, sizeof url, "%s/x/dims=16,words/v1", server.root);
    f->cfg.embed_model = "openai:fake";
    f->cfg.embed_url = url;
    f->cfg.cwd = SAMPLE;
    rag_buf_init(&b, MAX_STORE_BYTES);
    (void)snprintf(path, sizeof path, RAG_TEST_DATA "/%s", db_name);
    OK(rag_file_read(&b, path, MAX_STORE_BYTES, &f->err), &f->err);
    sy_putn(f, "st/store.db", b.ptr, b.len);
    rag_buf_dispose(&b);
    /* a store without its vector index: a cache, which the writer makes again
     */
    OK(rag_open(&f->r, &f->cfg, RAG_OPEN_WRITE, 0, &f->err), &f->err);
    rag_close(f->r);
    f->r = NULL;
}

static void check_search(sy *f)
{
    static const char first[] = "docs/page.html(gone);";
    const char *found;

    assert_string_equal(
        sy_list(f),
        "docs/guide.md(gone);docs/page.html(gone);docs/pump.log(gone);"
        "docs/set.jsonl#r1(gone);docs/set.jsonl#r2(gone);"
        "docs/table.csv(gone);docs/안내.md(gone);");
    assert_string_equal(sy_find(f, "screw lantern", RAG_LEXICAL),
                        "docs/guide.md(gone);");
    assert_string_equal(sy_find(f, "배터리를 연결", RAG_LEXICAL),
                        "docs/안내.md(gone);");
    assert_string_equal(sy_find(f, "island bridge", RAG_LEXICAL),
                        "docs/set.jsonl#r2(gone);");
    assert_string_equal(sy_find(f, "started again", RAG_LEXICAL),
                        "docs/pump.log(gone);");
    /* all seven have vectors; the nearest is the one with the same words */
    found = sy_find(f, "water the orchid", RAG_DENSE);
    assert_memory_equal(found, first, sizeof first - 1);
}

static void check_show(sy *f)
{
    rag_shown *s;

    OK(rag_open(&f->r, &f->cfg, RAG_OPEN_READ, 0, &f->err), &f->err);
    OK(rag_show(&s, f->r, RAG_STR_LIT("docs/pump.log"), false, &f->err),
       &f->err);
    assert_int_equal(s->text.len, 63);
    assert_memory_equal(s->text.ptr,
                        "09:00 pump started\n09:05 pump stopped\n"
                        "09:10 pump started again\n",
                        63);
    rag_shown_free(s);
    rag_close(f->r);
    f->r = NULL;
}

static void on_line(void *ctx, const rag_check_line *line)
{
    sy *f = ctx;

    /* of the file that never could be read it warns */
    if (strcmp(line->state, "fail") == 0)
        rag_buf_addf(&f->why, "%s: %s\n", line->what, line->detail);
    f->n++;
}

static void test_old(void **state)
{
    sy f;

    (void)state;
    open_copy(&f);
    check_search(&f);
    check_show(&f);
    rag_buf_clear(&f.why);
    OK(rag_doctor(&f.cfg, false, on_line, &f, &f.err), &f.err);
    assert_true(f.n > 5);
    assert_int_equal(f.why.len, 0);
    /* it takes new documents, and still holds the old ones */
    sy_doc(&f, "docs/new.md", "velvet");
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_added, 1);
    assert_int_equal(f.rep.n_embedded, 1);
    assert_string_equal(sy_find(&f, "screw lantern", RAG_LEXICAL),
                        "docs/guide.md(gone);");
    assert_non_null(strstr(sy_find(&f, "velvet", RAG_HYBRID), "new.md;"));
    sy_done(&f);
}

static int wanted(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return strncmp(e->d_name, "db_v", 4) == 0 && n > 7 &&
           strcmp(e->d_name + n - 7, ".sqlite") == 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_old)};
    struct dirent **names;
    int n = scandir(RAG_TEST_DATA, &names, wanted, alphasort);
    int failed = 0;

    if (n < 1 || fake_start(&server) != 0)
        return 1;
    for (int i = 0; i < n; i++) {
        db_name = names[i]->d_name;
        print_message("%s\n", db_name);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
        free(names[i]);
    }
    free(names);
    fake_stop(&server);
    return failed;
}
