/* Importer and model file: what is right, and everything that is wrong. */
#include "nn_tiny.h"

#include "nn/encoder.h"
#include "nn/weights.h"

static rag_buf in;
static tiny_places at;

static int setup(void **state)
{
    (void)state;
    tiny_make(&in, &at);
    tiny_write(tiny_path("in"), in.ptr, in.len);
    return 0;
}

static int teardown(void **state)
{
    rag_buf_dispose(&in);
    return tiny_cleanup(state);
}

static void import_ok(void)
{
    rag_error err;

    OK(rag_encoder_import(tiny_path("out"), tiny_path("in"), "tiny", &err),
       &err);
}

static void test_import(void **state)
{
    rag_encoder_info info;
    rag_error err;

    (void)state;
    import_ok();
    OK(rag_encoder_verify(tiny_path("out"), &err), &err);
    OK(rag_encoder_peek(&info, tiny_path("out"), &err), &err);
    assert_string_equal(info.name, "tiny");
    assert_int_equal(info.dims, TINY_HIDDEN);
    assert_int_equal(info.max_tokens, TINY_WINDOW);
    assert_string_equal(info.query_prefix, "query: ");
    assert_string_equal(info.passage_prefix, "passage: ");
    assert_string_equal(info.licence, "MIT (multilingual-e5-small)");
    assert_memory_equal(info.source, "in sha256:", 10);
    assert_int_equal(strlen(info.source), 10 + 64);
    assert_int_equal(strlen(info.sha256_hex), 64);
}

/* The packed int8 weights, undone, are the source's within half a step. */
static void test_packing(void **state)
{
    rag_weights w;
    rag_weights_layer l;
    rag_error err;
    const unsigned char *q;

    (void)state;
    import_ok();
    OK(rag_weights_open(&w, tiny_path("out"), &err), &err);
    l = rag_weights_layer_at(&w, 0);
    /* l0.k.w: the tensor behind 5 of the embedding and q.w, q.b */
    q = (const unsigned char *)in.ptr + at.data;
    for (size_t i = 0, n; i < 7; i++) {
        tiny_tensor t[5 + 16 * TINY_LAYERS];

        (void)tiny_tensors(t);
        n = tiny_tensor_bytes(&t[i]);
        q += (n + 63) & ~(size_t)63;
    }
    for (size_t o = 0; o < TINY_HIDDEN; o++, q += 18) {
        float d = rag_weights_half((uint16_t)(q[0] | q[1] << 8));
        float scale = l.qkv.scale[TINY_HIDDEN + o];
        int sum = 0;

        for (size_t k = 0; k < TINY_HIDDEN; k++) {
            size_t panel = TINY_HIDDEN + o;
            int nibble = k < 16 ? q[2 + k] & 15 : q[2 + k - 16] >> 4;
            int8_t got = l.qkv.w[panel / 32 * 32 * TINY_HIDDEN + k / 4 * 128 +
                                 panel % 32 * 4 + k % 4];

            assert_float_equal((float)got * scale * l.qkv_by[k],
                               d * (float)(nibble - 8),
                               0.5001f * scale * l.qkv_by[k]);
            sum += got;
        }
        assert_float_equal(l.qkv.sum[TINY_HIDDEN + o], scale * (float)sum,
                           1e-6f);
    }
    rag_weights_close(&w);
}

static void test_half(void **state)
{
    (void)state;
    assert_float_equal(rag_weights_half(0x3C00), 1.0f, 0.0f);
    assert_float_equal(rag_weights_half(0xC000), -2.0f, 0.0f);
    assert_float_equal(rag_weights_half(0x7BFF), 65504.0f, 0.0f);
    assert_float_equal(rag_weights_half(0x0001), 5.9604644775390625e-8f, 0.0f);
    assert_float_equal(rag_weights_half(0x8001), -5.9604644775390625e-8f, 0.0f);
    assert_float_equal(rag_weights_half(0x0400), 6.103515625e-5f, 0.0f);
    assert_false(rag_weights_half(0x7C00) <= 65504.0f);
    assert_true(rag_weights_half(0x7E00) != rag_weights_half(0x7E00));
}

/* ---- hostile source files ---------------------------------------------- */

static rag_status import_bytes(const void *bytes, size_t n, rag_error *err)
{
    tiny_write(tiny_path("cut"), bytes, n);
    return rag_encoder_import(tiny_path("out"), tiny_path("cut"), "x", err);
}

static void test_source_cut(void **state)
{
    rag_error err;

    (void)state;
    for (size_t n = 0; n < in.len; n += n < at.data ? 5 : 997) {
        rag_status st = import_bytes(in.ptr, n, &err);

        if (st != RAG_E_FORMAT)
            fail_msg("cut at %zu: %s", n, rag_status_name(st));
    }
}

/* Puts v at an offset of the source; what import says of it. */
static rag_status import_with(size_t offset, const void *v, size_t n,
                              rag_error *err)
{
    char old[16];
    rag_status st;

    memcpy(old, in.ptr + offset, n);
    memcpy(in.ptr + offset, v, n);
    st = import_bytes(in.ptr, in.len, err);
    memcpy(in.ptr + offset, old, n);
    return st;
}

static void test_source_numbers(void **state)
{
    static const uint32_t values[] = {
        0, 1, 3, 33, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000000, 4096};
    rag_error err;

    (void)state;
    /* every field of header, offsets, map and directory, aligned or not */
    for (size_t o = 4; o + 4 <= at.data; o += o < 80 ? 1 : 7) {
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            rag_status st = import_with(o, &values[i], 4, &err);

            if (st != RAG_OK && st != RAG_E_FORMAT)
                fail_msg("offset %zu = %x: %s", o, values[i],
                         rag_status_name(st));
        }
    }
}

static void bad(size_t offset, const void *v, size_t n, const char *what)
{
    rag_error err;
    rag_status st = import_with(offset, v, n, &err);

    if (st != RAG_E_FORMAT)
        fail_msg("%s: %s", what, rag_status_name(st));
}

static void test_source_wrong(void **state)
{
    uint32_t nan_bits = 0x7FC00000;
    uint16_t inf = 0x7C00;
    uint32_t far = 0x7FFFFFFF;
    uint64_t inside = at.directory;
    uint32_t first;
    size_t entry = at.directory + 4 + 2 + 8; /* of emb.word */
    size_t second = entry + 21 + 2 + 7;      /* of emb.pos */
    char twice = 'b'; /* the piece "a" becomes a second "b" */

    (void)state;
    bad(at.scores + 4 * 5, &nan_bits, 4, "score NaN");
    bad(at.offsets + 4 * 5, &far, 4, "piece outside");
    bad(at.map + 8, &far, 4, "map entry outside Unicode");
    bad(at.data, &inf, 2, "infinite row of the vocabulary");
    bad(entry + 5, &inside, 8, "tensor in the header");
    memcpy(&first, in.ptr + entry + 5, 4);
    bad(second + 5, &first, 4, "two tensors overlap");
    memcpy(&first, in.ptr + second + 5, 4);
    bad(first, &nan_bits, 4, "position NaN");
    bad(at.scores + 4 * TINY_PIECES + 3 + 5 + 4 + 5 + 3, &twice, 1,
        "piece twice");
}

static void test_source_names(void **state)
{
    static const char *const names[] = {
        "",
        ".x",
        "-x",
        "a/b",
        "a b",
        "\xEA\xB0\x80",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    rag_error err;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(rag_encoder_import(tiny_path("out"), tiny_path("in"),
                                            names[i], &err),
                         RAG_E_INVAL);
    assert_int_equal(
        rag_encoder_import(tiny_path("out"), "/nowhere/x", "x", &err),
        RAG_E_NOTFOUND);
    assert_int_equal(
        rag_encoder_import("/nowhere/x", tiny_path("in"), "x", &err),
        RAG_E_NOTFOUND);
}

static bool at_the_third(void *ctx)
{
    int *n = ctx;

    return ++*n == 3;
}

/* Ctrl-C: the old file stays, and no half a new one beside it. */
static void test_import_cancelled(void **state)
{
    int asked = 0;
    rag_encoder_import_opts o = {.cancelled = at_the_third,
                                 .cancel_ctx = &asked};
    rag_encoder_info before;
    rag_encoder_info after;
    rag_error err;
    char tmp[4096];

    (void)state;
    import_ok();
    OK(rag_encoder_peek(&before, tiny_path("out"), &err), &err);
    o.query_prefix = "other: ";
    assert_int_equal(rag_encoder_import_as(tiny_path("out"), tiny_path("in"),
                                           "tiny", &o, &err),
                     RAG_E_CANCELLED);
    assert_int_equal(asked, 3);
    OK(rag_encoder_peek(&after, tiny_path("out"), &err), &err);
    assert_string_equal(before.query_prefix, after.query_prefix);
    assert_true(snprintf(tmp, sizeof tmp, "%s.tmp%ld", tiny_path("out"),
                         (long)getpid()) > 0);
    assert_int_not_equal(access(tmp, F_OK), 0);
}

static void test_import_oom(void **state)
{
    (void)state;
    CHECK_OOM(
        rag_encoder_import(tiny_path("out"), tiny_path("in"), "tiny", NULL));
}

/* ---- hostile model files ----------------------------------------------- */

static void read_out(rag_buf *b)
{
    rag_error err;

    import_ok();
    rag_buf_init(b, 1 << 22);
    OK(rag_file_read(b, tiny_path("out"), 1 << 22, &err), &err);
}

static void test_cut(void **state)
{
    rag_weights_section s[RAG_WEIGHTS_SECTIONS];
    rag_buf b;

    (void)state;
    read_out(&b);
    memcpy(s, b.ptr + sizeof(rag_weights_head), sizeof s);
    for (size_t i = 0; i <= 3 * RAG_WEIGHTS_SECTIONS + 3; i++) {
        size_t k = i / 3;
        size_t n = k < RAG_WEIGHTS_SECTIONS ? (size_t)s[k].offset : b.len;
        rag_encoder_info info;
        rag_error err;

        n = n + i % 3 - 1; /* one byte less, the edge, one more */
        if (n >= b.len)
            continue;
        tiny_write(tiny_path("cut"), b.ptr, n);
        assert_int_equal(rag_encoder_peek(&info, tiny_path("cut"), &err),
                         RAG_E_CORRUPT);
    }
    for (size_t n = 0; n <= RAG_WEIGHTS_HEAD_BYTES; n += 512) {
        rag_error err;

        tiny_write(tiny_path("cut"), b.ptr, n);
        assert_int_equal(rag_encoder_verify(tiny_path("cut"), &err),
                         RAG_E_CORRUPT);
    }
    rag_buf_dispose(&b);
}

/* Opens and uses a damaged file: a clear error or a good vector. */
static void use(const char *path, size_t where)
{
    static const char text[] =
        "abc \xEA\xB0\x80 \xE1\x84\x80\xE1\x85\xA1\xCC\x81 "
        "\xC2\xBD d <s> \x01 aab 12";
    rag_str texts[2] = {rag_str_n(text, sizeof text - 1), RAG_STR_LIT("bc a")};
    float v[2 * TINY_HIDDEN];
    rag_encoder *e;
    rag_error err;
    rag_status st = rag_encoder_open(&e, path, 1, &err);

    if (st == RAG_OK && rag_encoder_about(e)->dims == TINY_HIDDEN) {
        st = rag_encoder_run(v, e, texts, 2, NULL, NULL, &err);
        for (size_t i = 0; st == RAG_OK && i < 2 * TINY_HIDDEN; i++)
            assert_true(v[i] >= -1.001f && v[i] <= 1.001f);
    }
    rag_encoder_close(e);
    if (st != RAG_OK && st != RAG_E_CORRUPT)
        fail_msg("byte %zu: %s", where, rag_status_name(st));
}

static void test_flipped(void **state)
{
    rag_buf b;
    uint32_t seed = 3;

    (void)state;
    read_out(&b);
    for (size_t i = 0; i < 1400; i++) {
        size_t place = i < sizeof(rag_weights_head) + 200
                           ? i
                           : 4096 + tiny_random(&seed) % (b.len - 4096);
        char old = tiny_damage(&b, place, i);

        use(tiny_path("cut"), place);
        b.ptr[place] = old;
    }
    rag_buf_dispose(&b);
}

/* NaN and infinity in every kind of float, one after the other. */
static void test_not_a_number(void **state)
{
    static const uint32_t bits[] = {0x7FC00000, 0x7F800000, 0xFF7FFFFF};
    rag_weights_section s[RAG_WEIGHTS_SECTIONS];
    rag_buf b;

    (void)state;
    read_out(&b);
    memcpy(s, b.ptr + sizeof(rag_weights_head), sizeof s);
    for (size_t k = 0; k < 2; k++) {
        for (size_t o = 0; o + 4 <= s[k].n_bytes; o += k == 0 ? 516 : 252) {
            uint32_t old;
            char *p = b.ptr + s[k].offset + (o & ~(size_t)3);

            memcpy(&old, p, 4);
            memcpy(p, &bits[o / 4 % 3], 4);
            tiny_write(tiny_path("cut"), b.ptr, b.len);
            use(tiny_path("cut"), o);
            memcpy(p, &old, 4);
        }
    }
    rag_buf_dispose(&b);
}

static void test_other_version(void **state)
{
    rag_encoder_info info;
    rag_error err;
    rag_buf b;

    (void)state;
    read_out(&b);
    b.ptr[8] = 1;
    tiny_write(tiny_path("cut"), b.ptr, b.len);
    assert_int_equal(rag_encoder_peek(&info, tiny_path("cut"), &err),
                     RAG_E_CORRUPT);
    assert_non_null(strstr(err.msg, "version 1"));
    assert_int_equal(rag_encoder_peek(&info, "/nowhere/x", &err),
                     RAG_E_NOTFOUND);
    rag_buf_dispose(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_import),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_half),
        cmocka_unit_test(test_source_cut),
        cmocka_unit_test(test_source_numbers),
        cmocka_unit_test(test_source_wrong),
        cmocka_unit_test(test_source_names),
        cmocka_unit_test(test_import_cancelled),
        cmocka_unit_test(test_import_oom),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_not_a_number),
        cmocka_unit_test(test_other_version),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
