#include "flow/claim.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"

/* How many words behind "not" it denies, stop words passed over. */
#define DENIED_WORDS 1
#define DENIED_LOOK 4
/* The end of a Korean word is mostly grammar: "통과시켰으며", "통과시켰다". */
#define ENDING_WEIGHT 0.4F
/* one Hangul syllable */
#define LONE_SYLLABLE_BYTES 3

typedef struct reading {
    rag_claim *c;
    rag_str text;
    size_t reach; /* end of what the words so far came from */
    uint32_t run;
    bool fresh; /* no word of the sentence yet */
} reading;

static uint64_t key_of(const char *digits)
{
    rag_str s = rag_str_of(digits);

    return rag_hash_fast(s.ptr, s.len);
}

static bool has_digit(rag_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
            return true;
    return false;
}

static bool is_number(rag_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((s.ptr[i] < '0' || s.ptr[i] > '9') && s.ptr[i] != '.')
            return false;
    return s.len != 0;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* Does a sentence's end, or a blank line, stand in between? */
static bool parts_sentences(rag_str between)
{
    for (size_t i = 0; i < between.len; i++)
        if (strchr(".!?:\n\"(", between.ptr[i]) != NULL)
            return true;
    return false;
}

/* A capital in front, or more than one anywhere, where no sentence begins. */
static bool is_name(const reading *rd, const rag_word *w)
{
    size_t n_upper = 0;

    if (w->kind != RAG_WORD_LATIN && w->kind != RAG_WORD_CODE)
        return false;
    for (size_t i = w->start + 1; w->kind == RAG_WORD_CODE && i < w->end; i++)
        if (rd->text.ptr[i] == '_' || rd->text.ptr[i] == '.')
            return true; /* an identifier, a file */
    for (size_t i = w->start; i < w->end; i++)
        n_upper += is_upper(rd->text.ptr[i]);
    if (n_upper == 0 || w->end - w->start < 2)
        return false;
    if (n_upper > 1)
        return true;
    return !rd->fresh && is_upper(rd->text.ptr[w->start]);
}

/* A letter or two and digits, "S2", "hP9": not to be found in parts. */
static bool is_whole(rag_str text, const rag_word *w)
{
    size_t n_letters = 0;

    if (!has_digit(w->form) || is_number(w->form))
        return false;
    for (size_t i = w->start; i < w->end; i++) {
        char c = text.ptr[i];
        bool letter = is_upper(c) || (c >= 'a' && c <= 'z');

        if (!letter && !(c >= '0' && c <= '9'))
            return false;
        if (letter && i == w->start + n_letters)
            n_letters++;
    }
    return n_letters == 1 || n_letters == 2;
}

static void number_facts(rag_claim_word *to, rag_str text)
{
    to->number = true;
    to->unit = rag_claim_unit_of(rag_str_cut(text, to->end, text.len));
    if (to->unit == 0)
        to->unit = rag_claim_sign_of(rag_str_cut(text, 0, to->start));
}

static rag_status add(reading *rd, rag_claim_word word, rag_error *err)
{
    rag_claim *c = rd->c;

    if (!rag_mem_grow(&c->words, &c->cap, c->n + 1, sizeof *c->words))
        return rag_fail_nomem(err);
    c->words[c->n++] = word;
    return RAG_OK;
}

/* "07" and "7" are one number. */
static rag_str plain_number(rag_str s)
{
    while (s.len > 1 && s.ptr[0] == '0' && s.ptr[1] != '.')
        s = rag_str_cut(s, 1, s.len);
    return s;
}

static rag_status on_word(void *ctx, const rag_word *w, rag_error *err)
{
    reading *rd = ctx;
    rag_claim *c = rd->c;
    rag_claim_word *last = c->n != 0 ? &c->words[c->n - 1] : NULL;
    rag_claim_word word = {.key = w->key,
                           .start = w->start,
                           .end = w->end,
                           .weight = rag_words_weight(w),
                           .part = w->kind == RAG_WORD_PART,
                           .wide = w->kind == RAG_WORD_GRAM};
    const char *digits = rag_claim_digits(w->form);
    rag_str opposite = rag_claim_opposite(w->form);
    bool inside = last != NULL && w->start < rd->reach;
    rag_status st;

    if (last == NULL || (!inside && parts_sentences(rag_str_cut(
                                        rd->text, last->end, w->start))))
        rd->fresh = true;
    if (!inside)
        rd->run++;
    if (w->end > rd->reach)
        rd->reach = w->end;
    word.run = rd->run;
    if (opposite.len != 0)
        word.opposite = rag_hash_fast(opposite.ptr, opposite.len);
    if (is_number(w->form)) {
        rag_str plain = plain_number(w->form);

        word.key = rag_hash_fast(plain.ptr, plain.len);
        number_facts(&word, rd->text);
    }
    if (last != NULL && last->number && last->unit != 0 && !word.number &&
        w->kind != RAG_WORD_GRAM &&
        rag_claim_unit_of(rag_str_cut(rd->text, w->start, w->end)) ==
            last->unit)
        word.weight = 0; /* compared as the number's unit */
    word.code = w->kind == RAG_WORD_CODE && has_digit(w->form);
    word.whole = is_whole(rd->text, w);
    word.name = is_name(rd, w);
    word.negates =
        rag_claim_denies_next(w->form) || rag_claim_denies_last(w->form);
    rd->fresh = rd->fresh && word.part;
    st = add(rd, word, err);
    if (st != RAG_OK || digits == NULL)
        return st;
    /* a single syllable only where it stands alone: "세 가지", not "세계" */
    word.key = key_of(digits);
    word.weight = 0;
    word.opposite = 0;
    word.counted = true;
    word.unit =
        rag_claim_unit_of(rag_str_cut(rd->text, word.end, rd->text.len));
    word.negates = word.name = false;
    return add(rd, word, err);
}

/* Grammar at the end of Korean words weighs less. */
static void weigh_endings(rag_claim *c)
{
    for (size_t i = 1; i < c->n; i++) {
        rag_claim_word *w = &c->words[i];
        bool ends = i + 1 == c->n || c->words[i + 1].run != w->run;

        if (ends && !w->number && !w->part && !w->counted &&
            w->run == c->words[i - 1].run && w->weight > ENDING_WEIGHT &&
            c->words[i - 1].end < w->end)
            w->weight = ENDING_WEIGHT;
    }
}

/* English: the words behind "not". */
static void deny_next(rag_claim *c, size_t at, rag_str text)
{
    size_t n = 0;

    for (size_t i = at + 1; i < c->n && n < DENIED_WORDS; i++) {
        rag_claim_word *w = &c->words[i];

        if (w->run - c->words[at].run > DENIED_LOOK ||
            parts_sentences(rag_str_cut(text, c->words[i - 1].end, w->start)))
            return;
        if (w->weight < 1 || w->part || w->counted)
            continue;
        w->denied = !w->denied;
        n++;
    }
}

/* Korean: the word before "않다", "없다"; behind a lone syllable also the one
 * before that ("사용할 수 없다"). */
static void deny_last(rag_claim *c, size_t at)
{
    uint32_t run = c->words[at].run;
    size_t i = at;

    while (i > 0 && c->words[i - 1].run == run)
        i--;
    for (bool again = true; again && i > 0;) {
        const rag_claim_word *last = &c->words[i - 1];
        uint32_t here = last->run;
        bool lone = last->end - last->start <= LONE_SYLLABLE_BYTES;

        again = lone && (i < 2 || c->words[i - 2].run != here);
        for (; i > 0 && c->words[i - 1].run == here; i--)
            c->words[i - 1].denied = !c->words[i - 1].denied;
    }
}

rag_status rag_claim_read(rag_claim *c, rag_words *w, rag_str text,
                          rag_error *err)
{
    reading rd = {.c = c, .text = text, .fresh = true};
    rag_status st;

    c->n = 0;
    st = rag_words_each(w, text, on_word, &rd, err);
    if (st != RAG_OK)
        return st;
    weigh_endings(c);
    for (size_t i = 0; i < c->n; i++) {
        if (!c->words[i].negates)
            continue;
        if (c->words[i].start < text.len &&
            (unsigned char)text.ptr[c->words[i].start] < 0x80)
            deny_next(c, i, text);
        else
            deny_last(c, i);
    }
    return RAG_OK;
}

void rag_claim_dispose(rag_claim *c)
{
    rag_free(c->words);
    *c = (rag_claim){0};
}
