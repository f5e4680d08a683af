#include "flow/rank.h"

#include <math.h>
#include <stdlib.h>

/* The rule for the dense share. BM25 is a sum of log-odds, so the lead of its
 * best hit over the tenth says how sure the words are, and the share of the
 * question's word weight found in the best hits says whether the documents
 * speak the question's words (and language) at all. Their product, the covered
 * lead, is large where words decide (a question that repeats a passage) and
 * small where meaning does (other words, another language). Constants by
 * cross-validation over 13 sets, docs/benchmarks.md, "Retrieval quality". */
#define DENSE_MOST 0.86
#define DENSE_LEAST 0.20
#define LEAD_HALF 6.0 /* covered lead at which the share is half-way */
#define LEAD_RANK 10
#define COVER_HITS 3

double rag_rank_coverage(const rag_store_hit *lexical, size_t n)
{
    double best = 0;

    for (size_t i = 0; i < n && i < COVER_HITS; i++)
        best = fmax(best, (double)lexical[i].coverage);
    return best;
}

double rag_rank_dense_weight(const rag_store_hit *lexical, size_t n)
{
    double lead = 0;

    if (n != 0)
        lead = (double)lexical[0].score -
               (n >= LEAD_RANK ? (double)lexical[LEAD_RANK - 1].score : 0);
    return DENSE_LEAST +
           (DENSE_MOST - DENSE_LEAST) /
               (1 + rag_rank_coverage(lexical, n) * lead / LEAD_HALF);
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

/* The part of 0..1 that is left to hits behind the window. */
#define TAIL 0.001

/* Where in 0..1 a hit stands in its list: min-max over the first
 * RAG_RANK_WINDOW hits, so that the best hits of a query do not change places
 * when more candidates are asked for; those behind come after them, by rank.
 * One hit or equal scores: 1. */
static double norm(const rag_store_hit *list, size_t n, size_t i)
{
    size_t last = n < RAG_RANK_WINDOW ? n - 1 : RAG_RANK_WINDOW - 1;
    double best = (double)list[0].score;
    double worst = (double)list[last].score;

    if (i > last)
        return TAIL * (double)(n - i) / (double)(n - last);
    return best > worst ? TAIL + (1 - TAIL) * ((double)list[i].score - worst) /
                                     (best - worst)
                        : 1;
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
 * the question's word weight in the best passages. Meaning: where the best
 * cosine stands between the question's background in this store and 1, the
 * cosine of a text with itself; so it is no matter whether a model's cosines
 * lie in .7-1.0 (e5) or in 0-1. Constants by docs/benchmarks.md, "Abstention",
 * where refusing a question that has an answer counts twice. */
#define WORDS_MIDDLE 0.38 /* words alone */
#define WORDS_SLOPE 16.5
#define BOTH_MIDDLE 8.48 /* words and meaning */
#define BOTH_WORDS 10.3
#define BOTH_MEANING 20.3
#define MEANING_MIDDLE 0.262 /* meaning alone */
#define MEANING_SLOPE 27.5
/* Next to nothing of the store is in the question's language: words say
 * nothing against it. */
#define FOREIGN_KNOWN 0.1
#define FOREIGN_MIDDLE 0.18

double rag_rank_evidence(const rag_signals *s)
{
    bool words = !isnan(s->coverage);
    bool meaning = !isnan(s->top) && !isnan(s->background);
    bool foreign = words && s->has_vectors && s->known < FOREIGN_KNOWN;
    double stands = 0;
    double z = 0;

    if (!words && !s->has_vectors)
        return 0;
    if (meaning && s->background < 1)
        stands = (s->top - s->background) / (1 - s->background);
    if (words && meaning)
        z = BOTH_WORDS * s->coverage + BOTH_MEANING * stands - BOTH_MIDDLE;
    else if (words)
        z = WORDS_SLOPE * (s->coverage - WORDS_MIDDLE);
    else if (meaning)
        z = MEANING_SLOPE * (stands - MEANING_MIDDLE);
    if (foreign)
        z = fmax(z, meaning ? MEANING_SLOPE * (stands - FOREIGN_MIDDLE) : 0);
    return 1 / (1 + exp(-z));
}

static int ascending(const void *a, const void *b)
{
    const float *x = a;
    const float *y = b;

    return *x < *y ? -1 : *x > *y;
}

double rag_rank_background(float *cosines, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (!isnan(cosines[i]))
            cosines[kept++] = cosines[i];
    if (kept < RAG_RANK_MIN_SAMPLE)
        return RAG_NONE;
    qsort(cosines, kept, sizeof *cosines, ascending);
    return (double)cosines[kept * 3 / 4];
}
