/*
 * The reply of a rerank server. Results come in any order, most often best
 * first, so each must say which text it means; the texts themselves, which
 * some servers send back, are not looked at.
 */
#include <math.h>

#include "base/json.h"
#include "model/rerank_priv.h"
#include "net/errtext.h"

/* The list of results: the whole reply (text-embeddings-inference), "results"
 * (llama.cpp, vLLM, Jina, Cohere), "data" (Voyage and its likes). */
static const rag_json *find_list(const rag_json *root)
{
    const rag_json *list;

    if (rag_json_is_array(root))
        return root;
    list = rag_json_get(root, "results");
    if (!rag_json_is_array(list))
        list = rag_json_get(root, "data");
    return rag_json_is_array(list) ? list : NULL;
}

static rag_status read_one(double *scores, size_t n, const rag_json *item,
                           const char *what, rag_error *err)
{
    const rag_json *score = rag_json_get(item, "relevance_score");
    int64_t i;
    double v;

    if (!rag_json_i64(&i, rag_json_get(item, "index")))
        return rag_fail(err, RAG_E_FORMAT,
                        "%s: a result that does not say which text it means "
                        "(index)",
                        what);
    if (i < 0 || (uint64_t)i >= n)
        return rag_fail(err, RAG_E_FORMAT, "%s: result %lld of %zu texts", what,
                        (long long)i, n);
    if (!isnan(scores[i]))
        return rag_fail(err, RAG_E_FORMAT, "%s: two results for text %lld",
                        what, (long long)i);
    if (rag_json_is_null(score))
        score = rag_json_get(item, "score");
    if (!rag_json_num(&v, score) || !isfinite(v))
        return rag_fail(err, RAG_E_FORMAT,
                        "%s: the score of text %lld is no number", what,
                        (long long)i);
    scores[i] = v;
    return RAG_OK;
}

rag_status rag_rerank_read(double *scores, size_t n, rag_str body,
                           const char *what, rag_error *err)
{
    const rag_json *list;
    rag_json *root = NULL;
    rag_status st;

    for (size_t i = 0; i < n; i++)
        scores[i] = (double)NAN;
    TRY(rag_json_parse(&root, body, SIZE_MAX / 2, what, err));
    list = find_list(root);
    if (list == NULL) {
        rag_str says = rag_errtext_find(root);

        st = rag_fail(err, RAG_E_FORMAT,
                      "%s: the reply holds no results: is this a rerank "
                      "server?%s%.*s",
                      what, says.len != 0 ? " It says: " : "",
                      (int)(says.len < 200 ? says.len : 200), says.ptr);
        goto out;
    }
    if (rag_json_first(list) == NULL) {
        st = rag_fail(err, RAG_E_FORMAT, "%s: no results for %zu texts", what,
                      n);
        goto out;
    }
    for (const rag_json *item = rag_json_first(list); item != NULL;
         item = rag_json_next(item))
        TRY(read_one(scores, n, item, what, err));
out:
    rag_json_free(root);
    return st;
}
