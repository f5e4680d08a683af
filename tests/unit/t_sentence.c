#include "test.h"

#include "base/buf.h"
#include "base/sentence.h"

/* Every case is a text with "¦" where one sentence ends and the next begins;
 * the sign itself is not in the text. */
static const char *const cases[] = {
    /* English */
    "One sentence.",
    "No full stop at all",
    "First one. ¦Second one.",
    "First one.  ¦Second one?   ¦Third one!",
    "Stop! ¦Why? ¦Because it is hot.",
    "What?! ¦Never!!! ¦Fine...",
    "He waited... ¦Then he left.",
    "He waited... then he left.",
    "Wait\u2026 ¦Now go.",
    "Use a tool, e.g. a hammer. ¦Then rest.",
    "Use a tool, e.g. Photoshop or others. ¦Then rest.",
    "That is, i.e. this one. ¦Good.",
    "See Fig. 3 and Eq. (4) for details. ¦Both matter.",
    "Dr. Smith met Mrs. Jones. ¦They talked.",
    "J. R. Smith wrote it. ¦It sold well.",
    "The U.S. Army came. ¦It stayed.",
    "He lives in the U.S. ¦The house is big.",
    "Apples, pears etc. are fruit. ¦Eat them.",
    "We sell apples, pears etc. ¦Orders are free.",
    "It starts at 5 p.m. every day. ¦Be there.",
    "It cost 3.14 dollars. ¦Cheap.",
    "Version 1.2.3 is out. ¦Install it.",
    "Open https://example.org/a.b?c=d.e now. ¦Then wait.",
    "Edit server.conf and restart. ¦Done.",
    "Edit server.conf. ¦Restart it.",
    "Call foo.bar() first. ¦Then call baz.",
    "He said \"Go away.\" ¦She left.",
    "He said \u201CGo away.\u201D ¦She left.",
    "\"Why?\" he asked. ¦Nobody knew.",
    "(This is an aside.) ¦This is not.",
    "It ended (see above). ¦Next one.",
    "It is **bold.** ¦Next one.",
    "See [the page](a.html). ¦Next one.",
    "Published in 2020. ¦The next came later.",
    "No. 5 is alive. ¦No. 6 is not.",
    "The answer is no. ¦Nobody asked.",
    "1. Install the program. ¦Then run it.",
    "a. First choice.",
    "iv. Fourth choice. ¦It is good.",
    "See vol. 3, pp. 20 to 30. ¦They help.",
    "Version 2. ¦Next",
    "An example vs. another one. ¦End.",
    "It was him and I. ¦Then we left.",
    "This line is wrapped inside a\nlong sentence. ¦Here is another.",
    "A paragraph without a stop\n\n¦Another paragraph",
    "A paragraph without a stop\r\n\r\n¦Another paragraph",
    "A paragraph\n   \n¦Another",
    "Intro:\n¦- first item\n¦- second item",
    "Steps are:\n¦1. Open it.\n¦2. Close it.",
    "Some words\n¦* a star item\n¦+ a plus item",
    "Some words\n¦| a | table |",
    "Some words\n¦# A heading",
    "Some words\n¦```\ncode",
    "A short line\n¦Another short line",
    "It ends here.\n¦New line starts.",
    "for (i = 0; i < n; i++)\n¦    sum += x[i];",
    /* Korean */
    "설치합니다. ¦다시 시작합니다.",
    "왜 그런가요? ¦모릅니다.",
    "조심하세요! ¦위험합니다.",
    "값은 3.14입니다. ¦맞습니다.",
    "버전 1.2.3을 설치하세요. ¦그리고 실행하세요.",
    "2024. 3. 5.에 시작했다. ¦끝났다.",
    "2024. 3. 5. 시작했다. ¦끝났다.",
    "그는 갔다.¦그리고 오지 않았다.",
    "제3조. ¦이 법은 다음과 같다.",
    "1. 설치한다. ¦2. 실행한다.",
    "가. 첫째 항목이다.",
    "그는 \"안녕.\"이라고 말했다. ¦나는 웃었다.",
    "그는 \"왜?\" 라고 물었다. ¦나는 웃었다.",
    "그는 \u201C안녕.\u201D 하고 말했다. ¦나는 웃었다.",
    "(참고하세요.) ¦다음으로 갑니다.",
    "첫째 줄입니다\n¦둘째 줄이에요\n¦셋째 줄이죠",
    "이 문장은 줄이\n바뀌어도 계속된다. ¦다음 문장이다.",
    "이것은 저것보다\n크다. ¦그렇다.",
    "확인이 필요함\n¦결과는 없음\n¦끝",
    "준비물은 다음과 같다:\n¦- 연필\n¦- 종이",
    "다음을 보라\n¦가. 첫째\n¦나. 둘째",
    "다음을 보라\n¦① 첫째\n¦② 둘째",
    "https://example.org/가나.html 을 여세요. ¦그리고 닫으세요.",
    "API v2.0을 씁니다. ¦HTTP 404는 오류입니다.",
    "그렇다\u2026 ¦하지만 아니다.",
    "정말?! ¦그래.",
    "첫 문단\n\n¦둘째 문단",
    /* Chinese and Japanese signs */
    "これは本です。¦それは何ですか？¦知りません！",
    "你好。¦再见。",
    "「行きます。」¦彼は言った。",
};

static void check(const char *pattern)
{
    rag_buf text;
    rag_str rest = rag_str_of(pattern);
    const rag_str mark = RAG_STR_LIT("¦");
    size_t at = 0;

    rag_buf_init(&text, 10000);
    for (const char *p = pattern; *p != '\0'; p++)
        if (strncmp(p, mark.ptr, mark.len) == 0)
            p += mark.len - 1;
        else
            rag_buf_addc(&text, *p);
    while (rest.len != 0) {
        size_t n = rag_str_find(rest, mark);
        rag_str want = rag_str_trim(rag_str_cut(rest, 0, n));
        size_t start;
        size_t end;

        if (!rag_sentence_next(&start, &end, rag_buf_str(&text), &at))
            fail_msg("\"%s\": too few", pattern);
        if (!rag_str_eq(rag_str_n(text.ptr + start, end - start), want))
            fail_msg("\"%s\": got \"%.*s\", not \"%.*s\"", pattern,
                     (int)(end - start), text.ptr + start, (int)want.len,
                     want.ptr);
        rest = n == SIZE_MAX ? rag_str_n(NULL, 0)
                             : rag_str_cut(rest, n + mark.len, rest.len);
    }
    if (rag_sentence_next(&(size_t){0}, &(size_t){0}, rag_buf_str(&text), &at))
        fail_msg("\"%s\": too many", pattern);
    rag_buf_dispose(&text);
}

static void sentences_end_where_a_reader_ends_them(void **state)
{
    size_t n = sizeof cases / sizeof cases[0];

    (void)state;
    assert_true(n >= 60);
    for (size_t i = 0; i < n; i++)
        check(cases[i]);
}

/* Any bytes: progress, order, no overlap. */
static void any_bytes_are_divided(void **state)
{
    static const char *const parts[] = {
        ".",  "?",  "!",    " ",        "\n",   "\"", "a", "B",
        "1",  "다", "한",   "\r",       "-",    "|",  "(", ")",
        "\t", "。", "\xE2", "\xE3\x80", "\xFF", "\0"};
    uint32_t seed = 3;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        rag_buf b;
        size_t at = 0;
        size_t last = 0;
        size_t start;
        size_t end;

        rag_buf_init(&b, 10000);
        for (int i = 0; i < 40; i++) {
            seed = seed * 1664525u + 1013904223u;
            rag_buf_addz(&b, parts[(seed >> 10) % 22]);
        }
        while (rag_sentence_next(&start, &end, rag_buf_str(&b), &at)) {
            assert_true(start >= last && end > start && end <= b.len);
            last = end;
        }
        rag_buf_dispose(&b);
    }
}

/* Texts that would make a careless splitter quadratic. */
static void long_texts_take_linear_time(void **state)
{
    static const char *const parts[] = {".",   "a.",  ". ", "\n ", "e.g. ",
                                        "- ",  "1. ", "\"", "…",   "다.",
                                        "(((", "A\n", ".\n"};

    (void)state;
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        rag_buf b;
        size_t at = 0;
        size_t start;
        size_t end;

        rag_buf_init(&b, 1 << 24);
        for (int i = 0; i < 300000; i++)
            rag_buf_addz(&b, parts[k]);
        while (rag_sentence_next(&start, &end, rag_buf_str(&b), &at))
            assert_true(end > start);
        rag_buf_dispose(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_end_where_a_reader_ends_them),
        cmocka_unit_test(any_bytes_are_divided),
        cmocka_unit_test(long_texts_take_linear_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
