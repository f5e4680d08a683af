#include "base/sentence.h"

#include <string.h>

#include "base/utf8.h"

/* A byte that may end a sentence is found by table, then judged by what
 * stands around it; everything else costs one look-up a byte. */

/* how far the word before a full stop is read: longer than any abbreviation */
#define WORD_LOOK_BYTES 16
/* how far the first word behind a full stop is read */
#define NEXT_LOOK_BYTES 8
/* a line this wide was probably wrapped, not ended */
#define SHORT_LINE_COLUMNS 40

enum { PLAIN = 0, STOP, NEWLINE, WIDE };

/* ASCII only; WIDE leads (E2, E3, EF) are told apart by their next bytes */
static unsigned kind_of(unsigned char c)
{
    switch (c) {
    case '.':
    case '?':
    case '!':
        return STOP;
    case '\n':
        return NEWLINE;
    case 0xE2:
    case 0xE3:
    case 0xEF:
        return WIDE;
    default:
        return PLAIN;
    }
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c)
{
    return is_lower(c) || is_upper(c);
}

static bool at_bytes(rag_str s, size_t at, const char *bytes)
{
    size_t n = strlen(bytes);

    return at < s.len && s.len - at >= n && memcmp(s.ptr + at, bytes, n) == 0;
}

/* Bytes of the sentence-ending sign at `at`: 。 ！ ？ … ‼ ⁇ ⁈ ⁉; 0 for none.
 * *full: it ends a sentence whatever follows. */
static size_t wide_stop(rag_str s, size_t at, bool *full)
{
    static const char *const always[] = {
        "\xE3\x80\x82", "\xEF\xBC\x81", "\xEF\xBC\x9F", "\xEF\xBC\x8E",
        "\xE2\x80\xBC", "\xE2\x81\x87", "\xE2\x81\x88", "\xE2\x81\x89"};

    *full = false;
    if (at_bytes(s, at, "\xE2\x80\xA6"))
        return 3;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (at_bytes(s, at, always[i])) {
            *full = true;
            return 3;
        }
    return 0;
}

/* Bytes of the closing quote or bracket at `at`, 0 for none. */
static size_t closer(rag_str s, size_t at)
{
    static const char *const wide[] = {
        "\xE2\x80\x9D", "\xE2\x80\x99", "\xC2\xBB",
        "\xE3\x80\x8D", "\xE3\x80\x8F", "\xE3\x80\x8B",
        "\xE3\x80\x89", "\xE3\x80\x91", "\xEF\xBC\x89"};

    if (at >= s.len)
        return 0;
    if (strchr("\"')]}*_`~", s.ptr[at]) != NULL && s.ptr[at] != '\0')
        return 1;
    if ((unsigned char)s.ptr[at] < 0x80)
        return 0;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        if (at_bytes(s, at, wide[i]))
            return strlen(wide[i]);
    return 0;
}

/* Offset of the first byte at or behind `at` that opens a word: white space
 * and opening quotes, brackets and emphasis are passed over. */
static size_t skip_openers(rag_str s, size_t at)
{
    static const char *const wide[] = {
        "\xE2\x80\x9C", "\xE2\x80\x98", "\xC2\xAB",     "\xE3\x80\x8C",
        "\xE3\x80\x8E", "\xE3\x80\x8A", "\xE3\x80\x88", "\xE3\x80\x90"};
    size_t limit = at + 64 < s.len ? at + 64 : s.len;

    while (at < limit) {
        size_t n = 0;

        if (is_blank(s.ptr[at]) ||
            (strchr("\"'([{*_`<", s.ptr[at]) != NULL && s.ptr[at] != '\0'))
            n = 1;
        else if ((unsigned char)s.ptr[at] >= 0x80)
            for (size_t i = 0; n == 0 && i < sizeof wide / sizeof wide[0]; i++)
                if (at_bytes(s, at, wide[i]))
                    n = strlen(wide[i]);
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

/* The code point before / at an offset; 0 at the edges. */
static uint32_t cp_before(rag_str s, size_t at)
{
    uint32_t cp = 0;

    if (at != 0)
        rag_utf8_decode(&cp, NULL,
                        rag_str_cut(s, rag_utf8_floor(s, at - 1), at));
    return cp;
}

static uint32_t cp_at(rag_str s, size_t at)
{
    uint32_t cp = 0;

    if (at < s.len)
        rag_utf8_decode(&cp, NULL, rag_str_cut(s, at, s.len));
    return cp;
}

static bool is_hangul(uint32_t cp)
{
    return cp >= 0x1100 && rag_utf8_script(cp) == RAG_SCRIPT_HANGUL;
}

static bool in_list(rag_str word, const char *const *list)
{
    for (; *list != NULL; list++)
        if (rag_str_ieqz(word, *list))
            return true;
    return false;
}

/* never end a sentence: a name or an explanation follows */
static const char *const titles[] = {
    "mr",  "mrs",  "ms",   "dr",  "prof", "st",  "vs",     "cf", "e.g", "i.e",
    "viz", "gen",  "capt", "lt",  "sgt",  "rev", "hon",    "mt", "eg",  "ie",
    "fig", "figs", "eq",   "eqs", "resp", "ca",  "approx", NULL};
/* do not end one before a number */
static const char *const counted[] = {
    "no",  "nos", "vol", "p",   "pp",   "ch",  "sec", "sect", "art", "ver",
    "v",   "jan", "feb", "mar", "apr",  "jun", "jul", "aug",  "sep", "sept",
    "oct", "nov", "dec", "ref", "refs", "tab", "par", "ex",   NULL};
/* first words that open a sentence even behind "U.S." */
static const char *const starters[] = {
    "the", "this", "that", "these", "those", "it",  "he",
    "she", "they", "we",   "you",   "i",     "a",   "an",
    "in",  "on",   "but",  "and",   "if",    "for", NULL};

/* The run of ASCII letters, digits and inner dots that ends at `at`. */
static rag_str word_before(rag_str s, size_t from, size_t at)
{
    size_t start = at;

    while (start > from && at - start < WORD_LOOK_BYTES &&
           (is_letter(s.ptr[start - 1]) || is_digit(s.ptr[start - 1]) ||
            s.ptr[start - 1] == '.'))
        start--;
    return rag_str_cut(s, start, at);
}

static rag_str word_at(rag_str s, size_t at)
{
    size_t end = at;

    while (end < s.len && end - at < NEXT_LOOK_BYTES && is_letter(s.ptr[end]))
        end++;
    return rag_str_cut(s, at, end);
}

/* Is what stands between the sentence's start and its first full stop only a
 * list number: "12", "a", "iv", one Hangul syllable? */
static bool is_list_number(rag_str s)
{
    bool digits = true;

    if (s.len > 32) /* no list number; keeps the whole scan linear */
        return false;
    s = rag_str_trim(s);
    while (s.len != 0 && strchr("-*+#>(", s.ptr[0]) != NULL)
        s = rag_str_trim(rag_str_cut(s, 1, s.len));
    if (s.len == 0 || s.len > 12)
        return false;
    for (size_t i = 0; i < s.len; i++)
        digits = digits && (is_digit(s.ptr[i]) || s.ptr[i] == '.');
    if (digits)
        return s.len <= 8;
    if (s.len == 3 && is_hangul(cp_at(s, 0)))
        return true;
    if (s.len == 1)
        return is_letter(s.ptr[0]);
    return s.len <= 4 && strspn(s.ptr, "ivxIVX") >= s.len;
}

/* Does a full stop behind `word` (next word at `next`) leave the sentence
 * open? */
static bool is_abbreviation(rag_str word, rag_str s, size_t next)
{
    bool digit_next = next < s.len && is_digit(s.ptr[next]);
    bool inner_dot = rag_str_find_char(word, '.') != SIZE_MAX;

    if (word.len == 0)
        return false;
    if (in_list(word, titles))
        return true;
    if (digit_next && in_list(word, counted))
        return true;
    if (word.len == 1 && is_upper(word.ptr[0])) /* an initial */
        return !rag_str_eqz(word, "I");
    if (inner_dot && is_upper(word.ptr[0]) && !digit_next) /* U.S. Army */
        return word.len <= 5 && !is_digit(word.ptr[word.len - 1]) &&
               !in_list(word_at(s, next), starters);
    return false;
}

/* Korean endings that close a sentence; the text ends with one of them. */
static bool ends_korean(rag_str s)
{
    static const char *const open[] = {
        "보다",   "마다", "바다", "포함", "게임", "책임", "모임", "타임",
        "프레임", "중요", "필요", "주요", "수요", "개요", "다다", NULL};
    static const char *const close[] = {"다",   "요",   "죠",   "까",   "함",
                                        "됨",   "임",   "있음", "없음", "않음",
                                        "같음", "시오", "니라", NULL};

    for (size_t i = 0; open[i] != NULL; i++)
        if (rag_str_ends(s, open[i]))
            return false;
    for (size_t i = 0; close[i] != NULL; i++)
        if (rag_str_ends(s, close[i]))
            return true;
    return false;
}

/* Judges the ASCII stop sign at `dot`; the run of signs ends at `run`, the
 * closers behind it at `after`. from: where the sentence began. */
static bool stop_ends(rag_str s, size_t from, size_t dot, size_t run,
                      size_t after)
{
    char sign = s.ptr[dot];
    bool closed = after != run;
    bool dots = run > dot + 1;
    size_t next;
    rag_str word;
    uint32_t cp;

    if (after >= s.len)
        return true;
    if (!is_blank(s.ptr[after])) {
        /* Korean often leaves the space out: "했다.그리고" */
        if (!is_hangul(cp_at(s, after)) || !is_hangul(cp_before(s, dot)))
            return false;
        return !closed &&
               (sign != '.' || ends_korean(rag_str_cut(s, from, dot)));
    }
    if (is_list_number(rag_str_cut(s, from, dot)))
        return false;
    next = skip_openers(s, after);
    if (next >= s.len)
        return true;
    if (is_lower(s.ptr[next]))
        return false;
    cp = cp_at(s, next);
    /* '"왜?" 라고', "(예?) 라는": a particle goes on */
    if (closed && (at_bytes(s, next, "라고") || at_bytes(s, next, "라는") ||
                   at_bytes(s, next, "하고") || at_bytes(s, next, "고 ")))
        return false;
    if (sign != '.' || dots)
        return true;
    word = word_before(s, from, dot);
    if (word.len != 0 && is_digit(word.ptr[word.len - 1])) {
        /* "2024. 3. 5.", an inline "2. 실행" */
        if (is_digit(s.ptr[next]) && next == after + 1)
            return false;
        if (is_hangul(cp) && word.len <= 2)
            return false;
    }
    return !is_abbreviation(word, s, next);
}

/* Does a list item, table row, heading, fence or quote begin at `at`? */
static bool starts_item(rag_str s, size_t at)
{
    size_t n = at;

    while (n < s.len && n - at < 8 && (s.ptr[n] == ' ' || s.ptr[n] == '\t'))
        n++;
    if (n >= s.len)
        return false;
    if (n - at >= 4 || (n != at && s.ptr[n - 1] == '\t'))
        return true;
    if (at_bytes(s, n, "```") || at_bytes(s, n, "~~~") || s.ptr[n] == '|' ||
        at_bytes(s, n, "\xE2\x80\xA2") || at_bytes(s, n, "\xE2\x97\x8F") ||
        at_bytes(s, n, "\xE2\x96\xA0") || at_bytes(s, n, "\xE2\x80\xBB"))
        return true;
    if (cp_at(s, n) >= 0x2460 && cp_at(s, n) <= 0x2473) /* ① … ⑳ */
        return true;
    if (strchr("-*+#>", s.ptr[n]) != NULL) {
        while (n < s.len && s.ptr[n] == '#')
            n++;
        if (n < s.len && strchr("-*+>", s.ptr[n]) != NULL)
            n++;
        return n < s.len && (s.ptr[n] == ' ' || s.ptr[n] == '\t');
    }
    at = n;
    while (n < s.len && n - at < 4 && is_digit(s.ptr[n]))
        n++;
    if (n == at && is_hangul(cp_at(s, n)))
        n += 3;
    return n != at && n + 1 < s.len && (s.ptr[n] == '.' || s.ptr[n] == ')') &&
           s.ptr[n + 1] == ' ';
}

/* Terminal columns, roughly: bytes of ASCII, two thirds of the rest. */
static size_t columns(rag_str s)
{
    size_t wide = 0;

    for (size_t i = 0; i < s.len; i++)
        wide += (unsigned char)s.ptr[i] >= 0x80;
    return s.len - wide / 3;
}

/* Does the sentence end at the line break at `nl`? */
static bool newline_ends(rag_str s, size_t from, size_t nl)
{
    size_t end = nl;
    size_t start;
    size_t next = nl + 1;
    rag_str line;

    if (next >= s.len)
        return true;
    if (s.ptr[next] == '\n' || s.ptr[next] == '\f' ||
        at_bytes(s, next, "\r\n") || starts_item(s, next))
        return true;
    for (size_t i = next; i < s.len && is_blank(s.ptr[i]); i++)
        if (s.ptr[i] == '\n')
            return true; /* a line of white space */
        else if (i - next > 64)
            break;
    while (end > from && is_blank(s.ptr[end - 1]))
        end--;
    if (end == from)
        return false;
    if (s.ptr[end - 1] == ':')
        return true;
    if ((unsigned char)s.ptr[end - 1] >= 0x80 &&
        ends_korean(rag_str_cut(s, from, end)))
        return true;
    start = end;
    while (start > from && end - start <= 2 * SHORT_LINE_COLUMNS &&
           s.ptr[start - 1] != '\n')
        start--;
    line = rag_str_cut(s, start, end);
    return columns(line) < SHORT_LINE_COLUMNS && s.ptr[end - 1] != ',' &&
           (is_upper(s.ptr[next]) || is_digit(s.ptr[next]) ||
            s.ptr[next] == '[');
}

/* The end of a sentence whose first stop sign is at `i`, or 0 when that sign
 * ends none. *next: where to go on looking. */
static size_t try_stop(rag_str s, size_t from, size_t i, size_t *next)
{
    bool full = false;
    bool ascii = kind_of((unsigned char)s.ptr[i]) == STOP;
    size_t at = i;
    size_t run;
    size_t n;

    while (at < s.len) {
        bool f = false;

        n = kind_of((unsigned char)s.ptr[at]) == STOP ? 1
                                                      : wide_stop(s, at, &f);
        if (n == 0)
            break;
        full = full || f;
        at += n;
    }
    run = at;
    while ((n = closer(s, at)) != 0)
        at += n;
    *next = at;
    if (full)
        return at;
    if (!ascii) { /* an ellipsis sign */
        if (at < s.len && !is_blank(s.ptr[at]))
            return 0;
        n = skip_openers(s, at);
        return n >= s.len || !is_lower(s.ptr[n]) ? at : 0;
    }
    return stop_ends(s, from, i, run, at) ? at : 0;
}

size_t rag_sentence_end(rag_str s, size_t at)
{
    size_t from = at;
    size_t i = at;

    while (i < s.len) {
        unsigned kind = kind_of((unsigned char)s.ptr[i]);
        size_t next = i + 1;
        size_t end;
        bool full;

        if (kind == PLAIN || (kind == WIDE && wide_stop(s, i, &full) == 0)) {
            i++;
            continue;
        }
        if (kind == NEWLINE) {
            if (newline_ends(s, from, i)) {
                while (i > from + 1 && is_blank(s.ptr[i - 1]))
                    i--;
                return i > from ? i : from + 1;
            }
            i++;
            continue;
        }
        end = try_stop(s, from, i, &next);
        if (end != 0)
            return end;
        i = next;
    }
    while (i > from + 1 && is_blank(s.ptr[i - 1]))
        i--;
    return i;
}

bool rag_sentence_next(size_t *start, size_t *end, rag_str s, size_t *at)
{
    size_t i = *at;

    while (i < s.len) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, rag_str_cut(s, i, s.len));

        if (!rag_utf8_is_space(cp))
            break;
        i += n;
    }
    *at = i;
    if (i >= s.len)
        return false;
    *start = i;
    *end = rag_sentence_end(s, i);
    *at = *end;
    return true;
}
