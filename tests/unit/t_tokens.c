/* Trie, normalisation and segmentation where no model is at hand: against the
 * rules of SentencePiece's nmt_nfkc (tests/nn/make_reference.py) and by hand.
 */
#include "nn_tiny.h"

#include "base/utf8.h"
#include "nn/encoder.h"
#include "nn/nmt.h"
#include "nn/trie.h"

/* ---- trie -------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
    return rag_str_cmp(*(const rag_str *)a, *(const rag_str *)b);
}

static bool look_up(uint32_t *value, const rag_trie *t, rag_str key)
{
    uint32_t at = 0;

    for (size_t i = 0; i < key.len; i++) {
        if (!rag_trie_step(&at, t, (uint8_t)key.ptr[i]))
            return false;
    }
    return rag_trie_value(value, t, at);
}

static void test_trie(void **state)
{
    enum { N = 5000 };
    static char bytes[N][8];
    static rag_str keys[N];
    static uint32_t values[N];
    uint32_t *units;
    uint32_t seed = 11;
    size_t n = 0;
    size_t n_units;
    rag_trie t;
    rag_error err;
    uint32_t v;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        size_t len = 1 + tiny_random(&seed) % 7;

        for (size_t k = 0; k < len; k++) /* many that share fronts, all bytes */
            bytes[i][k] = (char)(i % 2 == 0 ? 1 + tiny_random(&seed) % 255
                                            : 'a' + tiny_random(&seed) % 3);
        keys[i] = rag_str_n(bytes[i], len);
    }
    qsort(keys, N, sizeof *keys, by_bytes);
    for (size_t i = 0; i < N; i++) {
        if (n == 0 || !rag_str_eq(keys[n - 1], keys[i]))
            keys[n++] = keys[i];
    }
    for (size_t i = 0; i < n; i++)
        values[i] = (uint32_t)(i * 7);
    OK(rag_trie_build(&units, &n_units, keys, values, n, &err), &err);
    t = (rag_trie){units, (uint32_t)n_units};
    for (size_t i = 0; i < n; i++) {
        assert_true(look_up(&v, &t, keys[i]));
        assert_int_equal(v, values[i]);
    }
    for (size_t i = 0; i < 20000; i++) { /* nothing is in it but the keys */
        char other[8];
        size_t len = 1 + tiny_random(&seed) % 7;
        rag_str key = rag_str_n(other, len);

        for (size_t k = 0; k < len; k++)
            other[k] = (char)(i % 2 == 0 ? tiny_random(&seed) % 256
                                         : 'a' + tiny_random(&seed) % 4);
        assert_int_equal(look_up(&v, &t, key),
                         bsearch(&key, keys, n, sizeof key, by_bytes) != NULL);
    }
    rag_free(units);
}

static rag_status build_small(void)
{
    static const rag_str keys[] = {
        {"a", 1}, {"ab", 2}, {"b", 1}, {"\xEA\xB0\x80", 3}};
    static const uint32_t values[] = {1, 2, 3, 4};
    uint32_t *units;
    size_t n;
    rag_status st = rag_trie_build(&units, &n, keys, values, 4, NULL);

    rag_free(units);
    return st;
}

static void test_trie_errors(void **state)
{
    static const rag_str wrong[][2] = {{{"b", 1}, {"a", 1}},
                                       {{"a", 1}, {"a", 1}},
                                       {{"", 0}, {"a", 1}},
                                       {{"a\0b", 3}, {"b", 1}}};
    uint32_t values[2] = {0, 1};
    uint32_t *units;
    size_t n;
    rag_trie t;
    uint32_t v;
    rag_error err;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(rag_trie_build(&units, &n, wrong[i], values, 2, &err),
                         RAG_E_FORMAT);
    OK(rag_trie_build(&units, &n, NULL, NULL, 0, &err), &err);
    t = (rag_trie){units, (uint32_t)n};
    assert_false(look_up(&v, &t, RAG_STR_LIT("a")));
    assert_false(look_up(&v, &t, RAG_STR_LIT("")));
    rag_free(units);
    CHECK_OOM(build_small());
}

/* ---- normalisation ----------------------------------------------------- */

enum { MAP_CAP = 8192 };

typedef struct rules {
    rag_buf file;
    rag_nmt_map map[MAP_CAP];
    size_t n_map;
    unsigned char le32[MAP_CAP * 32];
    size_t n_le32;
} rules;

/* "1100 1161" as UTF-8; returns how many code points. */
static size_t from_hex(rag_buf *out, rag_str s)
{
    size_t n = 0;

    rag_buf_clear(out);
    while (s.len != 0) {
        char c[4];
        uint32_t cp = 0;
        size_t i = 0;

        for (; i < s.len && s.ptr[i] != ' '; i++)
            cp = cp * 16 + (uint32_t)(s.ptr[i] <= '9' ? s.ptr[i] - '0'
                                                      : s.ptr[i] - 'A' + 10);
        rag_buf_add(out, c, rag_utf8_encode(c, cp));
        s = rag_str_cut(s, i + 1, s.len);
        n++;
    }
    return n;
}

/* The map a model file of 2019 carries: rules of one code point, as far as
 * Unicode 12 and SentencePiece of that time knew them. Later ones must come out
 * by themselves. */
static void add_map(rules *r, rag_str from, rag_str to)
{
    rag_nmt_map *m = &r->map[r->n_map];

    (void)rag_utf8_decode(&m->cp, NULL, from);
    if (m->cp == 0x61C || m->cp == 0x32FF || m->cp == 0xA7F1 ||
        m->cp >= 0x10781)
        return;
    m->le32 = r->le32 + r->n_le32;
    for (m->n = 0; to.len != 0; m->n++) {
        uint32_t cp;

        to = rag_str_cut(to, rag_utf8_decode(&cp, NULL, to), to.len);
        memcpy(r->le32 + r->n_le32, &cp, 4);
        r->n_le32 += 4;
    }
    r->n_map++;
    assert_true(r->n_map < MAP_CAP && r->n_le32 + 128 < sizeof r->le32);
}

/* Both sides of the next rule; false at the end. */
static bool next_rule(rag_buf *from, rag_buf *to, size_t *n, rag_str *rest)
{
    rag_str line;
    size_t eq;

    if (!rag_str_next_line(&line, rest))
        return false;
    eq = rag_str_find_char(line, '=');
    assert_true(eq != SIZE_MAX);
    *n = from_hex(from, rag_str_cut(line, 0, eq));
    (void)from_hex(to, rag_str_cut(line, eq + 1, line.len));
    return true;
}

static int by_cp(const void *a, const void *b)
{
    uint32_t x = ((const rag_nmt_map *)a)->cp;
    uint32_t y = ((const rag_nmt_map *)b)->cp;

    return x < y ? -1 : x > y;
}

static rag_nmt view(const rag_nmt_built *b)
{
    return (rag_nmt){b->page_of,
                     (const void *)b->pages.ptr,
                     b->pages.len / (RAG_NMT_PAGE * 4),
                     b->text.ptr,
                     b->text.len,
                     (const void *)b->rules.ptr,
                     b->rules.len / sizeof(rag_nmt_rule)};
}

static void normalise(rag_buf *out, const rag_nmt *m, rag_str s)
{
    rag_buf_clear(out);
    while (s.len != 0) {
        char room[4];
        rag_str to;

        s = rag_str_cut(s, rag_nmt_next(&to, room, m, s), s.len);
        rag_buf_adds(out, to);
    }
}

static void test_rules(void **state)
{
    static rules r;
    rag_buf from;
    rag_buf to;
    rag_buf got;
    rag_nmt_built b;
    rag_nmt m;
    rag_str rest;
    rag_error err;
    size_t n;
    size_t count = 0;

    (void)state;
    rag_buf_init(&r.file, 1 << 20);
    rag_buf_init(&from, 256);
    rag_buf_init(&to, 256);
    rag_buf_init(&got, 256);
    OK(rag_file_read(&r.file, RAG_TEST_DATA "/nn/rules.txt", 1 << 20, &err),
       &err);
    rest = rag_buf_str(&r.file);
    while (next_rule(&from, &to, &n, &rest)) {
        if (n == 1)
            add_map(&r, rag_buf_str(&from), rag_buf_str(&to));
    }
    qsort(r.map, r.n_map, sizeof *r.map, by_cp);
    OK(rag_nmt_build(&b, r.map, r.n_map, &err), &err);
    m = view(&b);
    assert_int_equal(m.n_rules, 949);
    rest = rag_buf_str(&r.file);
    while (next_rule(&from, &to, &n, &rest)) {
        normalise(&got, &m, rag_buf_str(&from));
        if (!rag_str_eq(rag_buf_str(&got), rag_buf_str(&to)))
            fail_msg("rule %zu: %s, want %s", count, got.ptr, to.ptr);
        count++;
    }
    assert_true(count > 8000);
    /* whatever else: a code point without a rule stays */
    for (uint32_t cp = 1; cp < 0x110000; cp++) {
        char c[4];
        rag_str s = rag_str_n(c, 0);
        rag_nmt_map key = {cp, 0, NULL};

        if ((cp >= 0xD800 && cp <= 0xDFFF) || cp == 0x61C || cp == 0x32FF ||
            cp == 0xA7F1 || (cp >= 0x10781 && cp < 0x30000) ||
            bsearch(&key, r.map, r.n_map, sizeof key, by_cp) != NULL)
            continue;
        s.len = rag_utf8_encode(c, cp);
        normalise(&got, &m, s);
        if (!rag_str_eq(rag_buf_str(&got), s))
            fail_msg("U+%04X became %s", (unsigned)cp, got.ptr);
    }
    rag_nmt_built_dispose(&b);
    rag_buf_dispose(&r.file);
    rag_buf_dispose(&from);
    rag_buf_dispose(&to);
    rag_buf_dispose(&got);
}

/* It is not NFKC: longest match, no reordering, no composing of the composed.
 */
static void test_longest_match(void **state)
{
    static const char *const pairs[][2] = {
        {"A\xCC\x82\xCC\x80", "\xE1\xBA\xA6"},     /* A ^ ` */
        {"\xC3\x82\xCC\x80", "\xC3\x82\xCC\x80"},  /* A^ ` stays */
        {"A\xCC\x80\xCC\x82", "\xC3\x80\xCC\x82"}, /* the other order */
        {"\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "\xEA\xB0\x81"}, /* L V T */
        {"\xEA\xB0\x80\xE1\x86\xA8", "\xEA\xB0\x80\xE1\x86\xA8"}, /* LV T */
        {"\xE3\x84\xB1\xE3\x85\x8F", "\xEA\xB0\x80"}, /* compatibility jamo */
        {"\xE1\x84\x80", "\xE1\x84\x80"},
        {"\xE1\x85\xA1\xE1\x86\xA8", "\xE1\x85\xA1\xE1\x86\xA8"},
        {"\xE3\x82\xA6\xEF\xBE\x9E",
         "\xE3\x83\xB4"}, /* katakana u, half mark */
        {"e\xCC\x81x", "\xC3\xA9x"},
        {"\xEF\xAC\x81", "fi"}, /* ligature */
    };
    rag_nmt_built b;
    rag_nmt m;
    rag_buf got;
    rag_error err;

    (void)state;
    rag_buf_init(&got, 256);
    OK(rag_nmt_build(&b, NULL, 0, &err), &err);
    m = view(&b);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        normalise(&got, &m, rag_str_of(pairs[i][0]));
        assert_string_equal(got.ptr, pairs[i][1]);
    }
    rag_nmt_built_dispose(&b);
    rag_buf_dispose(&got);
}

static rag_status build_nmt(void)
{
    rag_nmt_built b;
    rag_status st = rag_nmt_build(&b, NULL, 0, NULL);

    if (st == RAG_OK)
        rag_nmt_built_dispose(&b);
    return st;
}

static void test_nmt_oom(void **state)
{
    (void)state;
    CHECK_OOM(build_nmt());
}

/* ---- segmentation ------------------------------------------------------ */

static void expect(rag_encoder *e, rag_str text, const int32_t *want,
                   size_t n_want)
{
    int32_t ids[64];
    rag_error err;
    size_t n;

    OK(rag_encoder_tokens(ids, 64, &n, e, text, &err), &err);
    if (n != n_want || memcmp(ids, want, n * sizeof *ids) != 0) {
        print_message("got");
        for (size_t i = 0; i < n; i++)
            print_message(" %d", ids[i]);
        fail_msg(" for \"%.*s\"", (int)text.len, text.ptr);
    }
}

#define EXPECT(text, ...)                                                      \
    do {                                                                       \
        static const int32_t want_[] = {__VA_ARGS__};                          \
        expect(e, RAG_STR_LIT(text), want_, sizeof want_ / sizeof want_[0]);   \
    } while (0)

static void test_segmentation(void **state)
{
    tiny_places at;
    rag_encoder *e;
    rag_error err;
    rag_buf in;
    int32_t two[2];
    size_t n;

    (void)state;
    tiny_make(&in, &at);
    tiny_write(tiny_path("in"), in.ptr, in.len);
    rag_buf_dispose(&in);
    OK(rag_encoder_import(tiny_path("out"), tiny_path("in"), "tiny", &err),
       &err);
    OK(rag_encoder_open(&e, tiny_path("out"), 1, &err), &err);
    EXPECT("", 0, 2);
    EXPECT(" \t\x01 ", 0, 2);
    EXPECT("a", 0, 10, 2);
    EXPECT("  a\t a ", 0, 10, 10, 2);
    EXPECT("abc", 0, 11, 2);
    EXPECT("\xEA\xB0\x80", 0, 13, 2);
    EXPECT("\xE1\x84\x80\xE1\x85\xA1", 0, 13, 2); /* decomposed */
    EXPECT("e\xCC\x81", 0, 4, 21, 2);
    EXPECT("xyz", 0, 4, 3, 2);       /* unknown ones fuse */
    EXPECT("x y", 0, 4, 3, 4, 3, 2); /* but not over a space */
    EXPECT("\x80\xFF", 0, 2);        /* U+FFFD is a space */
    EXPECT("a\x80", 0, 10, 2);
    EXPECT("<s>", 0, 4, 18, 20, 19, 2); /* text, not a token */
    EXPECT("<mask>", 0, 4, 18, 3, 5, 20, 3, 19, 2);
    EXPECT("a\0a", 0, 10, 3, 5, 2); /* NUL is a character like others */
    OK(rag_encoder_tokens(two, 2, &n, e, RAG_STR_LIT("a a a"), &err), &err);
    assert_int_equal(n, 5);
    assert_int_equal(two[1], 10);
    rag_encoder_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trie),    cmocka_unit_test(test_trie_errors),
        cmocka_unit_test(test_rules),   cmocka_unit_test(test_longest_match),
        cmocka_unit_test(test_nmt_oom), cmocka_unit_test(test_segmentation),
    };

    return cmocka_run_group_tests(tests, NULL, tiny_cleanup);
}
