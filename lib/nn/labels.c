#include "nn/labels.h"

#include <math.h>
#include <string.h>

#define SQRT_HALF 0.70710678118654752f

rag_status rag_labels_run(float *logits, const rag_weights *w,
                          const rag_kern *kern, const float *row,
                          float *scratch, rag_error *err)
{
    const rag_weights_head *h = w->head;
    const rag_weights_labels *l = &w->labels;
    size_t hidden = h->hidden;

    memcpy(scratch, l->dense_b, hidden * sizeof *scratch);
    for (size_t k = 0; k < hidden; k++) {
        const float *to = l->dense + k * hidden;

        for (size_t o = 0; o < hidden; o++)
            scratch[o] += row[k] * to[o];
    }
    for (size_t o = 0; o < hidden; o++)
        scratch[o] =
            h->head == RAG_HEAD_MODERNBERT
                ? 0.5f * scratch[o] * (1.0f + erff(scratch[o] * SQRT_HALF))
                : tanhf(scratch[o]);
    if (h->head == RAG_HEAD_MODERNBERT)
        kern->norm(scratch, l->norm_w, l->norm_b, h->norm_eps, 1, hidden);
    for (size_t i = 0; i < h->n_labels; i++) {
        const float *out = l->out + i * hidden;
        float sum = l->out_b[i];

        for (size_t d = 0; d < hidden; d++)
            sum += scratch[d] * out[d];
        if (!isfinite(sum))
            return rag_fail(
                err, RAG_E_CORRUPT,
                "the model gives no score: its file is damaged; import it "
                "again with rag model add");
        logits[i] = sum;
    }
    return RAG_OK;
}
