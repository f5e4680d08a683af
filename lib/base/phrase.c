#include "base/phrase.h"

#include "base/mem.h"
#include "base/utf8.h"

/* Both sides are decomposed and folded, so equal texts are equal sequences,
 * whatever their normal form. White space is a flag of what follows it. */
struct unit {
    uint32_t cp;
    bool space;  /* white space before it */
    bool broken; /* the hyphen of a line end before it, left out */
    bool inner;  /* not the first of its character: no match starts here */
    bool letter; /* or digit, of a script that writes words apart */
    bool east;   /* Hangul, Han, Kana: written with or without spaces */
    size_t start;
    size_t end;
};

struct units {
    struct unit *ptr; /* [n] */
    size_t n;
    size_t cap;
};

/* Jamo behind a leading one, voicing marks, vowel signs: they continue the
 * character before, also where a text spells them apart. */
static bool continues(uint32_t cp)
{
    return (cp >= 0x1160 && cp <= 0x11FF) || (cp >= 0xD7B0 && cp <= 0xD7FB) ||
           cp == 0x3099 || cp == 0x309A ||
           (cp >= 0x300 && rag_utf8_script(cp) == RAG_SCRIPT_MARK);
}

static void classify(struct unit *u)
{
    switch (rag_utf8_script(u->cp)) {
    case RAG_SCRIPT_LATIN:
    case RAG_SCRIPT_DIGIT:
    case RAG_SCRIPT_MARK:
        u->letter = true;
        return;
    case RAG_SCRIPT_HANGUL:
    case RAG_SCRIPT_HAN:
    case RAG_SCRIPT_KANA:
        u->east = true;
        return;
    case RAG_SCRIPT_NONE:
        return;
    }
}

static bool push(struct units *v, struct unit *u)
{
    if (!rag_mem_grow(&v->ptr, &v->cap, v->n + 1, sizeof *v->ptr))
        return false;
    classify(u);
    v->ptr[v->n++] = *u;
    return true;
}

/* A hyphen behind a letter: where the word goes on, or 0. at: behind it. */
static size_t after_break(const struct units *v, rag_str text, size_t at)
{
    if (v->n == 0 || !v->ptr[v->n - 1].letter)
        return 0;
    return rag_str_after_break(text, at);
}

/* What a character is compared by; quotes and hyphens as on a keyboard. */
static size_t forms(uint32_t out[RAG_UTF8_SEARCH_MAX], uint32_t cp)
{
    if (cp == 0x2018 || cp == 0x2019 || cp == 0x02BC)
        cp = '\'';
    else if (cp == 0x201C || cp == 0x201D)
        cp = '"';
    else if (cp == 0x2010 || cp == 0x2011)
        cp = '-';
    if (cp < 0x80) {
        out[0] = rag_utf8_lower(cp);
        return 1;
    }
    return rag_utf8_search_form(out, cp);
}

static rag_status split(struct units *v, rag_str text, rag_error *err)
{
    struct unit u = {.cp = 0};
    size_t at = 0;

    while (at < text.len) {
        uint32_t folded[RAG_UTF8_SEARCH_MAX];
        uint32_t cp;
        size_t len =
            rag_utf8_decode(&cp, NULL, rag_str_cut(text, at, text.len));
        size_t next = cp == '-' ? after_break(v, text, at + len) : 0;
        size_t n;

        if (next != 0) {
            u.broken = true;
            at = next;
            continue;
        }
        if (rag_utf8_is_space(cp)) {
            u.space = true;
            at += len;
            continue;
        }
        n = forms(folded, cp);
        if (n == 0 && v->n != 0 && !u.space) /* an accent */
            v->ptr[v->n - 1].end = at + len;
        for (size_t i = 0; i < n; i++) {
            struct unit made = {.cp = folded[i],
                                .space = u.space,
                                .broken = u.broken,
                                .inner = i != 0 || continues(folded[i]),
                                .start = at,
                                .end = at + len};

            if (!push(v, &made))
                return rag_fail_nomem(err);
            u.space = false;
            u.broken = false;
        }
        at += len;
    }
    return RAG_OK;
}

/* Does the phrase stand at unit `from`? *end: the unit behind it. */
static bool matches(size_t *end, const struct units *text, size_t from,
                    const struct units *phrase)
{
    size_t t = from;

    for (size_t p = 0; p < phrase->n; p++, t++) {
        const struct unit *want = &phrase->ptr[p];
        const struct unit *have;

        if (t == text->n)
            return false;
        have = &text->ptr[t];
        /* the hyphen that a line end took: "well-" "known" */
        if (t > from && have->broken && want->cp == '-' && !want->space &&
            p + 1 < phrase->n)
            want = &phrase->ptr[++p];
        if (want->cp != have->cp)
            return false;
        if (p != 0 && want->space != have->space &&
            !(have->east && text->ptr[t - 1].east))
            return false;
    }
    *end = t;
    return true;
}

/* No character, and no word written in letters, is cut at the end. */
static bool ends_well(const struct units *text, size_t from, size_t end)
{
    const struct unit *u = text->ptr;

    if (end < text->n && !u[end].space && !u[end].broken &&
        (u[end].inner || (u[end].letter && u[end - 1].letter)))
        return false;
    return from == 0 || u[from].space ||
           !(u[from].letter && u[from - 1].letter);
}

rag_status rag_phrase_find(rag_phrase_span *out, rag_str text, rag_str phrase,
                           rag_error *err)
{
    struct units t = {0};
    struct units p = {0};
    rag_status st;

    *out = (rag_phrase_span){0};
    if (rag_utf8_count(phrase) > RAG_PHRASE_MAX_CHARS)
        return rag_fail(err, RAG_E_LIMIT, "phrase longer than %u characters",
                        RAG_PHRASE_MAX_CHARS);
    TRY(split(&p, phrase, err));
    if (p.n == 0)
        goto out;
    TRY(split(&t, text, err));
    for (size_t i = 0; i < t.n && !out->found; i++) {
        size_t end;

        if (t.ptr[i].cp != p.ptr[0].cp || t.ptr[i].inner ||
            !matches(&end, &t, i, &p) || !ends_well(&t, i, end))
            continue;
        out->found = true;
        out->start = t.ptr[i].start;
        out->end = t.ptr[end - 1].end;
    }
out:
    rag_free(t.ptr);
    rag_free(p.ptr);
    return st;
}
