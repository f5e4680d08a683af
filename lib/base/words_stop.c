#include "base/words.h"

/* Forms as rag_words_each() gives them: English words as their stems, Korean
 * question words, endings and particles as their grams. Sorted by bytes.
 * Words that can be a topic ("explain", "대한") are not here: what is merely
 * frequent weighs little by its idf. */
static const char *const stops[] = {
    "a",       "about",  "also",  "am",   "an",     "and",   "ani",
    "are",     "aren't", "as",    "at",   "be",     "been",  "by",
    "can",     "can't",  "could", "did",  "didn't", "do",    "doe",
    "doesn't", "don't",  "done",  "for",  "from",   "had",   "has",
    "have",    "he",     "her",   "here", "him",    "his",   "how",
    "i",       "i'm",    "if",    "in",   "into",   "is",    "isn't",
    "it",      "just",   "ll",    "mani", "me",     "might", "much",
    "must",    "my",     "no",    "not",  "of",     "on",    "or",
    "our",     "pleas",  "shall", "she",  "should", "so",    "some",
    "tell",    "than",   "that",  "the",  "their",  "them",  "then",
    "there",   "these",  "they",  "this", "those",  "to",    "ve",
    "was",     "wasn't", "we",    "were", "what",   "when",  "where",
    "whi",     "which",  "who",   "whom", "whose",  "will",  "with",
    "won't",   "would",  "you",   "your", "가",     "과",    "관해",
    "그",      "까요",   "까지",  "나",   "나요",   "누가",  "누구",
    "는",      "는가",   "는지",  "니까", "대해",   "도",    "되나",
    "되는",    "됩니",   "디서",  "디에", "떤가",   "떻게",  "란",
    "려면",    "로",     "를",    "마나", "만",     "몇",    "무슨",
    "무엇",    "뭐",     "뭔",    "및",   "부터",   "습니",  "야",
    "어느",    "어디",   "어떤",  "어떻", "언제",   "얼마",  "엇을",
    "엇이",    "엇인",   "에",    "에게", "에서",   "와",    "왜",
    "요",      "으로",   "은",    "은가", "을",     "의",    "이",
    "인",      "인가",   "입니",  "있나", "있는",   "있습",  "하",
    "하는",    "하려",   "하면",  "한",   "할",     "합니",  "해",
    "해야",
};

bool rag_words_is_stop(rag_str form)
{
    size_t lo = 0;
    size_t hi = sizeof stops / sizeof stops[0];

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = rag_str_cmp(form, rag_str_of(stops[mid]));

        if (c == 0)
            return true;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return false;
}

/* Single-syllable particles; 서 ends 에서. */
static bool is_particle(rag_str syllable)
{
    static const char *const particles[] = {"은", "는", "이", "가", "을",
                                            "를", "의", "에", "로", "와",
                                            "과", "도", "만", "서"};

    for (size_t i = 0; i < sizeof particles / sizeof particles[0]; i++)
        if (rag_str_eqz(syllable, particles[i]))
            return true;
    return false;
}

float rag_words_weight(const rag_word *w)
{
    if (rag_words_is_stop(w->form))
        return 0;
    if (w->kind == RAG_WORD_GRAM && w->form.len == 6 &&
        is_particle(rag_str_cut(w->form, 3, 6)))
        return 0.5F;
    return 1;
}
