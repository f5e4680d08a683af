/* Files made by the gguf package, and hostile ones. */
#include "import_fixture.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "nn/gguf.h"
#include "nn/ggufmodel.h"
#include "nn/source_priv.h"

static rag_error err;

static void check_piece(const rag_source_tokens *t, size_t i, const char *text,
                        rag_piece_type type)
{
    if (!rag_str_eqz(t->pieces[i], text) || t->types[i] != (uint8_t)type)
        fail_msg("piece %zu: %.*s, type %d", i, (int)t->pieces[i].len,
                 t->pieces[i].ptr, t->types[i]);
}

static void test_bert(void **state)
{
    rag_source s;

    (void)state;
    OK(rag_ggufmodel_open(&s, IMPORT_DATA "bert.gguf", &err), &err);
    assert_int_equal(s.arch, RAG_ARCH_BERT);
    assert_int_equal(s.head, RAG_HEAD_NONE);
    assert_int_equal(s.pooling, RAG_POOL_CLS);
    assert_int_equal(s.hidden, 32);
    assert_int_equal(s.n_layers, 2);
    assert_int_equal(s.n_heads, 2);
    assert_int_equal(s.ffn, 256);
    assert_int_equal(s.window, 16);
    assert_true(s.norm_eps == 1e-5f);
    assert_string_equal(s.licence, "cc0-1.0");
    assert_non_null(strstr(s.source, "bert.gguf sha256:"));
    import_check_tensors(&s, "bert.gguf", 1e-6);
    assert_int_equal(s.tokens.kind, RAG_TOKENS_WORDPIECE);
    assert_int_equal(s.tokens.n_pieces, 14);
    check_piece(&s.tokens, 0, "[PAD]", RAG_PIECE_SPECIAL);
    check_piece(&s.tokens, 5, "[unused0]", RAG_PIECE_NORMAL);
    check_piece(&s.tokens, 8, "##b", RAG_PIECE_NORMAL);
    check_piece(&s.tokens, 10, "hello", RAG_PIECE_NORMAL);
    assert_int_equal(s.tokens.bos, 2);
    assert_int_equal(s.tokens.eos, 3);
    assert_int_equal(s.tokens.unk, 1);
    assert_int_equal(s.tokens.pad, 0);
    assert_true(rag_source_norm_has(&s.tokens, RAG_NORM_LOWER) &&
                rag_source_norm_has(&s.tokens, RAG_NORM_ACCENTS));
    rag_source_close(&s);
}

static void test_reranker(void **state)
{
    rag_source s;

    (void)state;
    OK(rag_ggufmodel_open(&s, IMPORT_DATA "reranker.gguf", &err), &err);
    assert_int_equal(s.head, RAG_HEAD_XLMR);
    assert_int_equal(s.n_labels, 1);
    assert_int_equal(s.pooling, RAG_POOL_CLS);
    assert_string_equal(s.query_prefix, "");
    import_check_tensors(&s, "reranker.gguf", 1e-6);
    assert_int_equal(s.tokens.kind, RAG_TOKENS_UNIGRAM);
    check_piece(&s.tokens, 0, "<s>", RAG_PIECE_SPECIAL);
    check_piece(&s.tokens, 11, "<mask>", RAG_PIECE_SPECIAL);
    assert_true(s.tokens.scores[4] == -1.5f);
    assert_int_equal(s.tokens.form, RAG_FORM_CHARSMAP);
    assert_int_equal(s.tokens.charsmap.len, 10);
    assert_int_equal(s.tokens.charsmap.ptr[8], 'A');
    assert_true(s.tokens.prefix_space && s.tokens.collapse_spaces);
    assert_true(s.tokens.pair_double_eos);
    assert_int_equal(s.tokens.bos, 0);
    assert_int_equal(s.tokens.eos, 2);
    rag_source_close(&s);
}

static void test_modern(void **state)
{
    rag_source s;

    (void)state;
    OK(rag_ggufmodel_open(&s, IMPORT_DATA "modern.gguf", &err), &err);
    assert_int_equal(s.arch, RAG_ARCH_MODERNBERT);
    assert_int_equal(s.n_heads, 1);
    assert_int_equal(s.pooling, RAG_POOL_MEAN);
    assert_int_equal(s.local_window, 8);
    assert_int_equal(s.global_every, 2);
    assert_true(s.rope_global == 160000.0f && s.rope_local == 10000.0f);
    import_check_tensors(&s, "modern.gguf", 1e-6);
    assert_null(rag_source_find(&s, RAG_PART_NORM1_W, 0));
    assert_int_equal(s.tokens.kind, RAG_TOKENS_BYTE_BPE);
    assert_int_equal(s.tokens.splits, RAG_SPLIT_GPT2);
    assert_int_equal(s.tokens.form, RAG_FORM_NFC);
    assert_int_equal(s.tokens.n_merges, 3);
    assert_int_equal(s.tokens.merges[1][0], 8);
    assert_int_equal(s.tokens.merges[1][1], 9);
    assert_int_equal(s.tokens.merged[1], 10);
    check_piece(&s.tokens, 12, "  ", RAG_PIECE_USER);
    assert_int_equal(s.tokens.bos, 1);
    assert_int_equal(s.tokens.eos, 2);
    rag_source_close(&s);
}

static rag_status read_bytes(const unsigned char *p, size_t n, rag_error *why)
{
    rag_source s;
    rag_status st = rag_source_begin(&s, why);

    if (st == RAG_OK)
        st = rag_ggufmodel_read(&s, p, n, why);
    rag_source_close(&s);
    return st;
}

static void test_cut(void **state)
{
    (void)state;
    import_check_cut(IMPORT_DATA "bert.gguf", read_bytes, 4096, 977);
}

/* The front of the file, where all but the weights is. */
static void test_flipped(void **state)
{
    (void)state;
    import_check_flipped(IMPORT_DATA "modern.gguf", read_bytes, 3000, 1, 0xFF);
}

static void put(rag_buf *b, uint64_t v, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        rag_buf_addc(b, (char)(v >> 8 * i));
}

static void put_str(rag_buf *b, const char *s)
{
    put(b, strlen(s), 8);
    rag_buf_addz(b, s);
}

static void start(rag_buf *b, unsigned version, uint64_t n_tensors,
                  uint64_t n_values)
{
    rag_buf_init(b, 1 << 16);
    rag_buf_addz(b, "GGUF");
    put(b, version, 4);
    put(b, n_tensors, 8);
    put(b, n_values, 8);
}

static void refuse(rag_buf *b, rag_status st, const char *says)
{
    rag_status got = read_bytes((const unsigned char *)b->ptr, b->len, &err);

    if (got != st || strstr(err.msg, says) == NULL)
        fail_msg("%d, %s: want %s", (int)got, err.msg, says);
    rag_buf_dispose(b);
}

static void test_hostile(void **state)
{
    rag_buf b;

    (void)state;
    start(&b, 1, 0, 0);
    refuse(&b, RAG_E_UNSUPPORTED, "version 1");
    start(&b, 0x03000000u, 0, 0);
    refuse(&b, RAG_E_UNSUPPORTED, "big-endian");
    start(&b, 3, 0, UINT64_MAX);
    refuse(&b, RAG_E_LIMIT, "keys");
    start(&b, 3, 0, 4000);
    refuse(&b, RAG_E_FORMAT, "cut off");
    start(&b, 3, UINT64_MAX, 0);
    refuse(&b, RAG_E_LIMIT, "tensors");
    start(&b, 3, 0, 1); /* an array of 10^18 strings */
    put_str(&b, "tokenizer.ggml.tokens");
    put(&b, RAG_GGUF_ARRAY, 4);
    put(&b, RAG_GGUF_STRING, 4);
    put(&b, 1000000000000000000u, 8);
    refuse(&b, RAG_E_FORMAT, "cut off");
    start(&b, 3, 0, 1); /* an array of arrays */
    put_str(&b, "x");
    put(&b, RAG_GGUF_ARRAY, 4);
    put(&b, RAG_GGUF_ARRAY, 4);
    put(&b, 1, 8);
    put(&b, 0, 8);
    refuse(&b, RAG_E_FORMAT, "unknown type");
    start(&b, 3, 0, 2); /* the same key twice */
    for (size_t i = 0; i < 2; i++) {
        put_str(&b, "x");
        put(&b, RAG_GGUF_U32, 4);
        put(&b, 7, 4);
    }
    refuse(&b, RAG_E_FORMAT, "twice");
    start(&b, 3, 0, 1);
    put_str(&b, "general.alignment");
    put(&b, RAG_GGUF_U32, 4);
    put(&b, 0, 4);
    refuse(&b, RAG_E_FORMAT, "alignment");
    start(&b, 3, 0, 1);
    put_str(&b, "general.architecture");
    put(&b, RAG_GGUF_STRING, 4);
    put_str(&b, "llama");
    refuse(&b, RAG_E_UNSUPPORTED, "llama");
}

static void tensor(rag_buf *b, const char *name, uint64_t rows, uint64_t cols,
                   unsigned type, uint64_t offset)
{
    put_str(b, name);
    put(b, 2, 4);
    put(b, cols, 8);
    put(b, rows, 8);
    put(b, type, 4);
    put(b, offset, 8);
}

static void test_hostile_tensors(void **state)
{
    rag_buf b;

    (void)state;
    start(&b, 3, 1, 0);
    tensor(&b, "token_embd.weight", (uint64_t)1 << 62, 1u << 20, 0, 0);
    refuse(&b, RAG_E_FORMAT, "absurd");
    start(&b, 3, 1, 0);
    tensor(&b, "token_embd.weight", 1u << 30, 32, 0, 0);
    refuse(&b, RAG_E_FORMAT, "outside");
    start(&b, 3, 1, 0);
    tensor(&b, "token_embd.weight", 1, 8, 0, UINT64_MAX - 31);
    refuse(&b, RAG_E_FORMAT, "outside");
    start(&b, 3, 1, 0);
    tensor(&b, "token_embd.weight", 4, 16, 2, 0); /* Q4_0, half a block */
    refuse(&b, RAG_E_FORMAT, "whole blocks");
    start(&b, 3, 2, 0);
    tensor(&b, "a.weight", 1, 16, 0, 0);
    tensor(&b, "b.weight", 1, 16, 0, 32);
    for (size_t i = 0; i < 256; i++)
        put(&b, 0, 1);
    refuse(&b, RAG_E_FORMAT, "overlap");
    start(&b, 3, 2, 0);
    tensor(&b, "a.weight", 1, 16, 0, 0);
    tensor(&b, "a.weight", 1, 16, 0, 64);
    for (size_t i = 0; i < 256; i++)
        put(&b, 0, 1);
    refuse(&b, RAG_E_FORMAT, "twice");
}

static rag_status open_and_close(const char *path)
{
    rag_source s;
    rag_status st = rag_ggufmodel_open(&s, path, &err);

    if (st == RAG_OK)
        rag_source_close(&s);
    return st;
}

static void test_no_memory(void **state)
{
    (void)state;
    CHECK_OOM(open_and_close(IMPORT_DATA "modern.gguf"));
    CHECK_OOM(open_and_close(IMPORT_DATA "bert.gguf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bert),
        cmocka_unit_test(test_reranker),
        cmocka_unit_test(test_modern),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_hostile_tensors),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
