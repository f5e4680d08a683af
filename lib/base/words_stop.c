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
    "won't",   "would",  "you",   "your", "가",     "가요",  "같은",
    "거나",    "과",     "관해",  "군요", "그",     "까요",  "까지",
    "나",      "나요",   "네요",  "누가", "누구",   "는",    "는가",
    "는데",    "는지",   "니까",  "니다", "다는",   "대해",  "데요",
    "도",      "도록",   "돼야",  "돼요", "되고",   "되기",  "되나",
    "되는",    "되려",   "되면",  "되어", "되죠",   "되지",  "된다",
    "될까",    "됩니",   "든지",  "디서", "디에",   "떤가",  "떻게",
    "라는",    "라서",   "란",    "려고", "려면",   "려주",  "려줘",
    "로",      "른가",   "를",    "마나", "만",     "면서",  "몇",
    "무슨",    "무엇",   "뭐",    "뭔",   "및",     "부터",  "세요",
    "습니",    "싶다",   "싶습",  "싶어", "싶은",   "쓰죠",  "아서",
    "아야",    "아요",   "알려",  "았나", "았을",   "야",    "어느",
    "어디",    "어떤",   "어떻",  "어서", "어야",   "어요",  "언제",
    "얼마",    "없는",   "없다",  "엇을", "엇이",   "엇인",  "었나",
    "었던",    "었을",   "에",    "에게", "에서",   "여서",  "여요",
    "오려",    "와",     "왜",    "요",   "워요",   "으려",  "으로",
    "으면",    "은",     "은가",  "은데", "은지",   "을",    "을까",
    "을지",    "의",     "이",    "이고", "이다",   "이면",  "인",
    "인가",    "인데",   "인지",  "일까", "입니",   "있나",  "있는",
    "있다",    "있습",   "져서",  "죠",   "주세",   "주시",  "줘",
    "지만",    "지면",   "지요",  "하",   "하고",   "하기",  "하나",
    "하는",    "하려",   "하면",  "하여", "하죠",   "하지",  "한",
    "한가",    "한다",   "한데",  "할",   "할까",   "할지",  "합니",
    "해",      "해서",   "해야",  "해요", "해주",   "해줘",  "했나",
    "했던",    "했을",
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
