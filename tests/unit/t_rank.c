#include "test.h"

#include <math.h>

#include "flow/rank.h"

#define NEAR(a, b) assert_true(fabs((double)(a) - (double)(b)) < 1e-6)

/* Scores fall from 1 by one step a hit; ids ascend from first. */
static void fall(rag_store_hit *list, size_t n, int64_t first, float step,
                 float coverage)
{
    for (size_t i = 0; i < n; i++)
        list[i] =
            (rag_store_hit){first + (int64_t)i, 1 - step * (float)i, coverage};
}

static void fused_by_place_and_share(void **state)
{
    const rag_store_hit dense[] = {{1, 0.9F, 0}, {2, 0.8F, 0}, {3, 0.7F, 0}};
    const rag_store_hit words[] = {{3, 12, 1}, {4, 8, 0.5F}, {1, 4, 0.2F}};
    rag_ranked out[6];
    size_t n = rag_rank_fuse(out, dense, 3, words, 3, 0.6);

    (void)state;
    assert_int_equal(n, 4);
    assert_int_equal(out[0].chunk_id, 1); /* .6 and the last of the words */
    assert_true(out[0].score > 0.6 && out[0].score < 0.602);
    NEAR(out[0].dense, 0.9F);
    NEAR(out[0].lexical, 4);
    NEAR(out[0].coverage, 0.2F);
    assert_int_equal(out[1].chunk_id, 3);
    assert_true(out[1].score > 0.4 && out[1].score < 0.402);
    assert_int_equal(out[2].chunk_id, 2); /* half of .6 */
    assert_true(isnan(out[2].lexical) && isnan(out[2].coverage));
    assert_int_equal(out[3].chunk_id, 4);
    assert_true(isnan(out[3].dense));
    for (size_t i = 0; i < n; i++)
        assert_true(out[i].score >= 0 && out[i].score <= 1);
}

static void one_list_alone(void **state)
{
    const rag_store_hit list[] = {{7, 3, 1}, {5, 3, 1}, {9, 2, 1}};
    rag_ranked out[3];

    (void)state;
    assert_int_equal(rag_rank_fuse(out, NULL, 0, NULL, 0, 0.5), 0);
    /* whatever the share says */
    assert_int_equal(rag_rank_fuse(out, NULL, 0, list, 3, 0.9), 3);
    assert_int_equal(out[0].chunk_id, 5); /* equal scores: by id */
    assert_int_equal(out[1].chunk_id, 7);
    NEAR(out[0].score, 1);
    assert_int_equal(rag_rank_fuse(out, list, 1, NULL, 0, 0.1), 1);
    NEAR(out[0].score, 1); /* a single hit */
}

/* More candidates change nothing among those that were there before. */
static void depth_does_not_matter(void **state)
{
    rag_store_hit dense[200];
    rag_store_hit words[200];
    rag_ranked few[100];
    rag_ranked many[400];

    (void)state;
    fall(dense, 200, 1, 0.002F, 0);
    fall(words, 200, 31, 0.004F, 0.5F);
    assert_int_equal(rag_rank_fuse(few, dense, 50, words, 50, 0.5), 80);
    assert_int_equal(rag_rank_fuse(many, dense, 200, words, 200, 0.5), 230);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(few[i].chunk_id, many[i].chunk_id);
    for (size_t i = 1; i < 230; i++)
        assert_true(many[i - 1].score >= many[i].score);
}

/* The words count more the more of the question they cover, and the further
 * the best hit leads. */
static void share_follows_the_words(void **state)
{
    rag_store_hit sure[] = {{1, 40, 1}, {2, 8, 0.2F}};
    rag_store_hit vague[] = {{1, 40, 0.2F}, {2, 8, 0.2F}};
    rag_store_hit level[12];
    double all = rag_rank_dense_weight(NULL, 0);

    (void)state;
    fall(level, 12, 1, 0.01F, 1);
    assert_true(all > 0.75 && all <= 1);
    assert_true(rag_rank_dense_weight(sure, 2) < 0.35);
    assert_true(rag_rank_dense_weight(vague, 2) >
                rag_rank_dense_weight(sure, 2) + 0.1);
    assert_true(rag_rank_dense_weight(level, 12) > 0.7);
    assert_true(rag_rank_dense_weight(level, 12) < all);
    NEAR(rag_rank_coverage(sure, 2), 1);
    NEAR(rag_rank_coverage(vague, 2), 0.2F);
    NEAR(rag_rank_coverage(NULL, 0), 0);
}

static bool answers(double coverage, double known, double top,
                    double background)
{
    const rag_signals s = {coverage, known, top, background, !isnan(top)};
    double e = rag_rank_evidence(&s);

    assert_true(e >= 0 && e <= 1);
    return e >= RAG_RANK_RELEVANT;
}

static void evidence_of_words_and_meaning(void **state)
{
    const rag_signals nothing = {RAG_NONE, 1, RAG_NONE, RAG_NONE, false};

    (void)state;
    NEAR(rag_rank_evidence(&nothing), 0);
    /* words alone */
    assert_false(answers(0, 0, RAG_NONE, RAG_NONE));
    assert_false(answers(0.3, 1, RAG_NONE, RAG_NONE));
    assert_true(answers(0.5, 1, RAG_NONE, RAG_NONE));
    /* a passage that stands out of the rest counts for the words */
    assert_true(answers(0.3, 1, 0.93, 0.80));
    assert_false(answers(0.3, 1, 0.82, 0.80));
    /* a model whose cosines lie elsewhere says the same */
    assert_true(answers(0.3, 1, 0.65, 0.05));
    assert_false(answers(0.3, 1, 0.12, 0.05));
    /* meaning alone */
    assert_true(answers(RAG_NONE, 1, 0.90, 0.80));
    assert_false(answers(RAG_NONE, 1, 0.82, 0.80));
}

/* A question in another language than the documents' is not refused for want
 * of words, one in theirs is. */
static void evidence_across_languages(void **state)
{
    (void)state;
    assert_true(answers(0, 0, 0.85, 0.80));
    assert_false(answers(0, 0, 0.81, 0.80));
    assert_false(answers(0, 0.5, 0.85, 0.80));
    assert_false(answers(0, 0, RAG_NONE, RAG_NONE)); /* no vectors */
    /* too few chunks to know how high cosines lie */
    assert_true(answers(0, 0, 0.85, RAG_NONE));
    assert_false(answers(0, 0.5, 0.85, RAG_NONE));
    assert_true(answers(0.5, 1, 0.85, RAG_NONE));
}

static void background_is_the_upper_quartile(void **state)
{
    float cos[10] = {0.5F, NAN, 0.1F, 0.2F, 0.8F, 0.7F, 0.6F, 0.3F, 0.4F, NAN};

    (void)state;
    NEAR(rag_rank_background(cos, 10), 0.7F);
    cos[0] = NAN;
    assert_true(isnan(rag_rank_background(cos, 8)));
    assert_true(isnan(rag_rank_background(cos, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fused_by_place_and_share),
        cmocka_unit_test(one_list_alone),
        cmocka_unit_test(depth_does_not_matter),
        cmocka_unit_test(share_follows_the_words),
        cmocka_unit_test(evidence_of_words_and_meaning),
        cmocka_unit_test(evidence_across_languages),
        cmocka_unit_test(background_is_the_upper_quartile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
