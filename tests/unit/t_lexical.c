#include "test.h"

#include <math.h>

#include "store/lex_priv.h"

/* ---- a small index in memory, and the same thing done naively -------------
 */

#define MAX_CHUNKS 4000
#define CHUNK_WORDS 40
#define N_VOCABULARY 600

struct naive_chunk {
    uint64_t words[2 * CHUNK_WORDS]; /* distinct keys */
    uint32_t tfs[2 * CHUNK_WORDS];
    size_t n;
    uint32_t len;
};

struct bench {
    sqlite3 *db;
    rag_lex *x;
    struct naive_chunk *chunks; /* [MAX_CHUNKS] by id */
    int64_t n_chunks;
    uint8_t bits[MAX_CHUNKS / 8 + 1];
    rag_bits live;
    uint64_t seed;
    uint64_t many; /* key of a word with a long list */
};

static uint32_t roll(struct bench *t, uint32_t sides)
{
    t->seed = t->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(t->seed >> 33) % sides;
}

static void set_live(struct bench *t, int64_t id, bool live)
{
    uint8_t bit = (uint8_t)(1 << id % 8);

    if (live)
        t->bits[id / 8] |= bit;
    else
        t->bits[id / 8] &= (uint8_t)~bit;
}

static bool is_live(const struct bench *t, int64_t id)
{
    return (t->bits[id / 8] >> id % 8 & 1) != 0;
}

static void sql(struct bench *t, const char *text)
{
    char *msg = NULL;

    if (sqlite3_exec(t->db, text, NULL, NULL, &msg) != SQLITE_OK)
        fail_msg("%s: %s", text, msg);
}

static void open_bench(struct bench *t)
{
    rag_error err;

    memset(t, 0, sizeof *t);
    t->seed = 7;
    t->chunks = calloc(MAX_CHUNKS, sizeof *t->chunks);
    t->live = (rag_bits){.bits = t->bits, .n_bytes = sizeof t->bits};
    assert_int_equal(sqlite3_open(":memory:", &t->db), SQLITE_OK);
    sql(t, rag_lex_schema);
    OK(rag_lex_new(&t->x, t->db, &err), &err);
}

static void close_bench(struct bench *t)
{
    rag_lex_free(t->x);
    assert_int_equal(sqlite3_close(t->db), SQLITE_OK);
    free(t->chunks);
}

/* Another process goes on. */
static void reopen(struct bench *t)
{
    rag_error err;

    rag_lex_free(t->x);
    OK(rag_lex_new(&t->x, t->db, &err), &err);
}

struct naive_field {
    struct naive_chunk *c;
    uint32_t weight;
};

static rag_status naive_word(void *ctx, const rag_word *w, rag_error *err)
{
    struct naive_field *f = ctx;
    size_t i = 0;

    (void)err;
    while (i < f->c->n && f->c->words[i] != w->key)
        i++;
    if (i == f->c->n) {
        assert_true(f->c->n < 2 * CHUNK_WORDS);
        f->c->words[f->c->n++] = w->key;
    }
    f->c->tfs[i] += f->weight;
    f->c->len += w->kind != RAG_WORD_PART ? f->weight : 0;
    return RAG_OK;
}

static void add(struct bench *t, const char *heading, const char *body)
{
    int64_t id = ++t->n_chunks;
    struct naive_chunk *c = &t->chunks[id];
    struct naive_field head = {c, RAG_LEX_HEADING_WEIGHT};
    struct naive_field text = {c, 1};
    rag_words *w = rag_words_new();
    rag_error err;

    assert_true(id < MAX_CHUNKS);
    OK(rag_words_each(w, rag_str_of(heading), naive_word, &head, &err), &err);
    OK(rag_words_each(w, rag_str_of(body), naive_word, &text, &err), &err);
    rag_words_free(w);
    OK(rag_lex_add(t->x, id, rag_str_of(heading), rag_str_of(body), &err),
       &err);
    set_live(t, id, true);
}

/* Word number `no`: low ones are in most chunks. */
static void word_no(char *out, size_t size, uint32_t no)
{
    (void)snprintf(out, size, "%c%cx%c%c", 'a' + (int)(no % 26),
                   'b' + (int)(no / 26 % 25), 'a' + (int)(no / 650 % 26), 'q');
}

static uint32_t random_word(struct bench *t)
{
    uint32_t a = roll(t, N_VOCABULARY);
    uint32_t b = roll(t, N_VOCABULARY);
    uint32_t c = a < b ? a : b;
    uint32_t d = roll(t, N_VOCABULARY);

    return c < d ? c : d;
}

static void add_random(struct bench *t)
{
    char heading[64] = "";
    char body[CHUNK_WORDS * 8] = "";
    char word[16];
    uint32_t n = roll(t, CHUNK_WORDS - 2);

    for (uint32_t i = 0; i < n; i++) {
        char *to = i < 3 ? heading : body;

        word_no(word, sizeof word, random_word(t));
        (void)strcat(to, word);
        (void)strcat(to, " ");
    }
    add(t, heading, body);
}

static void fill(struct bench *t, int64_t n, uint32_t per_flush)
{
    rag_error err;

    for (int64_t i = 0; i < n; i++) {
        add_random(t);
        if (roll(t, per_flush) == 0)
            OK(rag_lex_flush(t->x, &err), &err);
    }
    OK(rag_lex_flush(t->x, &err), &err);
    assert_int_equal(rag_lex_pending_bytes(t->x), 0);
}

static uint64_t key_of(const char *word)
{
    struct naive_chunk c = {0};
    struct naive_field f = {&c, 1};
    rag_words *w = rag_words_new();
    rag_error err;

    OK(rag_words_each(w, rag_str_of(word), naive_word, &f, &err), &err);
    rag_words_free(w);
    assert_true(c.n > 0);
    return c.words[0];
}

static uint32_t naive_tf(const struct naive_chunk *c, uint64_t word)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->words[i] == word)
            return c->tfs[i];
    return 0;
}

static uint64_t naive_df(const struct bench *t, uint64_t word)
{
    uint64_t n = 0;

    for (int64_t id = 1; id <= t->n_chunks; id++)
        n += is_live(t, id) && naive_tf(&t->chunks[id], word) != 0;
    return n;
}

static int by_rank(const void *a, const void *b)
{
    const rag_store_hit *x = a;
    const rag_store_hit *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->chunk_id < y->chunk_id ? -1 : 1;
}

/* BM25 chunk by chunk; terms are distinct. */
static size_t naive_search(rag_store_hit *hits, size_t cap,
                           const struct bench *t, const rag_store_term *terms,
                           size_t n_terms, const rag_bits *filter)
{
    rag_store_hit *all = calloc(MAX_CHUNKS, sizeof *all);
    double weights[32];
    double topics[32];
    double sum = 0;
    double n_live = 0;
    double lens = 0;
    bool any = false;
    size_t n = 0;

    for (int64_t id = 1; id <= t->n_chunks; id++) {
        n_live += is_live(t, id);
        if (is_live(t, id))
            lens +=
                rag_lex_codec_len(rag_lex_codec_len_code(t->chunks[id].len));
    }
    for (size_t i = 0; i < n_terms; i++) {
        double df = (double)naive_df(t, terms[i].word);

        weights[i] =
            (double)terms[i].weight * log(1 + (n_live - df + 0.5) / (df + 0.5));
        topics[i] = (double)terms[i].topic *
                    sqrt(log(1 + (n_live - df + 0.5) / (df + 0.5)));
        if (terms[i].role == RAG_TERM_NOT)
            weights[i] = topics[i] = 0;
        else if (df > 0 && df <= 0.3 * n_live)
            any = true;
    }
    for (size_t i = 0; i < n_terms; i++) {
        if (any && (double)naive_df(t, terms[i].word) > 0.3 * n_live)
            weights[i] = topics[i] = 0;
        sum += topics[i];
    }
    for (int64_t id = 1; id <= t->n_chunks; id++) {
        const struct naive_chunk *c = &t->chunks[id];
        double len = rag_lex_codec_len(rag_lex_codec_len_code(c->len));
        rag_store_hit hit = {.chunk_id = id};
        bool all_must = true;
        bool has_must = false;
        float coverage = 0;

        if (!is_live(t, id) ||
            (filter != NULL && !rag_lex_bits_has(filter, id)))
            continue;
        for (size_t i = 0; i < n_terms; i++) {
            uint32_t tf = naive_tf(c, terms[i].word);
            double f = rag_lex_codec_tf(rag_lex_codec_tf_code(tf));
            double k = RAG_LEX_K1 *
                       (1 - RAG_LEX_B + RAG_LEX_B * (len / (lens / n_live)));

            has_must = has_must || terms[i].role == RAG_TERM_MUST;
            if (tf == 0) {
                all_must = all_must && terms[i].role != RAG_TERM_MUST;
                continue;
            }
            if (terms[i].role == RAG_TERM_NOT)
                all_must = false;
            hit.score +=
                (float)weights[i] * (float)(f * (RAG_LEX_K1 + 1) / (f + k));
            coverage += (float)topics[i];
        }
        if (!all_must || (!has_must && !(hit.score > 0)))
            continue;
        hit.coverage = sum > 0 ? (float)((double)coverage / sum) : 0;
        if (hit.coverage > 1)
            hit.coverage = 1;
        all[n++] = hit;
    }
    qsort(all, n, sizeof *all, by_rank);
    n = n < cap ? n : cap;
    memcpy(hits, all, n * sizeof *all);
    free(all);
    return n;
}

static void check_query(struct bench *t, const rag_store_term *terms,
                        size_t n_terms, const rag_bits *filter)
{
    rag_store_hit want[30];
    rag_store_hit got[30];
    size_t n_want = naive_search(want, 30, t, terms, n_terms, filter);
    size_t n_got;
    rag_error err;

    OK(rag_lex_search(got, &n_got, 30, t->x, terms, n_terms, &t->live, filter,
                      &err),
       &err);
    assert_int_equal(n_got, n_want);
    for (size_t i = 0; i < n_got; i++) {
        assert_int_equal(got[i].chunk_id, want[i].chunk_id);
        assert_true(fabsf(got[i].score - want[i].score) < 1e-5F);
        assert_true(fabsf(got[i].coverage - want[i].coverage) < 1e-5F);
        assert_true(got[i].coverage >= 0 && got[i].coverage <= 1);
    }
}

static size_t random_query(struct bench *t, rag_store_term *terms)
{
    size_t n_want = 1 + roll(t, 12);
    size_t n = 0;

    for (size_t i = 0; i < n_want; i++) {
        char word[16];
        uint32_t role = roll(t, 12);
        size_t k = 0;
        uint64_t key;

        word_no(word, sizeof word, random_word(t));
        key = key_of(word);
        while (k < n && terms[k].word != key)
            k++;
        if (k < n)
            continue;
        terms[n++] = (rag_store_term){.word = key,
                                      .weight = roll(t, 3) == 0 ? 0.5F : 1,
                                      .topic = roll(t, 3) == 0 ? 0.5F : 1,
                                      .role = role == 0   ? RAG_TERM_MUST
                                              : role == 1 ? RAG_TERM_NOT
                                                          : RAG_TERM_SHOULD};
    }
    return n;
}

static void check_random_queries(struct bench *t, int n_queries)
{
    rag_store_term terms[32];
    uint8_t bits[sizeof t->bits];
    rag_bits filter = {.bits = bits, .n_bytes = sizeof bits};

    for (int q = 0; q < n_queries; q++) {
        size_t n = random_query(t, terms);

        check_query(t, terms, n, NULL);
        for (size_t i = 0; i < sizeof bits; i++)
            bits[i] = (uint8_t)roll(t, 256);
        check_query(t, terms, n, &filter);
    }
}

static void kill_some(struct bench *t, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        set_live(t, 1 + (int64_t)roll(t, (uint32_t)t->n_chunks), false);
}

static int64_t count_rows(struct bench *t, const char *query)
{
    sqlite3_stmt *stmt;
    int64_t n;

    assert_int_equal(sqlite3_prepare_v2(t->db, query, -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

static void check_sound(struct bench *t, bool want_postings)
{
    uint64_t n;
    rag_error err;

    OK(rag_lex_check(&n, t->x, &t->live, &err), &err);
    assert_true(!want_postings || n > 0);
}

/* ---- tests ----------------------------------------------------------------
 */

static void t_ranking(void **state)
{
    struct bench t;

    (void)state;
    open_bench(&t);
    check_random_queries(&t, 2); /* an empty index */
    fill(&t, 20, 1000);          /* fewer chunks than the 30 % rule needs */
    assert_true(count_rows(&t, "SELECT count(*) FROM lex_segment") == 1);
    check_sound(&t, true);
    fill(&t, 1500, 120);
    check_random_queries(&t, 30);
    kill_some(&t, 300);
    check_sound(&t, true);
    check_random_queries(&t, 30);
    kill_some(&t, 3000); /* most of them */
    check_random_queries(&t, 20);
    close_bench(&t);
}

/* Results are the same after every step of every merge, in whatever process. */
static void t_merges(void **state)
{
    struct bench t;
    rag_error err;
    bool more = true;

    (void)state;
    open_bench(&t);
    fill(&t, 2500, 25);
    assert_true(count_rows(&t, "SELECT count(*) FROM lex_segment") > 60);
    kill_some(&t, 400);
    for (int i = 0; more; i++) {
        sql(&t, "BEGIN");
        OK(rag_lex_merge(&more, t.x, &t.live, false, &err), &err);
        sql(&t, "COMMIT");
        check_random_queries(&t, 2);
        kill_some(&t, 5);
        if (i % 2 == 0)
            reopen(&t);
        if (i == 3)
            fill(&t, 200, 50);
        assert_true(i < 200);
    }
    assert_true(count_rows(&t, "SELECT count(*) FROM lex_segment") < 15);
    check_sound(&t, true);
    check_random_queries(&t, 20);
    do {
        OK(rag_lex_merge(&more, t.x, &t.live, true, &err), &err);
    } while (more);
    assert_int_equal(count_rows(&t, "SELECT count(*) FROM lex_segment"), 1);
    check_sound(&t, true);
    check_random_queries(&t, 20);
    kill_some(&t, 100000);
    memset(t.bits, 0, sizeof t.bits);
    do {
        OK(rag_lex_merge(&more, t.x, &t.live, false, &err), &err);
    } while (more);
    assert_int_equal(count_rows(&t, "SELECT count(*) FROM lex_segment"), 0);
    assert_int_equal(count_rows(&t, "SELECT count(*) FROM lex_block"), 0);
    assert_int_equal(count_rows(&t, "SELECT count(*) FROM lex_list"), 0);
    assert_int_equal(count_rows(&t, "SELECT count(*) FROM lex_chunk"), 0);
    close_bench(&t);
}

/* A merge of any size is cut into steps that resume where the last one ended,
 * also when the step before was rolled back. */
static void t_merge_rolled_back(void **state)
{
    struct bench t;
    rag_error err;
    bool more = true;

    (void)state;
    open_bench(&t);
    fill(&t, 600, 30);
    for (int i = 0; more; i++) {
        sql(&t, "BEGIN");
        OK(rag_lex_merge(&more, t.x, &t.live, true, &err), &err);
        sql(&t, "ROLLBACK");
        rag_lex_forget(t.x);
        check_random_queries(&t, 1);
        sql(&t, "BEGIN");
        OK(rag_lex_merge(&more, t.x, &t.live, true, &err), &err);
        sql(&t, "COMMIT");
        check_random_queries(&t, 1);
        assert_true(i < 50);
    }
    assert_int_equal(count_rows(&t, "SELECT count(*) FROM lex_segment"), 1);
    close_bench(&t);
}

/* Many chunks that hold hardly anything but one word: its list is long. */
static void fill_wide(struct bench *t, uint8_t *bits, int64_t from, int64_t to)
{
    rag_error err;

    for (int64_t id = from; id < to; id++) {
        char body[256] = "";
        uint32_t n = roll(t, 3) == 0 ? 0 : roll(t, 30);

        for (uint32_t i = 0; i < n; i++)
            (void)strcat(body, "many ");
        (void)strcat(body, id % 1000 == 7 ? "seldom" : "other");
        OK(rag_lex_add(t->x, id, RAG_STR_LIT(""), rag_str_of(body), &err),
           &err);
        bits[id / 8] |= (uint8_t)(1 << id % 8);
    }
    OK(rag_lex_flush(t->x, &err), &err);
}

static void check_wide(struct bench *t, const rag_store_hit *want,
                       const rag_store_term *terms, const rag_bits *live)
{
    rag_store_hit hits[50];
    size_t n;
    rag_error err;

    OK(rag_lex_search(hits, &n, 50, t->x, terms, 2, live, NULL, &err), &err);
    assert_int_equal(n, 50);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(hits[i].chunk_id, want[i].chunk_id);
        assert_true(hits[i].score == want[i].score);
    }
}

static void t_long_lists(void **state)
{
    const int64_t n_chunks = 90000;
    uint8_t *bits = calloc((size_t)n_chunks / 8 + 1, 1);
    rag_bits live = {.bits = bits, .n_bytes = (size_t)n_chunks / 8 + 1};
    rag_store_term terms[2];
    rag_store_hit want[50];
    struct bench t;
    uint64_t df[2];
    uint64_t n_postings;
    rag_error err;
    size_t n;
    bool more = true;

    (void)state;
    open_bench(&t);
    terms[0] = (rag_store_term){key_of("many"), RAG_TERM_SHOULD, 1, 1};
    terms[1] = (rag_store_term){key_of("seldom"), RAG_TERM_MUST, 1, 1};
    fill_wide(&t, bits, 1, n_chunks - 2000);
    fill_wide(&t, bits, n_chunks - 2000, n_chunks);
    assert_true(count_rows(&t, "SELECT count(*) FROM lex_list") > 4);
    OK(rag_lex_counts(df, t.x, terms, 2, &live, &err), &err);
    assert_int_equal(df[1], 90);
    for (int64_t id = 1; id < n_chunks; id += 3)
        bits[id / 8] &= (uint8_t) ~(1 << id % 8);
    OK(rag_lex_counts(df, t.x, terms, 2, &live, &err), &err);
    assert_int_equal(df[1], 60);
    OK(rag_lex_search(want, &n, 50, t.x, terms, 2, &live, NULL, &err), &err);
    assert_int_equal(n, 50);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(want[i].chunk_id % 1000, 7);
    for (int i = 0; more; i++) {
        OK(rag_lex_merge(&more, t.x, &live, true, &err), &err);
        check_wide(&t, want, terms, &live);
        assert_true(i < 200);
    }
    OK(rag_lex_check(&n_postings, t.x, &live, &err), &err);
    assert_int_equal(count_rows(&t, "SELECT count(*) FROM lex_segment"), 1);
    assert_true(count_rows(&t, "SELECT count(*) FROM lex_list") > 2);
    close_bench(&t);
    free(bits);
}

static size_t search(rag_store_hit *hits, struct bench *t, const char *must,
                     const char *should, const char *not_this)
{
    rag_store_term terms[3];
    size_t n_terms = 0;
    size_t n;
    rag_error err;

    if (must != NULL)
        terms[n_terms++] = (rag_store_term){key_of(must), RAG_TERM_MUST, 1, 1};
    if (should != NULL)
        terms[n_terms++] =
            (rag_store_term){key_of(should), RAG_TERM_SHOULD, 1, 1};
    if (not_this != NULL)
        terms[n_terms++] =
            (rag_store_term){key_of(not_this), RAG_TERM_NOT, 1, 1};
    OK(rag_lex_search(hits, &n, 10, t->x, terms, n_terms, &t->live, NULL, &err),
       &err);
    return n;
}

static void t_roles(void **state)
{
    rag_store_hit hits[10];
    struct bench t;
    rag_error err;

    (void)state;
    open_bench(&t);
    add(&t, "", "apple banana");
    add(&t, "", "apple cherry");
    OK(rag_lex_flush(t.x, &err), &err);
    add(&t, "", "banana cherry plum");
    add(&t, "apple", "");
    OK(rag_lex_flush(t.x, &err), &err);
    assert_int_equal(search(hits, &t, NULL, "apple", NULL), 3);
    assert_int_equal(hits[0].chunk_id, 4); /* in its heading, and short */
    assert_int_equal(search(hits, &t, "apple", "banana", NULL), 3);
    assert_int_equal(hits[0].chunk_id, 1);
    assert_true(hits[0].coverage > 0.99F && hits[1].coverage < 0.7F);
    assert_int_equal(search(hits, &t, NULL, "apple", "cherry"), 2);
    assert_int_equal(search(hits, &t, "plum", "apple", NULL), 1);
    assert_int_equal(hits[0].chunk_id, 3);
    assert_int_equal(search(hits, &t, "plum", NULL, "banana"), 0);
    assert_int_equal(search(hits, &t, "missing", "apple", NULL), 0);
    assert_int_equal(search(hits, &t, NULL, "missing", NULL), 0);
    assert_int_equal(search(hits, &t, NULL, NULL, "apple"), 0);
    set_live(&t, 4, false);
    assert_int_equal(search(hits, &t, NULL, "apple", NULL), 2);
    /* equal scores: by chunk id */
    assert_true(hits[0].score == hits[1].score);
    assert_int_equal(hits[0].chunk_id, 1);
    close_bench(&t);
}

static void t_korean(void **state)
{
    rag_store_hit hits[10];
    struct bench t;
    rag_error err;

    (void)state;
    open_bench(&t);
    add(&t, "설치", "배터리를 교체하려면 덮개를 엽니다.");
    add(&t, "", "The battery is replaced by opening the lid.");
    OK(rag_lex_flush(t.x, &err), &err);
    assert_int_equal(search(hits, &t, NULL, "배터", NULL), 1);
    assert_int_equal(hits[0].chunk_id, 1);
    assert_int_equal(search(hits, &t, NULL, "Batteries", NULL), 1);
    assert_int_equal(hits[0].chunk_id, 2);
    close_bench(&t);
}

/* Words in more than 30 % of the chunks weigh nothing, unless all do. */
static void t_common(void **state)
{
    rag_store_hit hits[10];
    struct bench t;
    rag_error err;
    rag_store_term terms[2];
    uint64_t df[2];

    (void)state;
    open_bench(&t);
    for (int i = 0; i < 50; i++)
        add(&t, "", i == 30 ? "common rare" : i < 40 ? "common" : "other");
    OK(rag_lex_flush(t.x, &err), &err);
    assert_int_equal(search(hits, &t, NULL, "common", NULL), 10);
    assert_true(hits[0].score > 0);
    assert_int_equal(search(hits, &t, "rare", "common", NULL), 1);
    assert_true(hits[0].coverage > 0.99F);
    terms[0] = (rag_store_term){key_of("common"), RAG_TERM_SHOULD, 1, 1};
    terms[1] = (rag_store_term){key_of("rare"), RAG_TERM_SHOULD, 1, 1};
    check_query(&t, terms, 2, NULL);
    terms[0].role = RAG_TERM_MUST; /* still binds */
    check_query(&t, terms, 2, NULL);
    set_live(&t, 1, false);
    OK(rag_lex_counts(df, t.x, terms, 2, &t.live, &err), &err);
    assert_int_equal(df[0], 39);
    assert_int_equal(df[1], 1);
    close_bench(&t);
}

static void t_bad_use(void **state)
{
    struct bench t;
    rag_error err;

    (void)state;
    open_bench(&t);
    OK(rag_lex_add(t.x, 5, RAG_STR_LIT(""), RAG_STR_LIT("a"), &err), &err);
    assert_int_equal(
        rag_lex_add(t.x, 5, RAG_STR_LIT(""), RAG_STR_LIT("a"), &err),
        RAG_E_INVAL);
    rag_lex_forget(t.x);
    assert_int_equal(
        rag_lex_add(t.x, 0, RAG_STR_LIT(""), RAG_STR_LIT("a"), &err),
        RAG_E_INVAL);
    OK(rag_lex_add(t.x, 5, RAG_STR_LIT(""), RAG_STR_LIT("a"), &err), &err);
    OK(rag_lex_flush(t.x, &err), &err);
    OK(rag_lex_add(t.x, 4, RAG_STR_LIT(""), RAG_STR_LIT("a"), &err), &err);
    assert_int_equal(rag_lex_flush(t.x, &err), RAG_E_INVAL);
    OK(rag_lex_drop_all(t.x, &err), &err);
    OK(rag_lex_add(t.x, 1, RAG_STR_LIT(""), RAG_STR_LIT("a"), &err), &err);
    OK(rag_lex_flush(t.x, &err), &err);
    set_live(&t, 1, true);
    check_sound(&t, true);
    set_live(&t, 2, true); /* a visible chunk that the index lacks */
    {
        uint64_t n;

        assert_int_equal(rag_lex_check(&n, t.x, &t.live, &err), RAG_E_CORRUPT);
    }
    close_bench(&t);
}

/* ---- damage ---------------------------------------------------------------
 */

static void is_told_or_harmless(rag_status st)
{
    assert_true(st == RAG_OK || st == RAG_E_CORRUPT);
}

static void use_everything(struct bench *t)
{
    const rag_store_term many = {t->many, RAG_TERM_SHOULD, 1, 1};
    rag_store_term terms[32];
    rag_store_hit hits[10];
    rag_error err;
    uint64_t n_postings;
    size_t n;
    bool more = true;

    rag_lex_forget(t->x);
    is_told_or_harmless(
        rag_lex_search(hits, &n, 10, t->x, &many, 1, &t->live, NULL, &err));
    for (int i = 0; i < 3; i++) {
        size_t n_terms = random_query(t, terms);

        is_told_or_harmless(rag_lex_search(hits, &n, 10, t->x, terms, n_terms,
                                           &t->live, NULL, &err));
    }
    is_told_or_harmless(rag_lex_check(&n_postings, t->x, &t->live, &err));
    for (int i = 0; i < 8 && more; i++) {
        rag_status st = rag_lex_merge(&more, t->x, &t->live, true, &err);

        is_told_or_harmless(st);
        if (st != RAG_OK)
            break;
    }
}

static void put_blob(struct bench *t, const char *table, int64_t id,
                     const void *bytes, int n)
{
    char text[80];
    sqlite3_stmt *stmt;

    (void)snprintf(text, sizeof text, "UPDATE %s SET data = ?2 WHERE id = ?1",
                   table);
    assert_int_equal(sqlite3_prepare_v2(t->db, text, -1, &stmt, NULL),
                     SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_blob(stmt, 2, bytes, n, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
}

/* Damages one random row of a table in one of several ways. */
static void damage(struct bench *t, const char *table)
{
    char text[80];
    sqlite3_stmt *stmt;
    uint8_t bytes[20000];
    int64_t id;
    int n;

    (void)snprintf(
        text, sizeof text, "SELECT id, data FROM %s LIMIT 1 OFFSET %u", table,
        roll(t,
             (uint32_t)count_rows(t, strcmp(table, "lex_block") == 0
                                         ? "SELECT count(*) FROM lex_block"
                                     : strcmp(table, "lex_list") == 0
                                         ? "SELECT count(*) FROM lex_list"
                                         : "SELECT count(*) FROM lex_chunk")));
    assert_int_equal(sqlite3_prepare_v2(t->db, text, -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    id = sqlite3_column_int64(stmt, 0);
    n = sqlite3_column_bytes(stmt, 1);
    assert_true(n > 0 && n + 4 <= (int)sizeof bytes);
    memcpy(bytes, sqlite3_column_blob(stmt, 1), (size_t)n);
    sqlite3_finalize(stmt);
    switch (roll(t, 4)) {
    case 0: /* cut off */
        n = (int)roll(t, (uint32_t)n);
        break;
    case 1: /* too long */
        memset(bytes + n, (int)roll(t, 256), 4);
        n += 4;
        break;
    case 2: /* a flipped bit at the front, where the counts are */
        bytes[roll(t, n < 8 ? (uint32_t)n : 8)] ^= (uint8_t)(1 << roll(t, 8));
        break;
    default:
        for (int i = 0; i < 3; i++)
            bytes[roll(t, (uint32_t)n)] = (uint8_t)roll(t, 256);
        break;
    }
    put_blob(t, table, id, bytes, n);
}

static void t_damage(void **state)
{
    static const char *const tables[] = {"lex_block", "lex_list", "lex_chunk"};
    uint8_t bits[1200] = {0};
    struct bench t;

    (void)state;
    open_bench(&t);
    t.live = (rag_bits){.bits = bits, .n_bytes = sizeof bits};
    t.many = key_of("many");
    fill_wide(&t, bits, 1, 9000);
    fill_wide(&t, bits, 9000, 9500);
    bits[70] = 0;
    assert_true(count_rows(&t, "SELECT count(*) FROM lex_list") > 0);
    for (int i = 0; i < 400; i++) {
        sql(&t, "BEGIN");
        damage(&t, tables[i % 3]);
        use_everything(&t);
        sql(&t, "ROLLBACK");
    }
    rag_lex_forget(t.x);
    check_sound(&t, true);
    close_bench(&t);
}

/* Whatever stands in the other columns, too. */
static void t_damaged_rows(void **state)
{
    static const char *const wounds[] = {
        "UPDATE lex_segment SET n_chunks = n_chunks + 1",
        "UPDATE lex_segment SET n_chunks = n_chunks - 1",
        "UPDATE lex_segment SET n_chunks = -1",
        "UPDATE lex_segment SET n_chunks = 0",
        "UPDATE lex_segment SET n_chunks = 9000000000000",
        "UPDATE lex_segment SET state = 1",
        "UPDATE lex_segment SET state = 77",
        "UPDATE lex_segment SET into_segment = 1",
        "UPDATE lex_segment SET state = 1, into_segment = id",
        "UPDATE lex_segment SET next_word = -5, state = 1",
        "UPDATE lex_segment SET next_list = 1 << 62, state = 1",
        "UPDATE lex_segment SET id = 1 << 40 WHERE id = 1",
        "UPDATE lex_segment SET first_chunk = -first_chunk",
        "DELETE FROM lex_chunk",
        "DELETE FROM lex_list",
        "DELETE FROM lex_block WHERE id % 2",
        "UPDATE lex_block SET data = zeroblob(5000000)",
        "UPDATE lex_list SET data = zeroblob(0)",
        "UPDATE lex_list SET data = zeroblob(100)",
        "UPDATE lex_block SET data = zeroblob(3)",
        "UPDATE lex_chunk SET data = zeroblob(9000)",
        "UPDATE lex_block SET id = id + (1 << 40)"
        " WHERE id = (SELECT max(id) FROM lex_block)",
        "DROP TABLE lex_block;"
        "CREATE TABLE lex_block(id INTEGER PRIMARY KEY, data);"
        "INSERT INTO lex_block VALUES(1099511627776, 'text')",
    };
    struct bench t;

    (void)state;
    open_bench(&t);
    fill(&t, 1500, 600);
    for (size_t i = 0; i < sizeof wounds / sizeof wounds[0]; i++) {
        sql(&t, "BEGIN");
        sql(&t, wounds[i]);
        use_everything(&t);
        sql(&t, "ROLLBACK");
    }
    rag_lex_forget(t.x);
    check_sound(&t, true);
    check_random_queries(&t, 5);
    close_bench(&t);
}

/* ---- out of memory --------------------------------------------------------
 */

static rag_status whole_life(sqlite3 *db, const rag_store_term *terms)
{
    static const uint8_t all[] = {0xFE, 0x03}; /* ids 1 to 9 */
    rag_bits live = {.bits = all, .n_bytes = sizeof all};
    rag_store_hit hits[4];
    rag_lex *x = NULL;
    rag_error err;
    bool more = true;
    uint64_t n_postings;
    size_t n;
    rag_status st;

    assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    TRY(rag_lex_new(&x, db, &err));
    for (int64_t id = 1; id <= 9; id++) {
        TRY(rag_lex_add(x, id, RAG_STR_LIT("Head"), RAG_STR_LIT("word body"),
                        &err));
        TRY(rag_lex_flush(x, &err));
    }
    TRY(rag_lex_search(hits, &n, 4, x, terms, 3, &live, NULL, &err));
    assert_int_equal(n, 4);
    while (more)
        TRY(rag_lex_merge(&more, x, &live, false, &err));
    live.n_bytes = 1;
    more = true;
    while (more)
        TRY(rag_lex_merge(&more, x, &live, true, &err));
    TRY(rag_lex_check(&n_postings, x, &live, &err));
    TRY(rag_lex_search(hits, &n, 4, x, terms, 3, &live, NULL, &err));
out:
    rag_lex_free(x);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    return st;
}

static void t_oom(void **state)
{
    const rag_store_term terms[3] = {{key_of("word"), RAG_TERM_MUST, 1, 1},
                                     {key_of("body"), RAG_TERM_SHOULD, 1, 1},
                                     {key_of("none"), RAG_TERM_NOT, 1, 1}};
    struct bench t;

    (void)state;
    open_bench(&t);
    CHECK_OOM(whole_life(t.db, terms));
    close_bench(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_ranking),
        cmocka_unit_test(t_merges),
        cmocka_unit_test(t_merge_rolled_back),
        cmocka_unit_test(t_long_lists),
        cmocka_unit_test(t_roles),
        cmocka_unit_test(t_korean),
        cmocka_unit_test(t_common),
        cmocka_unit_test(t_bad_use),
        cmocka_unit_test(t_damage),
        cmocka_unit_test(t_damaged_rows),
        cmocka_unit_test(t_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
