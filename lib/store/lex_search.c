#include "store/lex_priv.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Different words of a query that count; the rest of a longer one is left out
 * (callers cut at 64). */
#define MAX_TERMS 255u
/* Words in more than this share of the live chunks weigh nothing ... */
#define COMMON_SHARE 0.3
/* ... where there are at least so many that a share means something. */
#define COMMON_MIN_CHUNKS 32u
/* Inline lists kept during a search: so many words in 64 segments fill less. */
#define MAX_ARENA_BYTES ((size_t)64 << 20)

struct term {
    uint64_t word;
    rag_term_role role;
    double weight; /* the caller's, then times idf */
    double topic;  /* the same */
    uint64_t df;   /* live */
};

/* A term's list in one segment. */
struct ref {
    rag_lex_list list;
    size_t inline_at; /* in the arena */
    size_t inline_len;
};

struct gain {
    float score;
    float coverage;
};

struct search {
    rag_lex *x;
    const rag_bits *live;
    const rag_bits *filter;
    struct term terms[MAX_TERMS];
    size_t n_terms;
    size_t n_must;
    size_t n_not;
    rag_lex_segment **segments; /* [n_segments] whole ones with a live chunk */
    size_t n_segments;
    struct ref *refs; /* [n_terms x n_segments] */
    rag_buf arena;
    uint64_t n_live;
    uint64_t live_lens;
    double topic_sum; /* of SHOULD and MUST */
    float norms[RAG_LEX_TF_CODES][RAG_LEX_LEN_CODES];
    struct gain *gains;  /* [most chunks of a segment] */
    uint8_t *must;       /* how many MUST words a chunk has, or NULL */
    uint8_t *banned;     /* has a NOT word, or NULL */
    rag_store_hit *heap; /* [cap] the worst on top */
    size_t n_hits;
    size_t cap;
};

/* ---- terms --------------------------------------------------------------- */

/* NOT beats MUST beats SHOULD when a word comes twice; weights add up. */
static void add_term(struct search *s, const rag_store_term *t)
{
    uint64_t word = t->word >> (64 - RAG_LEX_WORD_BITS);

    for (size_t i = 0; i < s->n_terms; i++) {
        struct term *have = &s->terms[i];

        if (have->word != word)
            continue;
        if (t->role > have->role)
            have->role = t->role;
        have->weight += (double)t->weight;
        have->topic += (double)t->topic;
        return;
    }
    if (s->n_terms < MAX_TERMS)
        s->terms[s->n_terms++] = (struct term){.word = word,
                                               .role = t->role,
                                               .weight = (double)t->weight,
                                               .topic = (double)t->topic};
}

static void set_terms(struct search *s, const rag_store_term *terms,
                      size_t n_terms)
{
    for (size_t i = 0; i < n_terms; i++)
        add_term(s, &terms[i]);
    for (size_t i = 0; i < s->n_terms; i++) {
        s->n_must += s->terms[i].role == RAG_TERM_MUST;
        s->n_not += s->terms[i].role == RAG_TERM_NOT;
        if (!(s->terms[i].weight > 0)) /* NaN too */
            s->terms[i].weight = 0;
        if (!(s->terms[i].topic > 0) || !(s->terms[i].weight > 0))
            s->terms[i].topic = 0;
    }
}

/* ---- lists --------------------------------------------------------------- */

static void search_dispose(struct search *s)
{
    rag_free(s->segments);
    rag_free(s->refs);
    rag_free(s->gains);
    rag_free(s->must);
    rag_free(s->banned);
    rag_buf_dispose(&s->arena);
}

static rag_status open_segments(struct search *s, rag_error *err)
{
    rag_lex_segments *all = &s->x->segments;
    rag_status st;

    TRY(rag_lex_read_segments(s->x, err));
    s->segments = rag_realloc_array(NULL, all->n, sizeof *s->segments);
    if (s->segments == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < all->n; i++) {
        rag_lex_segment *seg = &all->ptr[i];

        if (seg->state != RAG_LEX_WHOLE)
            continue;
        TRY(rag_lex_read_chunks(s->x, seg, err));
        rag_lex_read_live(seg, s->live);
        if (seg->n_live == 0)
            continue;
        s->segments[s->n_segments++] = seg;
        s->n_live += seg->n_live;
        s->live_lens += seg->live_lens;
    }
out:
    return st;
}

static void cursor_of(rag_lex_cursor *c, const struct search *s,
                      const struct ref *r, const rag_lex_segment *seg)
{
    rag_lex_list list = r->list;

    if (r->inline_len != 0)
        list.bytes =
            rag_lex_codec_bytes(s->arena.ptr + r->inline_at, r->inline_len);
    rag_lex_cursor_init(c, seg, &list);
}

/* Live postings of a list: all of them, when nothing in the segment is dead. */
static rag_status count_live(uint64_t *n, struct search *s, const struct ref *r,
                             const rag_lex_segment *seg, rag_error *err)
{
    rag_lex_cursor c;
    rag_lex_block b;
    rag_status st = RAG_OK;

    if (r->list.n == 0)
        return RAG_OK;
    if (seg->n_live == seg->n_chunks) {
        *n += r->list.n;
        return RAG_OK;
    }
    cursor_of(&c, s, r, seg);
    do {
        TRY(rag_lex_cursor_next(&b, &c, s->x, err));
        for (uint32_t i = 0; i < b.n; i++)
            *n += rag_lex_bits_has(s->live, rag_lex_read_id(seg, b.ords[i]));
    } while (b.n != 0);
out:
    return st;
}

static rag_status find_lists(struct search *s, rag_error *err)
{
    size_t n;
    rag_status st = RAG_OK;

    if (!rag_mul_ok(&n, s->n_terms, s->n_segments))
        return rag_fail_nomem(err);
    s->refs = rag_calloc(n, sizeof *s->refs);
    if (s->refs == NULL)
        return rag_fail_nomem(err);
    for (size_t g = 0; g < s->n_segments; g++) {
        for (size_t t = 0; t < s->n_terms; t++) {
            struct ref *r = &s->refs[g * s->n_terms + t];

            TRY(rag_lex_read_find(&r->list, &s->arena, &r->inline_at, s->x,
                                  s->segments[g], s->terms[t].word, err));
            r->inline_len = s->arena.len - r->inline_at;
            r->list.bytes = (rag_lex_bytes){0};
            TRY(count_live(&s->terms[t].df, s, r, s->segments[g], err));
        }
    }
out:
    return st;
}

static rag_status open_search(struct search *s, rag_lex *x,
                              const rag_store_term *terms, size_t n_terms,
                              const rag_bits *live, rag_error *err)
{
    rag_status st;

    s->x = x;
    s->live = live;
    rag_buf_init(&s->arena, MAX_ARENA_BYTES);
    set_terms(s, terms, n_terms);
    TRY(open_segments(s, err));
    TRY(find_lists(s, err));
out:
    return st;
}

rag_status rag_lex_counts(uint64_t *df, rag_lex *x, const rag_store_term *terms,
                          size_t n_terms, const rag_bits *live, rag_error *err)
{
    struct search *s = rag_calloc(1, sizeof *s);
    rag_status st;

    if (s == NULL)
        return rag_fail_nomem(err);
    TRY(open_search(s, x, terms, n_terms, live, err));
    for (size_t i = 0; i < n_terms; i++) {
        df[i] = 0;
        for (size_t k = 0; k < s->n_terms; k++)
            if (s->terms[k].word == terms[i].word >> (64 - RAG_LEX_WORD_BITS))
                df[i] = s->terms[k].df;
    }
out:
    search_dispose(s);
    rag_free(s);
    return st;
}

/* ---- weights ------------------------------------------------------------- */

static bool is_common(const struct search *s, const struct term *t)
{
    return s->n_live >= COMMON_MIN_CHUNKS &&
           (double)t->df > COMMON_SHARE * (double)s->n_live;
}

/* Multiplies idf in; common words weigh nothing, unless all that occur are
 * common. In the coverage idf counts by its root: one odd word that no document
 * has must not outweigh all the others that one has. */
static void set_weights(struct search *s)
{
    bool any = false;

    for (size_t i = 0; i < s->n_terms; i++)
        any = any || (s->terms[i].role != RAG_TERM_NOT && s->terms[i].df != 0 &&
                      s->terms[i].weight > 0 && !is_common(s, &s->terms[i]));
    for (size_t i = 0; i < s->n_terms; i++) {
        struct term *t = &s->terms[i];
        double n = (double)s->n_live;
        double df = (double)t->df;

        if (t->role == RAG_TERM_NOT || (any && is_common(s, t)))
            t->weight = t->topic = 0;
        t->weight *= log(1 + (n - df + 0.5) / (df + 0.5));
        t->topic *= sqrt(log(1 + (n - df + 0.5) / (df + 0.5)));
        s->topic_sum += t->topic;
    }
}

/* What BM25 makes of a frequency in a chunk of a length. */
static void set_norms(struct search *s)
{
    double mean = s->n_live != 0 ? (double)s->live_lens / (double)s->n_live : 0;

    if (!(mean > 0))
        mean = 1;
    for (unsigned l = 0; l < RAG_LEX_LEN_CODES; l++) {
        double len = rag_lex_codec_len((uint8_t)l) / mean;
        double k = RAG_LEX_K1 * (1 - RAG_LEX_B + RAG_LEX_B * len);

        for (unsigned f = 0; f < RAG_LEX_TF_CODES; f++) {
            double tf = rag_lex_codec_tf((uint8_t)f);

            s->norms[f][l] = (float)(tf * (RAG_LEX_K1 + 1) / (tf + k));
        }
    }
}

/* ---- scoring ------------------------------------------------------------- */

static rag_status make_arrays(struct search *s, rag_error *err)
{
    size_t most = 0;

    for (size_t g = 0; g < s->n_segments; g++)
        if (s->segments[g]->n_chunks > most)
            most = s->segments[g]->n_chunks;
    s->gains = rag_realloc_array(NULL, most, sizeof *s->gains);
    if (s->n_must != 0)
        s->must = rag_malloc(most);
    if (s->n_not != 0)
        s->banned = rag_malloc(most);
    if (s->gains == NULL || (s->n_must != 0 && s->must == NULL) ||
        (s->n_not != 0 && s->banned == NULL))
        return rag_fail_nomem(err);
    return RAG_OK;
}

static rag_status add_list(struct search *s, const struct term *t,
                           const struct ref *r, const rag_lex_segment *seg,
                           rag_error *err)
{
    float weight = (float)t->weight;
    float topic = (float)t->topic;
    uint8_t *mark = t->role == RAG_TERM_MUST  ? s->must
                    : t->role == RAG_TERM_NOT ? s->banned
                                              : NULL;
    rag_lex_cursor c;
    rag_lex_block b;
    rag_status st = RAG_OK;

    if (r->list.n == 0 || (t->weight <= 0 && mark == NULL))
        return RAG_OK;
    cursor_of(&c, s, r, seg);
    do {
        TRY(rag_lex_cursor_next(&b, &c, s->x, err));
        for (uint32_t i = 0; i < b.n; i++) {
            struct gain *g = &s->gains[b.ords[i]];

            g->score += weight * s->norms[b.tfs[i]][seg->lens[b.ords[i]]];
            g->coverage += topic;
        }
        if (mark != NULL)
            for (uint32_t i = 0; i < b.n; i++)
                mark[b.ords[i]]++;
    } while (b.n != 0);
out:
    return st;
}

/* ---- the best ------------------------------------------------------------ */

static bool is_better(const rag_store_hit *a, const rag_store_hit *b)
{
    return a->score > b->score ||
           (a->score == b->score && a->chunk_id < b->chunk_id);
}

static void sift_down(struct search *s, size_t i)
{
    rag_store_hit *h = s->heap;

    for (;;) {
        size_t worst = i;
        rag_store_hit swap;

        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < s->n_hits; k++)
            if (is_better(&h[worst], &h[k]))
                worst = k;
        if (worst == i)
            return;
        swap = h[i];
        h[i] = h[worst];
        h[worst] = swap;
        i = worst;
    }
}

static void offer(struct search *s, const rag_store_hit *hit)
{
    rag_store_hit *h = s->heap;
    size_t i;

    if (s->n_hits == s->cap) {
        if (is_better(hit, &h[0])) {
            h[0] = *hit;
            sift_down(s, 0);
        }
        return;
    }
    for (i = s->n_hits++; i > 0 && is_better(&h[(i - 1) / 2], hit);
         i = (i - 1) / 2)
        h[i] = h[(i - 1) / 2];
    h[i] = *hit;
}

static int by_rank(const void *a, const void *b)
{
    if (is_better(a, b))
        return -1;
    return is_better(b, a) ? 1 : 0;
}

/* Offers the segment's chunks that scored (or have every MUST word). */
static void collect(struct search *s, const rag_lex_segment *seg)
{
    const float least = s->must != NULL ? 0 : FLT_MIN;
    float low = s->n_hits == s->cap ? s->heap[0].score : least;

    for (uint32_t i = 0; i < seg->n_chunks; i++) {
        const struct gain *g = &s->gains[i];
        rag_store_hit hit = {.score = g->score};

        if (g->score < low) /* nearly always: so it comes first */
            continue;
        if (s->must != NULL && s->must[i] != s->n_must)
            continue;
        if (s->banned != NULL && s->banned[i] != 0)
            continue;
        hit.chunk_id = rag_lex_read_id(seg, i);
        if (!rag_lex_bits_has(s->live, hit.chunk_id) ||
            (s->filter != NULL && !rag_lex_bits_has(s->filter, hit.chunk_id)))
            continue;
        if (s->topic_sum > 0)
            hit.coverage = (float)((double)g->coverage / s->topic_sum);
        if (hit.coverage > 1) /* rounding */
            hit.coverage = 1;
        offer(s, &hit);
        low = s->n_hits == s->cap ? s->heap[0].score : least;
    }
}

static rag_status score_segment(struct search *s, size_t g, rag_error *err)
{
    const rag_lex_segment *seg = s->segments[g];
    const struct ref *refs = &s->refs[g * s->n_terms];
    size_t n_present = 0;
    size_t n_must = 0;
    rag_status st = RAG_OK;

    for (size_t t = 0; t < s->n_terms; t++) {
        n_present += refs[t].list.n != 0;
        n_must += refs[t].list.n != 0 && s->terms[t].role == RAG_TERM_MUST;
    }
    if (n_present == 0 || n_must < s->n_must)
        return RAG_OK;
    memset(s->gains, 0, seg->n_chunks * sizeof *s->gains);
    if (s->must != NULL)
        memset(s->must, 0, seg->n_chunks);
    if (s->banned != NULL)
        memset(s->banned, 0, seg->n_chunks);
    for (size_t t = 0; t < s->n_terms; t++)
        TRY(add_list(s, &s->terms[t], &refs[t], seg, err));
    collect(s, seg);
out:
    return st;
}

rag_status rag_lex_search(rag_store_hit *hits, size_t *n, size_t cap,
                          rag_lex *x, const rag_store_term *terms,
                          size_t n_terms, const rag_bits *live,
                          const rag_bits *filter, rag_error *err)
{
    struct search *s = rag_calloc(1, sizeof *s);
    rag_status st;

    *n = 0;
    if (s == NULL)
        return rag_fail_nomem(err);
    s->filter = filter;
    s->heap = hits;
    s->cap = cap;
    TRY(open_search(s, x, terms, n_terms, live, err));
    set_weights(s);
    set_norms(s);
    TRY(make_arrays(s, err));
    for (size_t g = 0; g < s->n_segments && cap != 0; g++)
        TRY(score_segment(s, g, err));
    if (s->n_hits != 0)
        qsort(hits, s->n_hits, sizeof *hits, by_rank);
    *n = s->n_hits;
out:
    search_dispose(s);
    rag_free(s);
    return st;
}
