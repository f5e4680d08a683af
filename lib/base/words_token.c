#include "base/words_token.h"

static void push(rag_words_token *t, uint32_t cp, rag_unit_class cls,
                 size_t start, size_t end)
{
    rag_words_unit *u = &t->units[t->n++];

    u->cp = cp;
    u->cls = (uint8_t)cls;
    u->upper = false;
    u->start = start;
    u->end = end;
}

static void push_ascii(rag_words_token *t, unsigned char c, rag_unit_class cls,
                       size_t at, size_t end)
{
    bool upper = c >= 'A' && c <= 'Z';

    push(t, upper ? c + 32u : c, cls, at, end);
    t->units[t->n - 1].upper = upper;
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
static void push_folded(rag_words_token *t, uint32_t cp, size_t start,
                        size_t end)
{
    rag_words_unit *last = t->n != 0 ? &t->units[t->n - 1] : NULL;
    uint32_t made;

    if (cp < 0x80) {
        rag_unit_class cls = rag_words_token_ascii((unsigned char)cp);

        push(t, cp, cls, start, end);
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
            push(t, cp, RAG_UNIT_HANGUL, start, end);
        }
        return;
    case RAG_SCRIPT_HAN:
    case RAG_SCRIPT_KANA:
        push(t, cp, RAG_UNIT_CJK, start, end);
        return;
    case RAG_SCRIPT_LATIN:
        push(t, cp, RAG_UNIT_LETTER, start, end);
        return;
    case RAG_SCRIPT_DIGIT:
        push(t, cp, RAG_UNIT_DIGIT, start, end);
        return;
    case RAG_SCRIPT_MARK: /* a vowel sign: part of its word */
        if (last != NULL && last->cls == RAG_UNIT_LETTER)
            push(t, cp, RAG_UNIT_LETTER, start, end);
        return;
    case RAG_SCRIPT_NONE:
        push(t, cp, RAG_UNIT_SEP, start, end);
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
static bool push_wide(rag_words_token *t, uint32_t cp, size_t start, size_t end)
{
    uint32_t folded[RAG_UTF8_SEARCH_MAX];
    rag_script script;
    size_t n;

    if (cp >= 0xAC00 && cp <= 0xD7A3) {
        push(t, cp, RAG_UNIT_HANGUL, start, end);
        return true;
    }
    if (cp == 0x2018 || cp == 0x2019 || cp == 0x02BC) {
        push(t, '\'', RAG_UNIT_JOIN, start, end);
        return true;
    }
    if (cp == 0x2010 || cp == 0x2011) {
        push(t, '-', RAG_UNIT_JOIN, start, end);
        return true;
    }
    if (is_transparent(cp))
        return true;
    if ((cp >= 0x3041 && cp <= 0x3098) || (cp >= 0x30A1 && cp <= 0x30FA) ||
        cp == 0x30FC || (cp >= 0x4E00 && cp <= 0x9FFF)) {
        push(t, cp, RAG_UNIT_CJK, start, end);
        return true;
    }
    if (cp >= 0xFF01 && cp <= 0xFF5E) { /* full-width ASCII */
        unsigned char c = (unsigned char)(cp - 0xFEE0);
        rag_unit_class cls = rag_words_token_ascii(c);

        if (cls == RAG_UNIT_SEP)
            return false;
        push_ascii(t, c, cls, start, end);
        return true;
    }
    script = rag_utf8_script(cp);
    /* symbols stay apart (a trade mark is no "tm"), but for the square and
     * circled letters of East Asia */
    if (script == RAG_SCRIPT_NONE && !(cp >= 0x3200 && cp <= 0x33FF))
        return false;
    n = rag_utf8_search_form(folded, cp);
    if (n == 0 && t->n != 0)
        t->units[t->n - 1].end = end; /* an accent */
    for (size_t i = 0; i < n; i++)
        push_folded(t, folded[i], start, end);
    return true;
}

/* The token ends with a hyphen behind a letter: where it goes on, or 0. */
static size_t after_break(const rag_words_token *t, rag_str text, size_t at)
{
    if (t->n < 2 || t->units[t->n - 1].cp != '-' ||
        t->units[t->n - 2].cls != RAG_UNIT_LETTER)
        return 0;
    return rag_str_after_break(text, at);
}

size_t rag_words_token_gather(rag_words_token *t, rag_str text, size_t at)
{
    t->n = 0;
    while (at < text.len && t->n < RAG_WORDS_TOKEN_UNITS) {
        unsigned char c = (unsigned char)text.ptr[at];
        uint32_t cp;
        bool ok;
        size_t n;

        if (c < 0x80) {
            rag_unit_class cls = rag_words_token_ascii(c);

            if (cls == RAG_UNIT_SEP) {
                size_t next = after_break(t, text, at);

                if (next == 0)
                    break;
                at = next;
                continue;
            }
            push_ascii(t, c, cls, at, at + 1);
            at++;
            continue;
        }
        n = rag_utf8_decode(&cp, &ok, rag_str_cut(text, at, text.len));
        if (!ok || !push_wide(t, cp, at, at + n))
            break;
        at += n;
    }
    return at;
}
