#include "test.h"

#include "flow/query.h"

static rag_query *query(const char *typed)
{
    rag_query *q;
    rag_error err;

    OK(rag_query_new(&q, rag_str_of(typed), true, &err), &err);
    return q;
}

static bool accepts(const char *typed, const char *heading, const char *text)
{
    rag_query *q = query(typed);
    rag_error err;
    bool yes;

    OK(rag_query_accepts(&yes, q, rag_str_of(heading), rag_str_of(text), &err),
       &err);
    rag_query_free(q);
    return yes;
}

static size_t n_of(const rag_query *q, rag_term_role role)
{
    size_t n = 0;

    for (size_t i = 0; i < q->n_terms; i++)
        n += q->terms[i].role == role;
    return n;
}

static void t_terms(void **state)
{
    rag_query *q = query("how to install the \"exact phrase\" -windows");

    (void)state;
    assert_int_equal(n_of(q, RAG_TERM_SHOULD), 1); /* install */
    assert_int_equal(n_of(q, RAG_TERM_MUST), 2);
    assert_int_equal(n_of(q, RAG_TERM_NOT), 1);
    assert_int_equal(q->n_phrases, 1);
    assert_int_equal(q->n_excluded, 1);
    rag_query_free(q);
    q = query("what is it"); /* nothing else: they count */
    assert_int_equal(n_of(q, RAG_TERM_SHOULD), 3);
    rag_query_free(q);
    q = query("배터리를"); /* a gram that ends in a particle weighs half */
    assert_int_equal(q->n_terms, 3);
    assert_true(q->terms[0].weight == 1 && q->terms[2].weight == 0.5F);
    rag_query_free(q);
}

/* The topic: what a question is about, beside how it is asked. */
static void t_topic(void **state)
{
    rag_query *q = query("인덱스를 나누고");
    /* the same, decomposed */
    rag_query *nfd = query(
        "\xe1\x84\x8b\xe1\x85\xb5\xe1\x86\xab\xe1\x84\x83\xe1\x85\xa6\xe1\x86"
        "\xa8\xe1\x84\x89\xe1\x85\xb3\xe1\x84\x85\xe1\x85\xb3\xe1\x86\xaf "
        "\xe1\x84\x82\xe1\x85\xa1\xe1\x84\x82\xe1\x85\xae\xe1\x84\x80\xe1\x85"
        "\xa9");

    (void)state;
    assert_int_equal(q->n_terms, 5); /* 인덱 덱스 스를 나누 누고 */
    assert_true(q->terms[0].weight == 1 && q->terms[0].topic == 1);
    assert_true(q->terms[2].topic == 0.5F);
    assert_true(q->terms[3].weight == 1 && q->terms[3].topic == 0.5F);
    assert_int_equal(nfd->n_terms, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_true(nfd->terms[i].word == q->terms[i].word);
        assert_true(nfd->terms[i].topic == q->terms[i].topic);
    }
    rag_query_free(q);
    rag_query_free(nfd);
}

/* The words of the script that most of a question is in, stop words, too. */
static void t_said(void **state)
{
    rag_query *q = query("how to install the 42 -windows");
    rag_store_term korean[RAG_QUERY_MAX_TERMS];
    rag_error err;
    size_t n;

    (void)state;
    assert_int_equal(q->n_said, 4);
    assert_int_equal(q->n_grams, 0);
    rag_query_free(q);
    q = query("docker 이미지는 어떻게 만드나요");
    assert_true(q->n_grams >= 7);
    assert_int_equal(q->n_said, q->n_grams);
    assert_int_equal(q->n_hangul, q->n_grams);
    OK(rag_query_korean(korean, &n, q, &err), &err);
    assert_int_equal(n, 8);
    rag_query_free(q);
}

/* What a phrase may end in the middle of is no condition, or the words index
 * would hide what holds it. */
static void t_loose_words(void **state)
{
    rag_query *q = query("\"user.name\"");

    (void)state;
    assert_int_equal(n_of(q, RAG_TERM_SHOULD), 1); /* the code whole */
    assert_int_equal(n_of(q, RAG_TERM_MUST), 2);   /* user, name */
    rag_query_free(q);
    assert_true(accepts("\"user.name\"", "", "set config.user.name first"));
    q = query("\"값\"");
    assert_int_equal(n_of(q, RAG_TERM_MUST), 0);
    rag_query_free(q);
    assert_true(accepts("\"값\"", "", "값을 바꾼다"));
}

static void t_accepts(void **state)
{
    (void)state;
    assert_true(accepts("\"Quick brown\"", "", "the quick\nBROWN fox"));
    assert_false(accepts("\"quick fox\"", "", "the quick brown fox"));
    assert_true(accepts("\"some title\"", "Some Title", "text"));
    assert_false(accepts("\"title text\"", "Some Title", "text"));
    assert_false(accepts("fox -brown", "", "the quick brown fox"));
    assert_false(accepts("fox -brown", "Brown", "fox"));
    assert_true(accepts("fox -red", "", "the quick brown fox"));
    assert_false(accepts("\"a b\" \"c d\"", "", "a b c"));
    assert_true(accepts("\"a b\" \"b c\"", "", "a b c"));
    assert_true(accepts("a lone \" quote", "", "anything"));
    assert_true(accepts("\" \"", "", "anything"));
}

/* A quote far away is no phrase. */
static void t_long_quote(void **state)
{
    char typed[3000];
    rag_query *q;

    (void)state;
    memset(typed, 'x', sizeof typed);
    typed[0] = '"';
    typed[sizeof typed - 2] = '"';
    typed[sizeof typed - 1] = '\0';
    q = query(typed);
    assert_int_equal(q->n_phrases, 0);
    rag_query_free(q);
}

static rag_status whole_life(void)
{
    rag_query *q = NULL;
    bool yes;
    rag_status st;

    TRY(rag_query_new(&q, RAG_STR_LIT("find \"a phrase\" -not here"), true,
                      NULL));
    TRY(rag_query_accepts(&yes, q, RAG_STR_LIT("h"), RAG_STR_LIT("a phrase"),
                          NULL));
    assert_true(yes);
out:
    rag_query_free(q);
    return st;
}

static void t_oom(void **state)
{
    (void)state;
    CHECK_OOM(whole_life());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_terms),   cmocka_unit_test(t_topic),
        cmocka_unit_test(t_said),    cmocka_unit_test(t_loose_words),
        cmocka_unit_test(t_accepts), cmocka_unit_test(t_long_quote),
        cmocka_unit_test(t_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
