/* An ingest and a search when memory or the disk runs out. */

#include "sync_fixture.h"

#include <sys/mount.h>

/* Fails the 1st, 2nd, 3rd ... allocation; later ones in growing steps. Where a
 * failure is of no consequence (a trimmed cache) the call may succeed; the end
 * is reached when many in a row do. */
#define OOM_LOOP(f, call)                                                      \
    do {                                                                       \
        size_t live_ = rag_mem_live();                                         \
        int ok_ = 0;                                                           \
        for (size_t k_ = 1; ok_ < 12; k_ += 1 + k_ / 32) {                     \
            rag_status st_;                                                    \
            (f)->n = (long)k_;                                                 \
            st_ = (call);                                                      \
            if (st_ != RAG_OK && st_ != RAG_E_NOMEM)                           \
                fail_msg("allocation %zu: %s: %s", k_, rag_status_name(st_),   \
                         (f)->err.msg);                                        \
            assert_int_equal(rag_mem_live(), live_);                           \
            ok_ = st_ == RAG_OK ? ok_ + 1 : 0;                                 \
        }                                                                      \
    } while (0)

static void nobody(void *ctx, const rag_ingest_file *file)
{
    (void)ctx;
    (void)file;
}

/* One run over a file that is new every time. */
static rag_status ingest(sy *f)
{
    char path[256];
    const char *paths[] = {path};
    rag_ingest_opts o = {.paths = paths, .n_paths = 1, .stdin_fd = -1};
    rag_ingest_watch w = {.file = nobody};
    char word[32];
    rag_status st;
    rag *r = NULL;

    (void)snprintf(path, sizeof path, "%s", sy_at(f, "docs"));
    (void)snprintf(word, sizeof word, "w%ld", f->n);
    sy_doc(f, "docs/b.md", word);
    rag_mem_fail_at((size_t)f->n);
    st = rag_open(&r, &f->cfg, RAG_OPEN_CREATE, 0, &f->err);
    if (st == RAG_OK)
        st = rag_ingest(&f->rep, r, &o, &w, &f->err);
    rag_mem_fail_at(0);
    rag_close(r);
    return st;
}

static void test_ingest_oom(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_put(f, "docs/c.jsonl",
           "{\"_id\":\"1\",\"title\":\"\",\"text\":\"the cherry record\"}\n");
    sy_put(f, "docs/.ragignore", "*.log\n");
    SY_OK(f, "docs");
    OOM_LOOP(f, ingest(f));
    /* the store is whole and up to date */
    SY_OK(f, "docs");
    assert_string_equal(sy_list(f), "docs/a.md;docs/b.md;docs/c.jsonl#1;");
    assert_string_equal(sy_find(f, "cherry", RAG_LEXICAL), "docs/c.jsonl#1;");
}

static rag_status search(sy *f)
{
    rag_search_opts o = {.mode = RAG_LEXICAL, .k = 3, .check_stale = true};
    rag_hits *h = NULL;
    rag_status st;
    rag *r = NULL;

    rag_mem_fail_at((size_t)f->n);
    st = rag_open(&r, &f->cfg, RAG_OPEN_READ, 0, &f->err);
    if (st == RAG_OK)
        st = rag_search(&h, r, RAG_STR_LIT("what is apple"), &o, &f->err);
    rag_mem_fail_at(0);
    if (st == RAG_OK)
        assert_int_equal(h->n_hits, 1);
    rag_hits_free(h);
    rag_close(r);
    return st;
}

static rag_status count_one(void *ctx, const rag_document *d, rag_error *err)
{
    size_t *n = ctx;

    (void)d;
    (void)err;
    ++*n;
    return RAG_OK;
}

static rag_status list(sy *f)
{
    size_t n = 0;
    rag_status st;
    rag *r = NULL;

    rag_mem_fail_at((size_t)f->n);
    st = rag_open(&r, &f->cfg, RAG_OPEN_READ, 0, &f->err);
    if (st == RAG_OK)
        st = rag_list(r, "*.md", true, count_one, &n, &f->err);
    rag_mem_fail_at(0);
    if (st == RAG_OK)
        assert_int_equal(n, 2);
    rag_close(r);
    return st;
}

static rag_status show(sy *f)
{
    rag_shown *s = NULL;
    rag_status st;
    rag *r = NULL;

    rag_mem_fail_at((size_t)f->n);
    st = rag_open(&r, &f->cfg, RAG_OPEN_READ, 0, &f->err);
    if (st == RAG_OK)
        st = rag_show(&s, r, RAG_STR_LIT("docs/a.md:3"), false, &f->err);
    rag_mem_fail_at(0);
    rag_shown_free(s);
    rag_close(r);
    return st;
}

static void test_read_oom(void **state)
{
    sy *f = *state;

    sy_doc(f, "docs/a.md", "apple");
    sy_doc(f, "docs/b.md", "banana");
    SY_OK(f, "docs");
    OOM_LOOP(f, search(f));
    OOM_LOOP(f, list(f));
    OOM_LOOP(f, show(f));
}

/* ---- a full disk ----------------------------------------------------------
 */

static void test_disk_full(void **state)
{
    rag_buf b;
    sy f;

    (void)state;
    sy_init(&f);
    (void)mkdir(sy_at(&f, "disk"), 0777);
    if (mount("none", sy_at(&f, "disk"), "tmpfs", 0, "size=6m") != 0) {
        sy_done(&f);
        skip(); /* needs the rights of root */
    }
    (void)snprintf(f.store, sizeof f.store, "%s/disk/st", f.base);
    sy_doc(&f, "docs/a.md", "apple");
    SY_OK(&f, "docs");
    rag_buf_init(&b, 1 << 26);
    for (unsigned i = 0; i < 200000; i++)
        rag_buf_addf(&b, "line %u of %u many words word%u\n", i, i * 7, i);
    sy_putn(&f, "docs/z.txt", b.ptr, b.len);
    rag_buf_dispose(&b);
    assert_int_equal(SY_RUN(&f, "docs"), RAG_E_IO);
    assert_non_null(strstr(f.err.msg, "no space left"));
    /* what was there is there, the new one is invisible */
    assert_string_equal(sy_list(&f), "docs/a.md;");
    assert_string_equal(sy_find(&f, "apple", RAG_LEXICAL), "docs/a.md;");
    /* with room again it goes on */
    assert_int_equal(
        mount("none", sy_at(&f, "disk"), "tmpfs", MS_REMOUNT, "size=200m"), 0);
    SY_OK(&f, "docs");
    assert_int_equal(f.rep.n_added, 1);
    assert_string_equal(sy_list(&f), "docs/a.md;docs/z.txt;");
    assert_int_equal(umount(sy_at(&f, "disk")), 0);
    sy_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SY_TEST(test_ingest_oom),
        SY_TEST(test_read_oom),
        cmocka_unit_test(test_disk_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
