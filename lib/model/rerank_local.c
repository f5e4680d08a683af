/*
 * Cross-encoders of the built-in engine. Passages are scored in slices, so that
 * a cancel is seen often; the engine puts them behind each other by length.
 */
#include "base/mem.h"
#include "model/rerank_priv.h"

/* about a second of work of a small model on two CPUs */
#define SLICE_TEXTS 32u

static rag_status open_model(rag_reranker *r, rag_error *err)
{
    const rag_encoder_info *info;
    rag_status st;

    if (r->o.model_path == NULL)
        return rag_fail(err, RAG_E_NOTFOUND,
                        "the built-in model '%s' is not installed: rag model "
                        "add",
                        r->o.model);
    st = rag_encoder_open(&r->encoder, r->o.model_path, r->o.n_threads, err);
    if (st != RAG_OK)
        return st;
    info = rag_encoder_about(r->encoder);
    if (!info->is_cross)
        return rag_fail(err, RAG_E_INVAL,
                        "builtin:%s is an embedding model, no reranker",
                        r->o.model);
    if (info->n_labels != 1)
        return rag_fail(err, RAG_E_INVAL,
                        "builtin:%s sorts pairs into %zu classes, it gives no "
                        "one score to rank by",
                        r->o.model, info->n_labels);
    return RAG_OK;
}

static rag_status run_local(double *raw, rag_reranker *r, rag_str query,
                            const rag_str *texts, size_t n, rag_error *err)
{
    float scores[SLICE_TEXTS];

    for (size_t first = 0; first < n;) {
        size_t k = n - first < SLICE_TEXTS ? n - first : SLICE_TEXTS;
        rag_status st =
            rag_encoder_score(scores, r->encoder, query, texts + first, k,
                              r->o.cancelled, r->o.cancel_ctx, err);

        if (st != RAG_OK)
            return st;
        for (size_t i = 0; i < k; i++)
            raw[first + i] = (double)scores[i];
        first += k;
    }
    return RAG_OK;
}

static rag_status check_file(rag_reranker *r, rag_error *err)
{
    return rag_encoder_verify(r->o.model_path, err);
}

const rag_rerank_ops rag_rerank_builtin = {
    .provider = "builtin",
    .open = open_model,
    .run = run_local,
    .check = check_file,
};
