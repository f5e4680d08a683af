#include "flow/extract.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sentence.h"
#include "base/utf8.h"
#include "flow/query.h"

/* Passages and sentences that are looked at. */
#define MAX_HITS 5
#define MAX_SENTENCES 160
/* Sentences whose meaning is compared: each costs the encoder some tokens. */
#define MAX_EMBEDDED 24
#define MAX_DIMS 8192
/* A sentence is an answer from so many letters on; longer ones are cut off as
 * tables and listings. */
#define MIN_CHARS 12
#define MAX_CHARS 600
/* How far below the best a sentence may be to stand beside it. */
#define BESIDE 0.6

typedef struct candidate {
    rag_extracted at;
    double words; /* share of the question's word weight, 0..1 */
    double score;
} candidate;

typedef struct work {
    rag_query *q;
    double weights[RAG_QUERY_MAX_TERMS * 2];
    double total;
    bool seen[RAG_QUERY_MAX_TERMS * 2]; /* in the sentence at hand */
    candidate list[MAX_SENTENCES];
    size_t n;
} work;

static rag_status weigh(work *w, rag *r, rag_error *err)
{
    uint64_t df[RAG_QUERY_MAX_TERMS * 2];
    uint64_t n_live;
    rag_status st = rag_store_term_counts(df, &n_live, r->store, w->q->terms,
                                          w->q->n_terms, err);

    if (st != RAG_OK)
        return st;
    for (size_t i = 0; i < w->q->n_terms; i++) {
        w->weights[i] = df[i] == 0
                            ? 0
                            : log(1 + ((double)n_live - (double)df[i] + 0.5) /
                                          ((double)df[i] + 0.5));
        w->total += w->weights[i];
    }
    return RAG_OK;
}

static rag_status mark(void *ctx, const rag_word *word, rag_error *err)
{
    work *w = ctx;

    (void)err;
    for (size_t i = 0; i < w->q->n_terms; i++)
        if (w->q->terms[i].word == word->key)
            w->seen[i] = true;
    return RAG_OK;
}

static rag_status rate(double *out, work *w, rag_str sentence, rag_error *err)
{
    double sum = 0;
    rag_status st;

    memset(w->seen, 0, sizeof w->seen);
    st = rag_words_each(w->q->words, sentence, mark, w, err);
    for (size_t i = 0; i < w->q->n_terms; i++)
        if (w->seen[i])
            sum += w->weights[i];
    *out = w->total > 0 ? sum / w->total : 0;
    return st;
}

/* Running text, not a heading, a rule, a listing's line or a table's. */
static bool is_prose(rag_str s)
{
    size_t n = rag_utf8_count(s);
    size_t letters = 0;
    size_t gaps = 0;
    size_t seen = 0;
    bool dense = false;
    rag_str rest = s;

    if (n < MIN_CHARS || n > MAX_CHARS || s.ptr[0] == '#' || s.ptr[0] == '|' ||
        rag_str_starts(s, "```") || rag_str_starts(s, "///") ||
        rag_str_starts(s, "{*") || rag_str_starts(s, "{!"))
        return false;
    while (rest.len != 0) {
        uint32_t cp;
        size_t k = rag_utf8_decode(&cp, NULL, rest);
        rag_script script = rag_utf8_script(cp);

        letters += script != RAG_SCRIPT_NONE ? 1 : 0;
        dense = dense || script == RAG_SCRIPT_HANGUL ||
                script == RAG_SCRIPT_HAN || script == RAG_SCRIPT_KANA;
        gaps += rag_utf8_is_space(cp) ? 1 : 0;
        seen++;
        rest = rag_str_cut(rest, k, rest.len);
    }
    /* a name alone in a list says nothing; two Korean words can */
    return letters * 2 >= seen && gaps >= (dense ? 2 : 3);
}

static rag_status collect(work *w, const rag_hits *hits, rag_error *err)
{
    for (size_t h = 0; h < hits->n_hits && h < MAX_HITS; h++) {
        rag_str text = hits->hits[h].text;
        size_t at = 0;
        size_t start;
        size_t end;

        while (w->n < MAX_SENTENCES &&
               rag_sentence_next(&start, &end, text, &at)) {
            rag_str s = rag_str_cut(text, start, end);
            candidate *c = &w->list[w->n];
            rag_status st;

            if (!is_prose(s))
                continue;
            c->at = (rag_extracted){h, start, end};
            st = rate(&c->words, w, s, err);
            if (st != RAG_OK)
                return st;
            c->score = c->words + 0.25 * hits->hits[h].score;
            w->n++;
        }
    }
    return RAG_OK;
}

static int by_score(const void *a, const void *b)
{
    const candidate *x = a;
    const candidate *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->at.hit != y->at.hit)
        return x->at.hit < y->at.hit ? -1 : 1;
    return x->at.start < y->at.start ? -1 : x->at.start > y->at.start;
}

static int by_place(const void *a, const void *b)
{
    const candidate *x = a;
    const candidate *y = b;

    if (x->at.hit != y->at.hit)
        return x->at.hit < y->at.hit ? -1 : 1;
    return x->at.start < y->at.start ? -1 : x->at.start > y->at.start;
}

typedef struct meaning {
    const float *query;
    double cos[MAX_EMBEDDED];
} meaning;

static rag_status got(void *ctx, size_t first, size_t n, const float *vectors,
                      size_t dims, rag_error *err)
{
    meaning *m = ctx;

    (void)err;
    for (size_t i = 0; i < n; i++) {
        double dot = 0;

        for (size_t d = 0; d < dims; d++)
            dot += (double)m->query[d] * (double)vectors[i * dims + d];
        m->cos[first + i] = dot;
    }
    return RAG_OK;
}

/* Adds how near each of the best candidates is in meaning: for questions in
 * other words, or another language, than the text. Only by the built-in
 * encoder: a remote one would be sent passages, and waited for. */
static rag_status add_meaning(work *w, rag *r, const rag_hits *hits,
                              rag_str question, rag_error *err)
{
    rag_str texts[MAX_EMBEDDED];
    size_t n = w->n < MAX_EMBEDDED ? w->n : MAX_EMBEDDED;
    float *query = NULL;
    double lo = 2;
    double hi = -2;
    rag_embedder *e;
    rag_status st;
    meaning m;

    TRY(rag_flow_embedder(&e, r, err));
    if (e == NULL || n == 0 || strncmp(r->embed_model, "builtin:", 8) != 0)
        goto out;
    query = rag_calloc(MAX_DIMS, sizeof *query);
    if (query == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(rag_embed_one(query, MAX_DIMS, e, question, RAG_EMBED_QUERY, err));
    for (size_t i = 0; i < n; i++)
        texts[i] = rag_str_cut(hits->hits[w->list[i].at.hit].text,
                               w->list[i].at.start, w->list[i].at.end);
    m.query = query;
    TRY(rag_embed(e, texts, n, RAG_EMBED_PASSAGE, got, &m, err));
    for (size_t i = 0; i < n; i++) {
        lo = fmin(lo, m.cos[i]);
        hi = fmax(hi, m.cos[i]);
    }
    for (size_t i = 0; i < n; i++)
        w->list[i].score += hi > lo ? (m.cos[i] - lo) / (hi - lo) : 1;
    for (size_t i = n; i < w->n; i++)
        w->list[i].score = -1; /* behind those compared */
out:
    rag_free(query);
    return st;
}

static bool repeats(const work *w, size_t n, const rag_hits *hits, size_t i)
{
    rag_str a = rag_str_cut(hits->hits[w->list[i].at.hit].text,
                            w->list[i].at.start, w->list[i].at.end);

    for (size_t j = 0; j < n; j++)
        if (rag_str_eq(a, rag_str_cut(hits->hits[w->list[j].at.hit].text,
                                      w->list[j].at.start, w->list[j].at.end)))
            return true;
    return false;
}

rag_status rag_extract(rag_extracted *out, size_t *n, rag *r, rag_str question,
                       const rag_hits *hits, rag_error *err)
{
    work *w = rag_calloc(1, sizeof *w);
    size_t kept = 0;
    rag_status st;

    *n = 0;
    if (w == NULL)
        return rag_fail_nomem(err);
    TRY(rag_query_new(&w->q, question, false, err));
    TRY(weigh(w, r, err));
    TRY(collect(w, hits, err));
    qsort(w->list, w->n, sizeof *w->list, by_score);
    if (hits->mode != RAG_LEXICAL) {
        TRY(add_meaning(w, r, hits, question, err));
        qsort(w->list, w->n, sizeof *w->list, by_score);
    }
    for (size_t i = 0; i < w->n && kept < RAG_EXTRACT_MAX; i++) {
        if (w->list[i].score < BESIDE * w->list[0].score)
            break;
        if (repeats(w, kept, hits, i))
            continue;
        w->list[kept++] = w->list[i];
    }
    qsort(w->list, kept, sizeof *w->list, by_place);
    for (size_t i = 0; i < kept; i++)
        out[i] = w->list[i].at;
    *n = kept;
out:
    rag_query_free(w->q);
    rag_free(w);
    return st;
}
