#include "flow/query.h"

#include <string.h>

#include "base/mem.h"
#include "base/phrase.h"
#include "base/utf8.h"

/* a question is a line; a pasted document is cut by its terms anyway */
#define MAX_QUERY_BYTES ((size_t)1 << 20)
#define SYLLABLE_BYTES ((size_t)3) /* of a composed Hangul syllable */

void rag_query_free(rag_query *q)
{
    if (q == NULL)
        return;
    rag_buf_dispose(&q->text);
    rag_words_free(q->words);
    rag_arena_dispose(&q->arena);
    rag_free(q);
}

typedef struct gather {
    rag_query *q;
    rag_term_role role;
    bool stops; /* stop words count, too */
    rag_str text;
} gather;

/* ---- Korean predicates --------------------------------------------------- */

/* What a verb or adjective says about the topic, beside a noun: it is inflected
 * in a hundred ways ("나누고", "나눠서", "나눕니다"), so that its grams are
 * often missing from the page that answers. docs/benchmarks.md, "Abstention".
 */
#define PREDICATE_TOPIC 0.5F
/* Endings of whole words. The short list holds for every word, the long one
 * from three syllables on ("문서" is a noun). */
static const char *const always[] = {"요", "죠", "까", "데", "며", "줘", "면"};
static const char *const longer[] = {"서", "지", "라", "자", "니", "다", "게",
                                     "고", "려", "야", "록", "던", "는"};

static bool is_hangul(rag_str s, size_t at)
{
    uint32_t cp = 0;

    if (at >= s.len)
        return false;
    (void)rag_utf8_decode(&cp, NULL, rag_str_cut(s, at, s.len));
    return cp >= 0xac00 && cp <= 0xd7a3;
}

static bool one_of(rag_str syllable, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rag_str_eqz(syllable, list[i]))
            return true;
    return false;
}

/* Does the gram lie in a word that ends like a verb or an adjective? */
static bool in_predicate(rag_str text, const rag_word *w)
{
    size_t start = w->start;
    size_t end = w->end;
    rag_str last;

    if (w->kind != RAG_WORD_GRAM || !is_hangul(text, start))
        return false;
    while (start >= SYLLABLE_BYTES && is_hangul(text, start - SYLLABLE_BYTES))
        start -= SYLLABLE_BYTES;
    while (is_hangul(text, end))
        end += SYLLABLE_BYTES;
    last = rag_str_cut(text, end - SYLLABLE_BYTES, end);
    return one_of(last, always, sizeof always / sizeof *always) ||
           (end - start >= 3 * SYLLABLE_BYTES &&
            one_of(last, longer, sizeof longer / sizeof *longer));
}

/* ---- terms -------------------------------------------------------------- */

/* A phrase may end inside a longer code, or a single Hangul syllable before a
 * particle: such a word helps to find it, its parts must be there. */
static rag_term_role role_of(const gather *g, const rag_word *w)
{
    bool loose = w->kind == RAG_WORD_CODE ||
                 (w->kind == RAG_WORD_GRAM && rag_utf8_count(w->form) == 1);

    return g->role == RAG_TERM_MUST && loose ? RAG_TERM_SHOULD : g->role;
}

static void swap(rag_store_term *a, rag_store_term *b)
{
    rag_store_term was = *a;

    *a = *b;
    *b = was;
}

/* Numbers and codes belong to no language. */
static void add_said(rag_query *q, const rag_word *w, rag_term_role role)
{
    bool gram = w->kind == RAG_WORD_GRAM;

    if (role == RAG_TERM_NOT || (!gram && w->kind != RAG_WORD_LATIN) ||
        q->n_said == RAG_QUERY_MAX_TERMS)
        return;
    q->said[q->n_said++] = (rag_store_term){w->key, RAG_TERM_SHOULD, 1, 1};
    q->n_grams += gram ? 1 : 0;
    q->n_hangul += gram && is_hangul(w->form, 0) ? 1 : 0;
    if (gram) /* those come first */
        swap(&q->said[q->n_grams - 1], &q->said[q->n_said - 1]);
}

static rag_status add_term(void *ctx, const rag_word *w, rag_error *err)
{
    gather *g = ctx;
    rag_query *q = g->q;
    rag_term_role role = role_of(g, w);
    float weight = g->stops ? 1 : rag_words_weight(w);
    float topic = weight;

    (void)err;
    add_said(q, w, role);
    if (role == RAG_TERM_NOT) {
        if (q->n_excluded < RAG_QUERY_MAX_TERMS)
            q->excluded[q->n_excluded++] = w->key;
    } else if (role == RAG_TERM_SHOULD && !(weight > 0)) {
        return RAG_OK;
    }
    for (size_t i = 0; i < q->n_terms; i++)
        if (q->terms[i].word == w->key) {
            if (role != RAG_TERM_SHOULD)
                q->terms[i].role = role;
            return RAG_OK;
        }
    if (q->n_terms == sizeof q->terms / sizeof *q->terms ||
        (role == RAG_TERM_SHOULD && q->n_words >= RAG_QUERY_MAX_TERMS))
        return RAG_OK;
    if (!g->stops && in_predicate(g->text, w))
        topic *= PREDICATE_TOPIC;
    q->terms[q->n_terms++] = (rag_store_term){w->key, role, weight, topic};
    if (role != RAG_TERM_NOT)
        q->n_words++;
    return RAG_OK;
}

static rag_status add_words(rag_query *q, rag_str text, rag_term_role role,
                            bool stops, rag_error *err)
{
    gather g = {q, role, stops, text};

    return rag_words_each(q->words, text, add_term, &g, err);
}

static rag_status add_phrase(rag_query *q, rag_str phrase, rag_error *err)
{
    rag_str *grown =
        rag_arena_array(&q->arena, q->n_phrases + 1, sizeof *grown);

    phrase = rag_str_trim(phrase);
    if (phrase.len == 0)
        return RAG_OK;
    if (grown == NULL ||
        !rag_arena_str(&q->arena, &grown[q->n_phrases], phrase))
        return rag_fail_nomem(err);
    if (q->n_phrases != 0)
        memcpy(grown, q->phrases, q->n_phrases * sizeof *grown);
    q->phrases = grown;
    q->n_phrases++;
    return add_words(q, phrase, RAG_TERM_MUST, true, err);
}

static bool blank(rag_str s, size_t at)
{
    return at >= s.len || s.ptr[at] == ' ' || s.ptr[at] == '\t' ||
           s.ptr[at] == '\n';
}

/* Is there an excluded word at s[at] (a '-' behind a blank, with a word of at
 * least two characters behind it)? *end: behind it. "--flag" and "-v" are
 * ordinary text. */
static bool excluded_at(size_t *end, rag_str s, size_t at)
{
    size_t n = at + 1;
    uint32_t cp;

    if (s.ptr[at] != '-' || (at != 0 && !blank(s, at - 1)) || blank(s, n) ||
        s.ptr[n] == '-')
        return false;
    (void)rag_utf8_decode(&cp, NULL, rag_str_cut(s, n, s.len));
    if (!rag_utf8_is_alnum(cp))
        return false;
    while (!blank(s, n))
        n++;
    *end = n;
    return rag_utf8_count(rag_str_cut(s, at + 1, n)) >= 2;
}

static rag_status parse(rag_query *q, rag_str s, rag_error *err)
{
    size_t at = 0;

    while (at < s.len) {
        size_t end;

        if (s.ptr[at] == '"') {
            size_t len = rag_str_find_char(rag_str_cut(s, at + 1, s.len), '"');

            /* what is longer than any phrase is text with a quote in it */
            if (len <= RAG_PHRASE_MAX_CHARS) {
                rag_str phrase = rag_str_cut(s, at + 1, at + 1 + len);
                rag_status st = add_phrase(q, phrase, err);

                if (st != RAG_OK)
                    return st;
                rag_buf_adds(&q->text, phrase);
                at += len + 2;
                continue;
            }
        } else if (excluded_at(&end, s, at)) {
            rag_status st = add_words(q, rag_str_cut(s, at + 1, end),
                                      RAG_TERM_NOT, true, err);

            if (st != RAG_OK)
                return st;
            at = end;
            continue;
        }
        rag_buf_addc(&q->text, s.ptr[at++]);
    }
    return RAG_OK;
}

rag_status rag_query_new(rag_query **out, rag_str typed, bool syntax,
                         rag_error *err)
{
    rag_query *q = rag_calloc(1, sizeof *q);
    rag_status st = RAG_OK;
    rag_buf nfc;

    *out = NULL;
    if (q == NULL)
        return rag_fail_nomem(err);
    rag_arena_init(&q->arena);
    rag_buf_init(&q->text, MAX_QUERY_BYTES);
    rag_buf_init(&nfc, MAX_QUERY_BYTES);
    q->words = rag_words_new();
    if (q->words == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    rag_utf8_nfc(&nfc, rag_str_trim(typed)); /* whole syllables */
    TRY(rag_buf_status(&nfc, err));
    typed = rag_buf_str(&nfc);
    if (syntax)
        TRY(parse(q, typed, err));
    else
        rag_buf_adds(&q->text, typed);
    TRY(rag_buf_status(&q->text, err));
    TRY(add_words(q, rag_buf_str(&q->text), RAG_TERM_SHOULD, false, err));
    if (q->n_words == 0) /* nothing but stop words: then they are the topic */
        TRY(add_words(q, rag_buf_str(&q->text), RAG_TERM_SHOULD, true, err));
    if (q->n_grams * 2 >= q->n_said)
        q->n_said = q->n_grams;
    *out = q;
    q = NULL;
out:
    rag_buf_dispose(&nfc);
    rag_query_free(q);
    return st;
}

typedef struct list {
    rag_store_term *terms;
    size_t n;
} list;

static rag_status add_to_list(void *ctx, const rag_word *w, rag_error *err)
{
    list *l = ctx;

    (void)err;
    if (l->n < RAG_QUERY_MAX_TERMS)
        l->terms[l->n++] = (rag_store_term){w->key, RAG_TERM_SHOULD, 1, 1};
    return RAG_OK;
}

rag_status rag_query_korean(rag_store_term *terms, size_t *n, rag_query *q,
                            rag_error *err)
{
    list l = {terms, 0};
    rag_status st = rag_words_each(
        q->words, rag_str_of("니다 하는 있는 에서 으로 하고 이다 한다"),
        add_to_list, &l, err);

    *n = l.n;
    return st;
}

static rag_status find_excluded(void *ctx, const rag_word *w, rag_error *err)
{
    const rag_query *q = ctx;

    for (size_t i = 0; i < q->n_excluded; i++)
        if (q->excluded[i] == w->key)
            return rag_fail(err, RAG_E_CANCELLED, "found");
    return RAG_OK;
}

/* Is an excluded word in either? */
static rag_status has_excluded(bool *out, rag_query *q, rag_str heading,
                               rag_str text, rag_error *err)
{
    rag_status st;

    *out = false;
    if (q->n_excluded == 0)
        return RAG_OK;
    st = rag_words_each(q->words, heading, find_excluded, q, err);
    if (st == RAG_OK)
        st = rag_words_each(q->words, text, find_excluded, q, err);
    if (st != RAG_E_CANCELLED)
        return st;
    rag_error_clear(err);
    *out = true;
    return RAG_OK;
}

rag_status rag_query_accepts(bool *out, rag_query *q, rag_str heading,
                             rag_str text, rag_error *err)
{
    rag_phrase_span span;
    bool excluded;
    rag_status st;

    TRY(has_excluded(&excluded, q, heading, text, err));
    *out = !excluded;
    for (size_t i = 0; i < q->n_phrases && *out; i++) {
        TRY(rag_phrase_find(&span, text, q->phrases[i], err));
        if (!span.found)
            TRY(rag_phrase_find(&span, heading, q->phrases[i], err));
        *out = span.found;
    }
out:
    return st;
}
