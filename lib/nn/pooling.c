#include "nn/pooling.h"

#include <math.h>
#include <string.h>

bool rag_pooling_takes_one(const rag_weights_head *h)
{
    return h->head == RAG_HEAD_BERT || h->head == RAG_HEAD_XLMR ||
           h->pooling == RAG_POOL_CLS || h->pooling == RAG_POOL_LAST;
}

size_t rag_pooling_row(const rag_weights_head *h, size_t n)
{
    bool first = h->head == RAG_HEAD_BERT || h->head == RAG_HEAD_XLMR ||
                 h->pooling == RAG_POOL_CLS;

    return first ? 0 : n - 1;
}

void rag_pooling_run(float *v, const rag_weights_head *h, const float *x,
                     size_t n)
{
    size_t hidden = h->hidden;
    bool by_place = h->pooling == RAG_POOL_WEIGHTED;

    if (rag_pooling_takes_one(h) || h->pooling == RAG_POOL_MAX) {
        memcpy(v, x, hidden * sizeof *v);
        for (size_t t = 1; t < n; t++) {
            x += hidden;
            for (size_t d = 0; d < hidden; d++)
                v[d] = x[d] > v[d] ? x[d] : v[d];
        }
        return;
    }
    memset(v, 0, hidden * sizeof *v);
    for (size_t t = 0; t < n; t++, x += hidden) {
        float count = by_place ? (float)(t + 1) : 1.0f;

        for (size_t d = 0; d < hidden; d++)
            v[d] += x[d] * count;
    }
    for (size_t d = 0; d < hidden; d++)
        v[d] /= (float)n;
}

rag_status rag_pooling_normalise(float *v, size_t n, rag_error *err)
{
    double square = 0.0;
    float scale;

    for (size_t d = 0; d < n; d++)
        square += (double)v[d] * (double)v[d];
    if (!(square > 1e-30 && square < 1e30))
        return rag_fail(
            err, RAG_E_CORRUPT,
            "the model gives no vector: its file is damaged; import "
            "it again with rag model add");
    scale = (float)(1.0 / sqrt(square));
    for (size_t d = 0; d < n; d++)
        v[d] *= scale;
    return RAG_OK;
}
