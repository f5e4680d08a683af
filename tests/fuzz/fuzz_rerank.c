/* A rerank server's reply: every score read is a number and belongs to a text;
 * scaled they lie in 0..1 and keep their order. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "model/rerank_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_str body = rag_str_n((const char *)data, size);
    rag_rerank_about about;
    double raw[N];
    double scores[N];

    if (rag_rerank_read(raw, N, body, "server", NULL) != RAG_OK)
        return 0;
    for (size_t i = 0; i < N; i++)
        scores[i] = raw[i];
    rag_rerank_scale(scores, N, &about);
    if (about.n_unscored >= N)
        abort();
    for (size_t i = 0; i < N; i++) {
        if (isnan(raw[i]) != isnan(scores[i]) || scores[i] < 0 || scores[i] > 1)
            abort();
        for (size_t k = 0; k < N; k++)
            if (raw[i] < raw[k] && scores[i] > scores[k])
                abort();
    }
    return 0;
}
