#include "chunk_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/*
 * Boundaries that resynchronise. A left-to-right cutter moves every boundary
 * behind an edit; here a boundary is decided by what stands near it only.
 *
 * 1. Candidates are taken strongest first (equals by a hash of the text beside
 *    them), and one is cut at when both pieces that it leaves have 95 % of
 *    the least size. This is random sequential adsorption: what a change
 *    touches is a chain of ever weaker neighbours within reach, and such
 *    chains are short: of 10,000 changed lines in documents of 1,000 chunks
 *    none made more than five new chunks. With one threshold only, that is: a
 *    first version kept every piece divisible into chunks of 250 to 400
 *    tokens, and its chains were twice as long; the cheapest of all ways to
 *    cut (dynamic programming) was worse still, because two ways shifted
 *    against each other cost nearly the same. A second version let long pieces
 *    give their ends to the ones behind: more of them were in range (90 % for
 *    80 %), but one change in 5,000 made seven or eight new chunks.
 * 2. The pieces are now up to twice that size. One that is too long is cut in
 *    two, or left when it is only a tenth too long.
 * 3. What no boundary divides is cut inside lines, then inside words.
 *
 * A candidate stronger than all others within ANCHOR_TOKENS is taken by rule 1
 * in any case, so the text between two such anchors can be cut on its own:
 * memory is bounded and text of any length streams.
 */

/* more than the longest piece that rule 1 leaves */
#define ANCHOR_TOKENS 1000u
/* candidates of one segment at most: a segment has some 4,000 tokens, this is
 * for text that repeats itself and so has no anchors (2 MB of candidates) */
#define MAX_SEGMENT_CANDS 32768u
/* A candidate that may yet turn out an anchor. */
struct rag_chunk_open {
    uint32_t at;  /* index into cands */
    bool left_ok; /* nothing stronger within reach before it */
};

void rag_chunk_cutter_init(rag_chunk_cutter *c, const rag_chunk_limits *lim,
                           rag_chunk_sink sink, void *sink_ctx)
{
    memset(c, 0, sizeof *c);
    c->lim = *lim;
    c->sink = sink;
    c->sink_ctx = sink_ctx;
}

void rag_chunk_cutter_dispose(rag_chunk_cutter *c)
{
    rag_free(c->cands);
    rag_free(c->open);
    rag_free(c->order);
    rag_free(c->cuts);
    memset(c, 0, sizeof *c);
}

/* Strongest first, the earlier of equals first. */
static bool stronger(const rag_chunk_cand *a, const rag_chunk_cand *b)
{
    if (a->strength != b->strength)
        return a->strength > b->strength;
    return a->key > b->key;
}

static int by_rank(const void *x, const void *y, void *ctx)
{
    const rag_chunk_cand *cands = ctx;
    uint32_t a = *(const uint32_t *)x;
    uint32_t b = *(const uint32_t *)y;

    if (stronger(&cands[a], &cands[b]))
        return -1;
    if (stronger(&cands[b], &cands[a]))
        return 1;
    return a < b ? -1 : a > b;
}

/* ---- one segment: cands[0] .. cands[n], cands[n] being its end ---- */

static uint64_t units_of(const rag_chunk_cutter *c, uint32_t from, uint32_t to)
{
    return c->cands[to].units - c->cands[from].units;
}

static rag_status add_cut(rag_chunk_cutter *c, size_t place, uint32_t cut,
                          rag_error *err)
{
    if (!rag_mem_grow(&c->cuts, &c->cap_cuts, c->n_cuts + 1, sizeof *c->cuts))
        return rag_fail_nomem(err);
    memmove(c->cuts + place + 1, c->cuts + place,
            (c->n_cuts - place) * sizeof *c->cuts);
    c->cuts[place] = cut;
    c->n_cuts++;
    return RAG_OK;
}

/* Place in cuts of the first one behind cands[at]. */
static size_t place_of(const rag_chunk_cutter *c, uint32_t at)
{
    size_t lo = 0;
    size_t hi = c->n_cuts;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (c->cuts[mid] > at)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* Takes candidates from cands[from + 1] to cands[to - 1] of strength >= least,
 * strongest first, wherever both pieces have the least size. */
static rag_status adsorb(rag_chunk_cutter *c, uint32_t from, uint32_t to,
                         unsigned least, rag_error *err)
{
    const uint64_t min = c->lim.min - c->lim.min / 20;
    size_t n = 0;

    if (!rag_mem_grow(&c->order, &c->cap_order, (size_t)(to - from),
                      sizeof *c->order))
        return rag_fail_nomem(err);
    for (uint32_t i = from + 1; i < to; i++)
        if (c->cands[i].strength >= least)
            c->order[n++] = i;
    qsort_r(c->order, n, sizeof *c->order, by_rank, c->cands);
    for (size_t k = 0; k < n; k++) {
        uint32_t at = c->order[k];
        size_t place = place_of(c, at);

        if (units_of(c, c->cuts[place - 1], at) >= min &&
            units_of(c, at, c->cuts[place]) >= min) {
            rag_status st = add_cut(c, place, at, err);

            if (st != RAG_OK)
                return st;
        }
    }
    return RAG_OK;
}

/* What is wrong with a piece of this size, in units. */
static int64_t penalty(const rag_chunk_limits *lim, uint64_t units)
{
    if (units < lim->min)
        return (int64_t)(lim->min - units);
    if (units <= lim->max)
        return 0;
    if (units < 2 * lim->min)
        return (int64_t)(units - lim->max) + (int64_t)(lim->min / 10);
    return 0;
}

/* The best place to cut between cands[from] and cands[to] when none fits:
 * strength against size. 0 when there is none. */
static uint32_t best_cut(const rag_chunk_cutter *c, uint32_t from, uint32_t to,
                         unsigned least)
{
    const int64_t worth = 16 * (int64_t)RAG_CHUNK_UNITS; /* of one strength */
    int64_t best_score = INT64_MIN;
    uint32_t best = 0;

    for (uint32_t i = from + 1; i < to; i++) {
        uint64_t left = units_of(c, from, i);
        uint64_t right = units_of(c, i, to);
        int64_t score;

        if (c->cands[i].strength < least || left < c->lim.min / 2 ||
            right < c->lim.min / 2)
            continue;
        score = worth * c->cands[i].strength - penalty(&c->lim, left) -
                penalty(&c->lim, right);
        if (score > best_score) {
            best_score = score;
            best = i;
        }
    }
    return best;
}

/* Cuts every piece longer than `most` where it can be cut at all. */
static rag_status split_long(rag_chunk_cutter *c, uint64_t most, unsigned least,
                             rag_error *err)
{
    for (size_t i = 0; i + 1 < c->n_cuts;) {
        uint32_t cut = 0;

        if (units_of(c, c->cuts[i], c->cuts[i + 1]) > most)
            cut = best_cut(c, c->cuts[i], c->cuts[i + 1], least);
        if (cut == 0) {
            i++;
            continue;
        }
        rag_status st = add_cut(c, i + 1, cut, err);
        if (st != RAG_OK)
            return st;
    }
    return RAG_OK;
}

/* Pieces that hold no good boundary are cut inside lines and words. */
static rag_status split_inside(rag_chunk_cutter *c, rag_error *err)
{
    const uint64_t most = c->lim.max + c->lim.max / 4;

    for (size_t i = 0; i + 1 < c->n_cuts; i++) {
        size_t before = c->n_cuts;
        rag_status st;

        if (units_of(c, c->cuts[i], c->cuts[i + 1]) <= most)
            continue;
        st = adsorb(c, c->cuts[i], c->cuts[i + 1], RAG_CUT_GRAPHEME, err);
        if (st != RAG_OK)
            return st;
        i += c->n_cuts - before;
    }
    return split_long(c, most, RAG_CUT_GRAPHEME, err);
}

/* The candidate where the overlap of the chunk that begins at cands[cut]
 * begins, given how many units it has itself; cut when it has none. */
static uint32_t overlap_at(const rag_chunk_cutter *c, uint32_t from,
                           uint32_t cut, uint64_t own)
{
    const rag_chunk_cand *at = &c->cands[cut];
    uint64_t room = own < c->lim.max ? c->lim.max - own : 0;
    bool inside = at->strength < RAG_CUT_WRAP;
    uint32_t i = cut;

    if (room > c->lim.overlap)
        room = c->lim.overlap;
    while (i > from) {
        const rag_chunk_cand *prev = &c->cands[i - 1];
        bool prev_inside = i - 1 != 0 && prev->strength < RAG_CUT_WRAP;

        if (!prev->carries || at->units - prev->units > room)
            break;
        i--;
        /* one sentence or line; of a cut line a few words */
        if (!inside && !prev_inside)
            break;
    }
    if (!inside && i != cut && i != from && c->cands[i].strength < RAG_CUT_WRAP)
        return cut; /* the last sentence is longer than the room */
    return i;
}

/* Remembers the overlap of the next segment's first chunk, whose own size is
 * not known yet. */
static void carry_on(rag_chunk_cutter *c)
{
    uint32_t last = c->cuts[c->n_cuts - 1];
    uint32_t i = overlap_at(c, c->cuts[c->n_cuts - 2], last, 0);

    c->carried = c->cands[i].pos;
    c->carried_units = units_of(c, i, last);
}

static rag_status emit(rag_chunk_cutter *c, rag_error *err)
{
    for (size_t i = 0; i + 1 < c->n_cuts; i++) {
        uint32_t from = c->cuts[i];
        uint32_t to = c->cuts[i + 1];
        size_t overlap = c->cands[from].pos;
        rag_status st;

        if (i != 0)
            overlap = c->cands[overlap_at(c, c->cuts[i - 1], from,
                                          units_of(c, from, to))]
                          .pos;
        else if (c->carried != SIZE_MAX &&
                 c->carried_units + units_of(c, from, to) <= c->lim.max)
            overlap = c->carried;
        st = c->sink(c->sink_ctx, overlap, c->cands[from].pos, c->cands[to].pos,
                     err);
        if (st != RAG_OK)
            return st;
    }
    /* the next segment of this region begins where this one ends */
    carry_on(c);
    return RAG_OK;
}

/* Cuts cands[0] .. cands[n] into chunks. */
static rag_status cut_segment(rag_chunk_cutter *c, uint32_t n, rag_error *err)
{
    rag_status st;

    c->n_cuts = 0;
    TRY(add_cut(c, 0, 0, err));
    TRY(add_cut(c, 1, n, err));
    if (units_of(c, 0, n) > c->lim.max) {
        TRY(adsorb(c, 0, n, RAG_CUT_WRAP, err));
        TRY(split_long(c, 2 * c->lim.min, RAG_CUT_WRAP, err));
        TRY(split_long(c, c->lim.max + c->lim.max / 10, RAG_CUT_WRAP, err));
        TRY(split_inside(c, err));
    }
    TRY(emit(c, err));
out:
    return st;
}

/* ---- the stream of candidates ---- */

static uint64_t anchor_reach(void)
{
    return (uint64_t)ANCHOR_TOKENS * RAG_CHUNK_UNITS;
}

/* Cuts what lies before cands[at] and makes it the first of what follows. */
static rag_status close_segment(rag_chunk_cutter *c, uint32_t at,
                                rag_error *err)
{
    rag_status st = cut_segment(c, at, err);
    size_t kept = 0;

    if (st != RAG_OK)
        return st;
    memmove(c->cands, c->cands + at, (c->n_cands - at) * sizeof *c->cands);
    c->n_cands -= at;
    for (size_t i = c->first_open; i < c->n_open; i++)
        if (c->open[i].at > at) {
            c->open[kept] = c->open[i];
            c->open[kept++].at -= at;
        }
    c->first_open = 0;
    c->n_open = kept;
    return RAG_OK;
}

/* Text that repeats itself: cut at its strongest place out of reach of both
 * ends, the first of equals. */
static rag_status force_anchor(rag_chunk_cutter *c, rag_error *err)
{
    uint32_t last = (uint32_t)(c->n_cands - 1);
    uint32_t best = 0;

    for (uint32_t i = 1; i < last; i++)
        if (units_of(c, 0, i) >= 2 * c->lim.max &&
            units_of(c, i, last) >= 2 * c->lim.max &&
            (best == 0 || stronger(&c->cands[i], &c->cands[best])))
            best = i;
    return close_segment(c, best != 0 ? best : last / 2, err);
}

rag_status rag_chunk_cutter_begin(rag_chunk_cutter *c, const rag_chunk_cand *at,
                                  rag_error *err)
{
    if (!rag_mem_grow(&c->cands, &c->cap_cands, 1, sizeof *c->cands))
        return rag_fail_nomem(err);
    c->cands[0] = *at;
    c->n_cands = 1;
    c->first_open = c->n_open = 0;
    c->carried = SIZE_MAX;
    return RAG_OK;
}

/* Candidates that nothing stronger was found behind, within reach, are
 * decided. */
static rag_status decide(rag_chunk_cutter *c, uint64_t units, rag_error *err)
{
    while (c->first_open < c->n_open) {
        struct rag_chunk_open o = c->open[c->first_open];

        if (units - c->cands[o.at].units <= anchor_reach())
            break;
        c->first_open++;
        if (o.left_ok) {
            rag_status st = close_segment(c, o.at, err);

            if (st != RAG_OK)
                return st;
        }
    }
    return RAG_OK;
}

/* Puts cands[at] among the candidates that may become anchors. */
static rag_status open_anchor(rag_chunk_cutter *c, uint32_t at, rag_error *err)
{
    const rag_chunk_cand *cand = &c->cands[at];
    uint64_t before = c->cands[0].units;

    while (c->n_open > c->first_open &&
           stronger(cand, &c->cands[c->open[c->n_open - 1].at]))
        c->n_open--;
    if (c->n_open > c->first_open)
        before = c->cands[c->open[c->n_open - 1].at].units;
    else
        c->first_open = c->n_open = 0;
    if (!rag_mem_grow(&c->open, &c->cap_open, c->n_open + 1, sizeof *c->open))
        return rag_fail_nomem(err);
    c->open[c->n_open].at = at;
    c->open[c->n_open++].left_ok = cand->units - before > anchor_reach();
    return RAG_OK;
}

rag_status rag_chunk_cutter_push(rag_chunk_cutter *c,
                                 const rag_chunk_cand *cand, rag_error *err)
{
    rag_status st;

    TRY(decide(c, cand->units, err));
    if (c->n_cands >= MAX_SEGMENT_CANDS)
        TRY(force_anchor(c, err));
    if (!rag_mem_grow(&c->cands, &c->cap_cands, c->n_cands + 1,
                      sizeof *c->cands)) {
        st = rag_fail_nomem(err);
        goto out;
    }
    c->cands[c->n_cands++] = *cand;
    TRY(open_anchor(c, (uint32_t)(c->n_cands - 1), err));
out:
    return st;
}

rag_status rag_chunk_cutter_end(rag_chunk_cutter *c, size_t pos, uint64_t units,
                                rag_error *err)
{
    rag_chunk_cand end = {0};
    rag_status st;

    TRY(decide(c, units, err));
    if (!rag_mem_grow(&c->cands, &c->cap_cands, c->n_cands + 1,
                      sizeof *c->cands)) {
        st = rag_fail_nomem(err);
        goto out;
    }
    end.pos = pos;
    end.units = units;
    c->cands[c->n_cands++] = end;
    TRY(cut_segment(c, (uint32_t)(c->n_cands - 1), err));
out:
    return st;
}
