/* SentencePiece models made by hand: what they say, what is refused, damage,
 * no memory. Ids of trained ones: t_tokens_kinds.c. */
#include "tok_ids.h"

#include "base/arena.h"
#include "nn/spmodel.h"

#define SPACE "\xE2\x96\x81"

static rag_buf file;
static rag_error err;

/* A field of bytes, shorter than 128. */
static void put(rag_buf *out, unsigned no, const char *ptr, size_t n)
{
    assert_true(no < 16 && n < 128);
    rag_buf_addc(out, (char)(no << 3 | 2));
    rag_buf_addc(out, (char)n);
    rag_buf_add(out, ptr, n);
}

static void add_piece(const char *text, float score, char type)
{
    rag_buf b;

    rag_buf_init(&b, 256);
    put(&b, 1, text, strlen(text));
    rag_buf_addc(&b, 2 << 3 | 5);
    rag_buf_add(&b, &score, sizeof score); /* little-endian machines only */
    rag_buf_addc(&b, 3 << 3);
    rag_buf_addc(&b, type);
    put(&file, 1, b.ptr, b.len);
    rag_buf_dispose(&b);
}

/* Settings of the trainer or the normalizer: numbers of fields below 16 and
 * their values. */
static void add_settings(unsigned no, const char *pairs, size_t n)
{
    rag_buf b;

    rag_buf_init(&b, 256);
    for (size_t i = 0; i < n; i += 2) {
        rag_buf_addc(&b, (char)(pairs[i] << 3));
        rag_buf_addc(&b, pairs[i + 1]);
    }
    put(&file, no, b.ptr, b.len);
    rag_buf_dispose(&b);
}

static void begin(void)
{
    rag_buf_clear(&file);
    add_piece("<unk>", 0, 2);
    add_piece("<s>", 0, 3);
    add_piece("</s>", 0, 3);
    add_piece(SPACE, -3, 1);
    add_piece("a", -2, 1);
    add_piece("b", -2.5f, 1);
    add_piece("ab", -3, 1);
}

static rag_status read_as(rag_source_tokens *s, rag_arena *a, rag_spmodel n)
{
    rag_arena_init(a);
    return rag_spmodel_read(s, a, rag_buf_str(&file), n, &err);
}

static void expect(rag_spmodel numbering, const char *text, const int32_t *want)
{
    rag_source_tokens s;
    rag_arena a;

    OK(read_as(&s, &a, numbering), &err);
    expect_model(&s, rag_str_of(text), want);
    rag_arena_dispose(&a);
}

static void test_numbering(void **state)
{
    rag_source_tokens s;
    rag_arena a;

    (void)state;
    begin();
    expect(RAG_SPMODEL_PLAIN, " ab  x", IDS(1, 3, 6, 3, 0, 2));
    expect(RAG_SPMODEL_XLMR, " ab  x", IDS(0, 4, 7, 4, 3, 2));
    expect(RAG_SPMODEL_CAMEMBERT, " ab  x", IDS(5, 7, 10, 7, 3, 6));
    expect(RAG_SPMODEL_XLMR, "<s>", IDS(0, 4, 3, 2)); /* plain text */
    OK(read_as(&s, &a, RAG_SPMODEL_XLMR), &err);
    assert_int_equal(s.n_pieces, 9);
    assert_true(rag_str_eqz(s.pieces[8], "<mask>"));
    assert_int_equal(s.pad, 1);
    assert_true(s.pair_double_eos);
    rag_arena_dispose(&a);
    OK(read_as(&s, &a, RAG_SPMODEL_CAMEMBERT), &err);
    assert_int_equal(s.n_pieces, 12);
    assert_int_equal(s.unk, 3);
    rag_arena_dispose(&a);
}

static void test_settings(void **state)
{
    (void)state;
    begin();
    add_settings(3, "\3\0\4\0", 4); /* no prefix, spaces as they are */
    expect(RAG_SPMODEL_PLAIN, "a  a", IDS(1, 4, 3, 3, 4, 2));
    begin();
    add_settings(2, "\3\2", 2); /* BPE */
    expect(RAG_SPMODEL_PLAIN, "ab", IDS(1, 3, 6, 2));
    begin();
    add_piece("<x>", 0, 4); /* the user's: always whole */
    expect(RAG_SPMODEL_PLAIN, "a<x>b", IDS(1, 3, 4, 7, 5, 2));
}

static void refuse(rag_spmodel numbering, rag_status st, const char *says)
{
    rag_source_tokens s;
    rag_arena a;
    rag_status got = read_as(&s, &a, numbering);

    if (got != st || strstr(err.msg, says) == NULL)
        fail_msg("%s, not \"%s\": %s", rag_status_name(got), says, err.msg);
    rag_arena_dispose(&a);
}

static void test_refused(void **state)
{
    static const rag_status no = RAG_E_UNSUPPORTED;
    static const rag_status bad = RAG_E_FORMAT;

    (void)state;
    rag_buf_clear(&file);
    refuse(RAG_SPMODEL_PLAIN, bad, "not a SentencePiece");
    rag_buf_addz(&file, "some text");
    refuse(RAG_SPMODEL_XLMR, bad, "not a SentencePiece");
    begin();
    add_settings(2, "\3\3", 2);
    refuse(RAG_SPMODEL_PLAIN, no, "words or characters");
    begin();
    add_settings(3, "\5\0", 2);
    refuse(RAG_SPMODEL_PLAIN, no, "escape_whitespaces");
    begin();
    add_settings(2, "\3\2", 2);
    add_piece("c", 0, 5);
    refuse(RAG_SPMODEL_PLAIN, no, "unused");
    begin();
    add_piece("c" SPACE, 0, 4);
    refuse(RAG_SPMODEL_PLAIN, no, "the user's with a space");
    begin();
    add_piece("c", 0, 7);
    refuse(RAG_SPMODEL_PLAIN, bad, "not a SentencePiece");
    begin();
    add_piece("\xFF", 0, 1);
    refuse(RAG_SPMODEL_PLAIN, bad, "not a SentencePiece");
    rag_buf_clear(&file);
    add_piece("a", 0, 1);
    refuse(RAG_SPMODEL_PLAIN, bad, "no <unk>");
    refuse(RAG_SPMODEL_CAMEMBERT, bad, "no <unk>");
    refuse(RAG_SPMODEL_XLMR, bad, "not a SentencePiece");
    for (size_t i = 0; i < 4; i++)
        add_piece("b", 0, 1);
    refuse(RAG_SPMODEL_XLMR, no, "piece 0 is none of");
}

/* Cut anywhere: an error or a smaller vocabulary, and what is read builds. */
static void test_cut(void **state)
{
    (void)state;
    begin();
    add_settings(2, "\3\2", 2);
    for (size_t n = 0; n < file.len; n++) {
        rag_source_tokens s;
        rag_arena a;
        rag_buf blob;
        rag_status st;

        rag_arena_init(&a);
        rag_buf_init(&blob, (size_t)1 << 26);
        st = rag_spmodel_read(&s, &a, rag_str_n(file.ptr, n), RAG_SPMODEL_PLAIN,
                              &err);
        if (st == RAG_OK)
            st = rag_tokens_build(&blob, &s, &err);
        if (st != RAG_OK && st != RAG_E_FORMAT)
            fail_msg("%zu bytes: %s", n, err.msg);
        rag_buf_dispose(&blob);
        rag_arena_dispose(&a);
    }
}

static rag_status once(void)
{
    rag_source_tokens s;
    rag_arena a;
    rag_status st = read_as(&s, &a, RAG_SPMODEL_XLMR);

    rag_arena_dispose(&a);
    return st;
}

static void test_no_memory(void **state)
{
    (void)state;
    begin();
    CHECK_OOM(once());
}

static int set_up(void **state)
{
    (void)state;
    rag_buf_init(&file, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rag_buf_dispose(&file);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbering), cmocka_unit_test(test_settings),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_cut),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
