/* Vectors are never paid for twice: texts are counted at the stand-in server.
 */

#include "sync_fixture.h"

#include <sys/wait.h>

#include "../fake/fakeuse.h"

/* Every test has counters of its own: `list` must be one that no other uses. */
static void init(sy *f, const char *list)
{
    static char url[256];

    (void)snprintf(url, sizeof url, "%s/x/%s/v1", server.root, list);
    f->cfg.embed_model = "openai:fake";
    f->cfg.embed_url = url;
    f->cfg.embed_batch_texts = 8;
    f->cfg.embed_in_flight = 1;
}

static long texts(const char *list)
{
    return fake_stat(&server, list, "texts");
}

/* Many different sentences; seed: which ones. */
static void add_prose(rag_buf *b, unsigned seed, size_t n_lines)
{
    static const char *const words[] = {
        "archive", "basket", "copper", "delta",  "engine", "forest",
        "garden",  "harbor", "island", "jacket", "kettle", "lantern",
        "market",  "needle", "orchid", "pencil", "quarry", "ribbon",
        "saddle",  "timber", "umbra",  "velvet", "willow", "yarrow"};
    unsigned x = seed * 2654435761u + 1;

    for (size_t i = 0; i < n_lines; i++) {
        for (int k = 0; k < 14; k++) {
            x = x * 1664525u + 1013904223u;
            rag_buf_addf(b, "%s%s", k == 0 ? "" : " ", words[(x >> 16) % 24]);
        }
        rag_buf_addf(b, " number %zu of %u.\n", i, seed);
    }
}

/* A Markdown document of several chunks. */
static void prose(const sy *f, const char *name, unsigned seed, size_t n_parts)
{
    rag_buf b;

    rag_buf_init(&b, 1 << 24);
    for (size_t i = 0; i < n_parts; i++) {
        rag_buf_addf(&b, "## Part %zu\n\n", i);
        add_prose(&b, seed * 1000 + (unsigned)i, 16);
        rag_buf_addc(&b, '\n');
    }
    assert_int_equal(b.failed, RAG_OK);
    sy_putn(f, name, b.ptr, b.len);
    rag_buf_dispose(&b);
}

static uint64_t missing(sy *f)
{
    rag_state *s;
    uint64_t n;
    rag *r;

    OK(rag_open(&r, &f->cfg, RAG_OPEN_READ, 0, &f->err), &f->err);
    OK(rag_state_get(&s, r, &f->err), &f->err);
    n = s->n_missing;
    assert_int_equal(s->n_vectors + n, s->n_chunks);
    rag_state_free(s);
    rag_close(r);
    return n;
}

static void test_once(void **state)
{
    uint64_t n;
    sy *f = *state;

    init(f, "words,dims=64,t=once");
    prose(f, "docs/a.md", 1, 6);
    prose(f, "docs/b.md", 2, 6);
    SY_OK(f, "docs");
    n = f->rep.n_chunks;
    assert_true(n >= 12);
    assert_int_equal(f->rep.n_embedded, n);
    assert_int_equal(f->rep.n_missing, 0);
    assert_int_equal(texts("words,dims=64,t=once"), n);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_embedded, 0);
    assert_int_equal(texts("words,dims=64,t=once"), n);
    assert_string_not_equal(sy_find(f, "archive basket", RAG_DENSE), "");
}

/* moved, renamed, copied: the texts are the same */
static void test_moved(void **state)
{
    const char *list = "words,dims=64,t=moved";
    long n;
    sy *f = *state;

    init(f, list);
    prose(f, "docs/a.md", 1, 6);
    SY_OK(f, "docs");
    n = texts(list);
    assert_int_equal(rename(sy_at(f, "docs/a.md"), sy_at(f, "docs/z.md")), 0);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_added, 1);
    assert_int_equal(f->rep.n_removed, 1);
    assert_int_equal(f->rep.n_reused, n);
    prose(f, "docs/copy.md", 1, 6);
    prose(f, "more/deep/copy.md", 1, 6);
    SY_OK(f, "docs", "more");
    assert_int_equal(f->rep.n_added, 2);
    assert_int_equal(f->rep.n_missing, 0);
    /* the folder itself, and a root above it */
    assert_int_equal(rename(sy_at(f, "docs"), sy_at(f, "more/docs")), 0);
    SY_OK(f, "more");
    assert_int_equal(f->rep.n_missing, 0);
    /* gone for a while, with a sync in between */
    assert_int_equal(rename(sy_at(f, "more/docs/z.md"), sy_at(f, "kept.md")),
                     0);
    SY_OK(f, "more");
    assert_int_equal(f->rep.n_removed, 1);
    assert_int_equal(rename(sy_at(f, "kept.md"), sy_at(f, "more/docs/z.md")),
                     0);
    SY_OK(f, "more");
    assert_int_equal(texts(list), n);
}

/* the same text twice in one run is one text */
static void test_twins(void **state)
{
    const char *list = "words,dims=64,t=twins";
    sy *f = *state;

    init(f, list);
    prose(f, "docs/a.md", 1, 6);
    prose(f, "docs/b.md", 1, 6);
    prose(f, "docs/c.md", 1, 6);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_missing, 0);
    assert_int_equal(texts(list) * 3, f->rep.n_chunks);
    assert_int_equal(f->rep.n_embedded * 2, f->rep.n_reused);
    assert_int_equal(missing(f), 0);
}

static void stop_behind_ten(sy *f, const rag_ingest_progress *p)
{
    if (strcmp(p->phase, "embedding") == 0 && p->done >= 10)
        f->cancel = true;
}

static void test_interrupted(void **state)
{
    const char *list = "words,dims=64,t=int";
    uint64_t n;
    uint64_t first;
    sy *f = *state;

    init(f, list);
    prose(f, "docs/a.md", 1, 40);
    f->on_progress = stop_behind_ten;
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_CANCELLED);
    assert_true(f->rep.interrupted);
    n = f->rep.n_chunks;
    first = f->rep.n_embedded;
    assert_true(first >= 10 && first <= 32);
    assert_int_equal(f->rep.n_missing, n - first);
    assert_int_equal(missing(f), n - first);
    assert_string_not_equal(sy_find(f, "archive", RAG_LEXICAL), "");
    f->on_progress = NULL;
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_unchanged, 1);
    assert_int_equal(f->rep.n_embedded, n - first);
    /* a request under way when it stopped may have been counted there */
    assert_true(texts(list) >= (long)n && texts(list) <= (long)n + 8);
}

static void test_no_embed(void **state)
{
    const char *list = "words,dims=64,t=noembed";
    uint64_t n;
    sy *f = *state;

    init(f, list);
    prose(f, "docs/a.md", 1, 6);
    f->o.no_embed = true;
    SY_OK(f, "docs");
    n = f->rep.n_chunks;
    assert_int_equal(f->rep.n_missing, n);
    assert_int_equal(missing(f), n);
    assert_int_equal(texts(list), 0);
    assert_string_not_equal(sy_find(f, "archive", RAG_LEXICAL), "");
    f->o.no_embed = false;
    OK(SY_RUN_ALL(f), &f->err);
    assert_int_equal(f->rep.n_embedded, n);
    assert_int_equal(texts(list), n);
    assert_int_equal(missing(f), 0);
}

/* The server dies in the middle. */
static fake mortal;

static void kill_server(sy *f, const rag_ingest_progress *p)
{
    if (strcmp(p->phase, "embedding") == 0 && p->done >= 8 && f->n++ == 0)
        fake_stop(&mortal);
}

static void test_endpoint_dies(void **state)
{
    const char *list = "words,dims=64,t=dies";
    static char url[256];
    uint64_t n;
    sy *f = *state;

    init(f, list);
    assert_int_equal(fake_start(&mortal), 0);
    (void)snprintf(url, sizeof url, "%s/x/%s/v1", mortal.root, list);
    f->cfg.embed_url = url;
    prose(f, "docs/a.md", 1, 20);
    f->on_progress = kill_server;
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_NET);
    assert_false(f->rep.interrupted);
    n = f->rep.n_chunks;
    assert_true(f->rep.n_embedded >= 8 && f->rep.n_embedded < n);
    assert_int_equal(f->rep.n_missing, n - f->rep.n_embedded);
    assert_string_not_equal(sy_find(f, "archive", RAG_LEXICAL), "");
    assert_int_equal(missing(f), n - f->rep.n_embedded);
    /* another server of the same model goes on */
    n -= f->rep.n_embedded;
    (void)snprintf(url, sizeof url, "%s/x/%s/v1", server.root, list);
    f->on_progress = NULL;
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_embedded, n);
}

static void test_refused(void **state)
{
    const char *list = "key=secret,t=auth";
    sy *f = *state;

    init(f, list);
    prose(f, "docs/a.md", 1, 3);
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_AUTH);
    assert_int_equal(f->rep.n_added, 1);
    assert_string_not_equal(sy_find(f, "archive", RAG_LEXICAL), "");
    f->cfg.embed_key = "secret";
    SY_OK(f, "docs");
    assert_int_equal(missing(f), 0);
}

/* one text that the server does not take */
static void test_one_text_refused(void **state)
{
    const char *list = "words,dims=64,marker=poison,refuse=400,t=poison";
    sy *f = *state;

    init(f, list);
    prose(f, "docs/a.md", 1, 12);
    sy_put(f, "docs/b.md", "# Bottle\n\nA bottle of poison.\n");
    sy_put(f, "docs/c.md", "# Second\n\nMore poison here.\n");
    prose(f, "docs/d.md", 2, 12);
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_REMOTE);
    assert_non_null(strstr(f->err.msg, "2 texts"));
    assert_int_equal(f->rep.n_missing, 2);
    assert_int_equal(f->rep.n_embedded + 2, f->rep.n_chunks);
    assert_string_equal(sy_find(f, "bottle", RAG_LEXICAL), "docs/b.md;");
    assert_int_equal(unlink(sy_at(f, "docs/b.md")), 0);
    assert_int_equal(unlink(sy_at(f, "docs/c.md")), 0);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_embedded, 0);
}

/* ---- another model --------------------------------------------------------
 */

static void test_mismatch(void **state)
{
    const char *list = "words,dims=64,t=mismatch";
    long n;
    sy *f = *state;

    init(f, list);
    prose(f, "docs/a.md", 1, 3);
    SY_OK(f, "docs");
    n = texts(list);
    f->cfg.embed_model = "openai:other";
    prose(f, "docs/b.md", 2, 3);
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_MISMATCH);
    assert_non_null(strstr(f->err.msg, "--reembed"));
    assert_non_null(strstr(f->err.msg, "--store"));
    assert_string_equal(f->said.ptr, "");
    assert_string_equal(sy_list(f), "docs/a.md;"); /* nothing was written */
    assert_int_equal(texts(list), n);
    /* without vectors it does not matter */
    f->o.no_embed = true;
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_added, 1);
    f->cfg.embed_model = "none";
    f->o.no_embed = false;
    SY_OK(f, "docs");
    f->o.reembed = true;
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_INVAL);
}

static const char *store_model(sy *f)
{
    static char name[64];
    rag_state *s;
    rag *r;

    OK(rag_open(&r, &f->cfg, RAG_OPEN_READ, 0, &f->err), &f->err);
    OK(rag_state_get(&s, r, &f->err), &f->err);
    (void)snprintf(name, sizeof name, "%.*s", (int)s->store_embed_model.len,
                   s->store_embed_model.ptr);
    rag_state_free(s);
    rag_close(r);
    return name;
}

static void test_reembed(void **state)
{
    const char *list = "words,dims=64,t=re1";
    const char *other = "words,dims=32,t=re2";
    static char url[256];
    char *old_url;
    uint64_t n;
    sy *f = *state;

    init(f, list);
    prose(f, "docs/a.md", 1, 40);
    SY_OK(f, "docs");
    n = f->rep.n_chunks;
    old_url = strdup(f->cfg.embed_url);
    (void)snprintf(url, sizeof url, "%s/x/%s/v1", server.root, other);
    f->cfg.embed_url = url;
    f->cfg.embed_model = "openai:other";
    f->o.reembed = true;
    f->on_progress = stop_behind_ten;
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_CANCELLED);
    assert_true(f->rep.n_embedded >= 10 && f->rep.n_embedded < n);
    assert_string_equal(store_model(f), "openai:fake");
    /* until it is done searches use the old vectors */
    f->cfg.embed_url = old_url;
    f->cfg.embed_model = "openai:fake";
    f->cancel = false;
    assert_string_not_equal(sy_find(f, "archive basket", RAG_DENSE), "");
    f->on_progress = NULL;
    f->o.reembed = false;
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_embedded, 0);
    /* and goes on where it stopped; the probe for the length is one text */
    f->cfg.embed_url = url;
    f->cfg.embed_model = "openai:other";
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_MISMATCH);
    f->o.reembed = true;
    SY_OK(f, "docs");
    assert_true(texts(other) <= (long)n + 2 + 8);
    assert_string_equal(store_model(f), "openai:other");
    assert_int_equal(missing(f), 0);
    assert_string_not_equal(sy_find(f, "archive basket", RAG_DENSE), "");
    f->o.reembed = false;
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_embedded, 0);
    /* the old model is the other one now */
    f->cfg.embed_model = "openai:fake";
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_MISMATCH);
    free(old_url);
}

/* a server that changes the length of its vectors */
static void test_length_changes(void **state)
{
    char url[256];
    sy *f = *state;

    init(f, "words,dims=64,t=len");
    prose(f, "docs/a.md", 1, 3);
    SY_OK(f, "docs");
    (void)snprintf(url, sizeof url, "%s/x/words,dims=32,t=len/v1", server.root);
    f->cfg.embed_url = url;
    prose(f, "docs/b.md", 2, 3);
    assert_int_equal(SY_RUN(f, "docs"), RAG_E_REMOTE);
    assert_string_equal(sy_list(f), "docs/a.md;docs/b.md;");
}

/* ---- boundaries resynchronise ----------------------------------------------
 */

#define LINES 16000u

typedef struct big {
    rag_buf text;
    size_t *starts; /* [n] of lines */
    size_t n;
} big;

static void big_scan(big *b)
{
    free(b->starts);
    b->starts = calloc(b->text.len, sizeof *b->starts);
    assert_non_null(b->starts);
    b->n = 0;
    for (size_t i = 0; i < b->text.len; i++)
        if (i == 0 || b->text.ptr[i - 1] == '\n')
            b->starts[b->n++] = i;
}

/* Replaces bytes [from, to). */
static void big_edit(big *b, size_t from, size_t to, const char *by)
{
    rag_buf t;

    rag_buf_init(&t, 1 << 26);
    rag_buf_add(&t, b->text.ptr, from);
    rag_buf_addz(&t, by);
    rag_buf_add(&t, b->text.ptr + to, b->text.len - to);
    rag_buf_dispose(&b->text);
    b->text = t;
    big_scan(b);
}

/* The line of running text at about `share` of the document. */
static size_t some_line(const big *b, double share)
{
    size_t i = (size_t)((double)(b->n - 1) * share);

    while (i + 1 < b->n &&
           (b->text.ptr[b->starts[i]] < 'a' || b->text.ptr[b->starts[i]] > 'z'))
        i++;
    return i;
}

static long edit_costs(sy *f, big *b, const char *name, const char *list)
{
    long was = texts(list);

    sy_putn(f, name, b->text.ptr, b->text.len);
    SY_OK(f, "docs");
    assert_int_equal(f->rep.n_updated, 1);
    assert_int_equal(f->rep.n_missing, 0);
    return texts(list) - was;
}

static void resync(const char *name, const char *list, big *b)
{
    static const double at[] = {0.0, 0.03, 0.31, 0.5, 0.77, 0.99};
    sy f;

    sy_init(&f);
    init(&f, list);
    f.cfg.embed_batch_texts = 64;
    f.cfg.embed_in_flight = 4;
    big_scan(b);
    sy_putn(&f, name, b->text.ptr, b->text.len);
    SY_OK(&f, "docs");
    assert_true(f.rep.n_chunks >= 1000);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        size_t l = some_line(b, at[i]);
        long cost;

        /* a line more, one changed, one less */
        big_edit(b, b->starts[l], b->starts[l],
                 "this sentence was not there before, and is quite long.\n");
        cost = edit_costs(&f, b, name, list);
        assert_in_range(cost, 1, 6);
        big_edit(b, b->starts[l + 1] - 2, b->starts[l + 1] - 1,
                 " at all, as far as we know");
        cost = edit_costs(&f, b, name, list);
        assert_in_range(cost, 1, 6);
        big_edit(b, b->starts[l], b->starts[l + 1], "");
        cost = edit_costs(&f, b, name, list);
        assert_in_range(cost, 0, 6);
        big_edit(b, b->starts[l + 1], b->starts[l + 2], "");
        cost = edit_costs(&f, b, name, list);
        assert_in_range(cost, 0, 6);
    }
    sy_done(&f);
}

static void test_resync_text(void **state)
{
    big b = {.n = 0};

    (void)state;
    rag_buf_init(&b.text, 1 << 26);
    add_prose(&b.text, 7, LINES);
    resync("docs/big.txt", "words,dims=16,t=txt", &b);
    rag_buf_dispose(&b.text);
    free(b.starts);
}

/* paragraphs of Markdown without a heading, and sections of it */
static void test_resync_markdown(void **state)
{
    big b = {.n = 0};

    (void)state;
    rag_buf_init(&b.text, 1 << 26);
    rag_buf_addz(&b.text, "# The book\n\n");
    for (unsigned i = 0; i < LINES / 8; i++) {
        if (i % 40 == 0)
            rag_buf_addf(&b.text, "## Part %u\n\n", i);
        add_prose(&b.text, i, 8);
        rag_buf_addc(&b.text, '\n');
    }
    resync("docs/big.md", "words,dims=16,t=md", &b);
    rag_buf_dispose(&b.text);
    free(b.starts);
}

/* A new heading costs the chunks below it, no others; a new title all. */
static void test_heading(void **state)
{
    const char *list = "words,dims=16,t=heading";
    rag_buf b;
    long n;
    long cost;
    sy *f = *state;

    init(f, list);
    rag_buf_init(&b, 1 << 24);
    for (int turn = 0; turn < 2; turn++) {
        rag_buf_clear(&b);
        for (unsigned i = 0; i < 30; i++) {
            rag_buf_addf(&b, "## Part %u%s\n\n", i,
                         turn == 1 && i == 12 ? " (second edition)" : "");
            add_prose(&b, i, 40);
            rag_buf_addc(&b, '\n');
        }
        n = texts(list);
        sy_putn(f, "docs/a.md", b.ptr, b.len);
        SY_OK(f, "docs");
    }
    cost = texts(list) - n;
    assert_true(n >= 60);
    assert_in_range(cost, 2, n / 30 + 2);
    rag_buf_dispose(&b);
}

/* A dry run guesses time from the last run's speed, money from the price, and
 * says neither when it cannot know; it asks the server nothing. */
static void test_estimate(void **state)
{
    sy *f = *state;
    long before;

    init(f, "estimate=1");
    prose(f, "docs/a.md", 1, 12);
    f->o.dry_run = true;
    OK(sy_run_mode(f, RAG_OPEN_NONE, (const char *const[]){"docs", NULL}),
       &f->err);
    assert_true(f->rep.n_tokens > 3000);
    assert_true(f->rep.estimated_ms != f->rep.estimated_ms);
    assert_true(f->rep.estimated_cost != f->rep.estimated_cost);
    f->cfg.embed_price_per_mtok = 0.5;
    OK(sy_run_mode(f, RAG_OPEN_NONE, (const char *const[]){"docs", NULL}),
       &f->err);
    assert_true(f->rep.estimated_cost > (double)f->rep.n_tokens * 0.499e-6 &&
                f->rep.estimated_cost < (double)f->rep.n_tokens * 0.501e-6);
    assert_int_equal(texts("estimate=1"), 0);
    f->o.dry_run = false;
    SY_OK(f, "docs");
    before = texts("estimate=1");
    assert_true(before > 10);
    prose(f, "docs/b.md", 2, 12);
    f->o.dry_run = true;
    OK(sy_run_mode(f, RAG_OPEN_READ, (const char *const[]){"docs", NULL}),
       &f->err);
    assert_int_equal(f->rep.n_added, 1);
    assert_true(f->rep.estimated_ms > f->rep.ms_read);
    assert_true(f->rep.estimated_ms < 3600e3);
    /* the speed of another model says nothing */
    f->cfg.embed_model = "openai:another";
    OK(sy_run_mode(f, RAG_OPEN_READ, (const char *const[]){"docs", NULL}),
       &f->err);
    assert_true(f->rep.estimated_ms != f->rep.estimated_ms);
    assert_int_equal(texts("estimate=1"), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SY_TEST(test_once),
        SY_TEST(test_estimate),
        SY_TEST(test_moved),
        SY_TEST(test_twins),
        SY_TEST(test_interrupted),
        SY_TEST(test_no_embed),
        SY_TEST(test_endpoint_dies),
        SY_TEST(test_refused),
        SY_TEST(test_one_text_refused),
        SY_TEST(test_mismatch),
        SY_TEST(test_reembed),
        SY_TEST(test_length_changes),
        cmocka_unit_test(test_resync_text),
        cmocka_unit_test(test_resync_markdown),
        SY_TEST(test_heading),
    };

    return cmocka_run_group_tests(tests, fake_set_up, fake_tear_down);
}
