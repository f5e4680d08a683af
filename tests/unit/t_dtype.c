/* Every stored number against the values that the format's own Python package
 * makes of the same bytes (tests/nn/make_import.py). */
#include "test.h"

#include <math.h>

#include "base/file.h"
#include "nn/dtype.h"

static uint32_t u32(const unsigned char **p)
{
    uint32_t v;

    memcpy(&v, *p, sizeof v);
    *p += sizeof v;
    return v;
}

static void test_values(void **state)
{
    rag_map map;
    rag_error err;
    const unsigned char *p;
    size_t n_types = 0;

    (void)state;
    OK(rag_file_map(&map, RAG_TEST_DATA "/import/dtypes.bin", &err), &err);
    p = map.ptr;
    while (p < map.ptr + map.len) {
        rag_dtype t = (rag_dtype)u32(&p);
        size_t n = u32(&p);
        size_t n_bytes = u32(&p);
        float *x = malloc(n * sizeof *x);

        assert_non_null(x);
        assert_int_equal(rag_dtype_bytes(t, n), n_bytes);
        rag_dtype_values(x, t, p, n);
        if (memcmp(x, p + n_bytes, n * sizeof *x) != 0)
            fail_msg("type %d differs", (int)t);
        p += n_bytes + n * sizeof *x;
        free(x);
        n_types++;
    }
    assert_int_equal(n_types, 12);
    rag_file_unmap(&map);
}

static void test_int8(void **state)
{
    static const unsigned char b[] = {0, 1, 127, 128, 255};
    float x[5];

    (void)state;
    rag_dtype_values(x, RAG_DTYPE_I8, b, 5);
    assert_true(x[1] == 1.0f && x[2] == 127.0f && x[3] == -128.0f &&
                x[4] == -1.0f);
    rag_dtype_values(x, RAG_DTYPE_U8, b, 5);
    assert_true(x[0] == 0.0f && x[3] == 128.0f && x[4] == 255.0f);
}

static void test_not_numbers(void **state)
{
    static const unsigned char inf[] = {0x00, 0x7C, 0x00, 0xFC, 0x01, 0x7E};
    float x[3];

    (void)state;
    rag_dtype_values(x, RAG_DTYPE_F16, inf, 3);
    assert_true(isinf(x[0]) && x[0] > 0 && isinf(x[1]) && x[1] < 0);
    assert_true(isnan(x[2]));
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(rag_dtype_block(RAG_DTYPE_Q6_K), 256);
    assert_int_equal(rag_dtype_bytes(RAG_DTYPE_Q6_K, 512), 420);
    assert_int_equal(rag_dtype_bytes(RAG_DTYPE_Q6_K, 384), SIZE_MAX);
    assert_int_equal(rag_dtype_bytes(RAG_DTYPE_Q4_0, 33), SIZE_MAX);
    assert_int_equal(rag_dtype_bytes(RAG_DTYPE_F32, UINT64_MAX), SIZE_MAX);
    assert_int_equal(rag_dtype_bytes(RAG_DTYPE_F32, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_not_numbers),
        cmocka_unit_test(test_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
