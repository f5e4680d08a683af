#include "base/utf8.h"

#include <string.h>

#include <utf8proc.h>

#include "base/mem.h"

/* how far back a grapheme boundary is looked for; longer clusters (stacked
 * marks, "zalgo") are cut there */
#define GRAPHEME_BACK_CODE_POINTS 64
/* code points that one decomposes into; the most is 18 */
#define MOST_OF_ONE 32

size_t rag_utf8_decode(uint32_t *cp, bool *ok, rag_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    uint32_t c = p[0];
    uint32_t lo = 0x80;
    uint32_t hi = 0xBF;
    size_t n;

    if (ok != NULL)
        *ok = true;
    if (c < 0x80) {
        *cp = c;
        return 1;
    }
    if (c >= 0xC2 && c <= 0xDF) {
        n = 2;
        c &= 0x1F;
    } else if (c >= 0xE0 && c <= 0xEF) {
        n = 3;
        if (c == 0xE0)
            lo = 0xA0;
        else if (c == 0xED)
            hi = 0x9F;
        c &= 0x0F;
    } else if (c >= 0xF0 && c <= 0xF4) {
        n = 4;
        if (c == 0xF0)
            lo = 0x90;
        else if (c == 0xF4)
            hi = 0x8F;
        c &= 0x07;
    } else {
        n = 0;
    }
    for (size_t i = 1; i < n; i++) {
        if (i >= s.len || p[i] < lo || p[i] > hi) {
            n = i;
            goto bad;
        }
        c = c << 6 | (p[i] & 0x3Fu);
        lo = 0x80;
        hi = 0xBF;
    }
    if (n != 0) {
        *cp = c;
        return n;
    }
bad:
    if (ok != NULL)
        *ok = false;
    *cp = RAG_UTF8_BAD;
    return n != 0 ? n : 1;
}

size_t rag_utf8_encode(char out[4], uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

bool rag_utf8_is_ascii(rag_str s)
{
    unsigned char any = 0;

    for (size_t i = 0; i < s.len; i++)
        any |= (unsigned char)s.ptr[i];
    return any < 0x80;
}

bool rag_utf8_valid(rag_str s)
{
    size_t at = 0;

    while (at < s.len) {
        uint64_t eight;
        uint32_t cp;
        bool ok;

        if (s.len - at >= sizeof eight) { /* most text is ASCII in part */
            memcpy(&eight, s.ptr + at, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        at += rag_utf8_decode(&cp, &ok, rag_str_n(s.ptr + at, s.len - at));
        if (!ok)
            return false;
    }
    return true;
}

size_t rag_utf8_count(rag_str s)
{
    size_t count = 0;

    while (s.len != 0) {
        uint32_t cp;

        s = rag_str_cut(s, rag_utf8_decode(&cp, NULL, s), s.len);
        count++;
    }
    return count;
}

void rag_utf8_scrub(rag_buf *out, rag_str s)
{
    size_t good = 0; /* bytes at the front not yet copied, all well-formed */
    size_t at = 0;

    while (at < s.len) {
        uint32_t cp;
        bool ok;
        size_t n = rag_utf8_decode(&cp, &ok, rag_str_cut(s, at, s.len));

        if (!ok) {
            rag_buf_add(out, s.ptr + good, at - good);
            rag_buf_addz(out, "\xEF\xBF\xBD");
            good = at + n;
        }
        at += n;
    }
    rag_buf_add(out, s.ptr + good, s.len - good);
}

/* Code points, decomposed. */
typedef struct points {
    utf8proc_int32_t *all; /* [n] */
    size_t n;
    size_t cap;
} points;

static unsigned class_of(utf8proc_int32_t cp)
{
    return (unsigned)utf8proc_get_property(cp)->combining_class & 0xFFu;
}

static bool decompose(points *p, rag_str s, utf8proc_option_t options)
{
    while (s.len != 0) {
        uint32_t cp;
        utf8proc_ssize_t made;
        int bound = 0;

        if (!rag_mem_grow(&p->all, &p->cap, p->n + MOST_OF_ONE + 1,
                          sizeof *p->all))
            return false;
        s = rag_str_cut(s, rag_utf8_decode(&cp, NULL, s), s.len);
        made = utf8proc_decompose_char((utf8proc_int32_t)cp, p->all + p->n,
                                       MOST_OF_ONE, options, &bound);
        if (made > 0 && made <= MOST_OF_ONE)
            p->n += (size_t)made;
    }
    return true;
}

/* Sorts marks by their class, equal ones keep their order: by counting, as
 * there may be a million of them, which utf8proc would take hours for. */
static bool sort_marks(utf8proc_int32_t *cps, size_t n)
{
    size_t at[257] = {0};
    utf8proc_int32_t *sorted = rag_malloc(n * sizeof *sorted);

    if (sorted == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        at[class_of(cps[i]) + 1]++;
    for (size_t c = 0; c < 256; c++)
        at[c + 1] += at[c];
    for (size_t i = 0; i < n; i++)
        sorted[at[class_of(cps[i])]++] = cps[i];
    memcpy(cps, sorted, n * sizeof *sorted);
    rag_free(sorted);
    return true;
}

static bool order_marks(points *p)
{
    size_t start = 0;

    for (size_t i = 0; i <= p->n; i++) {
        if (i < p->n && class_of(p->all[i]) != 0)
            continue;
        if (i - start > 1 && !sort_marks(p->all + start, i - start))
            return false;
        start = i + 1;
    }
    return true;
}

/* Appends what utf8proc_map makes of s, in linear time. */
static void map(rag_buf *out, rag_str s, utf8proc_option_t options)
{
    points p = {NULL, 0, 0};
    utf8proc_ssize_t n;

    /* reencode writes in place, and a NUL behind the end */
    if (!decompose(&p, s, options) || !order_marks(&p)) {
        rag_buf_dispose(out);
        out->failed = RAG_E_NOMEM;
    } else if (p.n != 0) {
        n = utf8proc_reencode(p.all, (utf8proc_ssize_t)p.n, options);
        if (n > 0)
            rag_buf_add(out, p.all, (size_t)n);
    }
    rag_free(p.all);
}

void rag_utf8_nfc(rag_buf *out, rag_str s)
{
    if (rag_utf8_is_ascii(s))
        rag_buf_adds(out, s);
    else
        map(out, s, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}

void rag_utf8_nfkc(rag_buf *out, rag_str s)
{
    if (rag_utf8_is_ascii(s))
        rag_buf_adds(out, s);
    else
        map(out, s, UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE);
}

void rag_utf8_fold(rag_buf *out, rag_str s)
{
    if (rag_utf8_is_ascii(s)) {
        char *to = rag_buf_reserve(out, s.len);

        if (to == NULL)
            return;
        for (size_t i = 0; i < s.len; i++)
            to[i] = s.ptr[i] >= 'A' && s.ptr[i] <= 'Z'
                        ? (char)(s.ptr[i] - 'A' + 'a')
                        : s.ptr[i];
        rag_buf_wrote(out, s.len);
        return;
    }
    map(out, s,
        UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE |
            UTF8PROC_CASEFOLD);
}

static size_t form_of(uint32_t *out, size_t cap, uint32_t cp, bool compose,
                      utf8proc_option_t options)
{
    utf8proc_int32_t form[MOST_OF_ONE];
    utf8proc_ssize_t n;

    if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
        return 0;
    n = utf8proc_decompose_char((utf8proc_int32_t)cp, form, MOST_OF_ONE,
                                options | UTF8PROC_DECOMPOSE, NULL);
    if (n > 0 && n <= MOST_OF_ONE && compose)
        n = utf8proc_normalize_utf32(form, n, options | UTF8PROC_COMPOSE);
    if (n <= 0 || n > MOST_OF_ONE || (size_t)n > cap)
        return 0;
    for (utf8proc_ssize_t i = 0; i < n; i++)
        out[i] = (uint32_t)form[i];
    return (size_t)n;
}

size_t rag_utf8_compat(uint32_t *out, size_t cap, uint32_t cp, bool compose)
{
    return form_of(out, cap, cp, compose, UTF8PROC_STABLE | UTF8PROC_COMPAT);
}

size_t rag_utf8_canon(uint32_t *out, size_t cap, uint32_t cp)
{
    return form_of(out, cap, cp, false, UTF8PROC_STABLE);
}

size_t rag_utf8_grapheme_end(rag_str s, size_t at)
{
    utf8proc_int32_t state = 0;
    uint32_t prev;
    size_t i = at;

    if (at >= s.len)
        return s.len;
    i += rag_utf8_decode(&prev, NULL, rag_str_cut(s, i, s.len));
    while (i < s.len) {
        uint32_t cp;
        size_t n;

        /* fast: printable ASCII after ASCII is always a boundary */
        if (prev < 0x80 && prev != '\r' && (unsigned char)s.ptr[i] < 0x80)
            return i;
        n = rag_utf8_decode(&cp, NULL, rag_str_cut(s, i, s.len));
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)prev,
                                             (utf8proc_int32_t)cp, &state))
            return i;
        prev = cp;
        i += n;
    }
    return s.len;
}

size_t rag_utf8_floor(rag_str s, size_t at)
{
    size_t back = 0;

    if (at >= s.len)
        return s.len;
    while (at > 0 && back < 3 && ((unsigned char)s.ptr[at] & 0xC0) == 0x80) {
        at--;
        back++;
    }
    return at;
}

size_t rag_utf8_grapheme_floor(rag_str s, size_t at)
{
    size_t start;
    size_t end;

    at = rag_utf8_floor(s, at);
    if (at == 0 || at >= s.len)
        return at;
    start = at;
    for (int i = 0; i < GRAPHEME_BACK_CODE_POINTS && start > 0; i++) {
        start = rag_utf8_floor(s, start - 1);
        if (s.ptr[start] == '\n' || s.ptr[start] == ' ')
            break;
    }
    for (;;) {
        end = rag_utf8_grapheme_end(s, start);
        if (end > at)
            return start;
        if (end == at)
            return at;
        start = end;
    }
}

bool rag_utf8_is_grapheme_break(rag_str s, size_t at)
{
    return at == 0 || at >= s.len || rag_utf8_grapheme_floor(s, at) == at;
}

size_t rag_utf8_grapheme_ceil(rag_str s, size_t at)
{
    size_t f = rag_utf8_grapheme_floor(s, at);

    return f >= at ? f : rag_utf8_grapheme_end(s, f);
}

static utf8proc_category_t category(uint32_t cp)
{
    return utf8proc_category((utf8proc_int32_t)cp);
}

static bool is_mark(utf8proc_category_t c)
{
    return c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_MC ||
           c == UTF8PROC_CATEGORY_ME;
}

rag_script rag_utf8_script(uint32_t cp)
{
    utf8proc_category_t c;

    if (cp < 0x80) {
        if ((cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z'))
            return RAG_SCRIPT_LATIN;
        return cp >= '0' && cp <= '9' ? RAG_SCRIPT_DIGIT : RAG_SCRIPT_NONE;
    }
    if ((cp >= 0xAC00 && cp <= 0xD7A3) || (cp >= 0x1100 && cp <= 0x11FF) ||
        (cp >= 0x3131 && cp <= 0x318E) || (cp >= 0xA960 && cp <= 0xA97C) ||
        (cp >= 0xD7B0 && cp <= 0xD7FB))
        return RAG_SCRIPT_HANGUL;
    if ((cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) ||
        (cp >= 0x20000 && cp <= 0x323AF) || (cp >= 0xF900 && cp <= 0xFAFF) ||
        cp == 0x3005 || cp == 0x3007)
        return RAG_SCRIPT_HAN;
    if ((cp >= 0x3041 && cp <= 0x309F) || (cp >= 0x30A1 && cp <= 0x30FA) ||
        (cp >= 0x30FC && cp <= 0x30FF) || (cp >= 0x31F0 && cp <= 0x31FF) ||
        (cp >= 0xFF66 && cp <= 0xFF9F))
        return RAG_SCRIPT_KANA;
    c = category(cp);
    if (is_mark(c))
        return RAG_SCRIPT_MARK;
    switch (c) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return RAG_SCRIPT_LATIN;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return RAG_SCRIPT_DIGIT;
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
        break;
    }
    return RAG_SCRIPT_NONE;
}

bool rag_utf8_is_space(uint32_t cp)
{
    return cp == ' ' || (cp >= 9 && cp <= 13) || cp == 0x85 || cp == 0xA0 ||
           cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 ||
           cp == 0x2029 || cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

bool rag_utf8_is_alnum(uint32_t cp)
{
    return rag_utf8_script(cp) != RAG_SCRIPT_NONE;
}

bool rag_utf8_is_upper(uint32_t cp)
{
    if (cp < 0x80)
        return cp >= 'A' && cp <= 'Z';
    return category(cp) == UTF8PROC_CATEGORY_LU;
}

bool rag_utf8_is_invisible(uint32_t cp)
{
    utf8proc_category_t c;

    if (cp == '\n' || cp == '\t')
        return false;
    if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0))
        return true;
    if (cp < 0xA0)
        return false;
    c = category(cp);
    return c == UTF8PROC_CATEGORY_CF || c == UTF8PROC_CATEGORY_CC ||
           (cp >= 0xE0000 && cp <= 0xE0FFF);
}

uint32_t rag_utf8_lower(uint32_t cp)
{
    if (cp < 0x80)
        return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
}

int rag_utf8_width(uint32_t cp)
{
    if (cp >= 0x20 && cp < 0x7F)
        return 1;
    return utf8proc_charwidth((utf8proc_int32_t)cp);
}

/* Bytes from the start of s that can be shown as they are, plain ASCII. */
static size_t plain_bytes(rag_str s, bool lines)
{
    size_t n = 0;

    while (n < s.len && (((unsigned char)s.ptr[n] >= 0x20 &&
                          (unsigned char)s.ptr[n] < 0x7F) ||
                         (lines && (s.ptr[n] == '\n' || s.ptr[n] == '\t'))))
        n++;
    return n;
}

void rag_utf8_show(rag_buf *out, rag_str s, bool lines)
{
    for (;;) {
        size_t n = plain_bytes(s, lines);
        uint32_t cp;
        bool ok;

        rag_buf_add(out, s.ptr, n);
        s = rag_str_cut(s, n, s.len);
        if (s.len == 0)
            break;
        n = rag_utf8_decode(&cp, &ok, s);
        if (!ok) {
            for (size_t i = 0; i < n; i++)
                rag_buf_addf(out, "\\x%02x", (unsigned)(unsigned char)s.ptr[i]);
        } else if (cp < 0x20) {
            rag_buf_addc(out, '^');
            rag_buf_addc(out, (char)(cp + 0x40));
        } else if (cp == 0x7F) {
            rag_buf_addz(out, "^?");
        } else if (cp >= 0x80 && cp < 0xA0) {
            rag_buf_addf(out, "\\x%02x", (unsigned)cp);
        } else if (cp == 0x061C || cp == 0x200E || cp == 0x200F ||
                   (cp >= 0x202A && cp <= 0x202E) ||
                   (cp >= 0x2066 && cp <= 0x2069) || cp == 0x2028 ||
                   cp == 0x2029) {
            rag_buf_addf(out, "\\u{%04x}", (unsigned)cp);
        } else {
            rag_buf_add(out, s.ptr, n);
        }
        s = rag_str_cut(s, n, s.len);
    }
}

size_t rag_utf8_search_form(uint32_t out[RAG_UTF8_SEARCH_MAX], uint32_t cp)
{
    utf8proc_int32_t made[RAG_UTF8_SEARCH_MAX];
    int boundclass = 0;
    size_t n_out = 0;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)cp, made, RAG_UTF8_SEARCH_MAX,
                                UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT |
                                    UTF8PROC_CASEFOLD | UTF8PROC_IGNORE,
                                &boundclass);

    if (n < 0 || n > RAG_UTF8_SEARCH_MAX)
        return 0;
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        utf8proc_propval_t ccc =
            utf8proc_get_property(made[i])->combining_class;

        /* 7, 8, 9: nukta, kana voicing and virama make another letter */
        if (ccc == 0 || (ccc >= 7 && ccc <= 9))
            out[n_out++] = (uint32_t)made[i];
    }
    return n_out;
}
