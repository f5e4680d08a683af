#include "doc/pdf_layout.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define SOFT_HYPHEN 0xADu

/* Presentation forms that fonts have and words do not. */
static const char *ligature(uint32_t cp)
{
    static const char *const names[] = {"ff",  "fi", "fl", "ffi",
                                        "ffl", "st", "st"};

    if (cp >= 0xFB00 && cp <= 0xFB06)
        return names[cp - 0xFB00];
    return NULL;
}

/* Controls and things that mark no place in a text. Joiners stay: Arabic,
 * Indic scripts and emoji need them. */
static bool is_noise(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0xFEFF ||
           cp == 0x200B || (cp >= 0x2028 && cp <= 0x202E) ||
           (cp >= 0x2066 && cp <= 0x2069) || (cp & 0xFFFEu) == 0xFFFEu ||
           (cp >= 0xFDD0 && cp <= 0xFDEF) || (cp >= 0xFFF9 && cp <= 0xFFFB);
}

static bool is_blank(uint32_t cp)
{
    return cp == '\t' || cp == '\n' || cp == '\f' || cp == '\r' ||
           rag_utf8_is_space(cp);
}

void rag_pdf_clean_word(rag_buf *out, rag_str word)
{
    while (word.len > 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, word);
        const char *lig = ligature(cp);
        char bytes[4];

        word = rag_str_cut(word, n, word.len);
        if (lig != NULL)
            rag_buf_addz(out, lig);
        else if (is_blank(cp)) {
            if (out->len > 0 && out->ptr[out->len - 1] != ' ')
                rag_buf_addc(out, ' ');
        } else if (!is_noise(cp) && (cp != SOFT_HYPHEN || word.len == 0))
            rag_buf_add(out, bytes, rag_utf8_encode(bytes, cp));
    }
}

/* ---- right to left */

enum dir { DIR_NEUTRAL, DIR_LEFT, DIR_RIGHT };

static enum dir dir_of(uint32_t cp)
{
    if ((cp >= 0x590 && cp <= 0x8FF) || (cp >= 0xFB1D && cp <= 0xFDFF) ||
        (cp >= 0xFE70 && cp <= 0xFEFE) || (cp >= 0x10800 && cp <= 0x10FFF) ||
        (cp >= 0x1E800 && cp <= 0x1EFFF)) {
        /* their digits run from the left */
        bool digit =
            (cp >= 0x660 && cp <= 0x669) || (cp >= 0x6F0 && cp <= 0x6F9);
        return digit ? DIR_LEFT : DIR_RIGHT;
    }
    return rag_utf8_is_alnum(cp) ? DIR_LEFT : DIR_NEUTRAL;
}

static uint32_t mirrored(uint32_t cp)
{
    static const char pairs[] = "()[]{}<>";
    const char *p;

    if (cp == 0 || cp >= 0x80)
        return cp;
    p = strchr(pairs, (int)cp);
    if (p == NULL)
        return cp;
    return (uint32_t)pairs[(p - pairs) ^ 1];
}

static void reverse(uint32_t *cps, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        uint32_t t = cps[i];

        cps[i] = cps[n - 1 - i];
        cps[n - 1 - i] = t;
    }
}

/* Turns the runs of direction d (with the neutrals inside them) round. */
static void reverse_runs(uint32_t *cps, size_t n, enum dir d)
{
    for (size_t i = 0; i < n;) {
        size_t end = i;

        if (dir_of(cps[i]) != d) {
            i++;
            continue;
        }
        for (size_t k = i; k < n; k++) {
            enum dir at = dir_of(cps[k]);

            if (at == d)
                end = k + 1;
            else if (at != DIR_NEUTRAL)
                break;
        }
        reverse(cps + i, end - i);
        i = end;
    }
}

static void to_logical(uint32_t *cps, size_t n)
{
    size_t n_left = 0;
    size_t n_right = 0;

    for (size_t i = 0; i < n; i++) {
        n_left += dir_of(cps[i]) == DIR_LEFT;
        n_right += dir_of(cps[i]) == DIR_RIGHT;
    }
    if (n_right >= n_left) {
        /* the line runs from the right: all of it, then its Latin parts back */
        reverse(cps, n);
        for (size_t i = 0; i < n; i++)
            cps[i] = mirrored(cps[i]);
        reverse_runs(cps, n, DIR_LEFT);
    } else {
        reverse_runs(cps, n, DIR_RIGHT);
    }
}

static bool has_rtl(rag_str s)
{
    while (s.len > 0) {
        uint32_t cp = (unsigned char)s.ptr[0];
        size_t n = cp < 0x80 ? 1 : rag_utf8_decode(&cp, NULL, s);

        if (cp >= 0x590 && dir_of(cp) == DIR_RIGHT)
            return true;
        s = rag_str_cut(s, n, s.len);
    }
    return false;
}

rag_status rag_pdf_clean_rtl(rag_buf *text, size_t start, rag_error *err)
{
    rag_str s = rag_str_cut(rag_buf_str(text), start, text->len);
    uint32_t *cps;
    size_t n = 0;

    if (!has_rtl(s))
        return RAG_OK;
    cps = rag_realloc_array(NULL, s.len, sizeof *cps);
    if (cps == NULL)
        return rag_fail_nomem(err);
    while (s.len > 0) {
        size_t k = rag_utf8_decode(&cps[n++], NULL, s);

        s = rag_str_cut(s, k, s.len);
    }
    to_logical(cps, n);
    rag_buf_trunc(text, start);
    for (size_t i = 0; i < n; i++) {
        char bytes[4];

        rag_buf_add(text, bytes, rag_utf8_encode(bytes, cps[i]));
    }
    rag_free(cps);
    return rag_buf_status(text, err);
}
