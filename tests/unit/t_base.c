#include "test.h"

#include "folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/utf8.h"

static void buf_grows_and_stops_at_its_cap(void **state)
{
    rag_buf b;
    rag_error err;

    (void)state;
    rag_buf_init(&b, 10);
    assert_non_null(rag_buf_reserve(&b, 0));
    assert_string_equal(b.ptr, ""); /* terminated before anything is written */
    rag_buf_addz(&b, "12345");
    rag_buf_addf(&b, "%d", 67890);
    OK(rag_buf_status(&b, &err), &err);
    assert_string_equal(b.ptr, "1234567890");
    rag_buf_addc(&b, 'x');
    assert_int_equal(rag_buf_status(&b, &err), RAG_E_LIMIT);
    assert_int_equal(b.len, 0);
    rag_buf_addc(&b, 'y'); /* sticky */
    assert_int_equal(b.len, 0);
    rag_buf_dispose(&b);
}

static void str_numbers_are_strict(void **state)
{
    uint64_t u;
    int64_t i;
    double d;

    (void)state;
    assert_true(rag_str_u64(&u, RAG_STR_LIT("18446744073709551615")));
    assert_true(u == UINT64_MAX);
    assert_false(rag_str_u64(&u, RAG_STR_LIT("18446744073709551616")));
    assert_false(rag_str_u64(&u, RAG_STR_LIT("1x")));
    assert_false(rag_str_u64(&u, RAG_STR_LIT("")));
    assert_true(rag_str_i64(&i, RAG_STR_LIT("-12")));
    assert_true(i == -12);
    assert_true(rag_str_double(&d, RAG_STR_LIT("0.25")));
    assert_true(d == 0.25);
    assert_false(rag_str_double(&d, RAG_STR_LIT("inf")));
    assert_false(rag_str_double(&d, RAG_STR_LIT("1 ")));
}

static void utf8_bad_bytes_read_as_replacement(void **state)
{
    rag_buf b;
    rag_str s = RAG_STR_LIT("a\xED\xA0\x80z\xF0\x9F\x98");

    (void)state;
    rag_buf_init(&b, 100);
    rag_utf8_scrub(&b, s);
    assert_string_equal(b.ptr, "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz"
                               "\xEF\xBF\xBD");
    rag_buf_dispose(&b);
}

static void utf8_folds_and_composes(void **state)
{
    rag_buf b;

    (void)state;
    rag_buf_init(&b, 100);
    rag_utf8_nfc(&b,
                 rag_str_of("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB")); /* 한 */
    assert_string_equal(b.ptr, "\xED\x95\x9C");
    rag_buf_clear(&b);
    rag_utf8_fold(&b, rag_str_of("ＡＢＣ Straße")); /* full width */
    assert_string_equal(b.ptr, "abc strasse");
    rag_buf_dispose(&b);
}

/* Marks are sorted by their class: a million of them, too, and soon. */
static void utf8_sorts_many_marks(void **state)
{
    enum { N = 500000 };
    rag_buf in;
    rag_buf out;

    (void)state;
    rag_buf_init(&in, (size_t)1 << 23);
    rag_buf_init(&out, (size_t)1 << 23);
    rag_buf_addc(&in, 'a');
    for (int i = 0; i < N; i++)
        rag_buf_addz(&in, "\xCC\x81\xCC\x96"); /* acute above, grave below */
    rag_utf8_nfc(&out, rag_buf_str(&in));
    assert_int_equal(out.failed, RAG_OK);
    assert_int_equal(out.len, 4 * N); /* one acute went into the letter */
    assert_memory_equal(out.ptr, "\xC3\xA1\xCC\x96\xCC\x96", 6);
    for (size_t i = 2; i < out.len; i += 2)
        assert_memory_equal(out.ptr + i,
                            i < 2 + 2 * (size_t)N ? "\xCC\x96" : "\xCC\x81", 2);
    rag_buf_dispose(&in);
    rag_buf_dispose(&out);
}

static void utf8_graphemes_stay_whole(void **state)
{
    /* decomposed 한, then a family emoji joined by ZWJ, then e + acute */
    rag_str s = rag_str_of("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB"
                           "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9"
                           "e\xCC\x81x");

    (void)state;
    assert_int_equal(rag_utf8_grapheme_end(s, 0), 9);
    assert_int_equal(rag_utf8_grapheme_end(s, 9), 20);
    assert_int_equal(rag_utf8_grapheme_end(s, 20), 23);
    assert_int_equal(rag_utf8_grapheme_floor(s, 6), 0);
    assert_int_equal(rag_utf8_grapheme_ceil(s, 3), 9);
    assert_true(rag_utf8_is_grapheme_break(s, 20));
    assert_false(rag_utf8_is_grapheme_break(s, 21));
}

static void utf8_show_leaves_no_escape(void **state)
{
    rag_buf b;

    (void)state;
    rag_buf_init(&b, 200);
    rag_utf8_show(&b, rag_str_of("a\x1b[31m\xC2\x9B\xFF\xE2\x80\xAEz\n"),
                  false);
    assert_string_equal(b.ptr, "a^[[31m\\x9b\\xff\\u{202e}z^J");
    rag_buf_dispose(&b);
}

static void json_reads_with_caps(void **state)
{
    rag_json *j;
    rag_error err;
    int64_t i;
    rag_str s;

    (void)state;
    OK(rag_json_parse(&j, RAG_STR_LIT("{\"a\":[1,{\"b\":\"x\"}],\"A\":2}"), 100,
                      "test", &err),
       &err);
    assert_true(rag_json_i64(&i, rag_json_get(j, "A")));
    assert_int_equal(i, 2);
    assert_int_equal(rag_json_count(rag_json_get(j, "a")), 2);
    assert_true(rag_json_str(
        &s, rag_json_get(rag_json_next(rag_json_first(rag_json_get(j, "a"))),
                         "b")));
    assert_true(rag_str_eqz(s, "x"));
    rag_json_free(j);
    assert_int_equal(rag_json_parse(&j, RAG_STR_LIT("[1"), 100, "t", &err),
                     RAG_E_FORMAT);
    assert_int_equal(rag_json_parse(&j, RAG_STR_LIT("[1]x"), 100, "t", &err),
                     RAG_E_FORMAT);
    assert_int_equal(rag_json_parse(&j, RAG_STR_LIT("[1]"), 2, "t", &err),
                     RAG_E_LIMIT);
    assert_int_equal(
        rag_json_parse(&j, RAG_STR_LIT("\"a\\u0000b\""), 100, "t", &err),
        RAG_E_FORMAT);
    OK(rag_json_parse(&j, RAG_STR_LIT("\"a\\\\u0000b\""), 100, "t", &err),
       &err);
    rag_json_free(j);
}

static rag_status write_document(rag_buf *b, rag_error *err)
{
    rag_jw *w = rag_jw_new();
    float v[2] = {0.1f, -2.0f};
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_str(w, "s", RAG_STR_LIT("q\"\xFFz"));
    rag_jw_int(w, "big", 9007199254740993LL);
    rag_jw_num(w, "n", 0.5, 4);
    rag_jw_num(w, "nan", 0.0 / 0.0, 4);
    rag_jw_array(w, "v");
    rag_jw_bool(w, NULL, true);
    rag_jw_null(w, NULL);
    rag_jw_end(w);
    rag_jw_floats(w, "f", v, 2);
    rag_jw_end(w);
    st = rag_jw_finish(b, w, false, err);
    rag_jw_free(w);
    return st;
}

/* Every float comes back as it was, and as printf would write it but for the
 * rounding of the last of nine digits. */
static void json_floats(void **state)
{
    static const float odd[] = {
        0,           -0.0f,         1,        -1,     0.1f,
        0.01f,       0.001f,        0.0001f,  0.5f,   0.25f,
        0.99999994f, 1e-5f,         1e-38f,   1e-45f, 3.4e38f,
        0.09999999f, 0.0099999998f, 123.456f, 2};
    uint32_t seed = 1;

    (void)state;
    for (size_t i = 0; i < 200000; i++) {
        rag_jw *w = rag_jw_new();
        char want[40];
        float v;
        float got;
        rag_buf b;

        seed = seed * 1664525u + 1013904223u;
        if (i < sizeof odd / sizeof *odd)
            v = odd[i];
        else
            v = ((float)(seed >> 8) / 8388608.0f - 1.0f) * (i % 3 == 0 ? 1.0f
                                                            : i % 3 == 1
                                                                ? 0.05f
                                                                : 0.003f);
        assert_non_null(w);
        rag_buf_init(&b, 1000);
        rag_jw_array(w, NULL);
        rag_jw_floats(w, NULL, &v, 1);
        rag_jw_end(w);
        assert_int_equal(rag_jw_finish(&b, w, false, NULL), RAG_OK);
        rag_jw_free(w);
        b.ptr[b.len - 2] = '\0';
        got = strtof(b.ptr + 2, NULL);
        if (memcmp(&got, &v, sizeof v) != 0)
            fail_msg("%.9g became %s", (double)v, b.ptr + 2);
        snprintf(want, sizeof want, "%.9g", (double)v);
        assert_true(strlen(b.ptr + 2) <= strlen(want) + 1);
        rag_buf_dispose(&b);
    }
}

static void json_writes(void **state)
{
    rag_buf b;
    rag_error err;

    (void)state;
    rag_buf_init(&b, 1000);
    OK(write_document(&b, &err), &err);
    assert_string_equal(
        b.ptr, "{\"s\":\"q\\\"\xEF\xBF\xBDz\",\"big\":9007199254740993,"
               "\"n\":0.5,\"nan\":null,\"v\":[true,null],"
               "\"f\":[0.100000001,-2]}");
    rag_buf_dispose(&b);
}

static rag_status write_once(rag_error *err)
{
    rag_buf b;
    rag_status st;

    rag_buf_init(&b, 1000);
    st = write_document(&b, err);
    rag_buf_dispose(&b);
    return st;
}

static void json_writer_survives_no_memory(void **state)
{
    rag_error err;

    (void)state;
    CHECK_OOM(write_once(&err));
}

static void file_replaces_and_reads(void **state)
{
    char dir[] = "/tmp/t_base_XXXXXX";
    char *path;
    rag_buf b;
    rag_error err;
    rag_map m;
    struct stat sb;

    (void)state;
    assert_non_null(folder_new(dir));
    path = rag_file_join(dir, "x y");
    OK(rag_file_replace(path, "hello", 5, &err), &err);
    OK(rag_file_replace(path, "world!", 6, &err), &err);
    rag_buf_init(&b, 100);
    OK(rag_file_read(&b, path, 6, &err), &err);
    assert_string_equal(b.ptr, "world!");
    rag_buf_clear(&b);
    assert_int_equal(rag_file_read(&b, path, 5, &err), RAG_E_LIMIT);
    assert_int_equal(rag_file_read(&b, "/nonexistent/x", 5, &err),
                     RAG_E_NOTFOUND);
    OK(rag_file_map(&m, path, &err), &err);
    assert_memory_equal(m.ptr, "world!", 6);
    rag_file_unmap(&m);
    assert_int_equal(stat(path, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0600);
    rag_buf_dispose(&b);
    (void)unlink(path);
    rag_free(path);
    (void)rmdir(dir);
}

static void hash_known_answers(void **state)
{
    uint8_t d[32];
    char hex[65];

    (void)state;
    rag_hash_sha256(d, "abc", 3);
    rag_hash_hex(hex, d, 32);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
                             "b00361a396177a9cb410ff61f20015ad");
    rag_hash_hmac(d, "Jefe", 4, "what do ya want for nothing?", 28);
    rag_hash_hex(hex, d, 32);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c7"
                             "5a003f089d2739839dec58b964ec3843");
    /* stored on disk: must never change */
    assert_true(rag_hash_fast("abc", 3) == 0x78af5f94892f3950ULL);
}

static void add_one(void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
}

static void pool_runs_everything(void **state)
{
    rag_pool *p;
    rag_error err;
    int n = 0;

    (void)state;
    OK(rag_pool_new(&p, 4, 3, &err), &err);
    for (int i = 0; i < 1000; i++)
        rag_pool_submit(p, add_one, &n);
    rag_pool_wait(p);
    assert_int_equal(n, 1000);
    rag_pool_free(p);
}

static void arena_gives_zeroed_aligned_memory(void **state)
{
    rag_arena a;

    (void)state;
    rag_arena_init(&a);
    for (size_t n = 0; n < 10000; n += 97) {
        unsigned char *p = rag_arena_alloc(&a, n);

        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 1, n);
    }
    rag_arena_dispose(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_grows_and_stops_at_its_cap),
        cmocka_unit_test(str_numbers_are_strict),
        cmocka_unit_test(utf8_bad_bytes_read_as_replacement),
        cmocka_unit_test(utf8_folds_and_composes),
        cmocka_unit_test(utf8_sorts_many_marks),
        cmocka_unit_test(utf8_graphemes_stay_whole),
        cmocka_unit_test(utf8_show_leaves_no_escape),
        cmocka_unit_test(json_reads_with_caps),
        cmocka_unit_test(json_writes),
        cmocka_unit_test(json_floats),
        cmocka_unit_test(json_writer_survives_no_memory),
        cmocka_unit_test(file_replaces_and_reads),
        cmocka_unit_test(hash_known_answers),
        cmocka_unit_test(pool_runs_everything),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
