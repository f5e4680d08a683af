#include "test.h"

#include "flow/cite.h"

#define RESET                                                                  \
    "To reset the device, hold the power button for ten seconds. The light "   \
    "blinks twice."
#define TIMEOUT_KO "제한 시간의 기본값은 30초이다. 값은 설정 파일에서 바꾼다."

typedef struct pair {
    const char *sentence;
    const char *passage;
    const char *support;
} pair;

static rag_cite_check check(const char *sentence, const char *passage,
                            const char *about)
{
    rag_cite *c = rag_cite_new();
    rag_cite_check k;
    rag_error err;

    assert_non_null(c);
    OK(rag_cite_compare(&k, c, rag_str_of(sentence), rag_str_of(passage),
                        rag_str_of(about), &err),
       &err);
    rag_cite_free(c);
    return k;
}

static void judge(const pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rag_cite_check k = check(pairs[i].sentence, pairs[i].passage, "");

        if (strcmp(rag_cite_support(&k), pairs[i].support) != 0)
            fail_msg("%s: %s, not %s", pairs[i].sentence, rag_cite_support(&k),
                     pairs[i].support);
    }
}

#define JUDGE(pairs) judge(pairs, sizeof(pairs) / sizeof(pairs)[0])

static void t_words(void **state)
{
    static const pair pairs[] = {
        {"hold the power   button FOR ten seconds", RESET, "supported"},
        {"Hold the power button for ten seconds to reset it.", RESET,
         "supported"},
        {"1. Hold the power button ten seconds.", RESET, "supported"},
        {"- Hold the power button ten seconds.", RESET, "supported"},
        {"The battery lasts a whole day when the screen is off.", RESET,
         "unsupported"},
        {"기본 제한 시간은 30초입니다.", TIMEOUT_KO, "supported"},
        {"배터리는 하루 종일 쓸 수 있습니다.", TIMEOUT_KO, "unsupported"},
        {"", RESET, "unsupported"},
        {"...", RESET, "unsupported"},
        {"word", "", "unsupported"},
    };

    (void)state;
    JUDGE(pairs);
}

static void t_numbers(void **state)
{
    static const pair pairs[] = {
        /* however it is written */
        {"Hold the power button for 10 seconds.", RESET, "supported"},
        {"Hold the button for 10 s.", RESET, "supported"},
        {"It costs $1,200.", "It costs 1200 dollars.", "supported"},
        {"On 7 March it closed.", "It closed on 07 March.", "supported"},
        {"A 10-year study.", "The study ran for 10 years.", "supported"},
        {"세 가지 방법이 있다.", "방법은 3가지 있다.", "supported"},
        /* another number, another unit */
        {"Hold the power button for 20 seconds.", RESET, "unsupported"},
        {"Hold the power button for twelve seconds.", RESET, "unsupported"},
        {"Hold the power button for 10 minutes.", RESET, "unsupported"},
        {"Sales were $3.2 billion.", "Sales were $3.2 million.", "unsupported"},
        {"It grew by 5 million.", "It grew by 5%.", "unsupported"},
        {"기본 제한 시간은 30분입니다.", TIMEOUT_KO, "unsupported"},
        {"기본 제한 시간은 40초입니다.", TIMEOUT_KO, "unsupported"},
        {"Hold it for two seconds.", "Hold it for 10 seconds.", "unsupported"},
        {"First, hold the power button ten seconds.", RESET, "supported"},
        {"It has two ports.", "It has ports: 80 and 443.", "partly"},
        /* codes */
        {"The server answers ERR_502.", "The server answers ERR_504.",
         "unsupported"},
        {"The DVB-S8 standard is used.", "The DVB-S2 standard is used; 8.",
         "unsupported"},
        {"It needs 10kg.", "It needs 10 kg.", "supported"},
        {"The server answers bad_gateway now.",
         "The server answers too_late now.", "partly"},
        {"It runs on Python3.", "It runs on Python 3.", "supported"},
    };
    rag_cite_check k;

    (void)state;
    JUDGE(pairs);
    k = check("Hold the power button for 20 seconds.", RESET, "");
    assert_false(k.numbers_ok);
    assert_int_equal(k.n_numbers, 1);
    assert_true(k.cover > 0.7);
}

static void t_names(void **state)
{
    static const pair pairs[] = {
        {"The company was bought by Facebook in 2012.",
         "The company was bought by Facebook in 2012 for much money.",
         "supported"},
        {"The company was bought by Amazon in 2012.",
         "The company was bought by Facebook in 2012 for much money.",
         "partly"},
        {"Apple bought Instagram for $1 billion.",
         "Facebook bought Instagram for $1 billion, a shocking sum.", "partly"},
        {"회사는 2012년에 이순신이 세운 공장에서 시작했다.",
         "회사는 2012년에 강감찬이 세운 작은 공장에서 시작했다.", "partly"},
        {"회사는 2012년에 강감찬이 세운 공장에서 시작했다.",
         "회사는 2012년에 강감찬이 세운 작은 공장에서 시작했다.", "supported"},
    };
    rag_cite_check k;

    (void)state;
    JUDGE(pairs);
    /* what a title says is known */
    k = check("In FastAPI the path is a decorator's first argument.",
              "The path is the first argument of the decorator.", "");
    assert_string_equal(rag_cite_support(&k), "partly");
    k = check("In FastAPI the path is a decorator's first argument.",
              "The path is the first argument of the decorator.",
              "FastAPI\nPaths");
    assert_string_equal(rag_cite_support(&k), "supported");
}

static void t_denied(void **state)
{
    static const pair pairs[] = {
        {"Admins can delete users.", "Admins cannot delete users.",
         "unsupported"},
        {"The API doesn't support XML.", "The API supports JSON and XML.",
         "unsupported"},
        {"Admins cannot delete users.",
         "Users are there to stay: admins cannot delete users, ever.",
         "supported"},
        {"Revenue increased by 5% in 2023.",
         "In 2023 the revenue decreased by 5%.", "unsupported"},
        {"이 장치는 물에 젖어도 된다.", "이 장치는 물에 젖어도 되지 않는다.",
         "unsupported"},
        {"관리자는 사용자를 삭제할 수 없다.",
         "관리자는 사용자를 삭제할 수 있다.", "unsupported"},
        {"개인실에는 잠금장치가 없었다.", "잠금장치가 개인실에는 없었다.",
         "supported"},
    };

    (void)state;
    JUDGE(pairs);
}

/* Korean about English: numbers, codes and names are all that is compared. */
static void t_foreign(void **state)
{
    static const pair pairs[] = {
        {"설정 파일은 /etc/rag/config 에 있습니다.",
         "The configuration file is /etc/rag/config.", "partly"},
        {"설정 파일은 /etc/rag/other.ini 에 있습니다.",
         "The configuration file is /opt/x.", "unsupported"},
        {"버튼을 10초 누르세요.", "Hold the button for 10 seconds.", "partly"},
        {"버튼을 20초 누르세요.", "Hold the button for 10 seconds.",
         "unsupported"},
        {"버튼을 길게 누르세요.", "Hold the button for 10 seconds.",
         "unsupported"},
    };

    (void)state;
    JUDGE(pairs);
    assert_true(check(pairs[0].sentence, pairs[0].passage, "").foreign);
    assert_false(check("API를 쓴다", "API를 쓰는 법", "").foreign);
}

static void t_quote(void **state)
{
    rag_cite_check k = check("The light blinks twice then.", RESET, "");

    (void)state;
    assert_int_equal(k.quote_start, strlen(RESET) - 23);
    assert_int_equal(k.quote_end, strlen(RESET));
    assert_false(k.verbatim);
    assert_true(check("the LIGHT blinks; twice", RESET, "").verbatim);
    k = check("Nothing of that is here.", "안녕하세요.", "");
    assert_int_equal(k.quote_start, k.quote_end);
}

static rag_status whole_life(void)
{
    rag_cite *c = rag_cite_new();
    rag_cite_check k;
    rag_status st;

    if (c == NULL)
        return RAG_E_NOMEM;
    st = rag_cite_compare(&k, c, rag_str_of("Hold it for 10 s [not 20]."),
                          rag_str_of(RESET), rag_str_of("Guide"), NULL);
    rag_cite_free(c);
    return st;
}

static void t_out_of_memory(void **state)
{
    (void)state;
    CHECK_OOM(whole_life());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_words),         cmocka_unit_test(t_numbers),
        cmocka_unit_test(t_names),         cmocka_unit_test(t_denied),
        cmocka_unit_test(t_foreign),       cmocka_unit_test(t_quote),
        cmocka_unit_test(t_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
