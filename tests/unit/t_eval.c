#include "test.h"

#include "folder.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/eval.h"

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void one_relevant_at_three(void **state)
{
    double gains[] = {0, 0, 1, 0};
    double grades[] = {1};
    rag_eval_result r = {0};

    (void)state;
    rag_eval_add(&r, gains, 4, grades, 1);
    rag_eval_mean(&r);
    assert_int_equal(r.n_queries, 1);
    NEAR(r.ndcg_10, 1 / log2(4)); /* .5 */
    NEAR(r.mrr_10, 1.0 / 3);
    NEAR(r.map_100, 1.0 / 3);
    NEAR(r.recall_10, 1);
    NEAR(r.recall_100, 1);
}

/* Gains are linear, as trec_eval's ndcg has them: grades 3 and 1 found at 2 and
 * 4, a 2 not found, a 0 judged but not relevant. */
static void graded(void **state)
{
    double gains[] = {0, 3, 0, 1};
    double grades[] = {1, 0, 3, 2};
    double dcg = 3 / log2(3) + 1 / log2(5);
    double ideal = 3 / log2(2) + 2 / log2(3) + 1 / log2(4);
    rag_eval_result r = {0};

    (void)state;
    rag_eval_add(&r, gains, 4, grades, 4);
    rag_eval_mean(&r);
    NEAR(r.ndcg_10, dcg / ideal);
    NEAR(r.mrr_10, 0.5);
    NEAR(r.map_100, (1.0 / 2 + 2.0 / 4) / 3);
    NEAR(r.recall_10, 2.0 / 3);
}

/* Ranks 11..100 count for recall@100 and MAP only, rank 101 for nothing; the
 * ideal of nDCG@10 stops at ten. */
static void cut_offs(void **state)
{
    double gains[101] = {0};
    double grades[12];
    double ideal = 0;
    rag_eval_result r = {0};

    (void)state;
    for (size_t i = 0; i < 12; i++)
        grades[i] = 1;
    for (size_t i = 0; i < 10; i++)
        ideal += 1 / log2((double)i + 2);
    gains[0] = gains[10] = gains[99] = gains[100] = 1;
    rag_eval_add(&r, gains, 101, grades, 12);
    rag_eval_mean(&r);
    NEAR(r.ndcg_10, 1 / ideal);
    NEAR(r.recall_10, 1.0 / 12);
    NEAR(r.recall_100, 3.0 / 12);
    NEAR(r.map_100, (1.0 + 2.0 / 11 + 3.0 / 100) / 12);
    NEAR(r.mrr_10, 1);
}

static void first_relevant_behind_ten(void **state)
{
    double gains[11] = {0};
    double grades[] = {1};
    rag_eval_result r = {0};

    (void)state;
    gains[10] = 1;
    rag_eval_add(&r, gains, 11, grades, 1);
    rag_eval_mean(&r);
    NEAR(r.mrr_10, 0);
    NEAR(r.ndcg_10, 0);
    NEAR(r.map_100, 1.0 / 11);
}

/* A query that found nothing, and one with nothing relevant, count as 0. */
static void means(void **state)
{
    double gains[] = {1};
    double a[] = {1};
    double b[] = {1};
    double c[] = {0};
    rag_eval_result r = {0};

    (void)state;
    rag_eval_add(&r, gains, 1, a, 1);
    rag_eval_add(&r, NULL, 0, b, 1);
    rag_eval_add(&r, gains, 0, c, 1);
    rag_eval_add(&r, gains, 1, a, 1);
    rag_eval_mean(&r);
    assert_int_equal(r.n_queries, 4);
    NEAR(r.ndcg_10, 0.5);
    NEAR(r.map_100, 0.5);
    NEAR(r.recall_100, 0.5);
}

static void qrels_are_read(void **state)
{
    rag_str text = RAG_STR_LIT("query-id\tcorpus-id\tscore\r\n"
                               "q2\td1\t1\r\n"
                               "\n"
                               "q1 0 d9 2\n"
                               "q1\td3\t0\n"
                               "q1\td9\t1");
    rag_qrel *q = NULL;
    size_t n = 0;
    rag_error err;

    (void)state;
    OK(rag_eval_qrels(&q, &n, text, &err), &err);
    assert_int_equal(n, 3);
    assert_true(rag_str_eqz(q[0].query, "q1") && rag_str_eqz(q[0].doc, "d3"));
    assert_true(rag_str_eqz(q[1].query, "q1") && rag_str_eqz(q[1].doc, "d9"));
    assert_true(rag_str_eqz(q[2].query, "q2") && rag_str_eqz(q[2].doc, "d1"));
    NEAR(q[0].grade, 0);
    NEAR(q[1].grade, 1); /* the last one counts */
    rag_free(q);
    OK(rag_eval_qrels(&q, &n, RAG_STR_LIT(""), &err), &err);
    assert_int_equal(n, 0);
    rag_free(q);
}

static void bad_qrels(void **state)
{
    static const char *const bad[] = {"q d 1\nq d\n", "q d 1\nq d x\n",
                                      "q d 1\na b c d 1\n"};
    rag_qrel *q = NULL;
    size_t n = 0;
    rag_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(rag_eval_qrels(&q, &n, rag_str_of(bad[i]), &err),
                         RAG_E_FORMAT);
        assert_non_null(strstr(err.msg, "line 2"));
        assert_null(q);
    }
}

static rag_status read_qrels(void)
{
    rag_qrel *q = NULL;
    size_t n = 0;
    rag_status st = rag_eval_qrels(&q, &n, RAG_STR_LIT("a b 1\na c 1\n"), NULL);

    rag_free(q);
    return st;
}

static void qrels_without_memory(void **state)
{
    (void)state;
    CHECK_OOM(read_qrels());
}

/* ---- a folder ----------------------------------------------------------- */

static char dir[64];

static void put(const char *name, const char *text)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int make_dir(void **state)
{
    char path[128];

    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/rag_t_eval_XXXXXX");
    if (folder_new(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/qrels", dir);
    if (mkdir(path, 0700) != 0)
        return -1;
    put("corpus.jsonl",
        "{\"_id\":\"1\",\"title\":\"\",\"text\":\"a proxy for the "
        "network\"}\n"
        "{\"_id\":\"2\",\"title\":\"\",\"text\":\"cats sleep all day\"}\n"
        "{\"_id\":\"3\",\"title\":\"\",\"text\":\"the proxy of the cats of "
        "the proxy\"}\n"
        "{\"_id\":\"4\",\"title\":\"\",\"text\":\"bread and butter\"}\n"
        "{\"_id\":\"5\",\"title\":\"\",\"text\":\"stones in a wall\"}\n"
        "{\"_id\":\"6\",\"title\":\"\",\"text\":\"rain in spring\"}\n"
        "{\"_id\":\"7\",\"title\":\"\",\"text\":\"letters and parcels\"}\n");
    put("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"network\"}\n"
                         "{\"_id\":\"q2\",\"text\":\"butter stones\"}\n"
                         "{\"_id\":\"nobody judged\",\"text\":\"rain\"}\n"
                         "{\"_id\":7,\"text\":\"quantum\"}\n");
    put("qrels/test.tsv", "query-id\tcorpus-id\tscore\n"
                          "q1\t1\t1\n"
                          "q2\t4\t1\nq2\t5\t1\nq2\t6\t1\n"
                          "7\t7\t1\n"
                          "not asked\t7\t1\n");
    put("qrels/dev.tsv", "q1\t2\t1\n");
    return 0;
}

static int drop_dir(void **state)
{
    char cmd[128];

    (void)state;
    (void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    return system(cmd) == 0 ? 0 : -1;
}

static rag_config config(void)
{
    static char cache[96];
    rag_config cfg = {.embed_model = "none", .retrieve_dense_weight = -1};

    (void)snprintf(cache, sizeof cache, "%s/cache", dir);
    cfg.cache_dir = cache;
    cfg.data_dir = cache;
    cfg.state_dir = cache;
    cfg.cwd = dir;
    return cfg;
}

static void folder(void **state)
{
    rag_config cfg = config();
    rag_eval_opts o = {.dir = dir, .mode = RAG_LEXICAL};
    rag_eval_result r;
    rag_error err;

    (void)state;
    for (int again = 0; again < 2; again++) {
        OK(rag_eval_beir(&r, &cfg, &o, &err), &err);
        assert_int_equal(r.n_queries, 3); /* "7" found nothing, but counts */
        NEAR(r.mrr_10, 2.0 / 3);
        NEAR(r.recall_10, (1 + 2.0 / 3 + 0) / 3);
        NEAR(r.map_100, (1 + 2.0 / 3 + 0) / 3);
        assert_true(r.queries_per_second > 0);
    }
    o.split = "dev";
    OK(rag_eval_beir(&r, &cfg, &o, &err), &err);
    assert_int_equal(r.n_queries, 1);
    NEAR(r.ndcg_10, 0);
    o.split = "nowhere";
    assert_int_equal(rag_eval_beir(&r, &cfg, &o, &err), RAG_E_NOTFOUND);
    o.split = "../qrels/test";
    assert_int_equal(rag_eval_beir(&r, &cfg, &o, &err), RAG_E_INVAL);
}

/* A changed corpus gets a store of its own; the old answers do not linger. */
static void changed_corpus(void **state)
{
    rag_config cfg = config();
    rag_eval_opts o = {.dir = dir, .mode = RAG_LEXICAL};
    rag_eval_result r;
    rag_error err;

    (void)state;
    put("corpus.jsonl",
        "{\"_id\":\"7\",\"title\":\"\",\"text\":\"a quantum\"}\n"
        "{\"_id\":\"8\",\"title\":\"\",\"text\":\"bread\"}\n");
    OK(rag_eval_beir(&r, &cfg, &o, &err), &err);
    NEAR(r.mrr_10, 1.0 / 3);
}

static void broken_folder(void **state)
{
    rag_config cfg = config();
    rag_eval_opts o = {.dir = dir, .mode = RAG_LEXICAL};
    rag_eval_result r;
    rag_error err;

    (void)state;
    put("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"network\"}\n[1]\n");
    assert_int_equal(rag_eval_beir(&r, &cfg, &o, &err), RAG_E_FORMAT);
    assert_non_null(strstr(err.msg, "line 2"));
    put("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"network\"}\n"
                         "{\"_id\":\"q1\",\"text\":\"network\"}\n");
    assert_int_equal(rag_eval_beir(&r, &cfg, &o, &err), RAG_E_FORMAT);
    assert_non_null(strstr(err.msg, "twice"));
    put("queries.jsonl", "{\"_id\":\"x\",\"text\":\"network\"}\n");
    assert_int_equal(rag_eval_beir(&r, &cfg, &o, &err), RAG_E_FORMAT);
    put("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"network\"}\n");
    put("corpus.jsonl", "{\"_id\":\"1\",\"text\":\"a\"}\n"
                        "{\"_id\":\"2\",\"text\":\"b\"}\nbroken\n");
    assert_int_equal(rag_eval_beir(&r, &cfg, &o, &err), RAG_E_FORMAT);
    assert_non_null(strstr(err.msg, "corpus.jsonl"));
}

int main(void)
{
    const struct CMUnitTest arithmetic[] = {
        cmocka_unit_test(one_relevant_at_three),
        cmocka_unit_test(graded),
        cmocka_unit_test(cut_offs),
        cmocka_unit_test(first_relevant_behind_ten),
        cmocka_unit_test(means),
        cmocka_unit_test(qrels_are_read),
        cmocka_unit_test(bad_qrels),
        cmocka_unit_test(qrels_without_memory),
    };
    const struct CMUnitTest folders[] = {
        cmocka_unit_test(folder),
        cmocka_unit_test(changed_corpus),
        cmocka_unit_test(broken_folder),
    };
    int failed = cmocka_run_group_tests(arithmetic, NULL, NULL);

    return failed + cmocka_run_group_tests(folders, make_dir, drop_dir);
}
