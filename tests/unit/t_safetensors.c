#include "test.h"

#include "base/buf.h"
#include "nn/safetensors.h"

typedef struct file {
    rag_buf b;
    rag_arena arena;
    rag_safetensors list;
    rag_error err;
} file;

static void make(file *f, const char *header, size_t n_data)
{
    uint64_t n = strlen(header);

    rag_buf_init(&f->b, 1 << 20);
    rag_buf_add(&f->b, &n, 8);
    rag_buf_addz(&f->b, header);
    for (size_t i = 0; i < n_data; i++)
        rag_buf_addc(&f->b, (char)i);
    rag_arena_init(&f->arena);
}

static rag_status read_it(file *f, size_t len)
{
    return rag_safetensors_read(&f->list, &f->arena,
                                (const unsigned char *)f->b.ptr, len, &f->err);
}

static void drop(file *f)
{
    rag_arena_dispose(&f->arena);
    rag_buf_dispose(&f->b);
}

static void test_reads(void **state)
{
    file f;

    (void)state;
    make(&f,
         "{\"__metadata__\":{\"format\":\"pt\"},"
         "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[16,28]},"
         "\"ids\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[28,36]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}  ",
         36);
    OK(read_it(&f, f.b.len), &f.err);
    assert_int_equal(f.list.n, 3);
    assert_true(rag_str_eqz(f.list.list[0].name, "a"));
    assert_int_equal(f.list.list[0].type, RAG_DTYPE_F32);
    assert_int_equal(f.list.list[0].n_axes, 1);
    assert_int_equal(f.list.list[0].shape[0], 4);
    assert_true(rag_str_eqz(f.list.list[1].name, "b"));
    assert_int_equal(f.list.list[1].type, RAG_DTYPE_BF16);
    assert_int_equal(f.list.list[1].shape[0], 2);
    assert_int_equal(f.list.list[1].shape[1], 3);
    assert_int_equal(f.list.list[1].bytes[0], 16);
    assert_false(f.list.list[2].is_float);
    drop(&f);
}

static void test_refuses(void **state)
{
    static const struct {
        const char *header;
        const char *says;
    } bad[] = {
        {"[]", "a header of"},
        {"{\"a\":1}", "no description"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,17]}}",
         "lies outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[8,4]}}",
         "lies outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[-4,12]}}",
         "lies outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0]}}",
         "lies outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,16]}}",
         "does not fit"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,4],"
         "\"data_offsets\":[0,16]}}",
         "no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,"
         "4294967296],\"data_offsets\":[0,16]}}",
         "no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1e300],"
         "\"data_offsets\":[0,16]}}",
         "no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
         "overlaps"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
         "there twice"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         "behind the last"},
        {"{\"a\":", "not JSON"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        file f;

        make(&f, bad[i].header, 16);
        assert_int_equal(read_it(&f, f.b.len), RAG_E_FORMAT);
        if (strstr(f.err.msg, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].header, f.err.msg);
        drop(&f);
    }
}

static void test_deep_json(void **state)
{
    rag_buf b;
    file f;

    (void)state;
    rag_buf_init(&b, 1 << 20);
    rag_buf_addz(&b, "{\"a\":");
    for (size_t i = 0; i < 100000; i++)
        rag_buf_addc(&b, '[');
    make(&f, b.ptr, 16);
    assert_int_equal(read_it(&f, f.b.len), RAG_E_FORMAT);
    drop(&f);
    rag_buf_dispose(&b);
}

/* Cut off anywhere: an error, never a read behind the end. */
static void test_cut(void **state)
{
    file f;

    (void)state;
    make(&f,
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}",
         16);
    for (size_t n = 0; n < f.b.len; n++) {
        unsigned char *exact = malloc(n + 1);

        assert_non_null(exact);
        memcpy(exact, f.b.ptr, n);
        exact = realloc(exact, n != 0 ? n : 1);
        assert_int_equal(
            rag_safetensors_read(&f.list, &f.arena, exact, n, &f.err),
            RAG_E_FORMAT);
        free(exact);
    }
    drop(&f);
}

static void test_long_header(void **state)
{
    static const unsigned char head[16] = {255, 255, 255, 255,
                                           255, 255, 255, 255};
    file f;

    (void)state;
    rag_arena_init(&f.arena);
    assert_int_equal(
        rag_safetensors_read(&f.list, &f.arena, head, sizeof head, &f.err),
        RAG_E_FORMAT);
    rag_arena_dispose(&f.arena);
}

static rag_status once(file *f)
{
    rag_status st;

    rag_arena_init(&f->arena);
    st = read_it(f, f->b.len);
    rag_arena_dispose(&f->arena);
    return st;
}

static void test_no_memory(void **state)
{
    file f;

    (void)state;
    make(&f,
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}",
         16);
    CHECK_OOM(once(&f));
    rag_arena_init(&f.arena);
    drop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),       cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_deep_json),   cmocka_unit_test(test_cut),
        cmocka_unit_test(test_long_header), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
