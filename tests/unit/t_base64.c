/* base64: RFC 4648's examples, odd bytes, what is refused. */
#include "test.h"

#include "base/base64.h"

static void encode_is(rag_str in, const char *want)
{
    rag_buf b;
    rag_buf back;
    rag_error err;

    rag_buf_init(&b, 1 << 16);
    rag_buf_init(&back, 1 << 16);
    rag_base64_add(&b, in);
    assert_string_equal(b.ptr, want);
    OK(rag_base64_decode(&back, rag_buf_str(&b), &err), &err);
    assert_true(rag_str_eq(rag_buf_str(&back), in));
    rag_buf_dispose(&b);
    rag_buf_dispose(&back);
}

static void test_examples(void **state)
{
    (void)state;
    encode_is(RAG_STR_LIT(""), "");
    encode_is(RAG_STR_LIT("f"), "Zg==");
    encode_is(RAG_STR_LIT("fo"), "Zm8=");
    encode_is(RAG_STR_LIT("foobar"), "Zm9vYmFy");
    encode_is(rag_str_n("a\0\xff\n", 4), "YQD/Cg==");
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zg==x", "Z!==", "===="};
    rag_error err;
    rag_buf b;

    (void)state;
    rag_buf_init(&b, 1 << 16);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(rag_base64_decode(&b, rag_str_of(bad[i]), &err),
                         RAG_E_FORMAT);
        assert_int_equal(b.len, 0);
    }
    rag_buf_dispose(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
