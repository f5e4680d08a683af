#include "flow/ask_priv.h"

#include <string.h>

#include "base/sentence.h"
#include "base/utf8.h"

/* A sentence without a citation gets that of the passage that supports it best,
 * when it is at least so long. */
#define ATTACH_MIN_CHARS 12
/* A longer sentence ends at the next stop sign, whatever follows. */
#define MAX_JUDGED_BYTES 4096

/* ---- what leaves -------------------------------------------------------- */

rag_status rag_ask_give(rag_ask_run *u, rag_str s, rag_error *err)
{
    rag_status st;

    if (s.len == 0)
        return RAG_OK;
    rag_buf_adds(&u->text, s);
    st = rag_buf_status(&u->text, err);
    if (st == RAG_OK && u->watch != NULL && u->watch->delta != NULL)
        st = u->watch->delta(u->watch->ctx, s, err);
    return st;
}

/* How well passage n (from 1) carries the sentence; what the model was told
 * about it (document, headings, a table's header) counts as its own words. */
static rag_status compare(rag_cite_check *k, rag_ask_run *u, rag_str sentence,
                          uint32_t n, rag_error *err)
{
    const rag_hit *h = &u->hits->hits[n - 1];
    rag_status st;
    rag_buf about;

    rag_buf_init(&about, RAG_ASK_MAX_BYTES * 16);
    rag_buf_adds(&about, h->title);
    for (size_t i = 0; i < h->n_headings; i++) {
        rag_buf_addc(&about, '\n');
        rag_buf_adds(&about, h->headings[i]);
    }
    rag_buf_addc(&about, '\n');
    rag_buf_adds(&about, h->context);
    TRY(rag_buf_status(&about, err));
    st = rag_cite_compare(k, u->cite, sentence, h->text, rag_buf_str(&about),
                          err);
out:
    rag_buf_dispose(&about);
    return st;
}

/* ---- sentences ---------------------------------------------------------- */

rag_status rag_ask_keep(rag_ask_run *u, const char *support, rag_error *err)
{
    rag_answer *a = u->a;
    rag_sentence *s;
    uint32_t *cites;

    if (a->n_sentences == u->cap_sentences) {
        size_t cap = u->cap_sentences != 0 ? u->cap_sentences * 2 : 16;
        rag_sentence *grown = rag_arena_array(&a->arena, cap, sizeof *grown);

        if (grown == NULL)
            return rag_fail_nomem(err);
        if (a->n_sentences != 0)
            memcpy(grown, a->sentences, a->n_sentences * sizeof *grown);
        a->sentences = grown;
        u->cap_sentences = cap;
    }
    s = &a->sentences[a->n_sentences];
    cites = rag_arena_array(&a->arena, u->n_cites, sizeof *cites);
    if (cites == NULL ||
        !rag_arena_str(&a->arena, &s->text,
                       rag_str_trim(rag_buf_str(&u->sentence))))
        return rag_fail_nomem(err);
    memcpy(cites, u->cites, u->n_cites * sizeof *cites);
    s->cites = cites;
    s->n_cites = u->n_cites;
    s->support = support;
    a->n_sentences++;
    return RAG_OK;
}

rag_status rag_ask_cite(rag_ask_run *u, uint32_t n, const rag_hit *h,
                        const rag_cite_check *k, const char *check,
                        rag_error *err)
{
    rag_answer *a = u->a;
    rag_citation *c = NULL;

    for (size_t i = 0; i < a->n_citations; i++)
        if (a->citations[i].n == n)
            c = &a->citations[i];
    if (c == NULL) {
        if (a->citations == NULL)
            a->citations =
                rag_arena_array(&a->arena, u->n_passages, sizeof *a->citations);
        if (a->citations == NULL)
            return rag_fail_nomem(err);
        c = &a->citations[a->n_citations++];
        c->n = n;
        c->hit = *h;
    } else if (strcmp(c->check, "exact") == 0 || strcmp(check, "exact") != 0) {
        return RAG_OK; /* the better quote stays */
    }
    c->check = check;
    c->quote = rag_str_cut(h->text, k->quote_start, k->quote_end);
    c->quote_start = h->start + k->quote_start;
    c->quote_end = h->start + k->quote_end;
    if (u->watch != NULL && u->watch->citation != NULL && n < 256 &&
        !u->told[n]) {
        u->told[n] = true;
        u->watch->citation(u->watch->ctx, c);
    }
    return RAG_OK;
}

/* Does another passage carry the sentence well? */
static rag_status elsewhere(bool *out, rag_ask_run *u, rag_str bare,
                            rag_error *err)
{
    *out = false;
    for (uint32_t n = 1; n <= u->n_passages && !*out; n++) {
        rag_cite_check k;
        rag_status st = compare(&k, u, bare, n, err);

        if (st != RAG_OK)
            return st;
        *out = strcmp(rag_cite_support(&k), "supported") == 0;
    }
    return RAG_OK;
}

/* Checks the sentence at hand against what it cites. */
static rag_status judge(const char **support, rag_ask_run *u, rag_error *err)
{
    rag_str bare = rag_buf_str(&u->bare);
    rag_status st = RAG_OK;
    int best = 0; /* 0 unsupported, 1 partly, 2 supported */

    for (size_t i = 0; i < u->n_cites; i++) {
        rag_cite_check k;
        const char *s;
        const char *check;

        TRY(compare(&k, u, bare, u->cites[i], err));
        s = rag_cite_support(&k);
        check = k.verbatim ? "exact" : "fuzzy";
        if (strcmp(s, "supported") == 0)
            best = 2;
        else if (strcmp(s, "partly") == 0 && best < 1)
            best = 1;
        if (strcmp(s, "unsupported") == 0) {
            bool other;

            TRY(elsewhere(&other, u, bare, err));
            check = other ? "misattributed" : "not_found";
        }
        TRY(rag_ask_cite(u, u->cites[i], &u->hits->hits[u->cites[i] - 1], &k,
                         check, err));
    }
    *support = best == 2 ? "supported" : best == 1 ? "partly" : "unsupported";
out:
    return st;
}

/* A sentence that cites nothing gets the passage that plainly holds it. */
static rag_status attach(rag_ask_run *u, rag_error *err)
{
    rag_str bare = rag_buf_str(&u->bare);
    double best = 0;
    uint32_t best_n = 0;

    if (u->n_cites != 0 ||
        rag_utf8_count(rag_str_trim(bare)) < ATTACH_MIN_CHARS)
        return RAG_OK;
    for (uint32_t n = 1; n <= u->n_passages; n++) {
        rag_cite_check k;
        rag_status st = compare(&k, u, bare, n, err);

        if (st != RAG_OK)
            return st;
        if (k.score > best && strcmp(rag_cite_support(&k), "supported") == 0) {
            best = k.score;
            best_n = n;
        }
    }
    if (best_n != 0) {
        char mark[24];
        rag_buf b;

        rag_buf_init(&b, sizeof mark);
        rag_buf_addf(&b, " [%u]", best_n);
        rag_buf_adds(&u->sentence, rag_buf_str(&b));
        u->cites[u->n_cites++] = best_n;
        if (!u->opts->strict) {
            rag_status st = rag_ask_give(u, rag_buf_str(&b), err);

            rag_buf_dispose(&b);
            return st;
        }
        rag_buf_dispose(&b);
    }
    return RAG_OK;
}

rag_status rag_ask_end_sentence(rag_ask_run *u, rag_error *err)
{
    const char *support;
    rag_status st = RAG_OK;

    if (rag_str_trim(rag_buf_str(&u->bare)).len != 0) {
        TRY(attach(u, err));
        TRY(judge(&support, u, err));
        if (u->opts->strict && strcmp(support, "unsupported") == 0) {
            u->a->left_out = true;
            rag_buf_clear(&u->gap);
        } else {
            if (u->opts->strict)
                TRY(rag_ask_give(u, rag_buf_str(&u->sentence), err));
            TRY(rag_ask_keep(u, support, err));
        }
    }
    TRY(rag_ask_give(u, rag_buf_str(&u->gap), err));
out:
    rag_buf_clear(&u->gap);
    rag_buf_clear(&u->sentence);
    rag_buf_clear(&u->bare);
    u->n_cites = 0;
    u->ended = false;
    return st;
}

static bool ends_sentence(uint32_t cp)
{
    return cp == '.' || cp == '!' || cp == '?' || cp == 0x3002 ||
           cp == 0xFF01 || cp == 0xFF1F;
}

/* Now that the next character is known: "1. Press", "e.g. this" go on. */
static rag_status really_ends(bool *out, const rag_ask_run *u, rag_str next,
                              rag_error *err)
{
    rag_str bare = rag_str_trim(rag_buf_str(&u->bare));
    rag_str gap = rag_buf_str(&u->gap);
    rag_status st = RAG_OK;
    rag_buf b;

    *out = true;
    if (rag_str_find_char(gap, '\n') != SIZE_MAX || bare.len > MAX_JUDGED_BYTES)
        return RAG_OK;
    rag_buf_init(&b, RAG_ASK_MAX_BYTES);
    rag_buf_adds(&b, bare);
    rag_buf_adds(&b, gap);
    rag_buf_adds(&b, next);
    TRY(rag_buf_status(&b, err));
    *out = bare.len == 0 || rag_sentence_end(rag_buf_str(&b), 0) <= bare.len;
out:
    rag_buf_dispose(&b);
    return st;
}

/* It was no end: the gap belongs to the sentence. */
static rag_status go_on(rag_ask_run *u, rag_error *err)
{
    rag_str gap = rag_buf_str(&u->gap);
    rag_status st = u->opts->strict ? RAG_OK : rag_ask_give(u, gap, err);

    rag_buf_adds(&u->sentence, gap);
    rag_buf_adds(&u->bare, gap);
    rag_buf_clear(&u->gap);
    u->ended = false;
    return st;
}

/* Takes "[12]" at the front of s; the gate lets only whole and valid ones
 * through. */
static size_t cite_mark(uint32_t *n, rag_str s)
{
    size_t close = rag_str_find_char(s, ']');
    uint64_t v;

    if (s.ptr[0] != '[' || close == SIZE_MAX || close > 8 ||
        !rag_str_u64(&v, rag_str_cut(s, 1, close)))
        return 0;
    *n = (uint32_t)v;
    return close + 1;
}

void rag_ask_mark(rag_ask_run *u, uint32_t n)
{
    for (size_t i = 0; i < u->n_cites; i++)
        if (u->cites[i] == n)
            return;
    if (u->n_cites < RAG_ASK_MAX_CITES)
        u->cites[u->n_cites++] = n;
}

/* One code point or citation mark of what the gate let through. */
static rag_status step(rag_ask_run *u, rag_str s, size_t *used, rag_error *err)
{
    rag_status st = RAG_OK;
    uint32_t n = 0;
    size_t mark = cite_mark(&n, s);
    uint32_t cp;
    size_t len = mark != 0 ? mark : rag_utf8_decode(&cp, NULL, s);

    *used = len;
    if (mark != 0) {
        /* behind its sentence: it belongs to that one */
        if (!u->opts->strict)
            TRY(rag_ask_give(u, rag_buf_str(&u->gap), err));
        rag_buf_adds(&u->sentence, rag_buf_str(&u->gap));
        rag_buf_clear(&u->gap);
        rag_ask_mark(u, n);
        rag_buf_adds(&u->sentence, rag_str_cut(s, 0, len));
        return u->opts->strict ? RAG_OK
                               : rag_ask_give(u, rag_str_cut(s, 0, len), err);
    }
    if (u->ended && (rag_utf8_is_space(cp) || cp == '\n')) {
        rag_buf_adds(&u->gap, rag_str_cut(s, 0, len));
        return RAG_OK;
    }
    if (u->ended && u->gap.len != 0) {
        bool ends;

        TRY(really_ends(&ends, u, rag_str_cut(s, 0, len), err));
        if (ends) {
            TRY(rag_ask_end_sentence(u, err));
        } else {
            TRY(go_on(u, err));
        }
    }
    if (cp == '\n') {
        rag_buf_addc(&u->gap, '\n');
        u->ended = true;
        return RAG_OK;
    }
    u->ended = ends_sentence(cp);
    rag_buf_adds(&u->sentence, rag_str_cut(s, 0, len));
    rag_buf_adds(&u->bare, rag_str_cut(s, 0, len));
    TRY(rag_buf_status(&u->sentence, err));
    if (!u->opts->strict)
        st = rag_ask_give(u, rag_str_cut(s, 0, len), err);
out:
    return st;
}

rag_status rag_ask_passed(void *ctx, rag_str piece, rag_error *err)
{
    rag_ask_run *u = ctx;

    while (piece.len != 0) {
        size_t used;
        rag_status st = step(u, piece, &used, err);

        if (st != RAG_OK)
            return st;
        piece = rag_str_cut(piece, used, piece.len);
    }
    return RAG_OK;
}
