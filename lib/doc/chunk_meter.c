#include "chunk_priv.h"

/* The estimate is a small state machine over bytes: what a byte costs depends
 * on its class and on what stood before it (the first letter of a word costs
 * most of a token, the second next to nothing, a Hangul syllable about half).
 * The costs were fitted by least squares to the XLM-R SentencePiece vocabulary
 * on Korean and English manuals, encyclopedia articles, abstracts and C code,
 * in chunks of about 1,100 bytes, and rounded: 99.8 % of them lie within 20 %,
 * 92 % within 10 %. Scripts without samples were set by hand. */

/* classes of bytes */
enum {
    SPACE,
    LOW,
    UP,
    DIG,
    NONE, /* continuation bytes, controls, combining marks: cost nothing */
    HANGUL,
    LATX,  /* Latin with accents */
    OTHER, /* Greek, Cyrillic, Arabic, Indic ... */
    SYM,
    KANA,
    HAN,
    EMOJI,
    PUN,   /* from here on the byte alone does not tell: */
    LOOK,  /* its next bytes do, */
    AGAIN, /* or the one before: the same punctuation once more */
    N_CLASSES
};

/* states: what stood before */
enum {
    S_SPACE,
    S_PUN,
    S_DIG,
    S_LOW1, /* first letter of a word */
    S_LOW2,
    S_LOW3,
    S_LOW4,
    S_LOW5, /* fifth and later */
    S_UP,
    S_HANGUL1,
    S_HANGUL2,
    S_HANGUL3,
    S_CJK,
    S_OTHER,
    N_STATES
};

/* clang-format off */
static const uint8_t classes[256] = {
    /* 00 */ 4, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 0, 0, 4, 4,
    /* 10 */ 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    /* 20 */ 0, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
    /* 30 */ 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 12, 12, 12, 12, 12, 12,
    /* 40 */ 12, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    /* 50 */ 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 12, 12, 12, 12, 12,
    /* 60 */ 12, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    /* 70 */ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 12, 12, 12, 12, 4,
    /* 80 */ 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    /* 90 */ 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    /* A0 */ 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    /* B0 */ 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    /* C0 */ 4, 4, 13, 6, 6, 6, 6, 6, 6, 6, 6, 6, 4, 4, 7, 7,
    /* D0 */ 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    /* E0 */ 7, 13, 13, 13, 10, 10, 10, 10, 10, 10, 5, 5, 5, 5, 8, 13,
    /* F0 */ 13, 13, 13, 13, 13, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4};
/* clang-format on */

#define T(state, cost) (uint16_t)((state) << 8 | (cost))
/* one state's row: where a lower-case letter leads and what it costs, costs of
 * an upper-case letter, digit, punctuation, Han character and other letter,
 * where a Hangul syllable leads and what it costs */
#define ROW(own, low_to, low, up, dig, pun, han, other, hangul_to, hangul)     \
    {                                                                          \
        [SPACE] = T(S_SPACE, 0), [NONE] = T(own, 0), [LOW] = T(low_to, low),   \
        [UP] = T(S_UP, up), [DIG] = T(S_DIG, dig), [PUN] = T(S_PUN, pun),      \
        [AGAIN] = T(S_PUN, 7), [HAN] = T(S_CJK, han),                          \
        [OTHER] = T(S_OTHER, other), [HANGUL] = T(hangul_to, hangul),          \
        [LATX] = T(S_LOW3, 32), [SYM] = T(S_PUN, 80), [KANA] = T(S_CJK, 35),   \
        [EMOJI] = T(S_PUN, 102)                                                \
    }

static const uint16_t steps[N_STATES][N_CLASSES] = {
    [S_SPACE] = ROW(S_SPACE, S_LOW1, 52, 52, 70, 62, 64, 48, S_HANGUL1, 42),
    [S_PUN] = ROW(S_PUN, S_LOW1, 70, 70, 41, 48, 64, 48, S_HANGUL1, 42),
    [S_DIG] = ROW(S_DIG, S_LOW1, 70, 70, 9, 58, 64, 48, S_HANGUL1, 42),
    [S_LOW1] = ROW(S_LOW1, S_LOW2, 6, 70, 41, 58, 64, 48, S_HANGUL1, 42),
    [S_LOW2] = ROW(S_LOW2, S_LOW3, 6, 70, 41, 58, 64, 48, S_HANGUL1, 42),
    [S_LOW3] = ROW(S_LOW3, S_LOW4, 6, 70, 41, 58, 64, 48, S_HANGUL1, 42),
    [S_LOW4] = ROW(S_LOW4, S_LOW5, 6, 70, 41, 58, 64, 48, S_HANGUL1, 42),
    [S_LOW5] = ROW(S_LOW5, S_LOW5, 11, 70, 41, 58, 64, 48, S_HANGUL1, 42),
    [S_UP] = ROW(S_UP, S_LOW2, 6, 20, 41, 58, 64, 48, S_HANGUL1, 42),
    [S_HANGUL1] = ROW(S_HANGUL1, S_LOW1, 70, 70, 41, 58, 64, 48, S_HANGUL2, 46),
    [S_HANGUL2] = ROW(S_HANGUL2, S_LOW1, 70, 70, 41, 58, 64, 48, S_HANGUL3, 58),
    [S_HANGUL3] = ROW(S_HANGUL3, S_LOW1, 70, 70, 41, 58, 64, 48, S_HANGUL3, 35),
    [S_CJK] = ROW(S_CJK, S_LOW1, 70, 70, 41, 58, 48, 48, S_HANGUL1, 42),
    [S_OTHER] = ROW(S_OTHER, S_LOW1, 70, 70, 41, 58, 64, 18, S_HANGUL1, 42),
};

/* The class of a character whose lead byte does not tell. */
static unsigned look(const unsigned char *p, const unsigned char *end)
{
    unsigned second = end - p > 1 ? p[1] : 0;
    unsigned third = end - p > 2 ? p[2] : 0;

    switch (p[0]) {
    case 0xC2:
        return second == 0xA0 ? SPACE : second == 0xAD ? NONE : SYM;
    case 0xE1: /* conjoining jamo: the leading one stands for the syllable */
        if (second == 0x84)
            return HANGUL;
        return second >= 0x85 && second <= 0x87 ? NONE : OTHER;
    case 0xE2: /* zero-width characters and marks of direction */
        return second == 0x80 && third >= 0x8B && third <= 0x8F ? NONE : SYM;
    case 0xE3:
        if (second == 0x80)
            return third == 0x80 ? SPACE : SYM;
        if (second <= 0x83)
            return KANA;
        return second < 0x90 ? SYM : HAN;
    case 0xEF: /* variation selectors, byte order mark */
        if ((second == 0xB8 && third <= 0x8F) ||
            (second == 0xBB && third == 0xBF))
            return NONE;
        return SYM;
    case 0xF0:
        return second == 0x9F ? EMOJI : second >= 0xA0 ? HAN : SYM;
    case 0xF3: /* tags */
        return second == 0xA0 ? NONE : SYM;
    default:
        return SYM;
    }
}

void rag_chunk_meter_add(rag_chunk_meter *m, const char *from, const char *to,
                         const char *text_end)
{
    const unsigned char *p = (const unsigned char *)from;
    const unsigned char *end = (const unsigned char *)to;
    uint64_t units = m->units;
    unsigned state = m->state;
    unsigned last = m->last;

    for (; p < end; p++) {
        unsigned class = classes[*p];
        unsigned step;

        if (class >= PUN) {
            if (class == LOOK)
                class = look(p, (const unsigned char *)text_end);
            else if (*p == last && state == S_PUN)
                class = AGAIN;
        }
        step = steps[state][class];
        units += step & 0xFF;
        state = step >> 8;
        last = *p;
    }
    m->units = units;
    m->state = (uint8_t)state;
    m->last = (uint8_t)last;
}

uint32_t rag_chunk_tokens(rag_str text)
{
    rag_chunk_meter m = {0};
    uint64_t tokens;

    if (text.len == 0)
        return 0;
    rag_chunk_meter_add(&m, text.ptr, text.ptr + text.len, text.ptr + text.len);
    tokens = (m.units + RAG_CHUNK_UNITS - 1) / RAG_CHUNK_UNITS;
    return tokens < UINT32_MAX ? (uint32_t)tokens : UINT32_MAX;
}
