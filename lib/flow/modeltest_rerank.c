#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "flow/modeltest_priv.h"

/* scores that differ more depend on what stands beside a text */
#define SAME 0.02
/* over the window of the longest rerankers */
#define LONG_TOKENS 12000u
#define MAX_LONG_BYTES ((size_t)1 << 20)
#define N RAG_MODEL_TEST_TOPICS

typedef struct tester {
    const rag_model_tester *t;
    rag_reranker *r;
} tester;

static rag_status broke(tester *t, const char *state, const char *what,
                        rag_status st, const rag_error *why, rag_error *err)
{
    if (rag_model_test_ours(st))
        return rag_fail(err, st, "%s", why->msg);
    rag_model_test_say(t->t, state, st, what, NULL, "%s", why->msg);
    return RAG_OK;
}

/* The passages of a language, for one of its questions; back: the last first.
 * scores by topic. */
static rag_status rank(double scores[N], tester *t, size_t question,
                       size_t passage, size_t topic, bool back, rag_error *err)
{
    rag_str texts[N];
    double got[N];
    rag_status st;

    for (size_t i = 0; i < N; i++)
        texts[back ? N - 1 - i : i] =
            rag_str_of(rag_model_test_passage[passage][i]);
    st = rag_rerank(got, t->r,
                    rag_str_of(rag_model_test_question[question][topic]), texts,
                    N, err);
    for (size_t i = 0; i < N && st == RAG_OK; i++)
        scores[i] = got[back ? N - 1 - i : i];
    return st;
}

static rag_status check_open(bool *go_on, tester *t, rag_error *err)
{
    rag_error why = {RAG_OK, ""};
    double ms = 0;
    rag_status st = rag_rerank_check(t->r, &ms, &why);

    *go_on = st == RAG_OK;
    if (*go_on)
        rag_model_test_say(t->t, "ok", RAG_OK, "reranker", NULL, "%s (%.0f ms)",
                           t->t->cfg->rerank_model, ms);
    else if (rag_model_test_ours(st))
        return rag_fail(err, st, "%s", why.msg);
    else
        rag_model_test_say(t->t, "fail", st == RAG_E_FORMAT ? RAG_E_REMOTE : st,
                           "reranker",
                           st == RAG_E_AUTH  ? "rag config set rerank.key_env "
                                               "NAME_OF_A_VARIABLE"
                           : st == RAG_E_NET ? "rag config set rerank.url URL"
                                             : NULL,
                           "%s: %s", t->t->cfg->rerank_model, why.msg);
    return RAG_OK;
}

/* Forwards, backwards and each alone must be scored alike. */
static rag_status check_places(tester *t, rag_error *err)
{
    rag_error why = {RAG_OK, ""};
    double a[N];
    double b[N];
    double worst = 0;
    rag_rerank_about about;
    rag_status st = rank(a, t, 0, 0, 0, false, &why);

    about = rag_rerank_last(t->r);
    if (st == RAG_OK)
        st = rank(b, t, 0, 0, 0, true, &why);
    if (st != RAG_OK)
        return broke(t, "fail", "order of texts", st, &why, err);
    if (about.n_unscored != 0) {
        rag_model_test_say(t->t, "warn", RAG_OK, "scores", NULL,
                           "of %u texts it scores its best %zu only", N,
                           N - about.n_unscored);
        return RAG_OK;
    }
    for (size_t i = 0; i < N; i++)
        worst = fmax(worst, fabs(a[i] - b[i]));
    if (worst > SAME)
        rag_model_test_say(t->t, "fail", RAG_E_FORMAT, "order of texts", NULL,
                           "scores change by %.2f when the texts come the "
                           "other way round: its results do not say which text "
                           "they mean",
                           worst);
    else
        rag_model_test_say(t->t, "ok", RAG_OK, "order of texts", NULL,
                           "does not matter");
    if (about.highest - about.lowest < 1e-6)
        rag_model_test_say(t->t, "fail", RAG_E_FORMAT, "scores", NULL,
                           "every text gets %.3g: is this a reranker?",
                           about.lowest);
    else
        rag_model_test_say(t->t, "ok", RAG_OK, "scores", NULL,
                           about.raw ? "raw, %.2f to %.2f here; made 0 to 1"
                                     : "0 to 1, %.4f to %.4f here",
                           about.lowest, about.highest);
    return RAG_OK;
}

static rag_status check_alone(tester *t, rag_error *err)
{
    rag_error why = {RAG_OK, ""};
    double together[N];
    double worst = 0;
    bool raw;
    rag_status st = rank(together, t, 0, 0, 0, false, &why);

    raw = rag_rerank_last(t->r).raw;
    for (size_t i = 0; i < N && st == RAG_OK; i++) {
        rag_str text = rag_str_of(rag_model_test_passage[0][i]);
        double one;
        double x;

        st = rag_rerank(&one, t->r, rag_str_of(rag_model_test_question[0][0]),
                        &text, 1, &why);
        x = rag_rerank_last(t->r).lowest;
        one = raw ? 1 / (1 + exp(-x)) : x;
        if (st == RAG_OK && !isnan(together[i]))
            worst = fmax(worst, fabs(one - together[i]));
    }
    if (st != RAG_OK)
        return broke(t, "fail", "alone, batched", st, &why, err);
    rag_model_test_say(t->t, worst > SAME ? "fail" : "ok", RAG_E_FORMAT,
                       "alone, batched", NULL,
                       worst > SAME ? "scores differ by %.2f"
                                    : "the same scores (to %.4f)",
                       worst);
    return RAG_OK;
}

static rag_status check_meaning(tester *t, const char *what, size_t question,
                                size_t passage, const char *state,
                                const char *means, rag_error *err)
{
    size_t n = 0;

    for (size_t i = 0; i < N; i++) {
        rag_error why = {RAG_OK, ""};
        double scores[N];
        bool best;
        rag_status st = rank(scores, t, question, passage, i, false, &why);

        if (st != RAG_OK)
            return broke(t, "fail", what, st, &why, err);
        best = !isnan(scores[i]);
        for (size_t k = 0; k < N; k++)
            best = best && (k == i || !(scores[k] >= scores[i]));
        n += best;
    }
    rag_model_test_say(t->t, n == N ? "ok" : state, RAG_E_FORMAT, what, NULL,
                       "%zu of %u questions have their passage first%s%s", n, N,
                       n == N ? "" : ": ", n == N ? "" : means);
    return RAG_OK;
}

static rag_status check_taken(tester *t, const char *what, rag_str text,
                              const char *bad, rag_error *err)
{
    rag_str texts[2] = {text, rag_str_of(rag_model_test_passage[0][0])};
    rag_error why = {RAG_OK, ""};
    double scores[2];
    rag_rerank_about about;
    rag_status st =
        rag_rerank(scores, t->r, rag_str_of(rag_model_test_question[0][0]),
                   texts, 2, &why);

    about = rag_rerank_last(t->r);
    if (st != RAG_OK)
        return broke(t, bad, what, st, &why, err);
    if (isnan(scores[0]))
        rag_model_test_say(t->t, "warn", RAG_OK, what, NULL, "has no score");
    else if (about.n_cut != 0)
        rag_model_test_say(t->t, "warn", RAG_OK, what,
                           "a server with a longer context or batch",
                           "is refused, and cut here until it is taken");
    else
        rag_model_test_say(t->t, "ok", RAG_OK, what, NULL, "has a score");
    return RAG_OK;
}

static rag_status checks(tester *t, rag_error *err)
{
    uint32_t most = t->t->cfg->chunk_max_tokens;
    rag_status st;
    rag_buf b;

    rag_buf_init(&b, MAX_LONG_BYTES);
    TRY(check_places(t, err));
    TRY(check_alone(t, err));
    TRY(check_meaning(t, "English", 0, 0, "fail",
                      "it makes the order worse, do not use it", err));
    TRY(check_meaning(t, "Korean", 1, 1, "warn",
                      "it makes the order of Korean passages worse", err));
    TRY(check_meaning(t, "Korean-English", 1, 0, "warn",
                      "it makes the order worse across languages", err));
    TRY(check_taken(t, "empty text", RAG_STR_LIT(""), "warn", err));
    TRY(check_taken(t, "control chars", rag_str_of(rag_model_test_controls),
                    "fail", err));
    rag_model_test_prose(&b, most != 0 ? most : 400, 1);
    TRY(rag_buf_status(&b, err));
    TRY(check_taken(t, "longest passage", rag_buf_str(&b), "fail", err));
    rag_buf_clear(&b);
    rag_model_test_prose(&b, LONG_TOKENS, 1);
    TRY(rag_buf_status(&b, err));
    st = check_taken(t, "very long text", rag_buf_str(&b), "warn", err);
out:
    rag_buf_dispose(&b);
    return st;
}

rag_status rag_model_test_rerank(const rag_model_tester *t, rag_error *err)
{
    tester x = {.t = t};
    rag_error why = {RAG_OK, ""};
    bool go_on = false;
    rag_status st = rag_flow_reranker_new(&x.r, t->cfg, &why);

    if (st == RAG_OK && x.r == NULL)
        return rag_fail(err, RAG_E_INVAL,
                        "no reranker to test: set rerank.model");
    if (st != RAG_OK && rag_model_test_ours(st))
        return rag_fail(err, st, "%s", why.msg);
    if (st != RAG_OK) {
        rag_model_test_say(t, "fail", st, "reranker", NULL, "%s", why.msg);
        return RAG_OK;
    }
    st = check_open(&go_on, &x, err);
    if (st == RAG_OK && go_on)
        st = checks(&x, err);
    rag_rerank_free(x.r);
    return st;
}
