#include <string.h>

#include "flow/claim.h"

typedef struct unit_name {
    const char *name;
    rag_claim_unit unit;
} unit_name;

enum {
    U_MS = 1,
    U_SECOND,
    U_MINUTE,
    U_HOUR,
    U_DAY,
    U_WEEK,
    U_MONTH,
    U_YEAR,
    U_BYTE,
    U_KB,
    U_MB,
    U_GB,
    U_TB,
    U_BIT,
    U_MM,
    U_CM,
    U_M,
    U_KM,
    U_INCH,
    U_FOOT,
    U_MILE,
    U_MG,
    U_G,
    U_KG,
    U_TON,
    U_POUND,
    U_PERCENT,
    U_POINT,
    U_DOLLAR,
    U_EURO,
    U_WON,
    U_YEN,
    U_STERLING,
    U_THOUSAND,
    U_MILLION,
    U_BILLION,
    U_TRILLION,
    U_MAN,
    U_EOK,
    U_JO,
    U_CELSIUS,
    U_FAHRENHEIT,
    U_HZ,
    U_VOLT,
    U_WATT,
    U_LITRE
};

/* English: the whole word, a plural s taken off. */
static const unit_name latin_units[] = {
    {"ms", U_MS},
    {"msec", U_MS},
    {"millisecond", U_MS},
    {"s", U_SECOND},
    {"sec", U_SECOND},
    {"second", U_SECOND},
    {"min", U_MINUTE},
    {"minute", U_MINUTE},
    {"h", U_HOUR},
    {"hr", U_HOUR},
    {"hour", U_HOUR},
    {"day", U_DAY},
    {"week", U_WEEK},
    {"month", U_MONTH},
    {"yr", U_YEAR},
    {"year", U_YEAR},
    {"b", U_BYTE},
    {"byte", U_BYTE},
    {"kb", U_KB},
    {"kib", U_KB},
    {"kilobyte", U_KB},
    {"mb", U_MB},
    {"mib", U_MB},
    {"megabyte", U_MB},
    {"gb", U_GB},
    {"gib", U_GB},
    {"gigabyte", U_GB},
    {"tb", U_TB},
    {"terabyte", U_TB},
    {"bit", U_BIT},
    {"mm", U_MM},
    {"millimeter", U_MM},
    {"cm", U_CM},
    {"centimeter", U_CM},
    {"m", U_M},
    {"meter", U_M},
    {"metre", U_M},
    {"km", U_KM},
    {"kilometer", U_KM},
    {"kilometre", U_KM},
    {"inch", U_INCH},
    {"inches", U_INCH},
    {"ft", U_FOOT},
    {"foot", U_FOOT},
    {"feet", U_FOOT},
    {"mi", U_MILE},
    {"mile", U_MILE},
    {"mg", U_MG},
    {"milligram", U_MG},
    {"g", U_G},
    {"gram", U_G},
    {"kg", U_KG},
    {"kilogram", U_KG},
    {"ton", U_TON},
    {"tonne", U_TON},
    {"lb", U_POUND},
    {"pound", U_POUND},
    {"percent", U_PERCENT},
    {"pct", U_PERCENT},
    {"dollar", U_DOLLAR},
    {"usd", U_DOLLAR},
    {"euro", U_EURO},
    {"eur", U_EURO},
    {"won", U_WON},
    {"krw", U_WON},
    {"yen", U_YEN},
    {"thousand", U_THOUSAND},
    {"million", U_MILLION},
    {"billion", U_BILLION},
    {"trillion", U_TRILLION},
    {"hz", U_HZ},
    {"v", U_VOLT},
    {"volt", U_VOLT},
    {"w", U_WATT},
    {"watt", U_WATT},
    {"l", U_LITRE},
    {"liter", U_LITRE},
    {"litre", U_LITRE},
};

/* Korean and signs: what the text goes on with; the longest first. */
static const unit_name prefix_units[] = {
    {"밀리초", U_MS},     {"밀리그램", U_MG},    {"밀리미터", U_MM},
    {"킬로미터", U_KM},   {"킬로그램", U_KG},    {"센티미터", U_CM},
    {"킬로바이트", U_KB}, {"메가바이트", U_MB},  {"기가바이트", U_GB},
    {"테라바이트", U_TB}, {"퍼센트", U_PERCENT}, {"프로", U_PERCENT},
    {"개월", U_MONTH},    {"바이트", U_BYTE},    {"비트", U_BIT},
    {"시간", U_HOUR},     {"미터", U_M},         {"그램", U_G},
    {"달러", U_DOLLAR},   {"유로", U_EURO},      {"리터", U_LITRE},
    {"와트", U_WATT},     {"볼트", U_VOLT},      {"초", U_SECOND},
    {"분", U_MINUTE},     {"주", U_WEEK},        {"년", U_YEAR},
    {"톤", U_TON},        {"원", U_WON},         {"엔", U_YEN},
    {"천", U_THOUSAND},   {"만", U_MAN},         {"억", U_EOK},
    {"조", U_JO},         {"%p", U_POINT},       {"%", U_PERCENT},
    {"％", U_PERCENT},    {"°C", U_CELSIUS},     {"℃", U_CELSIUS},
    {"°F", U_FAHRENHEIT}, {"℉", U_FAHRENHEIT},   {"€", U_EURO},
    {"£", U_STERLING},    {"₩", U_WON},          {"¥", U_YEN},
};

static const unit_name signs[] = {
    {"$", U_DOLLAR}, {"€", U_EURO}, {"£", U_STERLING},
    {"₩", U_WON},    {"¥", U_YEN},  {"￦", U_WON},
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

rag_claim_unit rag_claim_unit_of(rag_str s)
{
    size_t n = 0;
    rag_str word;

    while (s.len != 0 && (s.ptr[0] == ' ' || s.ptr[0] == '-'))
        s = rag_str_cut(s, 1, s.len);
    while (n < s.len && n < 16 && is_letter(s.ptr[n]))
        n++;
    word = rag_str_cut(s, 0, n);
    for (int i = 0; n != 0 && i < 2; i++) {
        for (size_t k = 0; k < sizeof latin_units / sizeof latin_units[0]; k++)
            if (rag_str_ieqz(word, latin_units[k].name))
                return latin_units[k].unit;
        if (n < 3 || (word.ptr[n - 1] != 's' && word.ptr[n - 1] != 'S'))
            break;
        word = rag_str_cut(word, 0, n - 1);
    }
    for (size_t k = 0; k < sizeof prefix_units / sizeof prefix_units[0]; k++)
        if (rag_str_starts(s, prefix_units[k].name))
            return prefix_units[k].unit;
    return 0;
}

rag_claim_unit rag_claim_sign_of(rag_str s)
{
    for (size_t k = 0; k < sizeof signs / sizeof signs[0]; k++)
        if (rag_str_ends(s, signs[k].name))
            return signs[k].unit;
    return 0;
}

/* "one" and "a" say too often nothing about how many. */
const char *rag_claim_digits(rag_str form)
{
    static const char *const words[][2] = {
        {"two", "2"},      {"three", "3"},   {"four", "4"},    {"five", "5"},
        {"six", "6"},      {"seven", "7"},   {"eight", "8"},   {"nine", "9"},
        {"ten", "10"},     {"eleven", "11"}, {"twelv", "12"},  {"twenti", "20"},
        {"thirti", "30"},  {"forti", "40"},  {"fifti", "50"},  {"sixti", "60"},
        {"seventi", "70"}, {"eighti", "80"}, {"nineti", "90"}, {"두", "2"},
        {"세", "3"},       {"네", "4"},      {"다섯", "5"},    {"여섯", "6"},
        {"일곱", "7"},     {"여덟", "8"},    {"아홉", "9"},    {"열", "10"},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (rag_str_eqz(form, words[i][0]))
            return words[i][1];
    return NULL;
}

rag_str rag_claim_opposite(rag_str form)
{
    /* stems and grams as words.h makes them */
    static const char *const pairs[][2] = {
        {"increas", "decreas"},   {"increas", "reduc"},  {"rise", "fall"},
        {"rose", "fell"},         {"higher", "lower"},   {"high", "low"},
        {"more", "less"},         {"more", "fewer"},     {"most", "least"},
        {"maximum", "minimum"},   {"befor", "after"},    {"abov", "below"},
        {"over", "under"},        {"true", "fals"},      {"enabl", "disabl"},
        {"allow", "forbid"},      {"allow", "prohibit"}, {"accept", "reject"},
        {"success", "failur"},    {"succeed", "fail"},   {"start", "stop"},
        {"open", "close"},        {"includ", "exclud"},  {"add", "remov"},
        {"posit", "negat"},       {"activ", "inhibit"},  {"promot", "inhibit"},
        {"induc", "inhibit"},     {"enhanc", "impair"},  {"improv", "worsen"},
        {"upregul", "downregul"}, {"gain", "lose"},      {"larger", "smaller"},
        {"longer", "shorter"},    {"faster", "slower"},  {"older", "younger"},
        {"requir", "option"},     {"public", "privat"},  {"safe", "unsaf"},
        {"valid", "invalid"},     {"possibl", "imposs"}, {"male", "femal"},
        {"north", "south"},       {"east", "west"},      {"증가", "감소"},
        {"상승", "하락"},         {"이상", "이하"},      {"초과", "미만"},
        {"최대", "최소"},         {"최고", "최저"},      {"이전", "이후"},
        {"찬성", "반대"},         {"성공", "실패"},      {"허용", "금지"},
        {"포함", "제외"},         {"시작", "종료"},      {"높은", "낮은"},
        {"높다", "낮다"},         {"많은", "적은"},      {"많다", "적다"},
        {"있다", "없다"},         {"있는", "없는"},      {"있습", "없습"},
        {"가능", "불가"},         {"남쪽", "북쪽"},      {"동쪽", "서쪽"},
        {"승리", "패배"},         {"수입", "수출"},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (rag_str_eqz(form, pairs[i][0]))
            return rag_str_of(pairs[i][1]);
        if (rag_str_eqz(form, pairs[i][1]))
            return rag_str_of(pairs[i][0]);
    }
    return rag_str_of("");
}

bool rag_claim_denies_next(rag_str form)
{
    static const char *const words[] = {"not",     "no",      "never", "cannot",
                                        "without", "neither", "nor",   "none",
                                        "안",      "못"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (rag_str_eqz(form, words[i]))
            return true;
    return rag_str_ends(form, "n't");
}

bool rag_claim_denies_last(rag_str form)
{
    static const char *const syllables[] = {"않", "없"};
    static const char *const grams[] = {"아니", "아닌", "아닙", "불가", "금지",
                                        "못하", "못한", "못했", "못합"};

    for (size_t i = 0; i < sizeof syllables / sizeof syllables[0]; i++)
        if (rag_str_starts(form, syllables[i]))
            return true;
    for (size_t i = 0; i < sizeof grams / sizeof grams[0]; i++)
        if (rag_str_eqz(form, grams[i]))
            return true;
    return false;
}
