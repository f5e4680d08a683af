#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "flow/modeltest_priv.h"

/* float32 sums in another order */
#define SAME 0.99999
/* half precision, padded batches: harmless for a search */
#define NEARLY_SAME 0.995
/* over the windows of servers, and still a request of a few hundred KB */
#define LONG_TOKENS 40000u
/* several windows of a built-in model: what it does with one, it does with all
 * (and more would take a while) */
#define LONG_TOKENS_LOCAL 3000u
#define MAX_LONG_BYTES ((size_t)4 << 20)
/* texts embedded alone and together */
#define N_BATCH 9u

typedef struct tester {
    const rag_model_tester *t;
    rag_embedder *e;
    const char *model;
    bool local;
    size_t dims;
    rag_buf text;
} tester;

/* ---- vectors ------------------------------------------------------------ */

typedef struct gather {
    float *out; /* [n x dims] */
    size_t dims;
} gather;

static rag_status keep(void *ctx, size_t first, size_t n, const float *vectors,
                       size_t dims, rag_error *err)
{
    const gather *g = ctx;

    if (dims != g->dims)
        return rag_fail(err, RAG_E_FORMAT, "a vector of %zu numbers after %zu",
                        dims, g->dims);
    memcpy(g->out + first * dims, vectors, n * dims * sizeof *vectors);
    return RAG_OK;
}

/* *out [n x dims]: to be freed. */
static rag_status embed(float **out, tester *t, const rag_str *texts, size_t n,
                        rag_embed_kind kind, rag_error *err)
{
    gather g = {rag_calloc(n * t->dims, sizeof *g.out), t->dims};
    rag_status st;

    *out = g.out;
    if (g.out == NULL)
        return rag_fail_nomem(err);
    st = rag_embed(t->e, texts, n, kind, keep, &g, err);
    if (st != RAG_OK) {
        rag_free(g.out);
        *out = NULL;
    }
    return st;
}

static rag_status embed_topics(float **out, tester *t,
                               const char *const list[RAG_MODEL_TEST_TOPICS],
                               rag_embed_kind kind, rag_error *err)
{
    rag_str texts[RAG_MODEL_TEST_TOPICS];

    for (size_t i = 0; i < RAG_MODEL_TEST_TOPICS; i++)
        texts[i] = rag_str_of(list[i]);
    return embed(out, t, texts, RAG_MODEL_TEST_TOPICS, kind, err);
}

static double cosine(const float *a, const float *b, size_t dims)
{
    double sum = 0;

    for (size_t i = 0; i < dims; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* What a check that could not be done is told as: the model's fault, unless the
 * machine's, which ends the test. */
static rag_status broke(tester *t, const char *state, const char *what,
                        rag_status st, const rag_error *why, rag_error *err)
{
    if (rag_model_test_ours(st))
        return rag_fail(err, st, "%s", why->msg);
    rag_model_test_say(t->t, state, st, what, NULL, "%s", why->msg);
    return RAG_OK;
}

/* ---- the checks --------------------------------------------------------- */

/* *go_on: there is a model that answers. */
static rag_status check_open(bool *go_on, tester *t, rag_error *err)
{
    static const char what[] = "model";
    rag_str probe = RAG_STR_LIT("The model answers.");
    rag_error why = {RAG_OK, ""};
    float *v = NULL;
    double ms = 0;
    rag_status st = rag_embed_check(t->e, &ms, &why);

    *go_on = false;
    t->dims = rag_embed_dims(t->e);
    if (st == RAG_OK)
        st = embed(&v, t, &probe, 1, RAG_EMBED_PASSAGE, &why);
    rag_free(v);
    if (st == RAG_OK) {
        *go_on = true;
        rag_model_test_say(t->t, "ok", RAG_OK, what, NULL,
                           "%s: %zu dimensions%s (%.0f ms)", t->model, t->dims,
                           t->local ? ", its file is whole" : "", ms);
        return RAG_OK;
    }
    if (rag_model_test_ours(st))
        return rag_fail(err, st, "%s", why.msg);
    if (st == RAG_E_FORMAT && !t->local)
        st = RAG_E_REMOTE; /* an answer that is none */
    rag_model_test_say(t->t, "fail", st, what,
                       st == RAG_E_CORRUPT ? "rag model add FILE again"
                       : st == RAG_E_AUTH
                           ? "rag config set embed.key_env NAME_OF_A_VARIABLE"
                       : st == RAG_E_NET ? "rag config set embed.url URL"
                                         : NULL,
                       "%s: %s", t->model, why.msg);
    return RAG_OK;
}

static rag_status check_repeat(tester *t, rag_error *err)
{
    rag_str text = rag_str_of(rag_model_test_passage[0][0]);
    rag_error why = {RAG_OK, ""};
    float *a = NULL;
    float *b = NULL;
    double cos;
    rag_status st = embed(&a, t, &text, 1, RAG_EMBED_PASSAGE, &why);

    if (st == RAG_OK)
        st = embed(&b, t, &text, 1, RAG_EMBED_PASSAGE, &why);
    if (st != RAG_OK) {
        st = broke(t, "fail", "same text twice", st, &why, err);
        goto out;
    }
    cos = cosine(a, b, t->dims);
    if (cos >= SAME)
        rag_model_test_say(t->t, "ok", RAG_OK, "same text twice", NULL,
                           "the same vector");
    else
        rag_model_test_say(t->t, cos >= NEARLY_SAME ? "warn" : "fail",
                           RAG_E_FORMAT, "same text twice", NULL,
                           "other vectors (cosine %.4f): the server's answers "
                           "depend on more than the text",
                           cos);
out:
    rag_free(a);
    rag_free(b);
    return st;
}

/* Short and long, in both languages: what padding and masks go wrong with. */
static void batch_texts(rag_str texts[N_BATCH], tester *t)
{
    size_t k = 0;
    size_t start;

    for (size_t i = 0; i < RAG_MODEL_TEST_TOPICS; i++)
        for (size_t l = 0; l < 2; l++)
            texts[k++] = rag_str_of(rag_model_test_passage[l][i]);
    texts[3] = RAG_STR_LIT("a");
    rag_buf_clear(&t->text);
    start = t->text.len;
    rag_model_test_prose(&t->text, 120, 1);
    texts[k] = rag_str_cut(rag_buf_str(&t->text), start, t->text.len);
}

static void judge_batch(tester *t, const float *alone, const float *together)
{
    double worst = 1;
    bool moved = false;

    for (size_t i = 0; i < N_BATCH; i++) {
        double own =
            cosine(alone + i * t->dims, together + i * t->dims, t->dims);

        worst = fmin(worst, own);
        for (size_t k = 0; k < N_BATCH; k++)
            moved = moved || (k != i && cosine(alone + i * t->dims,
                                               together + k * t->dims,
                                               t->dims) > own + 1e-3);
    }
    if (moved)
        rag_model_test_say(t->t, "fail", RAG_E_FORMAT, "alone, batched", NULL,
                           "a batch's vectors belong to other texts: their "
                           "order is wrong");
    else if (worst < NEARLY_SAME)
        rag_model_test_say(t->t, "fail", RAG_E_FORMAT, "alone, batched",
                           t->local ? NULL : "rag config set embed.batch 1",
                           "a text's vector depends on what stands beside it "
                           "(cosine %.4f): padding is not left out",
                           worst);
    else if (worst < SAME)
        rag_model_test_say(t->t, t->local ? "fail" : "ok", RAG_E_FORMAT,
                           "alone, batched", NULL,
                           "nearly the same vectors (cosine %.5f)", worst);
    else
        rag_model_test_say(t->t, "ok", RAG_OK, "alone, batched", NULL,
                           "the same vectors");
}

static rag_status check_batch(tester *t, rag_error *err)
{
    rag_str texts[N_BATCH];
    rag_error why = {RAG_OK, ""};
    float *alone = rag_calloc(N_BATCH * t->dims, sizeof *alone);
    float *together = NULL;
    rag_status st;

    if (alone == NULL)
        return rag_fail_nomem(err);
    batch_texts(texts, t);
    st = rag_buf_status(&t->text, &why);
    for (size_t i = 0; i < N_BATCH && st == RAG_OK; i++) {
        float *v = NULL;

        st = embed(&v, t, &texts[i], 1, RAG_EMBED_PASSAGE, &why);
        if (st == RAG_OK)
            memcpy(alone + i * t->dims, v, t->dims * sizeof *v);
        rag_free(v);
    }
    if (st == RAG_OK)
        st = embed(&together, t, texts, N_BATCH, RAG_EMBED_PASSAGE, &why);
    if (st == RAG_OK)
        judge_batch(t, alone, together);
    else
        st = broke(t, "fail", "alone, batched", st, &why, err);
    rag_free(alone);
    rag_free(together);
    return st;
}

/* How many of a's rows lie nearest to b's row of the same number. */
static size_t n_matched(tester *t, const float *a, const float *b)
{
    size_t n = 0;

    for (size_t i = 0; i < RAG_MODEL_TEST_TOPICS; i++) {
        double own = cosine(a + i * t->dims, b + i * t->dims, t->dims);
        bool best = true;

        for (size_t k = 0; k < RAG_MODEL_TEST_TOPICS; k++)
            best = best && (k == i || cosine(a + i * t->dims, b + k * t->dims,
                                             t->dims) < own);
        n += best;
    }
    return n;
}

/* Of the questions in one language, against the passages in another. */
static rag_status check_meaning(tester *t, const char *what, size_t question,
                                size_t passage, const char *state,
                                const char *means, rag_error *err)
{
    rag_error why = {RAG_OK, ""};
    float *q = NULL;
    float *p = NULL;
    size_t n;
    rag_status st = embed_topics(&q, t, rag_model_test_question[question],
                                 RAG_EMBED_QUERY, &why);

    if (st == RAG_OK)
        st = embed_topics(&p, t, rag_model_test_passage[passage],
                          RAG_EMBED_PASSAGE, &why);
    if (st != RAG_OK) {
        st = broke(t, "fail", what, st, &why, err);
        goto out;
    }
    n = n_matched(t, q, p);
    if (n == RAG_MODEL_TEST_TOPICS)
        rag_model_test_say(t->t, "ok", RAG_OK, what, NULL,
                           "%zu of %u questions find their passage", n,
                           RAG_MODEL_TEST_TOPICS);
    else
        rag_model_test_say(t->t, state, RAG_E_FORMAT, what, NULL,
                           "%zu of %u questions find their passage: %s", n,
                           RAG_MODEL_TEST_TOPICS, means);
out:
    rag_free(q);
    rag_free(p);
    return st;
}

/* A sentence and its translation against other sentences. */
static rag_status check_translation(tester *t, rag_error *err)
{
    rag_error why = {RAG_OK, ""};
    float *en = NULL;
    float *ko = NULL;
    size_t n;
    rag_status st = embed_topics(&en, t, rag_model_test_passage[0],
                                 RAG_EMBED_PASSAGE, &why);

    if (st == RAG_OK)
        st = embed_topics(&ko, t, rag_model_test_passage[1], RAG_EMBED_PASSAGE,
                          &why);
    if (st != RAG_OK) {
        st = broke(t, "fail", "translation", st, &why, err);
        goto out;
    }
    n = n_matched(t, ko, en);
    rag_model_test_say(t->t, n == RAG_MODEL_TEST_TOPICS ? "ok" : "warn", RAG_OK,
                       "translation", NULL,
                       "%zu of %u Korean sentences lie nearest to their "
                       "English translation%s",
                       n, RAG_MODEL_TEST_TOPICS,
                       n == RAG_MODEL_TEST_TOPICS
                           ? ""
                           : ": a question finds text of its own language");
out:
    rag_free(en);
    rag_free(ko);
    return st;
}

/* Names of models that were trained with prefixes, which their servers do not
 * put there. */
static const char *wants_prefix(const char *model)
{
    static const struct {
        const char *name;
        const char *prefix;
    } known[] = {{"e5-", "query: "},
                 {"nomic-embed", "search_query: "},
                 {"arctic-embed", "query: "},
                 {"embeddinggemma", "task: search result | query: "}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasestr(model, known[i].name) != NULL)
            return known[i].prefix;
    return NULL;
}

static rag_status check_prefixes(tester *t, rag_error *err)
{
    const char *query = rag_embed_prefix(t->e, RAG_EMBED_QUERY);
    const char *passage = rag_embed_prefix(t->e, RAG_EMBED_PASSAGE);
    const char *wanted = wants_prefix(t->model);
    rag_str text = rag_str_of(rag_model_test_question[0][0]);
    rag_error why = {RAG_OK, ""};
    float *a = NULL;
    float *b = NULL;
    rag_status st = RAG_OK;

    if (strcmp(query, passage) == 0) {
        if (wanted != NULL && query[0] == '\0')
            rag_model_test_say(t->t, "warn", RAG_OK, "prefixes",
                               "rag config set embed.query_prefix PREFIX (and "
                               "embed.passage_prefix)",
                               "none, but a model of this name wants questions "
                               "to begin with '%s'",
                               wanted);
        else
            rag_model_test_say(t->t, "ok", RAG_OK, "prefixes", NULL, "%s%s%s",
                               query[0] == '\0' ? "none" : "'", query,
                               query[0] == '\0' ? "" : "' before all");
        return RAG_OK;
    }
    st = embed(&a, t, &text, 1, RAG_EMBED_QUERY, &why);
    if (st == RAG_OK)
        st = embed(&b, t, &text, 1, RAG_EMBED_PASSAGE, &why);
    if (st != RAG_OK)
        st = broke(t, "fail", "prefixes", st, &why, err);
    else if (cosine(a, b, t->dims) > 1 - 1e-7)
        rag_model_test_say(t->t, "fail", RAG_E_FORMAT, "prefixes", NULL,
                           "'%s' and '%s' change nothing: the text is not read "
                           "from its beginning",
                           query, passage);
    else
        rag_model_test_say(t->t, "ok", RAG_OK, "prefixes", NULL,
                           "'%s' and '%s'", query, passage);
    rag_free(a);
    rag_free(b);
    return st;
}

/* Is it taken at all? bad: what it is when not. */
static rag_status check_taken(tester *t, const char *what, rag_str text,
                              const char *bad, rag_error *err)
{
    rag_error why = {RAG_OK, ""};
    float *v = NULL;
    rag_status st = embed(&v, t, &text, 1, RAG_EMBED_PASSAGE, &why);

    rag_free(v);
    if (st != RAG_OK)
        return broke(t, bad, what, st, &why, err);
    rag_model_test_say(t->t, "ok", RAG_OK, what, NULL, "has a vector");
    return RAG_OK;
}

/* Two texts of n_tokens that differ in their last fifth: *cos. The server may
 * refuse them: the status of that. */
static rag_status differ(double *cos, tester *t, uint32_t n_tokens,
                         rag_error *err)
{
    rag_str texts[2];
    float *v = NULL;
    size_t ends[2];
    rag_status st;

    rag_buf_clear(&t->text);
    for (unsigned i = 0; i < 2; i++) {
        rag_model_test_prose(&t->text, n_tokens / 5 * 4, 0);
        rag_model_test_prose(&t->text, n_tokens / 5, 3 + 2 * i);
        ends[i] = t->text.len;
    }
    TRY(rag_buf_status(&t->text, err));
    texts[0] = rag_str_cut(rag_buf_str(&t->text), 0, ends[0]);
    texts[1] = rag_str_cut(rag_buf_str(&t->text), ends[0], ends[1]);
    TRY(embed(&v, t, texts, 2, RAG_EMBED_PASSAGE, err));
    *cos = cosine(v, v + t->dims, t->dims);
out:
    rag_free(v);
    return st;
}

/* As long as ingest makes them: what stands at the end must count. */
static rag_status check_passage(tester *t, rag_error *err)
{
    static const char what[] = "longest passage";
    uint32_t most = t->t->cfg->chunk_max_tokens;
    rag_error why = {RAG_OK, ""};
    double cos = 0;
    rag_status st;

    if (most == 0)
        most = 400;
    st = differ(&cos, t, most, &why);
    if (st == RAG_E_REMOTE) {
        rag_model_test_say(t->t, "fail", st, what,
                           "rag config set chunk.max_tokens N (and "
                           "chunk.min_tokens)",
                           "of about %u tokens (chunk.max_tokens) is refused: "
                           "%s",
                           most, why.msg);
        return RAG_OK;
    }
    if (st != RAG_OK)
        return broke(t, "fail", what, st, &why, err);
    if (cos > 1 - 1e-6)
        rag_model_test_say(t->t, "fail", RAG_E_FORMAT, what,
                           "rag config set chunk.max_tokens N (and "
                           "chunk.min_tokens), or a server with a longer "
                           "context",
                           "of about %u tokens (chunk.max_tokens) is cut "
                           "without a word: its end changes nothing",
                           most);
    else
        rag_model_test_say(t->t, "ok", RAG_OK, what, NULL,
                           "of about %u tokens is read to its end", most);
    return RAG_OK;
}

static rag_status check_long(tester *t, rag_error *err)
{
    static const char what[] = "very long text";
    rag_error why = {RAG_OK, ""};
    double cos = 0;
    uint32_t n_tokens = t->local ? LONG_TOKENS_LOCAL : LONG_TOKENS;
    rag_status st = differ(&cos, t, n_tokens, &why);

    if (st == RAG_E_REMOTE) {
        rag_model_test_say(t->t, "ok", RAG_OK, what, NULL,
                           "is refused, not cut: %s", why.msg);
        return RAG_OK;
    }
    if (st != RAG_OK)
        return broke(t, "fail", what, st, &why, err);
    if (cos <= 1 - 1e-6)
        rag_model_test_say(t->t, "ok", RAG_OK, what, NULL,
                           "of about %u tokens is read to its end%s", n_tokens,
                           t->local ? ", in windows averaged by length" : "");
    else
        rag_model_test_say(t->t, t->local ? "fail" : "warn", RAG_E_FORMAT, what,
                           NULL,
                           "is cut without a word: of 'rag embed' and of "
                           "passages above the model's window only the "
                           "beginning counts");
    return RAG_OK;
}

static void say_lengths(tester *t)
{
    double lo;
    double hi;

    rag_embed_lengths(t->e, &lo, &hi);
    if (lo > 0.99 && hi < 1.01)
        rag_model_test_say(t->t, "ok", RAG_OK, "vectors", NULL,
                           "%zu finite numbers each, of length 1", t->dims);
    else
        rag_model_test_say(t->t, "ok", RAG_OK, "vectors", NULL,
                           "%zu finite numbers each, of length %.3g to %.3g: "
                           "made 1 here",
                           t->dims, lo, hi);
}

static rag_status checks(tester *t, rag_error *err)
{
    rag_status st;

    TRY(check_repeat(t, err));
    TRY(check_batch(t, err));
    TRY(check_meaning(t, "English", 0, 0, "fail",
                      "its vectors carry no meaning", err));
    TRY(check_meaning(t, "Korean", 1, 1, "warn",
                      "search Korean by words (--mode lexical)", err));
    TRY(check_meaning(t, "Korean-English", 1, 0, "warn",
                      "ask in the language of the documents", err));
    TRY(check_translation(t, err));
    TRY(check_prefixes(t, err));
    TRY(check_taken(t, "empty text", RAG_STR_LIT(""), "warn", err));
    TRY(check_taken(t, "control chars", rag_str_of(rag_model_test_controls),
                    "fail", err));
    TRY(check_passage(t, err));
    TRY(check_long(t, err));
    say_lengths(t);
out:
    return st;
}

rag_status rag_model_test_embed(const rag_model_tester *t, rag_error *err)
{
    tester x = {.t = t};
    rag_error why = {RAG_OK, ""};
    char *model = NULL;
    bool go_on = false;
    rag_status st = rag_flow_embedder_new(&x.e, &model, t->cfg, &why);

    rag_buf_init(&x.text, MAX_LONG_BYTES);
    if (st == RAG_OK && x.e == NULL && !t->other)
        st = rag_fail(err, RAG_E_INVAL,
                      "no embedding model to test: %s, or set embed.model",
                      rag_flow_model_hint(t->cfg));
    else if (st != RAG_OK && rag_model_test_ours(st))
        st = rag_fail(err, st, "%s", why.msg);
    else if (st != RAG_OK) {
        rag_model_test_say(t, "fail", st, "model",
                           st == RAG_E_NOTFOUND  ? "rag model add FILE"
                           : st == RAG_E_CORRUPT ? "rag model add FILE again"
                                                 : NULL,
                           "%s", why.msg);
        st = RAG_OK;
    } else if (x.e != NULL) {
        x.model = model;
        x.local = strncmp(model, "builtin:", 8) == 0;
        st = check_open(&go_on, &x, err);
        if (st == RAG_OK && go_on)
            st = checks(&x, err);
    }
    rag_buf_dispose(&x.text);
    rag_embed_free(x.e);
    rag_free(model);
    return st;
}
