#include "test.h"

#include "store/lex_codec.h"

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static void t_int(void **state)
{
    static const uint64_t values[] = {0,          1,         127,
                                      128,        16383,     16384,
                                      UINT32_MAX, INT64_MAX, UINT64_MAX - 1,
                                      UINT64_MAX};
    rag_buf b;
    rag_lex_bytes in;
    uint64_t v;

    (void)state;
    rag_buf_init(&b, 1 << 20);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        rag_lex_codec_put_int(&b, values[i]);
    in = rag_lex_codec_bytes(b.ptr, b.len);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_true(rag_lex_codec_get_int(&v, &in));
        assert_true(v == values[i]);
    }
    assert_false(rag_lex_codec_get_int(&v, &in)); /* the end */
    in = rag_lex_codec_bytes("\x80\x80", 2);      /* cut off */
    assert_false(rag_lex_codec_get_int(&v, &in));
    in = rag_lex_codec_bytes("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 10);
    assert_false(rag_lex_codec_get_int(&v, &in)); /* 65 bits */
    in =
        rag_lex_codec_bytes("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11);
    assert_false(rag_lex_codec_get_int(&v, &in));
    rag_buf_dispose(&b);
}

/* A list with gaps up to `gap` survives, whatever its length. */
static void check_list(uint32_t n, uint32_t gap, uint32_t codes, uint64_t seed)
{
    rag_lex_block b = {0};
    rag_lex_block got;
    uint64_t again = seed;
    uint32_t ord = 0;
    uint32_t next = 0;
    uint32_t last = 0;
    rag_lex_bytes in;
    rag_buf bytes;

    rag_buf_init(&bytes, 1 << 24);
    for (uint32_t i = 0; i < n; i++) {
        ord += next_random(&seed) % gap;
        b.ords[b.n] = last = ord++;
        b.tfs[b.n++] = (uint8_t)(next_random(&seed) % codes);
        if (b.n == RAG_LEX_BLOCK || i + 1 == n) {
            rag_lex_codec_put(&bytes, &next, &b);
            b.n = 0;
        }
    }
    in = rag_lex_codec_bytes(bytes.ptr, bytes.len);
    next = 0;
    ord = 0;
    for (uint32_t i = 0; i < n; i += got.n) {
        assert_true(rag_lex_codec_get(&got, &next, &in, n - i, last + 1));
        assert_int_equal(got.n, n - i < RAG_LEX_BLOCK ? n - i : RAG_LEX_BLOCK);
        for (uint32_t k = 0; k < got.n; k++) {
            ord += next_random(&again) % gap;
            assert_int_equal(got.ords[k], ord++);
            assert_int_equal(got.tfs[k], next_random(&again) % codes);
        }
    }
    assert_true(in.ptr == in.end);
    /* one less chunk in the segment: the last ordinal is out of bounds */
    if (n <= RAG_LEX_BLOCK) {
        in = rag_lex_codec_bytes(bytes.ptr, bytes.len);
        next = 0;
        assert_false(rag_lex_codec_get(&got, &next, &in, n, last));
    }
    /* every cut is noticed */
    for (size_t cut = 0; n <= RAG_LEX_BLOCK && cut < bytes.len; cut++) {
        char *exact = malloc(cut + 1);

        memcpy(exact, bytes.ptr, cut);
        in = rag_lex_codec_bytes(exact, cut);
        next = 0;
        assert_false(rag_lex_codec_get(&got, &next, &in, n, last + 1));
        free(exact);
    }
    rag_buf_dispose(&bytes);
}

static void t_lists(void **state)
{
    static const uint32_t sizes[] = {1, 2, 5, 127, 128, 129, 255, 256, 1000};
    static const uint32_t gaps[] = {1, 2, 3, 100, 5000, 1 << 20};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t k = 0; k < sizeof gaps / sizeof gaps[0]; k++)
            for (uint32_t codes = 1; codes <= RAG_LEX_TF_CODES; codes += 5)
                check_list(sizes[i], gaps[k], codes, 1000 * i + 10 * k + codes);
}

static void t_small(void **state)
{
    rag_lex_block b = {.n = RAG_LEX_BLOCK};
    uint32_t next = 0;
    rag_buf bytes;

    (void)state;
    for (uint32_t i = 0; i < RAG_LEX_BLOCK; i++)
        b.ords[i] = i;
    rag_buf_init(&bytes, 1 << 20);
    rag_lex_codec_put(&bytes, &next, &b);
    assert_int_equal(bytes.len, 2); /* a word in every chunk costs nothing */
    assert_int_equal(next, RAG_LEX_BLOCK);
    rag_buf_dispose(&bytes);
}

static void t_bad_headers(void **state)
{
    uint8_t bytes[2 + 1024] = {33, 0};
    rag_lex_bytes in = rag_lex_codec_bytes(bytes, sizeof bytes);
    rag_lex_block b;
    uint32_t next = 0;

    (void)state;
    assert_false(rag_lex_codec_get(&b, &next, &in, 128, UINT32_MAX));
    bytes[0] = 1;
    bytes[1] = 5;
    in = rag_lex_codec_bytes(bytes, sizeof bytes);
    assert_false(rag_lex_codec_get(&b, &next, &in, 128, UINT32_MAX));
    /* gaps of 2^32 - 1 overflow 32 bits: noticed, not wrapped */
    memset(bytes, 0xFF, sizeof bytes);
    bytes[0] = 32;
    bytes[1] = 0;
    in = rag_lex_codec_bytes(bytes, sizeof bytes);
    next = 0;
    assert_false(rag_lex_codec_get(&b, &next, &in, 128, UINT32_MAX));
}

static void t_steps(void **state)
{
    (void)state;
    for (uint32_t tf = 1; tf < 200; tf++) {
        uint32_t got = rag_lex_codec_tf(rag_lex_codec_tf_code(tf));

        assert_true(got <= tf);
        assert_true(tf > 8 || got == tf);
        assert_true(tf >= 64 || 3 * got > 2 * tf);
    }
    assert_int_equal(rag_lex_codec_tf_code(UINT32_MAX), RAG_LEX_TF_CODES - 1);
    for (uint32_t len = 0; len < 300000; len++) {
        uint8_t code = rag_lex_codec_len_code(len);
        uint32_t got = rag_lex_codec_len(code);

        assert_true(got <= len);
        assert_true(len >= 64 || got == len);
        if (len < 258048)
            assert_true((uint64_t)got * 17 >= (uint64_t)len * 16);
    }
    for (unsigned code = 0; code < RAG_LEX_LEN_CODES; code++)
        assert_int_equal(
            rag_lex_codec_len_code(rag_lex_codec_len((uint8_t)code)), code);
    assert_int_equal(rag_lex_codec_len_code(UINT32_MAX), 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_int),   cmocka_unit_test(t_lists),
        cmocka_unit_test(t_small), cmocka_unit_test(t_bad_headers),
        cmocka_unit_test(t_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
