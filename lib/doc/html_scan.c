#include "doc/html_scan.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* where browsers look for the charset, rounded up for long licence comments */
#define META_WITHIN ((size_t)8192)

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* s begins with word, in any case */
static bool begins(rag_str s, const char *word)
{
    return rag_str_ieqz(rag_str_cut(s, 0, strlen(word)), word);
}

static size_t find_from(rag_str s, size_t at, const char *what)
{
    size_t k = rag_str_find(rag_str_cut(s, at, s.len), rag_str_of(what));

    return k == SIZE_MAX ? s.len : at + k + strlen(what);
}

/* Behind white space, a mark, comments and <?xml ... ?>. */
static rag_str past_prologue(rag_str s)
{
    size_t at = rag_charset_bom(s);

    for (;;) {
        rag_str rest = rag_str_cut(s, at, s.len);

        if (rest.len != 0 && is_white(rest.ptr[0]))
            at++;
        else if (rag_str_starts(rest, "<!--"))
            at = find_from(s, at, "-->");
        else if (rag_str_starts(rest, "<?xml"))
            at = find_from(s, at, "?>");
        else
            return rest;
    }
}

bool rag_html_scan_is_html(rag_str head)
{
    char flat[1024];
    size_t n = 0;
    rag_str s;

    /* zero bytes left out, UTF-16 can be read as ASCII */
    for (size_t i = 0; i < head.len && n < sizeof flat; i++)
        if (head.ptr[i] != '\0' &&
            (i >= 2 || (head.ptr[i] != '\xFF' && head.ptr[i] != '\xFE')))
            flat[n++] = head.ptr[i];
    s = past_prologue(rag_str_n(flat, n));
    return begins(s, "<!doctype html") || begins(s, "<html") ||
           begins(s, "<head>") || begins(s, "<body");
}

/* The value behind "charset" inside one tag. */
static rag_str charset_in(rag_str tag)
{
    for (size_t i = 0; i + 7 < tag.len; i++) {
        size_t at = i + 7;
        size_t end;

        if (!begins(rag_str_cut(tag, i, tag.len), "charset"))
            continue;
        while (at < tag.len && is_white(tag.ptr[at]))
            at++;
        if (at == tag.len || tag.ptr[at] != '=')
            continue;
        at++;
        while (at < tag.len &&
               (is_white(tag.ptr[at]) || strchr("\"'", tag.ptr[at]) != NULL))
            at++;
        end = at;
        while (end < tag.len && !is_white(tag.ptr[end]) &&
               strchr("\"';/>", tag.ptr[end]) == NULL)
            end++;
        return rag_str_cut(tag, at, end);
    }
    return (rag_str){NULL, 0};
}

bool rag_html_scan_charset(char out[RAG_CHARSET_NAME_BYTES], rag_str head)
{
    rag_str s = rag_str_cut(head, 0, META_WITHIN);

    for (size_t at = 0; at < s.len; at++) {
        rag_str rest = rag_str_cut(s, at, s.len);
        size_t end;

        if (s.ptr[at] != '<')
            continue;
        if (rag_str_starts(rest, "<!--")) {
            at = find_from(s, at, "-->") - 1;
            continue;
        }
        if (!begins(rest, "<meta"))
            continue;
        end = rag_str_find_char(rest, '>');
        if (end != SIZE_MAX &&
            rag_charset_of_label(out, charset_in(rag_str_cut(rest, 0, end))))
            return true;
    }
    return false;
}

/* ---- character references */

#define LAST_CODE_POINT 0x10FFFFu

/* The digit's value, or base when c is none. */
static uint32_t digit_of(char c, uint32_t base)
{
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0');
    if (base == 16 && lower(c) >= 'a' && lower(c) <= 'f')
        return (uint32_t)(lower(c) - 'a') + 10;
    return base;
}

void rag_html_scan_tame_refs(char *text, size_t len)
{
    size_t at = 0;

    while (at + 2 < len) {
        char *sign = memchr(text + at, '&', len - at - 2);
        const char *digits;
        uint32_t base = 10;
        uint32_t cp = 0;
        size_t start;

        if (sign == NULL)
            return;
        at = (size_t)(sign - text) + 1;
        if (text[at] != '#')
            continue;
        at++;
        if (text[at] == 'x' || text[at] == 'X') {
            base = 16;
            at++;
        }
        start = at;
        for (; at < len && digit_of(text[at], base) != base; at++)
            if (cp <= LAST_CODE_POINT)
                cp = cp * base + digit_of(text[at], base);
        if (cp <= LAST_CODE_POINT)
            continue;
        /* in the same base, for a hexadecimal digit may follow a decimal one;
         * at least "1114112" or "110000" stood there */
        digits = base == 16 ? "FFFD" : "65533";
        memset(text + start, '0', at - start);
        memcpy(text + at - strlen(digits), digits, strlen(digits));
    }
}

/* ---- depth */

/* Tags by their place in this list; 0 is "none", others get a hash. */
enum {
    T_NONE,
    T_P,
    T_LI,
    T_DT,
    T_DD,
    T_TR,
    T_TD,
    T_TH,
    T_TBODY,
    T_THEAD,
    T_TFOOT,
    T_OPTION,
    T_UL,
    T_OL,
    T_DL,
    T_TABLE,
    T_SELECT,
    T_BUTTON,
    T_OBJECT,
    T_SVG,
    T_MATH,
    T_N
};
static const char *const names[T_N] = {
    "",   "p",     "li",     "dt",     "dd",     "tr",  "td",
    "th", "tbody", "thead",  "tfoot",  "option", "ul",  "ol",
    "dl", "table", "select", "button", "object", "svg", "math"};

/* Start tags that close an open paragraph. */
static const char *const blocks[] = {
    "address", "article", "aside",    "blockquote", "center", "details",
    "div",     "dl",      "fieldset", "figure",     "footer", "form",
    "h1",      "h2",      "h3",       "h4",         "h5",     "h6",
    "header",  "hr",      "main",     "menu",       "nav",    "ol",
    "p",       "pre",     "section",  "table",      "ul",     "li",
    "dt",      "dd",      "summary",  "figcaption"};
static const char *const voids[] = {
    "area",  "base", "basefont", "br",   "col",  "embed",  "frame",
    "hr",    "img",  "input",    "link", "meta", "param",  "source",
    "track", "wbr",  "html",     "head", "body", "keygen", "bgsound"};
/* Their content is no markup. */
static const char *const raws[] = {"script", "style",  "textarea", "title",
                                   "xmp",    "iframe", "noframes"};

static bool among(rag_str name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rag_str_ieqz(name, list[i]))
            return true;
    return false;
}
#define AMONG(name, list) among(name, list, sizeof(list) / sizeof(list)[0])

static uint32_t tag_of(rag_str name)
{
    uint32_t h = 2166136261u;

    for (uint32_t i = 1; i < T_N; i++)
        if (rag_str_ieqz(name, names[i]))
            return i;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)lower(name.ptr[i])) * 16777619u;
    return h < T_N ? h + T_N : h;
}

typedef struct open_tags {
    uint32_t tag[RAG_HTML_SCAN_MAX_DEPTH];
    size_t n;
} open_tags;

/* Pops down to and with an open `one` or `other`, unless a `stop` lies in
 * between. */
static void close_to(open_tags *o, uint32_t one, uint32_t other,
                     const uint32_t stop[3])
{
    for (size_t i = o->n; i-- > 0;) {
        uint32_t t = o->tag[i];

        if (t == one || t == other) {
            o->n = i;
            return;
        }
        if (t == stop[0] || t == stop[1] || t == stop[2])
            return;
    }
}

static void close_implied(open_tags *o, rag_str name, uint32_t tag)
{
    static const uint32_t table[3] = {T_TABLE, T_NONE, T_NONE};
    static const uint32_t list[3] = {T_UL, T_OL, T_TABLE};
    static const uint32_t terms[3] = {T_DL, T_TABLE, T_NONE};
    static const uint32_t select[3] = {T_SELECT, T_NONE, T_NONE};
    static const uint32_t scope[3] = {T_TABLE, T_BUTTON, T_OBJECT};

    if (AMONG(name, blocks))
        close_to(o, T_P, T_P, scope);
    if (tag == T_LI)
        close_to(o, T_LI, T_LI, list);
    else if (tag == T_DT || tag == T_DD)
        close_to(o, T_DT, T_DD, terms);
    else if (tag == T_TD || tag == T_TH)
        close_to(o, T_TD, T_TH, table);
    else if (tag == T_TR)
        close_to(o, T_TR, T_TR, table);
    else if (tag == T_TBODY || tag == T_TFOOT || tag == T_THEAD)
        close_to(o, T_TBODY, T_THEAD, table);
    else if (tag == T_OPTION)
        close_to(o, T_OPTION, T_OPTION, select);
}

/* Behind the '>' of the tag whose name ends at `at`: attributes as the HTML
 * standard reads them, for a quoted '>' is none. */
static size_t tag_end(rag_str s, size_t at, bool *self_closed)
{
    enum { NAME_NEXT, NAME, VALUE_NEXT, VALUE } state = NAME_NEXT;

    *self_closed = false;
    for (; at < s.len; at++) {
        char c = s.ptr[at];

        if (c == '>') {
            *self_closed = s.ptr[at - 1] == '/' && state != VALUE;
            return at + 1;
        }
        if (state == VALUE_NEXT && (c == '"' || c == '\'')) {
            const char *end = memchr(s.ptr + at + 1, c, s.len - at - 1);

            if (end == NULL)
                return s.len;
            at = (size_t)(end - s.ptr);
            state = NAME_NEXT;
        } else if (is_white(c)) {
            /* "name = value": white space around the sign changes nothing */
            if (state == VALUE)
                state = NAME_NEXT;
        } else if (state == NAME_NEXT) {
            state = c == '/' ? NAME_NEXT : NAME;
        } else if (state == NAME) {
            state = c == '=' ? VALUE_NEXT : c == '/' ? NAME_NEXT : NAME;
        } else if (state == VALUE_NEXT) {
            state = VALUE;
        }
    }
    return at;
}

/* Behind a comment's end: "-->" or "--!>". */
static size_t comment_end(rag_str s, size_t at)
{
    size_t a = find_from(s, at, "-->");
    size_t b = find_from(rag_str_cut(s, 0, a), at, "--!>");

    return a < b ? a : b;
}

/* Drawings and formulas: their tags close themselves, and a <title> in them
 * holds markup. */
static bool in_foreign(const open_tags *o)
{
    for (size_t i = o->n; i-- > 0;)
        if (o->tag[i] == T_SVG || o->tag[i] == T_MATH)
            return true;
    return false;
}

/* Behind the end tag of a raw element. */
static size_t raw_end(rag_str s, size_t at, rag_str name)
{
    for (; at < s.len; at++) {
        const char *lt = memchr(s.ptr + at, '<', s.len - at);

        if (lt == NULL)
            return s.len;
        at = (size_t)(lt - s.ptr);
        if (at + 2 + name.len <= s.len && s.ptr[at + 1] == '/' &&
            strncasecmp(s.ptr + at + 2, name.ptr, name.len) == 0)
            return at;
    }
    return s.len;
}

bool rag_html_scan_too_deep(rag_str s, size_t max_depth)
{
    static const uint32_t nothing[3] = {T_NONE, T_NONE, T_NONE};
    open_tags o = {.n = 0};
    size_t at = 0;

    assert(max_depth <= RAG_HTML_SCAN_MAX_DEPTH);
    while (at < s.len) {
        const char *lt = memchr(s.ptr + at, '<', s.len - at);
        bool end_tag;
        bool self_closed;
        size_t start;
        rag_str name;
        uint32_t tag;

        if (lt == NULL)
            return false;
        at = (size_t)(lt - s.ptr) + 1;
        if (rag_str_starts(rag_str_cut(s, at, at + 3), "!--")) {
            at = comment_end(s, at + 1);
            continue;
        }
        end_tag = at < s.len && s.ptr[at] == '/';
        at += end_tag;
        if (at == s.len || !is_alpha(s.ptr[at]))
            continue;
        start = at;
        while (at < s.len && !is_white(s.ptr[at]) && s.ptr[at] != '>' &&
               s.ptr[at] != '/')
            at++;
        name = rag_str_cut(s, start, at);
        at = tag_end(s, at, &self_closed);
        if (AMONG(name, voids))
            continue;
        tag = tag_of(name);
        if (end_tag) {
            close_to(&o, tag, tag, nothing);
            continue;
        }
        close_implied(&o, name, tag);
        if (AMONG(name, raws) && !in_foreign(&o)) {
            at = raw_end(s, at, name);
            continue;
        }
        /* "<path/>" of a drawing; "<div/>" stays open in HTML */
        if (self_closed && in_foreign(&o))
            continue;
        if (o.n == max_depth)
            return true;
        o.tag[o.n++] = tag;
    }
    return false;
}
