/* Graphs made by the onnx package and by ONNX Runtime's quantiser, and hostile
 * bytes. */
#include "datafile.h"
#include "import_fixture.h"

#include "base/buf.h"
#include "base/file.h"
#include "nn/onnx.h"
#include "nn/onnxgraph.h"
#include "nn/pbwire.h"
#include "nn/source_priv.h"

static rag_error err;
static uint32_t first;

static rag_status open_graph(rag_source *s, const char *name, bool has_config)
{
    char path[256];
    rag_map m;
    rag_status st;

    (void)snprintf(path, sizeof path, "%s%s", IMPORT_DATA, name);
    TRY(rag_source_begin(s, &err));
    TRY(rag_source_map(&m, s, path, &err));
    if (has_config)
        s->arch = RAG_ARCH_MODERNBERT;
    st = rag_onnx_read(s, &first, rag_str_n((const char *)m.ptr, m.len),
                       has_config, &err);
out:
    if (st != RAG_OK)
        rag_source_close(s);
    return st;
}

static void check_bert(const char *name, double off)
{
    rag_source s;

    OK(open_graph(&s, name, false), &err);
    assert_int_equal(s.arch, RAG_ARCH_BERT);
    assert_int_equal(s.head, RAG_HEAD_NONE);
    assert_int_equal(s.hidden, 32);
    assert_int_equal(s.n_heads, 2);
    assert_int_equal(s.n_layers, 2);
    assert_int_equal(s.ffn, 64);
    assert_true(s.norm_eps == 1e-5f);
    assert_int_equal(first, 0);
    import_check_tensors(&s, name, off);
    rag_source_close(&s);
}

static void test_float(void **state)
{
    (void)state;
    check_bert("bert.onnx", 1e-6);
}

static void test_int8(void **state)
{
    (void)state;
    check_bert("int8.onnx", 1e-6);
    check_bert("cast.onnx", 1e-6);
}

static void test_reranker(void **state)
{
    rag_source s;

    (void)state;
    OK(open_graph(&s, "reranker.onnx", false), &err);
    assert_int_equal(s.head, RAG_HEAD_XLMR);
    assert_int_equal(s.n_labels, 1);
    assert_int_equal(s.pooling, RAG_POOL_CLS);
    assert_int_equal(first, 2);
    import_check_tensors(&s, "reranker.onnx", 1e-6);
    OK(rag_source_cut_positions(&s, first, 0, &err), &err);
    assert_int_equal(s.window, 16);
    rag_source_close(&s);
}

static void test_modern(void **state)
{
    rag_source s;

    (void)state;
    OK(open_graph(&s, "modern.onnx", true), &err);
    import_check_tensors(&s, "modern.onnx", 1e-6);
    rag_source_close(&s);
    assert_int_equal(open_graph(&s, "modern.onnx", false), RAG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "config.json"));
}

static rag_status read_bytes(const unsigned char *p, size_t n, rag_error *why)
{
    rag_source s;
    rag_status st = rag_source_begin(&s, why);

    if (st == RAG_OK)
        st = rag_onnx_read(&s, &first, rag_str_n((const char *)p, n), false,
                           why);
    rag_source_close(&s);
    return st;
}

static void test_cut(void **state)
{
    (void)state;
    import_check_cut(IMPORT_DATA "int8.onnx", read_bytes, 0, 61);
}

static void test_flipped(void **state)
{
    (void)state;
    import_check_flipped(IMPORT_DATA "cast.onnx", read_bytes, 0, 7, 0x55);
}

/* fused.onnx with the last attribute of that name set: name, i: value. */
static void refuse_attention(const char *attribute, char value, rag_status want,
                             const char *what)
{
    rag_buf b = datafile_read("import/fused.onnx");
    size_t n = strlen(attribute);
    char *at = NULL;

    for (size_t i = 0; i + n + 2 < b.len; i++)
        if (memcmp(b.ptr + i, attribute, n) == 0)
            at = b.ptr + i + n;
    if (at == NULL || at[0] != 0x18) /* field 3, a number */
        fail_msg("no attribute %s", attribute);
    else
        at[1] = value;
    assert_int_equal(read_bytes((const unsigned char *)b.ptr, b.len, &err),
                     want);
    assert_non_null(strstr(err.msg, what));
    rag_buf_dispose(&b);
}

/* As ONNX Runtime's optimiser leaves it. */
static void test_fused(void **state)
{
    rag_source s;

    (void)state;
    check_bert("fused.onnx", 1e-6);
    OK(open_graph(&s, "fused.onnx", false), &err);
    assert_int_equal(s.act, RAG_ACT_TANH_GELU); /* the first one's */
    rag_source_close(&s);
    OK(open_graph(&s, "bert.onnx", false), &err);
    assert_int_equal(s.act, RAG_ACT_GELU);
    rag_source_close(&s);
    refuse_attention("num_heads", 4, RAG_E_FORMAT, "number of attention heads");
    refuse_attention("unidirectional", 1, RAG_E_UNSUPPORTED, "a mask");
    import_check_cut(IMPORT_DATA "fused.onnx", read_bytes, 0, 61);
    import_check_flipped(IMPORT_DATA "fused.onnx", read_bytes, 0, 7, 0x55);
}

static void test_external(void **state)
{
    /* a graph with one tensor of another file, by hand:
     * graph { initializer { dims: 4 data_type: 1 name: "..." data_location: 1
     * } } */
    static const char name[] = "embeddings.LayerNorm.bias";
    rag_buf b;
    size_t n = sizeof name - 1;

    (void)state;
    rag_buf_init(&b, 4096);
    rag_buf_addc(&b, 0x3A); /* field 7: graph */
    rag_buf_addc(&b, (char)(n + 10));
    rag_buf_addc(&b, 0x2A); /* field 5: initializer */
    rag_buf_addc(&b, (char)(n + 8));
    rag_buf_add(&b, "\x08\x04\x10\x01\x42", 5);
    rag_buf_addc(&b, (char)n);
    rag_buf_addz(&b, name);
    rag_buf_add(&b, "\x70\x01", 2);
    assert_int_equal(read_bytes((const unsigned char *)b.ptr, b.len, &err),
                     RAG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "in another file"));
    rag_buf_dispose(&b);
}

/* graph { node { op_type: "MatMulNBits" } } */
static void test_unread_operator(void **state)
{
    static const unsigned char bytes[] = "\x3A\x0F\x0A\x0D\x22\x0B"
                                         "MatMulNBits";

    (void)state;
    assert_int_equal(read_bytes(bytes, sizeof bytes - 1, &err),
                     RAG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "MatMulNBits"));
}

static void test_wire(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        bool is_bad;
    } cases[] = {
        {"", 0, false},
        {"\x08\x96\x01", 3, false},
        {"\x08", 1, true},             /* no value */
        {"\x08\x96", 2, true},         /* half a varint */
        {"\x0A\x05xyz", 5, true},      /* longer than the rest */
        {"\x0B", 1, true},             /* a group */
        {"\x00\x01", 2, true},         /* field 0 */
        {"\x0D\x01\x02\x03", 4, true}, /* half a fixed32 */
        {"\x09\x01\x02\x03\x04\x05\x06\x07\x08", 9, false},
        {"\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 11, true},
        {"\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01x", 12, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rag_pbwire r = rag_pbwire_of(rag_str_n(cases[i].bytes, cases[i].n));
        rag_pbwire_field f;

        while (rag_pbwire_next(&f, &r))
            ;
        if (r.bad != cases[i].is_bad)
            fail_msg("case %zu", i);
    }
}

static rag_status once(const char *name)
{
    rag_source s;
    rag_status st = open_graph(&s, name, false);

    if (st == RAG_OK)
        rag_source_close(&s);
    return st;
}

static void test_no_memory(void **state)
{
    (void)state;
    CHECK_OOM(once("bert.onnx"));
    CHECK_OOM(once("int8.onnx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float),
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_reranker),
        cmocka_unit_test(test_modern),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_fused),
        cmocka_unit_test(test_unread_operator),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_external),
        cmocka_unit_test(test_wire),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
