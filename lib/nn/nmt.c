#include "nn/nmt.h"

#include <string.h>

#include "base/utf8.h"

/* Hangul syllables: 19 leading consonants, 21 vowels, 27 trailing consonants */
#define L_BASE 0x1100u
#define V_BASE 0x1161u
#define T_BASE 0x11A7u /* one before the first */
#define S_BASE 0xAC00u
#define L_COUNT 19u
#define V_COUNT 21u
#define T_COUNT 28u

/* no rule of two or more code points goes on with one below this */
#define FIRST_SECOND 0x300u

static bool one_to_many(rag_str *to, const rag_nmt *m, uint32_t cp)
{
    uint32_t entry;
    size_t page;
    size_t at;
    size_t len;

    if (cp >= RAG_NMT_CODE_POINTS)
        return false;
    page = m->page_of[cp / RAG_NMT_PAGE];
    if (page >= m->n_pages)
        return false;
    entry = m->pages[page * RAG_NMT_PAGE + cp % RAG_NMT_PAGE];
    at = entry >> 8;
    len = (entry & 0xFFu) - 1;
    if ((entry & 0xFFu) == 0 || at > m->n_text || len > m->n_text - at)
        return false;
    *to = rag_str_n(m->text + at, len);
    return true;
}

/* The one code point that cp becomes; 0 when it becomes none or several. */
static uint32_t one_to_one(const rag_nmt *m, uint32_t cp)
{
    rag_str to;
    uint32_t made;

    if (!one_to_many(&to, m, cp))
        return cp;
    if (to.len == 0 || rag_utf8_decode(&made, NULL, to) != to.len)
        return 0;
    return made;
}

static int compare(const uint32_t *a, const uint32_t *b)
{
    for (size_t i = 0; i < RAG_NMT_RULE_MOST; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

static uint32_t find_rule(const rag_nmt *m, const uint32_t *from)
{
    size_t lo = 0;
    size_t hi = m->n_rules;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = compare(m->rules[mid].from, from);

        if (c == 0)
            return m->rules[mid].to;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return 0;
}

/* Decomposed code points d[n] (n >= 2): the longest front that composes, as
 * *cp; returns how many it takes, 0 for none. */
static size_t compose(uint32_t *cp, const rag_nmt *m, const uint32_t *d,
                      size_t n)
{
    uint32_t from[RAG_NMT_RULE_MOST] = {0};

    if (d[0] - L_BASE < L_COUNT) {
        if (d[1] - V_BASE >= V_COUNT)
            return 0;
        *cp = S_BASE + ((d[0] - L_BASE) * V_COUNT + (d[1] - V_BASE)) * T_COUNT;
        if (n == 2 || d[2] - T_BASE - 1 >= T_COUNT - 1)
            return 2;
        *cp += d[2] - T_BASE;
        return 3;
    }
    memcpy(from, d, n * sizeof *d);
    for (; n >= 2; n--) {
        *cp = find_rule(m, from);
        if (*cp != 0)
            return n;
        from[n - 1] = 0;
    }
    return 0;
}

/* Can cp, not the first of a rule, be part of one? Only a quick look: what is
 * most of all text cannot. */
static bool may_follow(uint32_t cp)
{
    return cp >= FIRST_SECOND && !(cp >= S_BASE && cp <= 0xD7A3) &&
           !(cp >= 0x3400 && cp <= 0x9FFF);
}

static size_t compose_front(uint32_t *made, const rag_nmt *m, uint32_t cp,
                            size_t cp_bytes, rag_str s)
{
    uint32_t d[RAG_NMT_RULE_MOST];
    size_t end[RAG_NMT_RULE_MOST];
    size_t n = 1;
    size_t used;

    end[0] = cp_bytes;
    /* lead bytes below 0xCC begin code points below FIRST_SECOND */
    if (cp_bytes >= s.len || (unsigned char)s.ptr[cp_bytes] < 0xCC)
        return 0;
    while (n < RAG_NMT_RULE_MOST && end[n - 1] < s.len) {
        uint32_t next;
        size_t bytes =
            rag_utf8_decode(&next, NULL, rag_str_cut(s, end[n - 1], s.len));

        if (!may_follow(next))
            break;
        d[n] = one_to_one(m, next);
        if (d[n] == 0)
            break;
        end[n] = end[n - 1] + bytes;
        n++;
    }
    if (n == 1)
        return 0;
    d[0] = one_to_one(m, cp);
    if (d[0] == 0)
        return 0;
    used = compose(made, m, d, n);
    return used != 0 ? end[used - 1] : 0;
}

size_t rag_nmt_next(rag_str *to, char room[4], const rag_nmt *m, rag_str s)
{
    uint32_t cp;
    uint32_t made;
    size_t n = rag_utf8_decode(&cp, NULL, s);
    size_t used = compose_front(&made, m, cp, n, s);

    if (used != 0) {
        if (made > 0x10FFFF) /* a damaged file */
            made = RAG_UTF8_BAD;
        *to = rag_str_n(room, rag_utf8_encode(room, made));
        return used;
    }
    if (!one_to_many(to, m, cp))
        *to = rag_str_n(s.ptr, n);
    return n;
}

/* ---- building ---------------------------------------------------------- */

/* Code points of Unicode 16 and 17 that compose; the Unicode data at hand may
 * be older. */
static const rag_nmt_rule late_rules[] = {
    {{0x105D2, 0x307}, 0x105C9},
    {{0x105DA, 0x307}, 0x105E4},
    {{0x11382, 0x113C9}, 0x11383},
    {{0x11384, 0x113BB}, 0x11385},
    {{0x1138B, 0x113C2}, 0x1138E},
    {{0x11390, 0x113C9}, 0x11391},
    {{0x113C2, 0x113B8}, 0x113C7},
    {{0x113C2, 0x113C2}, 0x113C5},
    {{0x113C2, 0x113C9}, 0x113C8},
    {{0x1611E, 0x1611E}, 0x16121},
    {{0x1611E, 0x1611E, 0x1611F}, 0x16126},
    {{0x1611E, 0x1611E, 0x16120}, 0x16128},
    {{0x1611E, 0x1611F}, 0x16123},
    {{0x1611E, 0x16120}, 0x16125},
    {{0x1611E, 0x16129}, 0x16122},
    {{0x1611E, 0x16129, 0x1611F}, 0x16127},
    {{0x16129, 0x1611F}, 0x16124},
    {{0x16D63, 0x16D67}, 0x16D69},
    {{0x16D63, 0x16D67, 0x16D67}, 0x16D6A},
    {{0x16D67, 0x16D67}, 0x16D68},
};

#define N_LATE (sizeof late_rules / sizeof late_rules[0])

static uint32_t le32_at(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

/* Single code points where SentencePiece's present nmt_nfkc differs from what
 * models of 2019 carry and Unicode data does not tell. true: *to is the answer
 * (0: no rule at all). */
static bool late_single(uint32_t *to, uint32_t cp)
{
    *to = 0;
    if (cp == 0x200D) /* zero width joiner: its rule was removed in 2021 */
        return true;
    if (cp == 0xFF5E) /* fullwidth tilde: never had one */
        return true;
    if (cp == 0x61C) /* Arabic letter mark */
        *to = ' ';
    else if (cp == 0xA7F1)
        *to = 'S';
    else if (cp >= 0x1CCD6 && cp <= 0x1CCEF)
        *to = 'A' + (cp - 0x1CCD6);
    else if (cp >= 0x1CCF0 && cp <= 0x1CCF9)
        *to = '0' + (cp - 0x1CCF0);
    return *to != 0;
}

/* What one code point becomes, as UTF-8 behind b->text: false: it stays. */
static bool add_single(rag_nmt_built *b, uint32_t cp, const rag_nmt_map *given)
{
    uint32_t made[32];
    size_t n = 0;

    if (late_single(&made[0], cp)) {
        if (made[0] == 0)
            return false;
        n = 1;
    } else if (given != NULL) {
        for (; n < given->n; n++)
            made[n] = le32_at(given->le32 + 4 * n);
    } else {
        n = rag_utf8_compat(made, 32, cp, true);
        if (n == 0 || (n == 1 && made[0] == cp))
            return false;
    }
    for (size_t i = 0; i < n; i++) {
        char c[4];

        rag_buf_add(&b->text, c, rag_utf8_encode(c, made[i]));
    }
    return true;
}

static rag_status check_map(const rag_nmt_map *map, size_t n_map,
                            rag_error *err)
{
    for (size_t i = 0; i < n_map; i++) {
        if (map[i].cp >= RAG_NMT_CODE_POINTS || map[i].n > 32 ||
            (i != 0 && map[i].cp <= map[i - 1].cp))
            return rag_fail(err, RAG_E_FORMAT,
                            "normaliser entry %zu: out of range or order", i);
        for (size_t k = 0; k < map[i].n; k++) {
            uint32_t cp = le32_at(map[i].le32 + 4 * k);

            if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
                return rag_fail(err, RAG_E_FORMAT,
                                "normaliser entry %zu: no code point", i);
        }
    }
    return RAG_OK;
}

static rag_status build_pages(rag_nmt_built *b, const rag_nmt_map *map,
                              size_t n_map, rag_error *err)
{
    uint32_t page[RAG_NMT_PAGE] = {0};
    size_t next = 0;
    uint16_t n_pages = 1;

    rag_buf_add(&b->pages, page, sizeof page); /* page 0: nothing changes */
    for (uint32_t p = 0; p < RAG_NMT_PAGES; p++) {
        bool any = false;

        memset(page, 0, sizeof page);
        for (uint32_t i = 0; i < RAG_NMT_PAGE; i++) {
            uint32_t cp = p * RAG_NMT_PAGE + i;
            size_t at = b->text.len;
            bool given = next < n_map && map[next].cp == cp;

            if (add_single(b, cp, given ? &map[next] : NULL)) {
                page[i] =
                    (uint32_t)(at << 8) | (uint32_t)(b->text.len - at + 1);
                any = true;
            }
            if (given)
                next++;
        }
        b->page_of[p] = any ? n_pages++ : 0;
        if (any)
            rag_buf_add(&b->pages, page, sizeof page);
    }
    return rag_buf_status(&b->text, err);
}

static rag_nmt_rule *rules_of(const rag_nmt_built *b)
{
    return (rag_nmt_rule *)(void *)b->rules.ptr;
}

/* Inserts in order; the same rule twice is kept once. */
static void add_rule(rag_nmt_built *b, rag_nmt_rule rule)
{
    size_t n = b->rules.len / sizeof rule;
    rag_nmt_rule *all;
    size_t lo = 0;
    size_t hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = compare(rules_of(b)[mid].from, rule.from);

        if (c == 0)
            return;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    rag_buf_add(&b->rules, &rule, sizeof rule);
    if (b->rules.failed != RAG_OK)
        return;
    all = rules_of(b);
    memmove(all + lo + 1, all + lo, (n - lo) * sizeof rule);
    all[lo] = rule;
}

static rag_status build_rules(rag_nmt_built *b, rag_error *err)
{
    for (uint32_t cp = 0xC0; cp < RAG_NMT_CODE_POINTS; cp++) {
        rag_nmt_rule rule = {{0}, 0};

        /* Hangul goes by arithmetic */
        if (rag_utf8_compat(rule.from, RAG_NMT_RULE_MOST, cp, false) >= 2 &&
            rule.from[0] - L_BASE >= L_COUNT &&
            rag_utf8_compat(&rule.to, 1, cp, true) == 1)
            add_rule(b, rule);
    }
    for (size_t i = 0; i < N_LATE; i++)
        add_rule(b, late_rules[i]);
    return rag_buf_status(&b->rules, err);
}

rag_status rag_nmt_build(rag_nmt_built *out, const rag_nmt_map *map,
                         size_t n_map, rag_error *err)
{
    rag_status st;

    memset(out->page_of, 0, sizeof out->page_of);
    rag_buf_init(&out->pages,
                 (RAG_NMT_PAGES + 1) * RAG_NMT_PAGE * sizeof(uint32_t));
    rag_buf_init(&out->text, ((size_t)1 << 24) - 1); /* 24 bits a place */
    rag_buf_init(&out->rules, (size_t)1 << 20);
    TRY(check_map(map, n_map, err));
    TRY(build_pages(out, map, n_map, err));
    TRY(rag_buf_status(&out->pages, err));
    TRY(build_rules(out, err));
out:
    if (st != RAG_OK)
        rag_nmt_built_dispose(out);
    return st;
}

void rag_nmt_built_dispose(rag_nmt_built *b)
{
    rag_buf_dispose(&b->pages);
    rag_buf_dispose(&b->text);
    rag_buf_dispose(&b->rules);
}
