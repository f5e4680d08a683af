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
        cmocka_unit_test(t_terms),   cmocka_unit_test(t_loose_words),
        cmocka_unit_test(t_accepts), cmocka_unit_test(t_long_quote),
        cmocka_unit_test(t_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
