#include "flow/rank.h"

#include <math.h>
#include <stdlib.h>

/* The rule for the dense share, a logistic of coverage. Where the documents
 * repeat the question's words, BM25 is the better judge; where they do not
 * (another language, other words), the encoder is. Constants by
 * cross-validation, docs/benchmarks.md. */
#define DENSE_MOST 0.80
#define DENSE_LEAST 0.25
#define COVERAGE_MIDDLE 0.55
#define COVERAGE_SLOPE 12.0

double rag_rank_dense_weight(const rag_store_hit *lexical, size_t n)
{
    double sum = 0;
    size_t m = n < 3 ? n : 3;

    for (size_t i = 0; i < m; i++)
        sum += (double)lexical[i].coverage;
    if (m != 0)
        sum /= (double)m;
    return DENSE_LEAST +
           (DENSE_MOST - DENSE_LEAST) /
               (1 + exp(COVERAGE_SLOPE * (sum - COVERAGE_MIDDLE)));
}

static int by_id(const void *a, const void *b)
{
    const rag_ranked *x = a;
    const rag_ranked *y = b;

    return x->chunk_id < y->chunk_id ? -1 : x->chunk_id > y->chunk_id;
}

static int by_score(const void *a, const void *b)
{
    const rag_ranked *x = a;
    const rag_ranked *y = b;

    if (x->score > y->score)
        return -1;
    if (x->score < y->score)
        return 1;
    return by_id(a, b);
}

/* Where in 0..1 a score stands in its list; one hit or equal scores: 1. */
static double norm(const rag_store_hit *list, size_t n, size_t i)
{
    double best = (double)list[0].score;
    double worst = (double)list[n - 1].score;

    return best > worst ? ((double)list[i].score - worst) / (best - worst) : 1;
}

size_t rag_rank_fuse(rag_ranked *out, const rag_store_hit *dense,
                     size_t n_dense, const rag_store_hit *lexical,
                     size_t n_lexical, double dense_weight)
{
    size_t n = 0;
    size_t kept = 0;

    if (n_dense == 0)
        dense_weight = 0;
    else if (n_lexical == 0)
        dense_weight = 1;
    for (size_t i = 0; i < n_dense; i++)
        out[n++] = (rag_ranked){dense[i].chunk_id,
                                dense_weight * norm(dense, n_dense, i),
                                (double)dense[i].score, RAG_NONE, RAG_NONE};
    for (size_t i = 0; i < n_lexical; i++)
        out[n++] = (rag_ranked){
            lexical[i].chunk_id,
            (1 - dense_weight) * norm(lexical, n_lexical, i), RAG_NONE,
            (double)lexical[i].score, (double)lexical[i].coverage};
    if (n == 0)
        return 0;
    qsort(out, n, sizeof *out, by_id);
    for (size_t i = 0; i < n; i++) {
        if (kept != 0 && out[kept - 1].chunk_id == out[i].chunk_id) {
            rag_ranked *k = &out[kept - 1];

            k->score += out[i].score;
            if (isnan(k->dense))
                k->dense = out[i].dense;
            if (isnan(k->lexical)) {
                k->lexical = out[i].lexical;
                k->coverage = out[i].coverage;
            }
        } else {
            out[kept++] = out[i];
        }
    }
    qsort(out, kept, sizeof *out, by_score);
    return kept;
}

/* The evidence is a logistic of what the two lists say. Words: the share of
 * the question's word weight that the best passages hold. Meaning: how far the
 * best cosine stands out of the question's cosines with the store at large
 * (e5's lie in .7–1.0, so no absolute bound means anything). Constants by
 * docs/benchmarks.md, "Abstention". */
#define WORDS_MIDDLE 0.45
#define WORDS_SLOPE 8.0
#define STANDS_OUT_MIDDLE 3.5
#define STANDS_OUT_SLOPE 1.2

double rag_rank_evidence(const rag_signals *s)
{
    double z = 0;
    bool any = false;

    if (!isnan(s->coverage)) {
        z += WORDS_SLOPE * (s->coverage - WORDS_MIDDLE);
        any = true;
    }
    if (!isnan(s->top) && s->deviation > 0) {
        z += STANDS_OUT_SLOPE *
             ((s->top - s->mean) / s->deviation - STANDS_OUT_MIDDLE);
        any = true;
    }
    return any ? 1 / (1 + exp(-z)) : 0;
}
