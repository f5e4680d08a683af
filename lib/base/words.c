#include "base/words.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/stem.h"
#include "base/utf8.h"
#include "base/words_token.h"

/* units of one word; longer ones are cut into slices */
#define MAX_WORD_UNITS 64u
#define MAX_FORM_BYTES ((size_t)MAX_WORD_UNITS * 4)
/* a segment with more case and digit changes is a hash, not a name */
#define MAX_SUBPARTS 6u
/* segments of one code that become parts */
#define MAX_SEGMENTS 16u
/* stems remembered; text repeats its words. A question needs few: the table
 * grows with what it is asked for, as every page of it costs a page fault */
#define STEM_SLOTS 2048u
#define FIRST_STEM_SLOTS 64u
#define STEM_BYTES 23u

struct stem {
    uint64_t key; /* of the stem; 0: empty slot */
    uint8_t word_len;
    uint8_t stem_len;
    char word[STEM_BYTES];
    char stem[STEM_BYTES];
};

struct rag_words {
    rag_stem *stemmer;
    rag_word_fn fn; /* of the running call */
    void *ctx;
    uint32_t position;
    rag_words_token token; /* the one being cut */
    struct stem *stems;    /* [n_slots], a power of two */
    size_t n_slots;
    size_t n_stems; /* put into the table as large as it is now */
};

rag_words *rag_words_new(void)
{
    rag_words *w = rag_calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->n_slots = FIRST_STEM_SLOTS;
    w->stems = rag_calloc(w->n_slots, sizeof *w->stems);
    w->stemmer = rag_stem_new();
    if (w->stemmer == NULL || w->stems == NULL) {
        rag_words_free(w);
        return NULL;
    }
    return w;
}

void rag_words_free(rag_words *w)
{
    if (w == NULL)
        return;
    rag_stem_free(w->stemmer);
    rag_free(w->stems);
    rag_free(w);
}

const char *rag_words_version(void)
{
    return "words/1";
}

/* ---- giving words out ---------------------------------------------------- */

static uint64_t key_of(const char *form, size_t len)
{
    uint64_t key = rag_hash_fast(form, len);

    return key != 0 ? key : 1;
}

static rag_status give(rag_words *w, rag_word *word, rag_error *err)
{
    word->position = w->position;
    return w->fn(w->ctx, word, err);
}

static rag_status give_form(rag_words *w, rag_word *word, rag_error *err)
{
    word->key = key_of(word->form.ptr, word->form.len);
    return give(w, word, err);
}

/* A larger table starts empty. Without memory for it the small one goes on. */
static void more_slots(rag_words *w)
{
    size_t n = w->n_slots * 8 < STEM_SLOTS ? w->n_slots * 8 : STEM_SLOTS;
    struct stem *more;

    w->n_stems = 0;
    if (n == w->n_slots)
        return;
    more = rag_calloc(n, sizeof *more);
    if (more == NULL)
        return;
    rag_free(w->stems);
    w->stems = more;
    w->n_slots = n;
}

/* Gives the stem of word->form, lower-case ASCII letters and apostrophes. */
static rag_status give_stem(rag_words *w, rag_word *word, rag_error *err)
{
    rag_str form = word->form;
    uint64_t hash = key_of(form.ptr, form.len);
    struct stem *slot = &w->stems[hash % w->n_slots];
    rag_str stem;

    if (form.len < 3) {
        word->key = hash;
        return give(w, word, err);
    }
    if (slot->key != 0 && slot->word_len == form.len &&
        memcmp(slot->word, form.ptr, form.len) == 0) {
        word->key = slot->key;
        word->form = rag_str_n(slot->stem, slot->stem_len);
        return give(w, word, err);
    }
    stem = rag_stem_of(w->stemmer, form);
    if (stem.ptr == NULL)
        return rag_fail_nomem(err);
    if (stem.len == 0) {
        word->key = hash;
        return give(w, word, err);
    }
    word->form = stem;
    word->key = key_of(stem.ptr, stem.len);
    if (form.len <= STEM_BYTES && stem.len <= STEM_BYTES) {
        if (++w->n_stems > w->n_slots) {
            more_slots(w);
            slot = &w->stems[hash % w->n_slots];
        }
        slot->key = word->key;
        slot->word_len = (uint8_t)form.len;
        slot->stem_len = (uint8_t)stem.len;
        memcpy(slot->word, form.ptr, form.len);
        memcpy(slot->stem, stem.ptr, stem.len);
        word->form = rag_str_n(slot->stem, stem.len);
    }
    return give(w, word, err);
}

/* ---- Hangul, Han, Kana --------------------------------------------------- */

static rag_status give_gram(rag_words *w, size_t from, size_t n, rag_error *err)
{
    char form[8];
    rag_word word = {.kind = RAG_WORD_GRAM};
    size_t len = 0;

    for (size_t i = from; i < from + n; i++)
        len += rag_utf8_encode(form + len, w->token.units[i].cp);
    word.form = rag_str_n(form, len);
    word.start = w->token.units[from].start;
    word.end = w->token.units[from + n - 1].end;
    w->position++;
    return give_form(w, &word, err);
}

static rag_status grams(rag_words *w, size_t from, size_t to, rag_error *err)
{
    rag_status st;

    if (to - from == 1)
        return give_gram(w, from, 1, err);
    for (size_t i = from; i + 1 < to; i++)
        TRY(give_gram(w, i, 2, err));
    st = RAG_OK;
out:
    return st;
}

/* ---- words, numbers, codes ----------------------------------------------- */

/* Gives units [from, to) as one word: without hyphens and thousands commas, so
 * that "e-mail" is "email" and "IL-6" is "IL6"; stemmed when only letters. */
static rag_status give_units(rag_words *w, rag_word_kind kind, size_t from,
                             size_t to, rag_error *err)
{
    char form[MAX_FORM_BYTES] = "";
    rag_word word = {.kind = kind};
    bool plain = true;
    size_t len = 0;

    for (size_t i = from; i < to; i++) {
        uint32_t cp = w->token.units[i].cp;

        if (cp == '-' || cp == ',')
            continue;
        plain = plain && ((cp >= 'a' && cp <= 'z') || cp == '\'');
        len += rag_utf8_encode(form + len, cp);
    }
    word.form = rag_str_n(form, len);
    word.start = w->token.units[from].start;
    word.end = w->token.units[to - 1].end;
    return plain ? give_stem(w, &word, err) : give_form(w, &word, err);
}

/* A '.' or ',' between digits belongs to the number. */
static bool is_point(const rag_words *w, size_t from, size_t i, size_t to)
{
    const rag_words_unit *u = &w->token.units[i];

    return (u->cp == '.' || u->cp == ',') && i > from && i + 1 < to &&
           u[-1].cls == RAG_UNIT_DIGIT && u[1].cls == RAG_UNIT_DIGIT;
}

/* Does a part end before unit i of the segment [from, to): digit and letter
 * meet, or case changes as in camelCase and HTTPServer? */
static bool is_seam(const rag_words *w, size_t from, size_t i, size_t to)
{
    const rag_words_unit *u = w->token.units;
    bool digit = u[i].cls == RAG_UNIT_DIGIT || is_point(w, from, i, to);
    bool digit_before =
        u[i - 1].cls == RAG_UNIT_DIGIT || is_point(w, from, i - 1, to);

    if (u[i].cp == '\'' || u[i - 1].cp == '\'')
        return false;
    if (digit != digit_before)
        return true;
    if (digit || !u[i].upper)
        return false;
    if (!u[i - 1].upper)
        return true;
    if (i + 1 == to || u[i + 1].upper || u[i + 1].cls != RAG_UNIT_LETTER)
        return false;
    return !(i + 2 == to && u[i + 1].cp == 's'); /* GPUs */
}

/* The parts of one segment, when it has more than one. */
static rag_status subparts(rag_words *w, size_t from, size_t to, rag_error *err)
{
    size_t n = 1;
    size_t start = from;
    rag_status st;

    for (size_t i = from + 1; i < to; i++)
        n += is_seam(w, from, i, to);
    if (n == 1 || n > MAX_SUBPARTS)
        return RAG_OK;
    for (size_t i = from + 1; i <= to; i++) {
        if (i != to && !is_seam(w, from, i, to))
            continue;
        TRY(give_units(w, RAG_WORD_PART, start, i, err));
        start = i;
    }
    st = RAG_OK;
out:
    return st;
}

/* "1,000", "3.14"; of "3.11.4" also "3.11". */
static rag_status number(rag_words *w, size_t from, size_t to, rag_error *err)
{
    size_t n_points = 0;
    size_t second = to;
    rag_status st;

    for (size_t i = from; i < to; i++)
        if (w->token.units[i].cp == '.' && ++n_points == 2)
            second = i;
    TRY(give_units(w, RAG_WORD_NUMBER, from, to, err));
    if (second != to)
        TRY(give_units(w, RAG_WORD_PART, from, second, err));
    st = RAG_OK;
out:
    return st;
}

/* A code: whole, its segments, and their parts, at one position. */
static rag_status code(rag_words *w, size_t from, size_t to, rag_error *err)
{
    size_t start = from;
    size_t n_segments = 0;
    rag_status st;

    TRY(give_units(w, RAG_WORD_CODE, from, to, err));
    for (size_t i = from; i <= to && n_segments < MAX_SEGMENTS; i++) {
        if (i != to &&
            (rag_words_token_alnum(w->token.units[i].cls) ||
             w->token.units[i].cp == '\'' || is_point(w, from, i, to)))
            continue;
        if (i > start) {
            n_segments++;
            if (start != from || i != to)
                TRY(give_units(w, RAG_WORD_PART, start, i, err));
            TRY(subparts(w, start, i, err));
        }
        start = i + 1;
    }
    st = RAG_OK;
out:
    return st;
}

/* All capitals but for a plural s: GPUs. */
static bool is_plural_capitals(const rag_words *w, size_t from, size_t to)
{
    if (to - from < 3 || w->token.units[to - 1].cp != 's' ||
        w->token.units[to - 1].upper)
        return false;
    for (size_t i = from; i + 1 < to; i++)
        if (!w->token.units[i].upper)
            return false;
    return true;
}

/* What kind of thing units [from, to) are, and its words. */
static rag_status thing(rag_words *w, size_t from, size_t to, rag_error *err)
{
    size_t n_letters = 0;
    size_t n_digits = 0;
    size_t n_marks = 0; /* but for apostrophes and points */
    size_t n_seams = 0;

    for (size_t i = from; i < to; i++) {
        const rag_words_unit *u = &w->token.units[i];

        n_letters += u->cls == RAG_UNIT_LETTER;
        n_digits += u->cls == RAG_UNIT_DIGIT;
        n_marks += !rag_words_token_alnum(u->cls) && u->cp != '\'' &&
                   !is_point(w, from, i, to);
        n_seams += i > from && is_seam(w, from, i, to);
    }
    if (n_letters + n_digits == 0)
        return RAG_OK;
    w->position++;
    if (n_marks == 0 && n_letters == 0)
        return number(w, from, to, err);
    if (n_marks != 0 || n_digits != 0 || n_seams != 0)
        return code(w, from, to, err);
    if (is_plural_capitals(w, from, to))
        to--;
    return give_units(w, RAG_WORD_LATIN, from, to, err);
}

/* A slice of something longer than any word. */
static rag_status slice(rag_words *w, size_t from, size_t to, rag_error *err)
{
    size_t i = from;

    while (i < to && !rag_words_token_alnum(w->token.units[i].cls))
        i++;
    if (i == to) /* a ruler of underscores */
        return RAG_OK;
    w->position++;
    return give_units(w, RAG_WORD_CODE, from, to, err);
}

/* Does the mark at i join what stands before and behind it? */
static bool joins(const rag_words *w, size_t from, size_t i, size_t to)
{
    const rag_words_unit *u = w->token.units;

    if (i == from || i + 1 >= to || !rag_words_token_alnum(u[i - 1].cls) ||
        !rag_words_token_alnum(u[i + 1].cls))
        return false;
    switch (u[i].cp) {
    case '.':
    case '-':
    case '@':
        return true;
    case '&':
    case '\'':
        return u[i - 1].cls == RAG_UNIT_LETTER &&
               u[i + 1].cls == RAG_UNIT_LETTER;
    case ',': /* thousands */
        if (u[i - 1].cls != RAG_UNIT_DIGIT || to - i < 4)
            return false;
        for (size_t k = i + 1; k < i + 4; k++)
            if (u[k].cls != RAG_UNIT_DIGIT)
                return false;
        return i + 4 == to || u[i + 4].cls != RAG_UNIT_DIGIT;
    default:
        return false;
    }
}

/* C++ and C#: how many marks behind `i` belong to the word. */
static size_t tail_marks(const rag_words *w, size_t i, size_t to)
{
    const rag_words_unit *u = w->token.units;

    if (i < to && u[i].cp == '#' && u[i - 1].cls == RAG_UNIT_LETTER &&
        (i + 1 == to || !rag_words_token_alnum(u[i + 1].cls)))
        return 1;
    if (i + 1 < to && u[i].cp == '+' && u[i + 1].cp == '+' &&
        (i + 2 == to || !rag_words_token_alnum(u[i + 2].cls)))
        return 2;
    return 0;
}

/* A run of letters, digits and marks. */
static rag_status latin(rag_words *w, size_t from, size_t to, rag_error *err)
{
    const rag_words_unit *u = w->token.units;
    size_t i = from;
    rag_status st = RAG_OK;

    while (i < to) {
        size_t start = i;
        bool dotted = i == 0 && u[0].cp == '.' && to > 1 &&
                      u[1].cls == RAG_UNIT_LETTER; /* .gitignore */

        if (u[i].cls == RAG_UNIT_JOIN && !dotted) {
            i++;
            continue;
        }
        i += dotted;
        while (i < to && (rag_words_token_alnum(u[i].cls) ||
                          u[i].cls == RAG_UNIT_UNDER || joins(w, start, i, to)))
            i++;
        if (rag_words_token_alnum(u[i - 1].cls))
            i += tail_marks(w, i, to);
        for (; i - start > MAX_WORD_UNITS; start += MAX_WORD_UNITS)
            TRY(slice(w, start, start + MAX_WORD_UNITS, err));
        TRY(thing(w, start, i, err));
    }
out:
    return st;
}

static bool is_latin(rag_unit_class c)
{
    return c == RAG_UNIT_LETTER || c == RAG_UNIT_DIGIT || c == RAG_UNIT_UNDER ||
           c == RAG_UNIT_JOIN;
}

/* Cuts the gathered token where the script changes. */
static rag_status token(rag_words *w, rag_error *err)
{
    size_t i = 0;
    rag_status st = RAG_OK;

    while (i < w->token.n) {
        rag_unit_class cls = w->token.units[i].cls;
        size_t start = i;

        if (cls == RAG_UNIT_SEP) {
            i++;
        } else if (is_latin(cls)) {
            while (i < w->token.n && is_latin(w->token.units[i].cls))
                i++;
            TRY(latin(w, start, i, err));
        } else {
            while (i < w->token.n && w->token.units[i].cls == cls)
                i++;
            TRY(grams(w, start, i, err));
        }
    }
out:
    return st;
}

/* ---- plain English words, most of most texts ----------------------------- */

/* May a word end before text[at] without a look at what follows? */
static bool ends_word(rag_str text, size_t at)
{
    unsigned char c;
    rag_unit_class next;

    if (at == text.len)
        return true;
    c = (unsigned char)text.ptr[at];
    if (c >= 0x80)
        return false;
    if (rag_words_token_ascii(c) == RAG_UNIT_SEP)
        return true;
    if (c != '.' && c != ',')
        return false;
    if (at + 1 == text.len)
        return true;
    c = (unsigned char)text.ptr[at + 1];
    next = rag_words_token_ascii(c);
    return c < 0x80 && (next == RAG_UNIT_SEP || next == RAG_UNIT_JOIN);
}

/* Takes a word of ASCII letters in one case (or with one capital in front)
 * from `at`: gives exactly what the long way gives. *end == at: not so plain.
 */
static rag_status plain_word(size_t *end, rag_words *w, rag_str text, size_t at,
                             rag_error *err)
{
    char form[STEM_BYTES];
    rag_word word = {.kind = RAG_WORD_LATIN, .start = at};
    size_t n_upper = 0;
    size_t len = 0;
    bool first_upper = text.ptr[at] >= 'A' && text.ptr[at] <= 'Z';

    *end = at;
    for (; at + len < text.len; len++) {
        char c = text.ptr[at + len];
        bool upper = c >= 'A' && c <= 'Z';

        if (!upper && !(c >= 'a' && c <= 'z'))
            break;
        if (len == sizeof form)
            return RAG_OK;
        n_upper += upper;
        form[len] = upper ? (char)(c + 32) : c;
    }
    if (!(n_upper == 0 || n_upper == len || (n_upper == 1 && first_upper)) ||
        !ends_word(text, at + len))
        return RAG_OK;
    word.form = rag_str_n(form, len);
    word.end = at + len;
    w->position++;
    *end = at + len;
    return give_stem(w, &word, err);
}

rag_status rag_words_each(rag_words *w, rag_str text, rag_word_fn fn, void *ctx,
                          rag_error *err)
{
    size_t at = 0;
    rag_status st = RAG_OK;

    w->fn = fn;
    w->ctx = ctx;
    w->position = 0;
    while (at < text.len) {
        unsigned char c = (unsigned char)text.ptr[at];
        rag_unit_class cls =
            c < 0x80 ? rag_words_token_ascii(c) : RAG_UNIT_JOIN;
        size_t end;

        if (cls == RAG_UNIT_SEP) {
            at++;
            continue;
        }
        if (cls == RAG_UNIT_LETTER) {
            TRY(plain_word(&end, w, text, at, err));
            if (end > at) {
                at = end;
                continue;
            }
        }
        end = rag_words_token_gather(&w->token, text, at);
        if (end == at) { /* a separator beyond ASCII */
            uint32_t cp;

            at += rag_utf8_decode(&cp, NULL, rag_str_cut(text, at, text.len));
            continue;
        }
        TRY(token(w, err));
        at = end;
    }
out:
    return st;
}
