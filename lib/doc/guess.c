#include "doc/guess.h"

#include <iconv.h>
#include <string.h>

#include <uchardet/uchardet.h>

static void set_name(char out[RAG_CHARSET_NAME_BYTES], const char *name)
{
    size_t n = strlen(name);

    if (n >= RAG_CHARSET_NAME_BYTES)
        n = RAG_CHARSET_NAME_BYTES - 1;
    memcpy(out, name, n);
    out[n] = '\0';
}

typedef struct high_runs {
    size_t n_high; /* bytes >= 0x80 */
    size_t n_runs; /* of them, one after the other */
    size_t n_lone; /* runs of one byte */
} high_runs;

static high_runs count_runs(rag_str s)
{
    high_runs h = {0, 0, 0};
    size_t run = 0;

    for (size_t i = 0; i <= s.len; i++) {
        if (i < s.len && (unsigned char)s.ptr[i] >= 0x80) {
            run++;
            continue;
        }
        h.n_high += run;
        h.n_runs += run != 0;
        h.n_lone += run == 1;
        run = 0;
    }
    return h;
}

typedef enum script_set {
    WANT_HANGUL,
    WANT_JAPANESE, /* kana and Han */
    WANT_KANA
} script_set;

/* Decodes the character at the front of s into *cp; returns its bytes, 0 when
 * there is none. iconv is shown a few bytes only: it decodes all that it is
 * given, also when there is room for one character. */
static size_t decode_one(uint32_t *cp, iconv_t cd, rag_str s)
{
    char in[4];
    char four[4];
    char *from = in;
    char *to = four;
    size_t n = s.len < sizeof in ? s.len : sizeof in;
    size_t left = n;
    size_t room = sizeof four;

    memcpy(in, s.ptr, n);
    if ((iconv(cd, &from, &left, &to, &room) == (size_t)-1 && to == four) ||
        left == n)
        return 0;
    *cp = (uint32_t)(unsigned char)four[0] |
          (uint32_t)(unsigned char)four[1] << 8 |
          (uint32_t)(unsigned char)four[2] << 16;
    return n - left;
}

/* Share (per mille) of the characters beyond ASCII that prose of the script
 * holds, when sample is decoded as `name`; faults and rare characters count
 * against it. */
static int score_as(const char *name, rag_str sample, script_set want)
{
    iconv_t cd = iconv_open("UTF-32LE", name);
    bool johab = strcmp(name, "JOHAB") == 0;
    long good = 0;
    long bad = 0;
    long n = 0;

    if (cd == (iconv_t)-1)
        return -1000;
    for (size_t i = 0; i < sample.len && bad <= 64 + n / 4;) {
        unsigned char lead = (unsigned char)sample.ptr[i];
        uint32_t cp = 0;
        size_t k = 1;

        if (lead >= 0x80) {
            k = decode_one(&cp, cd, rag_str_cut(sample, i, sample.len));
            if (k == 0 && i + 3 > sample.len)
                break; /* the sample ends inside a character */
            bad += k == 0 ? 2 : cp >= 0xFF61 && cp <= 0xFF9F;
            n += k != 0;
        }
        if (want == WANT_HANGUL)
            /* CP949's common syllables begin here, the rare ones below */
            good += cp >= 0xAC00 && cp <= 0xD7A3 && (lead >= 0xB0 || johab);
        else
            good += (cp >= 0x3000 && cp < 0x3100) ||
                    (want == WANT_JAPANESE && ((cp >= 0x4E00 && cp < 0xA000) ||
                                               (cp >= 0xFF00 && cp < 0xFF60)));
        i += k != 0 ? k : 1;
    }
    (void)iconv_close(cd); /* nothing is kept in it */
    if (n == 0)
        return -1000;
    return (int)((good - bad) * 1000 / n);
}

static void ask_uchardet(char out[RAG_CHARSET_NAME_BYTES], rag_str sample)
{
    uchardet_t ud = uchardet_new();

    out[0] = '\0';
    if (ud == NULL)
        return;
    if (uchardet_handle_data(ud, sample.ptr, sample.len) == 0) {
        uchardet_data_end(ud);
        set_name(out, uchardet_get_charset(ud));
    }
    uchardet_delete(ud);
}

void rag_guess_charset(char out[RAG_CHARSET_NAME_BYTES], rag_str sample)
{
    static const struct {
        const char *name;
        script_set want;
    } east[] = {{"CP949", WANT_HANGUL},
                {"CP932", WANT_JAPANESE},
                {"EUC-JP", WANT_KANA}, /* its Han are CP949's Hangul */
                {"JOHAB", WANT_HANGUL}};
    high_runs h = count_runs(sample);
    char said[RAG_CHARSET_NAME_BYTES];
    bool lone = h.n_lone * 10 >= h.n_runs * 6;
    int best = 699;

    set_name(out, "CP1252");
    if (h.n_high == 0)
        return;
    for (size_t i = 0; !lone && i < sizeof east / sizeof east[0]; i++) {
        int score = score_as(east[i].name, sample, east[i].want);

        if (score > best) {
            best = score;
            set_name(out, east[i].name);
        }
    }
    /* the second bytes of Shift_JIS may be ASCII; curled quotes read as its
     * Han, never as kana */
    if (lone && score_as("CP932", sample, WANT_KANA) > best) {
        set_name(out, "CP932");
        return;
    }
    if (best > 699)
        return;
    ask_uchardet(said, sample);
    /* single accented letters between ASCII: a short sample misleads the
     * detector, and Western is by far the most likely */
    if (said[0] == '\0' || (lone && h.n_high < 20) ||
        (lone && strncmp(said, "ISO-8859", 8) != 0 &&
         strncmp(said, "WINDOWS", 7) != 0))
        return;
    if (!rag_charset_of_label(out, rag_str_of(said)))
        set_name(out, "CP1252");
}
