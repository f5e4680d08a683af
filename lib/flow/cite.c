#include "flow/cite.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/sentence.h"
#include "base/utf8.h"
#include "flow/cite_priv.h"

#define MAX_TEXT_BYTES ((size_t)64 << 20)
/* a quote shares at least so much with the sentence */
#define MIN_QUOTE 0.2
/* a quote that shares so much is about the same thing */
#define DENIED_COVER 0.6
/* "12. " in front of a sentence, not "1945. " */
#define MAX_LIST_DIGITS 3

rag_cite *rag_cite_new(void)
{
    rag_cite *c = rag_calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->words = rag_words_new();
    if (c->words == NULL) {
        rag_free(c);
        return NULL;
    }
    return c;
}

void rag_cite_free(rag_cite *c)
{
    if (c == NULL)
        return;
    rag_words_free(c->words);
    rag_claim_dispose(&c->sentence);
    rag_claim_dispose(&c->passage);
    rag_claim_dispose(&c->about);
    rag_free(c->list);
    rag_free(c);
}

static int by_key(const void *a, const void *b)
{
    const rag_cite_wanted *x = a;
    const rag_cite_wanted *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->word < y->word ? -1 : x->word > y->word;
}

static rag_status list_wanted(rag_cite *c, rag_error *err)
{
    size_t kept = 0;

    c->n = 0;
    if (c->sentence.n == 0)
        return RAG_OK;
    if (!rag_mem_grow(&c->list, &c->cap, c->sentence.n, sizeof *c->list))
        return rag_fail_nomem(err);
    for (size_t i = 0; i < c->sentence.n; i++)
        c->list[i] = (rag_cite_wanted){.key = c->sentence.words[i].key,
                                       .word = i,
                                       .weight = c->sentence.words[i].weight};
    qsort(c->list, c->sentence.n, sizeof *c->list, by_key);
    for (size_t i = 0; i < c->sentence.n; i++) {
        rag_cite_wanted *last = kept != 0 ? &c->list[kept - 1] : NULL;

        if (last == NULL || last->key != c->list[i].key)
            c->list[kept++] = c->list[i];
        else if (last->weight < c->list[i].weight)
            last->weight = c->list[i].weight;
    }
    c->n = kept;
    return RAG_OK;
}

/* ---- words -------------------------------------------------------------- */

static double total_weight(const rag_cite *c)
{
    double sum = 0;

    for (size_t i = 0; i < c->n; i++)
        sum += (double)c->list[i].weight;
    return sum;
}

/* Words of one script and none of them in the other text's. */
static bool is_foreign(const rag_cite *c)
{
    size_t n[2] = {0, 0};
    const rag_claim *both[2] = {&c->sentence, &c->passage};

    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < both[k]->n; i++)
            n[k] += both[k]->words[i].wide;
    return (n[0] * 2 > c->sentence.n && n[1] == 0) ||
           (n[0] == 0 && n[1] * 2 > c->passage.n);
}

/* Takes the words out that the other script has otherwise. */
static void drop_foreign(rag_cite *c)
{
    bool wide = false;

    for (size_t i = 0; i < c->sentence.n; i++)
        wide = wide || c->sentence.words[i].wide;
    for (size_t i = 0; i < c->sentence.n; i++) {
        rag_claim_word *w = &c->sentence.words[i];

        if (wide ? w->wide || w->counted
                 : !w->number && !w->code && !w->part && !w->name)
            w->weight = 0;
        w->name = w->name && wide; /* an English one has a Korean spelling */
        w->counted = false;
    }
}

/* What a title or a heading says is not missing in the passage. */
static double look_about(rag_cite *c)
{
    double sum = 0;

    for (size_t i = 0; i < c->about.n; i++) {
        rag_cite_wanted *w = rag_cite_find(c, c->about.words[i].key);

        if (w == NULL || w->found)
            continue;
        sum += (double)w->weight;
        w->found = w->unit_found = true;
    }
    return sum;
}

/* Marks what the passage has, and finds its best sentence. */
static void look(rag_cite_check *out, rag_cite *c, rag_str passage)
{
    double total = total_weight(c);
    double all = 0;
    double best = 0;
    size_t at = 0;
    size_t i = 0;
    size_t start;
    size_t end;
    uint32_t stamp = 0;

    while (rag_sentence_next(&start, &end, passage, &at)) {
        double sum = 0;

        stamp++;
        for (; i < c->passage.n && c->passage.words[i].start < end; i++) {
            const rag_claim_word *p = &c->passage.words[i];
            rag_cite_wanted *w = rag_cite_find(c, p->key);

            if (w == NULL)
                continue;
            if (!w->found)
                all += (double)w->weight;
            w->found = true;
            if (p->unit == 0 || p->unit == c->sentence.words[w->word].unit)
                w->unit_found = true;
            if (w->stamp != stamp)
                sum += (double)w->weight;
            w->stamp = stamp;
        }
        if (sum > best) {
            best = sum;
            out->quote_start = start;
            out->quote_end = end;
        }
    }
    all += look_about(c);
    if (total > 0) {
        out->cover = all / total;
        out->quote_cover = best / total;
    }
    if (out->quote_cover < MIN_QUOTE)
        out->quote_start = out->quote_end = 0;
}

/* ---- word for word ------------------------------------------------------ */

/* Folded words with one blank between them, so that wrapping and marks do not
 * matter. */
static void squeeze(rag_buf *out, rag_str s)
{
    bool gap = false;
    rag_str rest;
    rag_buf folded;

    rag_buf_init(&folded, MAX_TEXT_BYTES);
    rag_utf8_fold(&folded, s);
    rest = rag_buf_str(&folded);
    while (rest.len != 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, rest);

        if (!rag_utf8_is_alnum(cp)) {
            gap = true;
        } else {
            if (gap && out->len != 0)
                rag_buf_addc(out, ' ');
            gap = false;
            rag_buf_add(out, rest.ptr, n);
        }
        rest = rag_str_cut(rest, n, rest.len);
    }
    rag_buf_dispose(&folded);
}

static rag_status verbatim(bool *out, rag_str sentence, rag_str passage,
                           rag_error *err)
{
    rag_status st;
    rag_buf a;
    rag_buf b;

    rag_buf_init(&a, MAX_TEXT_BYTES);
    rag_buf_init(&b, MAX_TEXT_BYTES);
    squeeze(&a, sentence);
    squeeze(&b, passage);
    TRY(rag_buf_status(&a, err));
    TRY(rag_buf_status(&b, err));
    *out = a.len != 0 &&
           rag_str_find(rag_buf_str(&b), rag_buf_str(&a)) != SIZE_MAX;
out:
    rag_buf_dispose(&a);
    rag_buf_dispose(&b);
    return st;
}

/* Fitted by logistic regression on the first halves of WiCE, KLUE-NLI and
 * SciFact, then rounded and put on a scale from 0 to 1: how likely the passage
 * carries the sentence. */
static double score_of(const rag_cite_check *k)
{
    double missing = k->n_content != 0
                         ? (double)k->n_missing / (double)k->n_content
                         : 1 - k->cover;
    double s = 0.55 * k->cover + 0.45 * (1 - missing);

    if (k->verbatim)
        return 1;
    s -= 0.12 * (k->n_names < 2 ? k->n_names : 2);
    s -= k->n_numbers != 0 ? 0.3 : 0;
    s -= k->n_denied != 0 ? 0.2 : 0;
    return s > 0 ? s : 0;
}

/* ---- outside ------------------------------------------------------------ */

/* Without the marks of a list in front: "- ", "3. ", "## ". */
static rag_str without_marks(rag_str s)
{
    size_t n = 0;

    s = rag_str_trim(s);
    while (s.len != 0 && strchr("-*+#> \t", s.ptr[0]) != NULL)
        s = rag_str_cut(s, 1, s.len);
    while (n < s.len && n < MAX_LIST_DIGITS && s.ptr[n] >= '0' &&
           s.ptr[n] <= '9')
        n++;
    if (n != 0 && n + 1 < s.len && (s.ptr[n] == '.' || s.ptr[n] == ')') &&
        s.ptr[n + 1] == ' ')
        s = rag_str_cut(s, n + 2, s.len);
    return s;
}

rag_status rag_cite_compare(rag_cite_check *out, rag_cite *c, rag_str sentence,
                            rag_str passage, rag_str about, rag_error *err)
{
    rag_status st;

    memset(out, 0, sizeof *out);
    sentence = without_marks(sentence);
    TRY(rag_claim_read(&c->sentence, c->words, sentence, err));
    TRY(rag_claim_read(&c->passage, c->words, passage, err));
    TRY(rag_claim_read(&c->about, c->words, about, err));
    out->foreign = is_foreign(c);
    if (out->foreign)
        drop_foreign(c);
    TRY(list_wanted(c, err));
    look(out, c, passage);
    rag_cite_facts(out, c);
    TRY(verbatim(&out->verbatim, sentence, passage, err));
    out->score = score_of(out);
out:
    return st;
}

const char *rag_cite_support(const rag_cite_check *k)
{
    if (k->verbatim)
        return "supported";
    /* one sentence says it and denies it: of 66 such pairs of the fit halves
     * 11 were supported, about as many as of those with a wrong number */
    if (!k->numbers_ok || k->score < RAG_CITE_PARTLY ||
        (k->n_denied != 0 && k->quote_cover >= DENIED_COVER))
        return "unsupported";
    /* a name, a "not", an exchanged word: most of a sentence can stand there
     * and what it says is still another thing */
    if (k->score < RAG_CITE_SUPPORTED || k->foreign || k->n_names != 0 ||
        k->n_denied != 0 || k->n_exchanged != 0)
        return "partly";
    return "supported";
}
