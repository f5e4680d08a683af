/* `rag model test` of a cross-encoder with several labels: it sorts pairs of a
 * text and a claim into classes. Which class means what is in no model's file,
 * so what is known beforehand is: the same pair gives the same numbers, and a
 * claim that the text makes lies in another class than one of another subject.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "flow/modeltest_priv.h"
#include "nn/encoder.h"

#define N RAG_MODEL_TEST_TOPICS
/* classes of the models that there are: 2 or 3 */
#define MAX_LABELS 16u
/* over the window of the longest ones */
#define LONG_TOKENS 12000u
#define MAX_LONG_BYTES ((size_t)1 << 20)

typedef struct tester {
    const rag_model_tester *t;
    rag_encoder *e;
    size_t n_labels;
} tester;

/* Logits of one pair; no number among them: RAG_E_CORRUPT of the encoder. */
static rag_status ask(float *out, const tester *t, rag_str text, rag_str claim,
                      rag_error *err)
{
    return rag_encoder_labels(out, t->e, &text, &claim, 1, t->t->cfg->cancelled,
                              t->t->cfg->cancel_ctx, err);
}

static rag_status failed(const tester *t, const char *what, rag_status st,
                         const rag_error *why, rag_error *err)
{
    if (rag_model_test_ours(st))
        return rag_fail(err, st, "%s", why->msg);
    rag_model_test_say(t->t, "fail", st, what, NULL, "%s", why->msg);
    return RAG_OK;
}

static size_t class_of(const float *logits, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* Every passage with itself, then with the next subject's: alone and all at
 * once. */
static rag_status check_pairs(const tester *t, rag_error *err)
{
    float together[2 * N * MAX_LABELS];
    float alone[MAX_LABELS];
    rag_str text[2 * N];
    rag_str claim[2 * N];
    rag_error why = {RAG_OK, ""};
    size_t n_apart = 0;
    float worst = 0;
    rag_status st;

    for (size_t i = 0; i < 2 * N; i++) {
        text[i] = rag_str_of(rag_model_test_passage[0][i % N]);
        claim[i] = rag_str_of(rag_model_test_passage[0][(i + i / N) % N]);
    }
    st = rag_encoder_labels(together, t->e, text, claim, (size_t)2 * N,
                            t->t->cfg->cancelled, t->t->cfg->cancel_ctx, &why);
    for (size_t i = 0; i < 2 * N && st == RAG_OK; i++) {
        st = ask(alone, t, text[i], claim[i], &why);
        for (size_t k = 0; k < t->n_labels && st == RAG_OK; k++)
            worst =
                fmaxf(worst, fabsf(alone[k] - together[i * t->n_labels + k]));
    }
    if (st != RAG_OK)
        return failed(t, "alone, batched", st, &why, err);
    for (size_t i = 0; i < N; i++)
        n_apart += class_of(together + i * t->n_labels, t->n_labels) !=
                   class_of(together + (i + N) * t->n_labels, t->n_labels);
    if (worst > 0.0f)
        rag_model_test_say(t->t, "fail", RAG_E_FORMAT, "alone, batched", NULL,
                           "the same pair differs by %.2g", (double)worst);
    else
        rag_model_test_say(t->t, "ok", RAG_OK, "alone, batched", NULL,
                           "the same numbers");
    rag_model_test_say(t->t, n_apart == N ? "ok" : "fail", RAG_E_FORMAT,
                       "English", NULL,
                       "%zu of %u claims that their text makes lie in another "
                       "class than those of another subject",
                       n_apart, N);
    return RAG_OK;
}

static rag_status check_odd(const tester *t, const char *what, rag_str text,
                            rag_error *err)
{
    float logits[MAX_LABELS];
    rag_error why = {RAG_OK, ""};
    rag_status st =
        ask(logits, t, text, rag_str_of(rag_model_test_passage[0][0]), &why);

    if (st == RAG_OK)
        st = ask(logits, t, rag_str_of(rag_model_test_passage[0][0]), text,
                 &why);
    if (st != RAG_OK)
        return failed(t, what, st, &why, err);
    rag_model_test_say(t->t, "ok", RAG_OK, what, NULL, "has its numbers");
    return RAG_OK;
}

static rag_status checks(const tester *t, rag_error *err)
{
    rag_status st;
    rag_buf b;

    rag_buf_init(&b, MAX_LONG_BYTES);
    rag_model_test_say(t->t, "ok", RAG_OK, "model", NULL,
                       "%s: sorts pairs into %zu classes, no reranker; its "
                       "file is whole",
                       t->t->cfg->rerank_model, t->n_labels);
    TRY(check_pairs(t, err));
    TRY(check_odd(t, "empty text", rag_str_n("", 0), err));
    TRY(check_odd(t, "control chars", rag_str_of(rag_model_test_controls),
                  err));
    rag_model_test_prose(&b, LONG_TOKENS, 1);
    TRY(rag_buf_status(&b, err));
    st = check_odd(t, "very long text", rag_buf_str(&b), err);
out:
    rag_buf_dispose(&b);
    return st;
}

rag_status rag_model_test_pairs(bool *is_one, const rag_model_tester *t,
                                rag_error *err)
{
    const char *name = t->cfg->rerank_model;
    tester x = {.t = t};
    rag_error why = {RAG_OK, ""};
    rag_model_info m;
    rag_status st;

    *is_one = name != NULL && strncmp(name, "builtin:", 8) == 0 &&
              rag_model_show(&m, t->cfg, name + 8, NULL) == RAG_OK &&
              m.labels > 1;
    if (!*is_one)
        return RAG_OK;
    st = rag_encoder_verify(m.path, &why);
    if (st == RAG_OK)
        st = rag_encoder_open(&x.e, m.path, t->cfg->n_jobs, &why);
    if (st == RAG_OK && m.labels > MAX_LABELS)
        st = rag_fail(&why, RAG_E_UNSUPPORTED, "%zu classes, at most %u",
                      m.labels, MAX_LABELS);
    x.n_labels = m.labels;
    st = st == RAG_OK ? checks(&x, err) : failed(&x, "model", st, &why, err);
    rag_encoder_close(x.e);
    return st;
}
