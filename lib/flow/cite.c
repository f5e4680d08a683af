#include "flow/cite.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/sentence.h"
#include "base/utf8.h"
#include "base/words.h"

#define MAX_TEXT_BYTES ((size_t)64 << 20)

typedef struct word {
    uint64_t key;
    bool strict; /* a number or code: must be there */
} word;

typedef struct word_list {
    word *list;
    size_t n;
    size_t cap;
} word_list;

struct rag_cite {
    rag_words *words;
    word_list sentence;
    word_list passage;
};

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
    rag_free(c->sentence.list);
    rag_free(c->passage.list);
    rag_free(c);
}

static bool has_digit(rag_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
            return true;
    return false;
}

typedef struct gather {
    word_list *to;
    bool drop_stops;
} gather;

static rag_status add_word(void *ctx, const rag_word *w, rag_error *err)
{
    gather *g = ctx;

    if (g->drop_stops && rag_words_is_stop(w->form))
        return RAG_OK;
    if (!rag_mem_grow(&g->to->list, &g->to->cap, g->to->n + 1,
                      sizeof *g->to->list))
        return rag_fail_nomem(err);
    g->to->list[g->to->n++] =
        (word){w->key, w->kind == RAG_WORD_NUMBER ||
                           (w->kind == RAG_WORD_CODE && has_digit(w->form))};
    return RAG_OK;
}

static int by_key(const void *a, const void *b)
{
    const word *x = a;
    const word *y = b;

    return x->key < y->key ? -1 : x->key > y->key;
}

static rag_status words_of(word_list *to, rag_cite *c, rag_str text,
                           bool drop_stops, rag_error *err)
{
    gather g = {to, drop_stops};
    rag_status st;
    size_t kept = 0;

    to->n = 0;
    st = rag_words_each(c->words, text, add_word, &g, err);
    if (st != RAG_OK || to->n == 0)
        return st;
    qsort(to->list, to->n, sizeof *to->list, by_key);
    for (size_t i = 0; i < to->n; i++) {
        if (kept != 0 && to->list[kept - 1].key == to->list[i].key)
            to->list[kept - 1].strict =
                to->list[kept - 1].strict || to->list[i].strict;
        else
            to->list[kept++] = to->list[i];
    }
    to->n = kept;
    return RAG_OK;
}

static bool holds(const word_list *l, uint64_t key)
{
    word want = {key, false};

    return l->n != 0 &&
           bsearch(&want, l->list, l->n, sizeof *l->list, by_key) != NULL;
}

static double cover(const word_list *sentence, const word_list *passage,
                    bool *numbers_ok)
{
    size_t found = 0;

    *numbers_ok = true;
    for (size_t i = 0; i < sentence->n; i++) {
        if (holds(passage, sentence->list[i].key))
            found++;
        else if (sentence->list[i].strict)
            *numbers_ok = false;
    }
    return sentence->n != 0 ? (double)found / (double)sentence->n : 0;
}

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

/* The passage's sentence that shares most words with c->sentence. */
static rag_status quote(rag_cite_check *out, rag_cite *c, rag_str passage,
                        rag_error *err)
{
    size_t at = 0;
    size_t start;
    size_t end;
    double best = 0;

    while (rag_sentence_next(&start, &end, passage, &at)) {
        double share;
        bool ok;
        rag_status st = words_of(&c->passage, c,
                                 rag_str_cut(passage, start, end), false, err);

        if (st != RAG_OK)
            return st;
        share = cover(&c->sentence, &c->passage, &ok) + (ok ? 0.1 : 0);
        if (share > best) {
            best = share;
            out->quote_start = start;
            out->quote_end = end;
        }
    }
    if (best < 0.2)
        out->quote_start = out->quote_end = 0;
    return RAG_OK;
}

rag_status rag_cite_compare(rag_cite_check *out, rag_cite *c, rag_str sentence,
                            rag_str passage, rag_error *err)
{
    rag_status st;

    memset(out, 0, sizeof *out);
    TRY(words_of(&c->sentence, c, sentence, true, err));
    if (c->sentence.n == 0)
        TRY(words_of(&c->sentence, c, sentence, false, err));
    TRY(words_of(&c->passage, c, passage, false, err));
    out->cover = cover(&c->sentence, &c->passage, &out->numbers_ok);
    TRY(verbatim(&out->verbatim, sentence, passage, err));
    if (out->cover > 0)
        st = quote(out, c, passage, err);
out:
    return st;
}

const char *rag_cite_support(const rag_cite_check *k)
{
    if (k->verbatim || (k->numbers_ok && k->cover >= RAG_CITE_SUPPORTED))
        return "supported";
    return k->cover >= RAG_CITE_PARTLY && k->numbers_ok ? "partly"
                                                        : "unsupported";
}
