#include "nn/classes.h"

#include "base/utf8.h"

typedef struct rag_class_range {
    uint32_t first;
    uint32_t last;
} rag_class_range;

#include "nn/classes_data.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static bool in(const rag_class_range *ranges, size_t n, uint32_t cp)
{
    size_t lo = 0;
    size_t hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (cp > ranges[mid].last)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && cp >= ranges[lo].first;
}

rag_class rag_class_of(uint32_t cp)
{
    if (in(letters, COUNT(letters), cp))
        return RAG_CLASS_LETTER;
    if (in(numbers, COUNT(numbers), cp))
        return RAG_CLASS_NUMBER;
    return rag_utf8_is_space(cp) ? RAG_CLASS_SPACE : RAG_CLASS_OTHER;
}

unsigned rag_class_bits(uint32_t cp)
{
    unsigned bits = 0;

    if (in(upper, COUNT(upper), cp))
        bits = RAG_CLASS_UPPER;
    else if (in(lower, COUNT(lower), cp))
        bits = RAG_CLASS_LOWER;
    else if (in(letters, COUNT(letters), cp) || in(marks, COUNT(marks), cp))
        bits = RAG_CLASS_UPPER | RAG_CLASS_LOWER;
    if (rag_class_bert_punctuation(cp)) /* the same set */
        bits |= RAG_CLASS_PUNCTUATION;
    return in(digits, COUNT(digits), cp) ? bits | RAG_CLASS_DIGIT : bits;
}

bool rag_class_bert_dropped(uint32_t cp)
{
    return in(bert_dropped, COUNT(bert_dropped), cp);
}

bool rag_class_bert_mark(uint32_t cp)
{
    return in(bert_marks, COUNT(bert_marks), cp);
}

bool rag_class_accent(uint32_t cp)
{
    return in(accents, COUNT(accents), cp);
}

bool rag_class_bert_punctuation(uint32_t cp)
{
    return in(bert_punctuation, COUNT(bert_punctuation), cp);
}

bool rag_class_bert_han(uint32_t cp)
{
    /* the fifth begins where the reference lets it begin */
    static const rag_class_range han[] = {
        {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
        {0x20000, 0x2A6DF}, {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF},
        {0x2F800, 0x2FA1F},
    };

    return in(han, COUNT(han), cp);
}

/* Pairs that Unicode got in versions 15 to 17: `first` to `last` become the
 * ones `to` onwards, every second when they alternate with their small ones. */
typedef struct late_lower {
    uint32_t first;
    uint32_t last;
    uint32_t to;
    uint32_t step;
} late_lower;

size_t rag_class_lower(uint32_t out[2], uint32_t cp)
{
    static const late_lower late[] = {
        {0x1C89, 0x1C89, 0x1C8A, 1},    {0xA7CB, 0xA7CB, 0x264, 1},
        {0xA7CC, 0xA7CE, 0xA7CD, 2},    {0xA7D2, 0xA7D4, 0xA7D3, 2},
        {0xA7DA, 0xA7DA, 0xA7DB, 1},    {0xA7DC, 0xA7DC, 0x19B, 1},
        {0x10D50, 0x10D65, 0x10D70, 1}, {0x16EA0, 0x16EB8, 0x16EBB, 1},
    };

    for (size_t i = 0; i < COUNT(late); i++) {
        if (cp >= late[i].first && cp <= late[i].last &&
            (cp - late[i].first) % late[i].step == 0) {
            out[0] = late[i].to + (cp - late[i].first);
            return 1;
        }
    }
    out[0] = rag_utf8_lower(cp);
    if (cp != 0x130) /* capital I with a dot: keeps it */
        return 1;
    out[0] = 'i';
    out[1] = 0x307;
    return 2;
}

size_t rag_class_decompose(uint32_t *out, size_t cap, uint32_t cp)
{
    /* decomposed by Unicode 13 and later, not by the reference */
    static const rag_class_range late[] = {
        {0x105C9, 0x105C9}, {0x105E4, 0x105E4}, {0x11383, 0x11383},
        {0x11385, 0x11385}, {0x1138E, 0x1138E}, {0x11391, 0x11391},
        {0x113C5, 0x113C5}, {0x113C7, 0x113C8}, {0x11938, 0x11938},
        {0x16121, 0x16128}, {0x16D68, 0x16D6A},
    };

    return in(late, COUNT(late), cp) ? 0 : rag_utf8_canon(out, cap, cp);
}
