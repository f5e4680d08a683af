#include "doc/pdf_priv.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"

/*
 * What is asked of the document is collected first, so that the table holds
 * only the words in question and one pass over the text counts them.
 */

/* Lines that may end in a part of a word. More (a book of 4,000 pages, all
 * Korean) are left as they are: the table stays below 30 MB. */
#define MAX_CANDIDATES 200000u
/* Longer runs of letters are no words. */
#define MAX_WORD_BYTES 128u
#define SOFT_HYPHEN 0xADu
#define HYPHEN 0x2010u

enum { KEY_JOINED, KEY_OTHER, KEY_A, KEY_B, N_KEYS };

struct candidate {
    uint64_t keys[N_KEYS]; /* 0: none. OTHER: with the hyphen, or for Hangul
                            * the joined word without its last syllable */
    uint32_t at;           /* index in order */
    bool hangul;
    bool keep;     /* the hyphen, when the document does not tell */
    bool compound; /* two longer words: keep it if both occur */
};

struct joiner {
    rag_pdf_work *w;
    struct candidate *all; /* [n] */
    size_t n;
    size_t cap;
    uint64_t *keys;   /* [n_slots], 0: free */
    uint32_t *counts; /* [n_slots] */
    size_t n_slots;   /* a power of two */
    uint8_t *parts;   /* [n_lines] */
};

/* parts: the first or last word of a line is only a part of one. */
enum { PART_FIRST = 1, PART_LAST = 2 };

/* A run of letters and digits, lower case. */
struct word {
    char bytes[2 * MAX_WORD_BYTES + 8];
    size_t len;
    size_t n_chars;
    size_t last; /* offset of its last character */
};

static void word_add(struct word *d, uint32_t cp)
{
    d->n_chars++;
    d->last = d->len;
    d->len += rag_utf8_encode(d->bytes + d->len, rag_utf8_lower(cp));
}

/* The run at the front of s; false when there is none or it is too long. */
static bool word_front(struct word *d, rag_str s)
{
    d->len = d->n_chars = d->last = 0;
    while (s.len > 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, s);

        if (!rag_utf8_is_alnum(cp))
            break;
        if (d->len + 4 > MAX_WORD_BYTES)
            return false;
        word_add(d, cp);
        s = rag_str_cut(s, n, s.len);
    }
    return d->n_chars > 0;
}

/* Where the run at the end of s begins. */
static size_t back_start(rag_str s)
{
    size_t at = s.len;

    while (at > 0 && s.len - at <= MAX_WORD_BYTES) {
        size_t before = rag_utf8_floor(s, at - 1);
        uint32_t cp;

        rag_utf8_decode(&cp, NULL, rag_str_cut(s, before, at));
        if (!rag_utf8_is_alnum(cp))
            break;
        at = before;
    }
    return at;
}

static uint64_t key_of(const char *bytes, size_t n)
{
    uint64_t h = rag_hash_fast(bytes, n);

    return h != 0 ? h : 1;
}

static uint64_t key_of_two(const struct word *a, const char *between,
                           const char *b, size_t n_b)
{
    char bytes[sizeof a->bytes + sizeof a->bytes + 4];
    size_t n_between = strlen(between);

    memcpy(bytes, a->bytes, a->len);
    memcpy(bytes + a->len, between, n_between);
    memcpy(bytes + a->len + n_between, b, n_b);
    return key_of(bytes, a->len + n_between + n_b);
}

/* ---- candidates */

/* Words that are written together with the one that follows: "with-out" is no
 * compound that keeps its hyphen. */
static bool is_joining(const struct word *a)
{
    static const char *const words[] = {
        "with",  "some", "over", "under", "there", "here", "every",
        "where", "what", "when", "after", "back",  "down", "data",
        "time",  "work", "hand", "note",  "life",  "home", "head"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == a->len &&
            memcmp(words[i], a->bytes, a->len) == 0)
            return true;
    return false;
}

static bool all_upper(rag_str s)
{
    bool upper = s.len > 0;

    while (s.len > 0 && upper) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, s);

        if (!rag_utf8_is_alnum(cp))
            break;
        upper = rag_utf8_is_upper(cp);
        s = rag_str_cut(s, n, s.len);
    }
    return upper;
}

static bool is_latin(uint32_t cp)
{
    return rag_utf8_script(cp) == RAG_SCRIPT_LATIN;
}

/* line: without its hyphen; next: the line that follows. */
static bool keeps_hyphen(rag_str line, size_t a_start, rag_str next,
                         const struct word *a, const struct word *b)
{
    uint32_t first = rag_pdf_first_cp(next);

    if (!is_latin(first) || !is_latin(rag_pdf_last_cp(line)))
        return true;
    if (rag_utf8_is_upper(first))
        return a->n_chars < 3 || b->n_chars < 3 ||
               !all_upper(rag_str_cut(line, a_start, line.len)) ||
               !all_upper(next);
    return a_start > 0 && line.ptr[a_start - 1] == '-';
}

static bool hyphen_candidate(struct candidate *c, rag_str line, rag_str next)
{
    struct word a;
    struct word b;
    size_t start = back_start(line);

    if (!word_front(&a, rag_str_cut(line, start, line.len)) ||
        !word_front(&b, next))
        return false;
    c->keys[KEY_JOINED] = key_of_two(&a, "", b.bytes, b.len);
    c->keys[KEY_OTHER] = key_of_two(&a, "-", b.bytes, b.len);
    c->keys[KEY_A] = key_of(a.bytes, a.len);
    c->keys[KEY_B] = key_of(b.bytes, b.len);
    c->keep = keeps_hyphen(line, start, next, &a, &b);
    c->compound = a.n_chars >= 4 && b.n_chars >= 4 && !is_joining(&a);
    return true;
}

static bool hangul_candidate(struct candidate *c, rag_str line, rag_str next)
{
    struct word a;
    struct word b;

    if (!word_front(&a, rag_str_cut(line, back_start(line), line.len)) ||
        !word_front(&b, next))
        return false;
    c->hangul = true;
    c->keys[KEY_JOINED] = key_of_two(&a, "", b.bytes, b.len);
    if (b.n_chars > 1)
        c->keys[KEY_OTHER] = key_of_two(&a, "", b.bytes, b.last);
    c->keys[KEY_A] = key_of(a.bytes, a.len);
    c->keys[KEY_B] = key_of(b.bytes, b.len);
    return true;
}

/* Is order[i] to be asked about? Soft hyphens are settled on the spot. */
static bool make_candidate(struct candidate *c, rag_pdf_work *w, size_t i)
{
    const rag_pdf_layout *l = w->l;
    uint32_t la = w->order[i];
    uint32_t lb = w->order[i + 1];
    rag_str line = rag_pdf_layout_line(l, &l->lines[la]);
    rag_str next = rag_pdf_layout_line(l, &l->lines[lb]);
    uint32_t last = rag_pdf_last_cp(line);
    rag_str stem = rag_str_cut(line, 0, rag_utf8_floor(line, line.len - 1));

    *c = (struct candidate){.at = (uint32_t)i};
    if (w->joins[i] != RAG_PDF_JOIN_LINE || w->prefix[lb] != RAG_PDF_NONE ||
        w->next_cell[la] != RAG_PDF_NONE)
        return false;
    if (last == SOFT_HYPHEN) {
        if (rag_utf8_is_alnum(rag_pdf_first_cp(next)))
            w->joins[i] = RAG_PDF_JOIN_DROP_HYPHEN;
        return false;
    }
    if (last == '-' || last == HYPHEN)
        return rag_utf8_is_alnum(rag_pdf_last_cp(stem)) &&
               rag_utf8_is_alnum(rag_pdf_first_cp(next)) &&
               hyphen_candidate(c, stem, next);
    return rag_utf8_script(last) == RAG_SCRIPT_HANGUL &&
           rag_utf8_script(rag_pdf_first_cp(next)) == RAG_SCRIPT_HANGUL &&
           hangul_candidate(c, line, next);
}

static rag_status collect(struct joiner *j, rag_error *err)
{
    rag_pdf_work *w = j->w;

    for (size_t i = 0; i + 1 < w->n_order && j->n < MAX_CANDIDATES; i++) {
        struct candidate c;

        if (!make_candidate(&c, w, i))
            continue;
        if (!rag_mem_grow(&j->all, &j->cap, j->n + 1, sizeof *j->all))
            return rag_fail_nomem(err);
        j->all[j->n++] = c;
        j->parts[w->order[i]] |= PART_LAST;
        j->parts[w->order[i + 1]] |= PART_FIRST;
    }
    return RAG_OK;
}

/* ---- counting */

static size_t slot_of(const struct joiner *j, uint64_t key)
{
    size_t at = (size_t)key & (j->n_slots - 1);

    while (j->keys[at] != 0 && j->keys[at] != key)
        at = (at + 1) & (j->n_slots - 1);
    return at;
}

static rag_status make_table(struct joiner *j, rag_error *err)
{
    j->n_slots = 64;
    while (j->n_slots < 2 * N_KEYS * j->n)
        j->n_slots *= 2;
    j->keys = rag_calloc(j->n_slots, sizeof *j->keys);
    j->counts = rag_calloc(j->n_slots, sizeof *j->counts);
    if (j->keys == NULL || j->counts == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < j->n; i++)
        for (int k = 0; k < N_KEYS; k++)
            if (j->all[i].keys[k] != 0)
                j->keys[slot_of(j, j->all[i].keys[k])] = j->all[i].keys[k];
    return RAG_OK;
}

static void count(struct joiner *j, uint64_t key)
{
    size_t at = slot_of(j, key);

    if (j->keys[at] == key && j->counts[at] < UINT32_MAX)
        j->counts[at]++;
}

static uint32_t counted(const struct joiner *j, uint64_t key)
{
    return key != 0 ? j->counts[slot_of(j, key)] : 0;
}

/* Where the run that begins at `at` ends. */
static size_t run_end(rag_str s, size_t at)
{
    while (at < s.len) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, rag_str_cut(s, at, s.len));

        if (!rag_utf8_is_alnum(cp))
            break;
        at += n;
    }
    return at;
}

static void count_word(struct joiner *j, const struct word *now)
{
    uint32_t cp = rag_pdf_last_cp(rag_str_n(now->bytes, now->len));

    count(j, key_of(now->bytes, now->len));
    /* without its last syllable, which may be a particle */
    if (now->n_chars > 2 && rag_utf8_script(cp) == RAG_SCRIPT_HANGUL)
        count(j, key_of(now->bytes, now->last));
}

/* Counts the runs of a line that are whole words, and two of them with a
 * hyphen between. */
static void count_line(struct joiner *j, rag_str s, uint8_t parts)
{
    struct word before = {.len = 0};
    struct word now;
    uint32_t last = rag_pdf_last_cp(s);
    size_t text_end = s.len;
    bool first = true;

    if (last == '-' || last == HYPHEN)
        text_end = rag_utf8_floor(s, s.len - 1);
    for (size_t at = 0; at < s.len;) {
        size_t end = run_end(s, at);
        uint32_t cp;

        if (end == at) {
            at += rag_utf8_decode(&cp, NULL, rag_str_cut(s, at, s.len));
            if (cp != '-')
                before.len = 0;
            continue;
        }
        if (!word_front(&now, rag_str_cut(s, at, end)) ||
            (first && (parts & PART_FIRST) != 0) ||
            (end == text_end && (parts & PART_LAST) != 0)) {
            before.len = 0;
        } else {
            count_word(j, &now);
            if (before.len > 0)
                count(j, key_of_two(&before, "-", now.bytes, now.len));
            before = now;
        }
        first = false;
        at = end;
    }
}

static void count_all(struct joiner *j)
{
    const rag_pdf_layout *l = j->w->l;

    for (size_t i = 0; i < l->n_lines; i++)
        if ((j->w->flags[i] & RAG_PDF_LEFT_OUT) == 0)
            count_line(j, rag_pdf_layout_line(l, &l->lines[i]), j->parts[i]);
}

/* ---- decisions */

static rag_pdf_join decide(const struct joiner *j, const struct candidate *c)
{
    uint32_t joined = counted(j, c->keys[KEY_JOINED]);
    uint32_t other = counted(j, c->keys[KEY_OTHER]);
    uint32_t a = counted(j, c->keys[KEY_A]);
    uint32_t b = counted(j, c->keys[KEY_B]);

    if (c->hangul) {
        if (joined + other > 0 && (a == 0 || b == 0))
            return RAG_PDF_JOIN_WORD;
        return RAG_PDF_JOIN_LINE;
    }
    if (joined != other)
        return joined > other ? RAG_PDF_JOIN_DROP_HYPHEN : RAG_PDF_JOIN_WORD;
    if (c->keep || (c->compound && a > 0 && b > 0))
        return RAG_PDF_JOIN_WORD;
    return RAG_PDF_JOIN_DROP_HYPHEN;
}

rag_status rag_pdf_joins_find(rag_pdf_work *w, rag_error *err)
{
    struct joiner j = {.w = w};
    rag_status st = RAG_OK;

    j.parts = rag_calloc(w->l->n_lines + 1, 1);
    if (j.parts == NULL)
        return rag_fail_nomem(err);
    TRY(collect(&j, err));
    if (j.n > 0) {
        TRY(make_table(&j, err));
        count_all(&j);
        for (size_t i = 0; i < j.n; i++)
            w->joins[j.all[i].at] = (uint8_t)decide(&j, &j.all[i]);
    }
out:
    rag_free(j.parts);
    rag_free(j.all);
    rag_free(j.keys);
    rag_free(j.counts);
    return st;
}
