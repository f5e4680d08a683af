#include "flow/cite_priv.h"

/* names of more words are rarely exchanged */
#define MAX_EXCHANGED 3

rag_cite_wanted *rag_cite_find(rag_cite *c, uint64_t key)
{
    size_t lo = 0;
    size_t hi = c->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (c->list[mid].key == key)
            return &c->list[mid];
        if (c->list[mid].key < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* Is the code at i there in parts ("10-year" in "10 years")? What matters are
 * its numbers; of a name all. */
static bool parts_found(rag_cite *c, size_t i)
{
    const rag_claim *s = &c->sentence;
    bool any = false;

    if (s->words[i].whole)
        return false;
    for (size_t k = i + 1; k < s->n && s->words[k].run == s->words[i].run;
         k++) {
        const rag_cite_wanted *w = rag_cite_find(c, s->words[k].key);

        if (!s->words[k].part)
            continue;
        any = true;
        if (w == NULL || (!w->found && (s->words[k].number ||
                                        s->words[k].whole || s->words[i].name)))
            return false;
    }
    return any;
}

/* Does the quote count in words, or the same unit in digits? */
static bool counts_other(const rag_cite_check *k, const rag_claim *p,
                         rag_claim_unit unit)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->words[i].start >= k->quote_start &&
            p->words[i].end <= k->quote_end &&
            (p->words[i].counted ||
             (p->words[i].number && unit != 0 && p->words[i].unit == unit)))
            return true;
    return false;
}

static void count_facts(rag_cite_check *out, rag_cite *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const rag_cite_wanted *w = &c->list[i];
        const rag_claim_word *s = &c->sentence.words[w->word];

        if (s->number && !s->part)
            out->n_numbers += !w->found || (s->unit != 0 && !w->unit_found);
        else if (s->counted) /* "three": wrong only where another stands */
            out->n_numbers +=
                !w->found && counts_other(out, &c->passage, s->unit);
        else if (s->code)
            out->n_numbers += !w->found && !parts_found(c, w->word);
        else if (s->name && !s->part)
            out->n_names += !w->found && !parts_found(c, w->word);
    }
    out->numbers_ok = out->n_numbers == 0;
}

/* Negations of the sentence at hand, and whether its last word is one. */
static size_t negations(bool *last, const rag_claim *p, size_t start,
                        size_t end)
{
    size_t n = 0;

    *last = false;
    for (size_t i = 0; i < p->n && p->words[i].start < end; i++) {
        if (p->words[i].start < start)
            continue;
        *last = p->words[i].negates ||
                (*last && i > 0 && p->words[i].run == p->words[i - 1].run);
        n += p->words[i].negates;
    }
    return n;
}

/* Words that the sentence affirms and its quote denies, or the other way. */
static void count_denied(rag_cite_check *out, rag_cite *c)
{
    bool last_here;
    bool last_there;
    size_t n_here = negations(&last_here, &c->sentence, 0, SIZE_MAX);
    size_t n_there =
        negations(&last_there, &c->passage, out->quote_start, out->quote_end);

    bool counts_differ = n_here != n_there;

    /* a negation that the source does not have; Korean says it at the end */
    out->n_denied += n_here > n_there;
    out->n_denied += last_there && !last_here;
    for (size_t i = 0; i < c->passage.n; i++) {
        const rag_claim_word *p = &c->passage.words[i];
        rag_cite_wanted *w;

        if (p->start < out->quote_start || p->end > out->quote_end)
            continue;
        w = rag_cite_find(c, p->key);
        if (w != NULL) {
            w->denied = w->denied || p->denied;
            w->affirmed = w->affirmed || !p->denied;
        }
        w = p->opposite != 0 ? rag_cite_find(c, p->opposite) : NULL;
        if (w != NULL && !w->found && !p->denied &&
            !c->sentence.words[w->word].denied)
            out->n_denied++;
    }
    for (size_t i = 0; i < c->n; i++) {
        const rag_cite_wanted *w = &c->list[i];
        const rag_claim_word *s = &c->sentence.words[w->word];

        if (!counts_differ || w->weight < 1 || s->number || s->part)
            continue;
        if (s->denied ? w->affirmed && !w->denied : w->denied && !w->affirmed)
            out->n_denied++;
    }
}

/* Runs of the sentence of which nothing stands in the passage. */
static void count_missing(rag_cite_check *out, rag_cite *c)
{
    const rag_claim *s = &c->sentence;

    for (size_t i = 0; i < s->n;) {
        uint32_t run = s->words[i].run;
        bool any = false;
        bool content = false;

        for (; i < s->n && s->words[i].run == run; i++) {
            const rag_cite_wanted *w = rag_cite_find(c, s->words[i].key);

            any = any || (w != NULL && w->found);
            content = content || s->words[i].weight >= 1;
        }
        out->n_missing += content && !any;
        out->n_content += content;
    }
}

/* ---- exchanged words ---------------------------------------------------- */

/* One run of the quote or the sentence. */
typedef struct run {
    size_t from; /* words [from, to) */
    size_t to;
    bool content;
    bool shared; /* something of it stands in the other text */
} run;

/* The run at word `from`. */
static run run_at(rag_cite *c, const rag_claim *in, size_t from)
{
    run r = {from, from, false, false};

    while (r.to < in->n && in->words[r.to].run == in->words[from].run) {
        const rag_cite_wanted *w = rag_cite_find(c, in->words[r.to].key);

        r.content = r.content || in->words[r.to].weight >= 1;
        r.shared = r.shared || (w != NULL && (in == &c->passage || w->found));
        r.to++;
    }
    return r;
}

/* Is there a word in common? */
static bool same_run(const rag_claim *a, run x, const rag_claim *b, run y)
{
    for (size_t i = x.from; i < x.to; i++)
        for (size_t k = y.from; k < y.to; k++)
            if (a->words[i].key == b->words[k].key)
                return true;
    return false;
}

/* Stands something else in the quote between `before` and `after` (NULL: at
 * its edge)? */
static bool other_between(rag_cite *c, const rag_cite_check *k,
                          const run *before, const run *after)
{
    const rag_claim *p = &c->passage;
    bool open = before == NULL;
    size_t n = 0;

    for (size_t i = 0; i < p->n && p->words[i].start < k->quote_end;) {
        run r;

        if (p->words[i].start < k->quote_start) {
            i++;
            continue;
        }
        r = run_at(c, p, i);
        i = r.to;
        if (open && n != 0 && r.shared && after != NULL &&
            same_run(&c->sentence, *after, p, r))
            return true;
        if (open && !r.shared && n < MAX_EXCHANGED) {
            n += r.content;
            continue;
        }
        open = before != NULL && same_run(&c->sentence, *before, p, r);
        n = 0;
    }
    return open && n != 0 && after == NULL;
}

/* "A bought B" where the quote says "C bought B": words between the same
 * neighbours, but others. */
static void count_exchanged(rag_cite_check *out, rag_cite *c)
{
    const rag_claim *s = &c->sentence;
    run before = {0, 0, false, false};

    for (size_t i = 0; i < s->n;) {
        run r = run_at(c, s, i);
        size_t n = 0;

        while (!r.shared && r.content && n < MAX_EXCHANGED) {
            n++;
            if (r.to >= s->n)
                break;
            r = run_at(c, s, r.to);
        }
        if (n != 0 && r.shared && (before.shared || before.to == 0))
            out->n_exchanged +=
                other_between(c, out, before.to != 0 ? &before : NULL, &r);
        else if (n != 0 && !r.shared && r.to >= s->n && before.shared)
            out->n_exchanged += other_between(c, out, &before, NULL);
        before = r;
        i = r.to;
    }
}

void rag_cite_facts(rag_cite_check *out, rag_cite *c)
{
    count_facts(out, c);
    count_missing(out, c);
    if (out->quote_end > out->quote_start) {
        count_denied(out, c);
        count_exchanged(out, c);
    }
}
