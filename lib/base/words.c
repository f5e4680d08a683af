#include "base/words.h"

#include <string.h>

#include <libstemmer.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"

/* A token (what stands between separators) is gathered as units: folded code
 * points with the span of the original text they came from. Then runs of one
 * script are cut into words. A longer token is cut: base64, not language. */
#define MAX_TOKEN_UNITS 256u
/* one character may fold to this many units */
#define UNIT_ROOM RAG_UTF8_SEARCH_MAX
/* units of one word; longer ones are cut into slices */
#define MAX_WORD_UNITS 64u
#define MAX_FORM_BYTES ((size_t)MAX_WORD_UNITS * 4)
/* a segment with more case and digit changes is a hash, not a name */
#define MAX_SUBPARTS 6u
/* segments of one code that become parts */
#define MAX_SEGMENTS 16u
/* white space looked through for the second half of a hyphenated word */
#define MAX_BREAK_BYTES 64u
/* stems remembered; text repeats its words */
#define STEM_SLOTS 2048u
#define STEM_BYTES 23u

enum cls {
    CLS_SEP,
    CLS_JOIN, /* a mark that may join what stands on both sides */
    CLS_UNDER,
    CLS_LETTER,
    CLS_DIGIT,
    CLS_HANGUL,
    CLS_CJK /* Han and Kana: Japanese words mix them */
};

struct unit {
    uint32_t cp;
    uint8_t cls;
    bool upper; /* an ASCII capital before folding */
    size_t start;
    size_t end;
};

struct stem {
    uint64_t key; /* of the stem; 0: empty slot */
    uint8_t word_len;
    uint8_t stem_len;
    char word[STEM_BYTES];
    char stem[STEM_BYTES];
};

struct rag_words {
    struct sb_stemmer *stemmer;
    rag_word_fn fn; /* of the running call */
    void *ctx;
    uint32_t position;
    size_t n_units;
    struct unit units[MAX_TOKEN_UNITS + UNIT_ROOM];
    struct stem stems[STEM_SLOTS];
};

rag_words *rag_words_new(void)
{
    rag_words *w = rag_calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->stemmer = sb_stemmer_new("english", "UTF_8");
    if (w->stemmer == NULL) {
        rag_free(w);
        return NULL;
    }
    return w;
}

void rag_words_free(rag_words *w)
{
    if (w == NULL)
        return;
    sb_stemmer_delete(w->stemmer);
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

/* Gives the stem of word->form, lower-case ASCII letters and apostrophes. */
static rag_status give_stem(rag_words *w, rag_word *word, rag_error *err)
{
    rag_str form = word->form;
    uint64_t hash = key_of(form.ptr, form.len);
    struct stem *slot = &w->stems[hash % STEM_SLOTS];
    const sb_symbol *stem;
    size_t len;

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
    stem =
        sb_stemmer_stem(w->stemmer, (const sb_symbol *)form.ptr, (int)form.len);
    if (stem == NULL)
        return rag_fail_nomem(err);
    len = (size_t)sb_stemmer_length(w->stemmer);
    if (len == 0) {
        word->key = hash;
        return give(w, word, err);
    }
    word->form = rag_str_n((const char *)stem, len);
    word->key = key_of(word->form.ptr, len);
    if (form.len <= STEM_BYTES && len <= STEM_BYTES) {
        slot->key = word->key;
        slot->word_len = (uint8_t)form.len;
        slot->stem_len = (uint8_t)len;
        memcpy(slot->word, form.ptr, form.len);
        memcpy(slot->stem, stem, len);
        word->form = rag_str_n(slot->stem, len);
    }
    return give(w, word, err);
}

/* ---- gathering a token --------------------------------------------------- */

static enum cls ascii_class(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return CLS_LETTER;
    if (c >= '0' && c <= '9')
        return CLS_DIGIT;
    if (c == '_')
        return CLS_UNDER;
    if (c == '.' || c == '-' || c == '\'' || c == ',' || c == '@' || c == '&' ||
        c == '+' || c == '#')
        return CLS_JOIN;
    return CLS_SEP;
}

static bool is_alnum(enum cls c)
{
    return c == CLS_LETTER || c == CLS_DIGIT;
}

static void push(rag_words *w, uint32_t cp, enum cls cls, size_t start,
                 size_t end)
{
    struct unit *u = &w->units[w->n_units++];

    u->cp = cp;
    u->cls = (uint8_t)cls;
    u->upper = false;
    u->start = start;
    u->end = end;
}

static void push_ascii(rag_words *w, unsigned char c, enum cls cls, size_t at,
                       size_t end)
{
    bool upper = c >= 'A' && c <= 'Z';

    push(w, upper ? c + 32u : c, cls, at, end);
    w->units[w->n_units - 1].upper = upper;
}

/* Conjoining jamo onto the unit before; 0: they do not go together. */
static uint32_t compose_hangul(uint32_t before, uint32_t cp)
{
    if (before >= 0x1100 && before <= 0x1112 && cp >= 0x1161 && cp <= 0x1175)
        return 0xAC00 + ((before - 0x1100) * 21 + (cp - 0x1161)) * 28;
    if (before >= 0xAC00 && before <= 0xD7A3 && (before - 0xAC00) % 28 == 0 &&
        cp >= 0x11A8 && cp <= 0x11C2)
        return before + (cp - 0x11A7);
    return 0;
}

/* Voicing marks U+3099 and U+309A onto the Kana before; 0: no such Kana. */
static uint32_t compose_kana(uint32_t before, uint32_t mark)
{
    uint32_t katakana = before >= 0x30A0 ? 0x60 : 0;
    uint32_t k = before - katakana;

    if (before < 0x3041 || before > 0x30FF)
        return 0;
    if (k >= 0x306F && k <= 0x307B && (k - 0x306F) % 3 == 0)
        return before + (mark == 0x3099 ? 1 : 2);
    if (mark != 0x3099)
        return 0;
    if (k == 0x3046)
        return katakana != 0 ? 0x30F4 : 0x3094;
    if ((k >= 0x304B && k <= 0x3061 && k % 2 == 1) ||
        (k >= 0x3064 && k <= 0x3068 && k % 2 == 0))
        return before + 1;
    return 0;
}

/* One code point that is folded already. */
static void push_folded(rag_words *w, uint32_t cp, size_t start, size_t end)
{
    struct unit *last = w->n_units != 0 ? &w->units[w->n_units - 1] : NULL;
    uint32_t made;

    if (cp < 0x80) {
        enum cls cls = ascii_class((unsigned char)cp);

        push(w, cp, cls, start, end);
        return;
    }
    if (cp == 0x3099 || cp == 0x309A) {
        if (last != NULL && (made = compose_kana(last->cp, cp)) != 0) {
            last->cp = made;
            last->end = end;
        }
        return;
    }
    switch (rag_utf8_script(cp)) {
    case RAG_SCRIPT_HANGUL:
        if (last != NULL && (made = compose_hangul(last->cp, cp)) != 0) {
            last->cp = made;
            last->end = end;
        } else {
            push(w, cp, CLS_HANGUL, start, end);
        }
        return;
    case RAG_SCRIPT_HAN:
    case RAG_SCRIPT_KANA:
        push(w, cp, CLS_CJK, start, end);
        return;
    case RAG_SCRIPT_LATIN:
        push(w, cp, CLS_LETTER, start, end);
        return;
    case RAG_SCRIPT_DIGIT:
        push(w, cp, CLS_DIGIT, start, end);
        return;
    case RAG_SCRIPT_MARK: /* a vowel sign: part of its word */
        if (last != NULL && last->cls == CLS_LETTER)
            push(w, cp, CLS_LETTER, start, end);
        return;
    case RAG_SCRIPT_NONE:
        push(w, cp, CLS_SEP, start, end);
        return;
    }
}

/* Left out without ending a word: soft hyphen, joiners, variation selectors. */
static bool is_transparent(uint32_t cp)
{
    return cp == 0xAD || cp == 0x200C || cp == 0x200D || cp == 0x2060 ||
           cp == 0xFEFF || (cp >= 0xFE00 && cp <= 0xFE0F) ||
           (cp >= 0xE0100 && cp <= 0xE01EF);
}

/* A character beyond ASCII; false: it separates. */
static bool push_wide(rag_words *w, uint32_t cp, size_t start, size_t end)
{
    uint32_t folded[RAG_UTF8_SEARCH_MAX];
    rag_script script;
    size_t n;

    if (cp >= 0xAC00 && cp <= 0xD7A3) {
        push(w, cp, CLS_HANGUL, start, end);
        return true;
    }
    if (cp == 0x2018 || cp == 0x2019 || cp == 0x02BC) {
        push(w, '\'', CLS_JOIN, start, end);
        return true;
    }
    if (cp == 0x2010 || cp == 0x2011) {
        push(w, '-', CLS_JOIN, start, end);
        return true;
    }
    if (is_transparent(cp))
        return true;
    if ((cp >= 0x3041 && cp <= 0x3098) || (cp >= 0x30A1 && cp <= 0x30FA) ||
        cp == 0x30FC || (cp >= 0x4E00 && cp <= 0x9FFF)) {
        push(w, cp, CLS_CJK, start, end);
        return true;
    }
    if (cp >= 0xFF01 && cp <= 0xFF5E) { /* full-width ASCII */
        unsigned char c = (unsigned char)(cp - 0xFEE0);
        enum cls cls = ascii_class(c);

        if (cls == CLS_SEP)
            return false;
        push_ascii(w, c, cls, start, end);
        return true;
    }
    script = rag_utf8_script(cp);
    /* symbols stay apart (a trade mark is no "tm"), but for the square and
     * circled letters of East Asia */
    if (script == RAG_SCRIPT_NONE && !(cp >= 0x3200 && cp <= 0x33FF))
        return false;
    n = rag_utf8_search_form(folded, cp);
    if (n == 0 && w->n_units != 0)
        w->units[w->n_units - 1].end = end; /* an accent */
    for (size_t i = 0; i < n; i++)
        push_folded(w, folded[i], start, end);
    return true;
}

/* A word may be hyphenated over a line: "docu-" white space "mentation".
 * Returns where the second half starts, or 0. */
static size_t after_break(const rag_words *w, rag_str text, size_t at)
{
    size_t end =
        text.len - at > MAX_BREAK_BYTES ? at + MAX_BREAK_BYTES : text.len;
    bool broken = false;

    if (w->n_units < 2 || w->units[w->n_units - 1].cp != '-' ||
        w->units[w->n_units - 2].cls != CLS_LETTER)
        return 0;
    for (; at < end; at++) {
        char c = text.ptr[at];

        if (c == '\n' || c == '\f')
            broken = true;
        else if (c != ' ' && c != '\t' && c != '\r')
            return broken && c >= 'a' && c <= 'z' ? at : 0;
    }
    return 0;
}

/* Fills w->units with the token at `at`; returns the offset behind it. */
static size_t gather(rag_words *w, rag_str text, size_t at)
{
    w->n_units = 0;
    while (at < text.len && w->n_units < MAX_TOKEN_UNITS) {
        unsigned char c = (unsigned char)text.ptr[at];
        uint32_t cp;
        bool ok;
        size_t n;

        if (c < 0x80) {
            enum cls cls = ascii_class(c);

            if (cls == CLS_SEP) {
                size_t next = after_break(w, text, at);

                if (next == 0)
                    break;
                at = next;
                continue;
            }
            push_ascii(w, c, cls, at, at + 1);
            at++;
            continue;
        }
        n = rag_utf8_decode(&cp, &ok, rag_str_cut(text, at, text.len));
        if (!ok || !push_wide(w, cp, at, at + n))
            break;
        at += n;
    }
    return at;
}

/* ---- Hangul, Han, Kana --------------------------------------------------- */

static rag_status give_gram(rag_words *w, size_t from, size_t n, rag_error *err)
{
    char form[8];
    rag_word word = {.kind = RAG_WORD_GRAM};
    size_t len = 0;

    for (size_t i = from; i < from + n; i++)
        len += rag_utf8_encode(form + len, w->units[i].cp);
    word.form = rag_str_n(form, len);
    word.start = w->units[from].start;
    word.end = w->units[from + n - 1].end;
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
        uint32_t cp = w->units[i].cp;

        if (cp == '-' || cp == ',')
            continue;
        plain = plain && ((cp >= 'a' && cp <= 'z') || cp == '\'');
        len += rag_utf8_encode(form + len, cp);
    }
    word.form = rag_str_n(form, len);
    word.start = w->units[from].start;
    word.end = w->units[to - 1].end;
    return plain ? give_stem(w, &word, err) : give_form(w, &word, err);
}

/* A '.' or ',' between digits belongs to the number. */
static bool is_point(const rag_words *w, size_t from, size_t i, size_t to)
{
    const struct unit *u = &w->units[i];

    return (u->cp == '.' || u->cp == ',') && i > from && i + 1 < to &&
           u[-1].cls == CLS_DIGIT && u[1].cls == CLS_DIGIT;
}

/* Does a part end before unit i of the segment [from, to): digit and letter
 * meet, or case changes as in camelCase and HTTPServer? */
static bool is_seam(const rag_words *w, size_t from, size_t i, size_t to)
{
    const struct unit *u = w->units;
    bool digit = u[i].cls == CLS_DIGIT || is_point(w, from, i, to);
    bool digit_before =
        u[i - 1].cls == CLS_DIGIT || is_point(w, from, i - 1, to);

    if (u[i].cp == '\'' || u[i - 1].cp == '\'')
        return false;
    if (digit != digit_before)
        return true;
    if (digit || !u[i].upper)
        return false;
    if (!u[i - 1].upper)
        return true;
    if (i + 1 == to || u[i + 1].upper || u[i + 1].cls != CLS_LETTER)
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
        if (w->units[i].cp == '.' && ++n_points == 2)
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
        if (i != to && (is_alnum(w->units[i].cls) || w->units[i].cp == '\'' ||
                        is_point(w, from, i, to)))
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
    if (to - from < 3 || w->units[to - 1].cp != 's' || w->units[to - 1].upper)
        return false;
    for (size_t i = from; i + 1 < to; i++)
        if (!w->units[i].upper)
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
        const struct unit *u = &w->units[i];

        n_letters += u->cls == CLS_LETTER;
        n_digits += u->cls == CLS_DIGIT;
        n_marks +=
            !is_alnum(u->cls) && u->cp != '\'' && !is_point(w, from, i, to);
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

    while (i < to && !is_alnum(w->units[i].cls))
        i++;
    if (i == to) /* a ruler of underscores */
        return RAG_OK;
    w->position++;
    return give_units(w, RAG_WORD_CODE, from, to, err);
}

/* Does the mark at i join what stands before and behind it? */
static bool joins(const rag_words *w, size_t from, size_t i, size_t to)
{
    const struct unit *u = w->units;

    if (i == from || i + 1 >= to || !is_alnum(u[i - 1].cls) ||
        !is_alnum(u[i + 1].cls))
        return false;
    switch (u[i].cp) {
    case '.':
    case '-':
    case '@':
        return true;
    case '&':
    case '\'':
        return u[i - 1].cls == CLS_LETTER && u[i + 1].cls == CLS_LETTER;
    case ',': /* thousands */
        if (u[i - 1].cls != CLS_DIGIT || to - i < 4)
            return false;
        for (size_t k = i + 1; k < i + 4; k++)
            if (u[k].cls != CLS_DIGIT)
                return false;
        return i + 4 == to || u[i + 4].cls != CLS_DIGIT;
    default:
        return false;
    }
}

/* C++ and C#: how many marks behind `i` belong to the word. */
static size_t tail_marks(const rag_words *w, size_t i, size_t to)
{
    const struct unit *u = w->units;

    if (i < to && u[i].cp == '#' && u[i - 1].cls == CLS_LETTER &&
        (i + 1 == to || !is_alnum(u[i + 1].cls)))
        return 1;
    if (i + 1 < to && u[i].cp == '+' && u[i + 1].cp == '+' &&
        (i + 2 == to || !is_alnum(u[i + 2].cls)))
        return 2;
    return 0;
}

/* A run of letters, digits and marks. */
static rag_status latin(rag_words *w, size_t from, size_t to, rag_error *err)
{
    const struct unit *u = w->units;
    size_t i = from;
    rag_status st = RAG_OK;

    while (i < to) {
        size_t start = i;
        bool dotted = i == 0 && u[0].cp == '.' && to > 1 &&
                      u[1].cls == CLS_LETTER; /* .gitignore */

        if (u[i].cls == CLS_JOIN && !dotted) {
            i++;
            continue;
        }
        i += dotted;
        while (i < to && (is_alnum(u[i].cls) || u[i].cls == CLS_UNDER ||
                          joins(w, start, i, to)))
            i++;
        if (is_alnum(u[i - 1].cls))
            i += tail_marks(w, i, to);
        for (; i - start > MAX_WORD_UNITS; start += MAX_WORD_UNITS)
            TRY(slice(w, start, start + MAX_WORD_UNITS, err));
        TRY(thing(w, start, i, err));
    }
out:
    return st;
}

static bool is_latin(enum cls c)
{
    return c == CLS_LETTER || c == CLS_DIGIT || c == CLS_UNDER || c == CLS_JOIN;
}

/* Cuts the gathered token where the script changes. */
static rag_status token(rag_words *w, rag_error *err)
{
    size_t i = 0;
    rag_status st = RAG_OK;

    while (i < w->n_units) {
        enum cls cls = w->units[i].cls;
        size_t start = i;

        if (cls == CLS_SEP) {
            i++;
        } else if (is_latin(cls)) {
            while (i < w->n_units && is_latin(w->units[i].cls))
                i++;
            TRY(latin(w, start, i, err));
        } else {
            while (i < w->n_units && w->units[i].cls == cls)
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
    enum cls next;

    if (at == text.len)
        return true;
    c = (unsigned char)text.ptr[at];
    if (c >= 0x80)
        return false;
    if (ascii_class(c) == CLS_SEP)
        return true;
    if (c != '.' && c != ',')
        return false;
    if (at + 1 == text.len)
        return true;
    c = (unsigned char)text.ptr[at + 1];
    next = ascii_class(c);
    return c < 0x80 && (next == CLS_SEP || next == CLS_JOIN);
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
        enum cls cls = c < 0x80 ? ascii_class(c) : CLS_JOIN;
        size_t end;

        if (cls == CLS_SEP) {
            at++;
            continue;
        }
        if (cls == CLS_LETTER) {
            TRY(plain_word(&end, w, text, at, err));
            if (end > at) {
                at = end;
                continue;
            }
        }
        end = gather(w, text, at);
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
