#include "test.h"

#include "flow/readable.h"

static void t_sentence(void **state)
{
    static const char *const cases[][2] = {
        {"* **Paths** are [here](x.md) and\n  there",
         "Paths are here and there"},
        {"**모델**은 비밀번호를 가지면 안 됩니다.",
         "모델은 비밀번호를 가지면 안 됩니다."},
        {"> - see [`a_b`](../c.md#d(e)) now.", "see `a_b` now."},
        {"an ![icon](i.png) here", "an icon here"},
        {"<abbr title=\"x > y\">CDN</abbr> is set", "y\">CDN is set"},
        {"<abbr title=\"Content Delivery\">CDN</abbr><br/> is set",
         "CDN is set"},
        {"a List<int> and x < y > z", "a List<int> and x < y > z"},
        {"`**kwargs` and `[a](b)` stay", "`**kwargs` and `[a](b)` stay"},
        {"a[i] (see b) stays [", "a[i] (see b) stays ["},
        {"[](x)", ""},
        {"-5 degrees", "-5 degrees"},
        {"- ", "-"},
        {"", ""},
        {"![", "!["},
        {"[a](b", "[a](b"},
        {"<", "<"},
        {"z\xE2\x80\x8Bw", "zw"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rag_buf b;

        rag_buf_init(&b, 1000);
        rag_readable_sentence(&b, rag_str_of(cases[i][0]));
        rag_buf_addc(&b, '\0');
        assert_string_equal(b.ptr, cases[i][1]);
        rag_buf_dispose(&b);
    }
}

static void t_block(void **state)
{
    rag_buf b;

    (void)state;
    rag_buf_init(&b, 1000);
    rag_readable_block(&b, RAG_STR_LIT("```c\n\tint **a;\x1B[2J\n```"));
    rag_buf_addc(&b, '\0');
    assert_string_equal(b.ptr, "```c\n\tint **a;[2J\n```");
    rag_buf_dispose(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_sentence),
        cmocka_unit_test(t_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
