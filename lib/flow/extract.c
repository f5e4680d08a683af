#include "flow/extract.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
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
#define MAX_QUESTION_BYTES ((size_t)64 << 20)
/* A sentence is an answer from so many letters on; longer ones are cut off as
 * tables and listings. */
#define MIN_CHARS 12
#define MAX_CHARS 600
/* How far below the best a sentence may be to stand beside it. This and the
 * weights were chosen on one half of XQuAD and KorQuAD: docs/benchmarks.md,
 * "Extractive answers". */
#define BESIDE 0.75
/* What counts besides the question's words: the passage, the sentence before,
 * a number where one is asked for; and a long sentence pays for its length. */
#define HIT_WEIGHT 0.75
#define BEFORE_WEIGHT 0.2
#define NUMBER_WEIGHT 0.15
#define LENGTH_WEIGHT 0.05
#define USUAL_BYTES 100.0
/* what a sentence pays that is not all there */
#define HALVED_PAYS 0.3
/* a listing in an answer */
#define MAX_BLOCK_BYTES 1200
#define MAX_BLOCK_LINES 24
#define MAX_ITEMS_BYTES 600

typedef struct candidate {
    rag_extracted at;
    double words; /* share of the question's word weight, 0..1 */
    bool number;  /* has one */
    bool halved;  /* a part of it, or what it announces, is not there */
    double score;
} candidate;

typedef struct work {
    rag_query *q;
    double weights[RAG_QUERY_MAX_TERMS * 2];
    double total;
    bool seen[RAG_QUERY_MAX_TERMS * 2]; /* in the sentence at hand */
    candidate list[MAX_SENTENCES];
    size_t n;
    bool wants_number;
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

/* Does the question ask how many, or when? */
static rag_status wants_number(bool *out, rag_str question, rag_error *err)
{
    static const char *const asks[] = {
        "when",      "how many",     "how much",  "how long",  "how old",
        "how far",   "how tall",     "how large", "what year", "which year",
        "what date", "what percent", "몇",        "언제",      "얼마",
        "년도",      "연도",         "날짜",      "며칠",      "비율"};
    rag_status st;
    rag_buf folded;

    *out = false;
    rag_buf_init(&folded, MAX_QUESTION_BYTES);
    rag_utf8_fold(&folded, question);
    TRY(rag_buf_status(&folded, err));
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
        *out = *out || rag_str_find(rag_buf_str(&folded),
                                    rag_str_of(asks[i])) != SIZE_MAX;
out:
    rag_buf_dispose(&folded);
    return st;
}

/* A tag that is open at the end: the sentence was cut inside it. */
static bool cut_in_tag(rag_str s)
{
    for (size_t i = s.len; i-- > 0;) {
        if (s.ptr[i] == '>')
            return false;
        if (s.ptr[i] == '<')
            return i + 1 < s.len && s.ptr[i + 1] >= 'a' && s.ptr[i + 1] <= 'z';
    }
    return false;
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
        rag_str_starts(s, "{*") || rag_str_starts(s, "{!") ||
        rag_str_starts(s, "{\"") || rag_str_starts(s, "$ ") || cut_in_tag(s) ||
        rag_str_find(s, RAG_STR_LIT("\n$ ")) != SIZE_MAX ||
        rag_str_find(s, RAG_STR_LIT("\\n")) != SIZE_MAX) /* JSON's text */
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

/* Does a line of a list begin at `at`? */
static bool is_item(rag_str text, size_t at)
{
    size_t n = at;

    while (n < text.len && text.ptr[n] == ' ')
        n++;
    if (n + 1 < text.len && strchr("-*+", text.ptr[n]) != NULL)
        return text.ptr[n + 1] == ' ';
    for (at = n; n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9';)
        n++;
    return n != at && n + 1 < text.len &&
           (text.ptr[n] == '.' || text.ptr[n] == ')') && text.ptr[n + 1] == ' ';
}

static size_t line_end(rag_str text, size_t at)
{
    while (at < text.len && text.ptr[at] != '\n')
        at++;
    return at;
}

/* The end of the fenced block at `at`, its last fence counted; 0: not whole. */
static size_t fence_end(rag_str text, size_t at)
{
    size_t n = 0;
    char mark = text.ptr[at];

    while (at + n < text.len && text.ptr[at + n] == mark)
        n++;
    for (size_t i = line_end(text, at); i < text.len; i = line_end(text, i)) {
        size_t k = 0;

        i++;
        while (i < text.len && text.ptr[i] == ' ')
            i++;
        while (i + k < text.len && text.ptr[i + k] == mark)
            k++;
        if (k >= n && line_end(text, i + k) == i + k)
            return i + k;
    }
    return 0;
}

static bool is_fence(rag_str text, size_t at)
{
    rag_str s = rag_str_cut(text, at, text.len);

    return rag_str_starts(s, "```") || rag_str_starts(s, "~~~");
}

static size_t n_lines(rag_str s)
{
    size_t n = 1;

    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == '\n';
    return n;
}

/* The end of the items of a list at `at`. */
static size_t list_end(rag_str text, size_t at)
{
    size_t found = at;

    for (size_t next = at; next < text.len && is_item(text, next);) {
        size_t end = line_end(text, next);

        if (end - at > MAX_ITEMS_BYTES)
            break;
        found = end;
        next = end + 1;
        if (next < text.len && text.ptr[next] == '\n') /* loose items */
            next++;
    }
    return found;
}

/* The end of a paragraph at `at` that is no running text: a command, output, a
 * drawing, as HTML and PDF leave them. `at`: it is. */
static size_t listing_end(rag_str text, size_t at)
{
    size_t end = at;
    rag_str s;

    while (end < text.len) {
        end = line_end(text, end);
        if (end + 1 >= text.len || text.ptr[end + 1] == '\n')
            break;
        end++;
    }
    s = rag_str_trim(rag_str_cut(text, at, end));
    if (s.len == 0 || end - at > MAX_ITEMS_BYTES ||
        n_lines(s) > MAX_BLOCK_LINES || s.ptr[0] == '{' || s.ptr[0] == '/' ||
        s.ptr[0] == '#')
        return at;
    if (s.ptr[0] == '$' || text.ptr[at] == ' ' ||
        strchr(".!?:", s.ptr[s.len - 1]) == NULL)
        return end;
    return at;
}

/* What stands behind "like this:". false: nothing that can be shown. */
static bool announced(rag_extracted *x, rag_str text)
{
    size_t at = x->end;

    while (at < text.len && strchr(" \n\r\t", text.ptr[at]) != NULL)
        at++;
    if (at >= text.len)
        return false;
    x->block = at;
    while (x->block > x->end && text.ptr[x->block - 1] == ' ')
        x->block--; /* the indent of its first line */
    if (is_fence(text, at)) {
        x->block_end = fence_end(text, at);
        return x->block_end != 0 && x->block_end - at <= MAX_BLOCK_BYTES &&
               n_lines(rag_str_cut(text, at, x->block_end)) <= MAX_BLOCK_LINES;
    }
    x->block_end = list_end(text, x->block);
    if (x->block_end == x->block)
        x->block_end = listing_end(text, x->block);
    return x->block_end > x->block;
}

static bool has_digit(rag_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
            return true;
    return false;
}

/* "like this:", and in manuals "go on with" before a line of code. */
static bool announces(rag_str s)
{
    static const char *const ends[] = {" with", " command", " commands",
                                       " use",  " using",   " run",
                                       " like", " then",    " is"};

    if (s.ptr[s.len - 1] == ':' || rag_str_ends(s, "\xEF\xBC\x9A"))
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (rag_str_ends(s, ends[i]))
            return true;
    return false;
}

static rag_status add_candidate(work *w, rag_str text, rag_extracted x,
                                rag_error *err)
{
    rag_str s = rag_str_cut(text, x.start, x.end);
    candidate *c = &w->list[w->n++];

    *c = (candidate){.at = x, .number = has_digit(s)};
    c->at.block = c->at.block_end = x.end;
    /* begun in the passage before, or its listing is not there */
    c->halved = x.start == 0 && s.ptr[0] >= 'a' && s.ptr[0] <= 'z';
    if (announces(s) && !announced(&c->at, text)) {
        c->halved = c->halved || s.ptr[s.len - 1] == ':';
        c->at.block = c->at.block_end = x.end;
    }
    return rate(&c->words, w, s, err);
}

static rag_status collect(work *w, const rag_hits *hits, rag_error *err)
{
    rag_status st = RAG_OK;

    for (size_t h = 0; h < hits->n_hits && h < MAX_HITS; h++) {
        rag_str text = hits->hits[h].text;
        size_t at = 0;
        size_t start;
        size_t end;

        while (w->n < MAX_SENTENCES &&
               rag_sentence_next(&start, &end, text, &at)) {
            if (is_fence(text, start) && fence_end(text, start) != 0)
                at = fence_end(text, start); /* code is no sentence */
            else if (is_prose(rag_str_cut(text, start, end)))
                TRY(add_candidate(
                    w, text,
                    (rag_extracted){.hit = h, .start = start, .end = end},
                    err));
        }
    }
out:
    return st;
}

static void score(work *w, const rag_hits *hits)
{
    for (size_t i = 0; i < w->n; i++) {
        candidate *c = &w->list[i];
        double bytes = (double)(c->at.end - c->at.start);

        c->score = c->words + HIT_WEIGHT * hits->hits[c->at.hit].score -
                   LENGTH_WEIGHT * log(bytes / USUAL_BYTES);
        if (i > 0 && c[-1].at.hit == c->at.hit)
            c->score += BEFORE_WEIGHT * c[-1].words;
        if (w->wants_number && c->number)
            c->score += NUMBER_WEIGHT;
        if (c->halved)
            c->score -= HALVED_PAYS;
    }
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

/* Letters and digits alone, folded: what makes two sentences the same. */
static void squeeze(rag_buf *out, const rag_hits *hits, const rag_extracted *x)
{
    rag_str rest;
    rag_buf folded;

    rag_buf_init(&folded, MAX_QUESTION_BYTES);
    rag_utf8_fold(&folded,
                  rag_str_cut(hits->hits[x->hit].text, x->start, x->end));
    rest = rag_buf_str(&folded);
    while (rest.len != 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, rest);

        if (rag_utf8_is_alnum(cp))
            rag_buf_add(out, rest.ptr, n);
        rest = rag_str_cut(rest, n, rest.len);
    }
    rag_buf_dispose(&folded);
}

/* Was it said: in the same words, as part of another sentence, or inside a
 * listing that is shown? */
static rag_status repeats(bool *out, const work *w, size_t n,
                          const rag_hits *hits, size_t i, rag_error *err)
{
    const rag_extracted *x = &w->list[i].at;
    rag_status st = RAG_OK;
    rag_buf a;
    rag_buf b;

    *out = false;
    rag_buf_init(&a, MAX_QUESTION_BYTES);
    rag_buf_init(&b, MAX_QUESTION_BYTES);
    squeeze(&a, hits, x);
    for (size_t j = 0; j < n && !*out; j++) {
        const rag_extracted *y = &w->list[j].at;

        rag_buf_clear(&b);
        squeeze(&b, hits, y);
        TRY(rag_buf_status(&a, err));
        TRY(rag_buf_status(&b, err));
        *out = rag_str_find(rag_buf_str(&a), rag_buf_str(&b)) != SIZE_MAX ||
               rag_str_find(rag_buf_str(&b), rag_buf_str(&a)) != SIZE_MAX ||
               (x->hit == y->hit && x->start < y->block_end &&
                y->start < x->block_end);
    }
out:
    rag_buf_dispose(&a);
    rag_buf_dispose(&b);
    return st;
}

rag_status rag_extract(rag_extracted *out, size_t *n, rag *r, rag_str question,
                       const rag_hits *hits, rag_error *err)
{
    work *w = rag_calloc(1, sizeof *w);
    size_t kept = 0;
    bool said;
    rag_status st;

    *n = 0;
    if (w == NULL)
        return rag_fail_nomem(err);
    TRY(rag_query_new(&w->q, question, false, err));
    TRY(weigh(w, r, err));
    TRY(wants_number(&w->wants_number, question, err));
    TRY(collect(w, hits, err));
    score(w, hits);
    qsort(w->list, w->n, sizeof *w->list, by_score);
    if (hits->mode != RAG_LEXICAL) {
        TRY(add_meaning(w, r, hits, question, err));
        qsort(w->list, w->n, sizeof *w->list, by_score);
    }
    for (size_t i = 0; i < w->n && kept < RAG_EXTRACT_MAX; i++) {
        if (w->list[i].score < BESIDE * w->list[0].score)
            break;
        TRY(repeats(&said, w, kept, hits, i, err));
        if (said)
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
