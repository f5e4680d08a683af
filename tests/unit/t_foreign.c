/* A path becomes a source: folders as Hugging Face lays them out, single files,
 * what the user says, and what is missing. */
#include "import_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "nn/foreign.h"
#include "nn/hfdir.h"

#define HF IMPORT_DATA "hf-e5-base"

static rag_error err;
static char folder[64];

/* A path in a folder of the test's own. */
static const char *own(const char *name)
{
    static char path[4][160];
    static unsigned next;
    char *p = path[next++ % 4];

    (void)snprintf(p, 160, "%s/%s", folder, name);
    return p;
}

static void copy_to(const char *from, const char *to)
{
    rag_buf b;

    rag_buf_init(&b, 1 << 24);
    OK(rag_file_read(&b, from, 1 << 24, &err), &err);
    OK(rag_file_replace(to, b.ptr, b.len, &err), &err);
    rag_buf_dispose(&b);
}

static void write_to(const char *to, const char *text)
{
    OK(rag_file_replace(to, text, strlen(text), &err), &err);
}

static void test_folder(void **state)
{
    rag_source s;

    (void)state;
    OK(rag_foreign_open(&s, HF, NULL, &err), &err);
    assert_int_equal(s.arch, RAG_ARCH_BERT);
    assert_int_equal(s.head, RAG_HEAD_NONE);
    assert_int_equal(s.pooling, RAG_POOL_MEAN);
    assert_int_equal(s.ffn, 64);
    assert_int_equal(s.window, 12); /* sentence_bert_config.json */
    assert_string_equal(s.licence, "cc0-1.0");
    /* by the folder's name: no prompts are in it */
    assert_string_equal(s.query_prefix, "query: ");
    assert_string_equal(s.passage_prefix, "passage: ");
    assert_non_null(strstr(s.source, "hf-e5-base sha256:"));
    import_check_tensors(&s, "hf-e5-base", 1e-6);
    assert_int_equal(s.tokens.kind, RAG_TOKENS_UNIGRAM);
    assert_int_equal(s.tokens.n_pieces, 12);
    assert_true(s.tokens.pair_double_eos);
    rag_source_close(&s);
    /* one of its files stands for it */
    OK(rag_foreign_open(&s, HF "/model-00001-of-00002.safetensors", NULL, &err),
       &err);
    assert_non_null(strstr(s.source, "hf-e5-base sha256:"));
    rag_source_close(&s);
}

static void test_options(void **state)
{
    rag_encoder_import_opts o = {
        .query_prefix = "q ", .passage_prefix = "", .pooling = "last"};
    rag_source s;

    (void)state;
    OK(rag_foreign_open(&s, HF, &o, &err), &err);
    assert_string_equal(s.query_prefix, "q ");
    assert_string_equal(s.passage_prefix, "");
    assert_int_equal(s.pooling, RAG_POOL_LAST);
    rag_source_close(&s);
    o.pooling = "sum";
    assert_int_equal(rag_foreign_open(&s, HF, &o, &err), RAG_E_INVAL);
}

static void test_onnx_beside(void **state)
{
    rag_encoder_import_opts o = {.pooling = "cls"};
    rag_source s;

    (void)state;
    copy_to(IMPORT_DATA "bert.onnx", own("model.onnx"));
    assert_int_equal(rag_foreign_open(&s, folder, NULL, &err), RAG_E_NOTFOUND);
    assert_non_null(strstr(err.msg, "tokenizer.json"));
    copy_to(HF "/tokenizer.json", own("tokenizer.json"));
    assert_int_equal(rag_foreign_open(&s, folder, NULL, &err), RAG_E_INVAL);
    assert_non_null(strstr(err.msg, "--pooling"));
    OK(rag_foreign_open(&s, folder, &o, &err), &err);
    assert_int_equal(s.pooling, RAG_POOL_CLS);
    assert_int_equal(s.window, 16);
    rag_source_close(&s);
    /* its configuration counts where it is there */
    write_to(own("config.json"),
             "{\"model_type\":\"bert\",\"hidden_size\":32,"
             "\"num_hidden_layers\":2,\"num_attention_heads\":4,"
             "\"intermediate_size\":64,\"_name_or_path\":\"x/gte-small\"}");
    OK(rag_foreign_open(&s, own("model.onnx"), NULL, &err), &err);
    assert_int_equal(s.n_heads, 4);
    assert_int_equal(s.pooling, RAG_POOL_MEAN);
    rag_source_close(&s);
    (void)unlink(own("config.json"));
    (void)unlink(own("tokenizer.json"));
    (void)unlink(own("model.onnx"));
}

static void refuse(const char *path, rag_status st, const char *says)
{
    rag_source s;
    rag_status got = rag_foreign_open(&s, path, NULL, &err);

    if (got != st || strstr(err.msg, says) == NULL)
        fail_msg("%d, %s: want %s", (int)got, err.msg, says);
}

/* the first shard alone: layer 0 */
static const char one_layer[] =
    "{\"model_type\":\"xlm-roberta\",\"hidden_size\":32,"
    "\"num_hidden_layers\":1,\"num_attention_heads\":2,"
    "\"intermediate_size\":64,\"max_position_embeddings\":18}";

/* <unk>, <s>, </s> and "a" as SentencePiece writes them, without scores. */
static const char pieces[] = "\n\x09\n\x05<unk>\x18\2\n\7\n\3<s>\x18\3"
                             "\n\x08\n\4</s>\x18\3\n\3\n\1a";

/* An old BERT has no tokenizer.json. */
static void test_vocab(void **state)
{
    rag_source s;

    (void)state;
    write_to(own("config.json"), one_layer);
    copy_to(HF "/model-00001-of-00002.safetensors", own("model.safetensors"));
    write_to(own("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n");
    OK(rag_foreign_open(&s, folder, NULL, &err), &err);
    assert_int_equal(s.tokens.kind, RAG_TOKENS_WORDPIECE);
    assert_int_equal(s.tokens.n_pieces, 6);
    assert_true(rag_source_norm_has(&s.tokens, RAG_NORM_LOWER));
    rag_source_close(&s);
    write_to(own("tokenizer_config.json"), "{\"do_lower_case\":false}");
    OK(rag_foreign_open(&s, folder, NULL, &err), &err);
    assert_false(rag_source_norm_has(&s.tokens, RAG_NORM_LOWER));
    rag_source_close(&s);
    write_to(own("tokenizer_config.json"),
             "{\"tokenizer_class\":\"BertTokenizerFast\",\"strip_accents\":"
             "false,\"tokenize_chinese_chars\":false}");
    OK(rag_foreign_open(&s, folder, NULL, &err), &err);
    assert_true(rag_source_norm_has(&s.tokens, RAG_NORM_LOWER));
    assert_false(rag_source_norm_has(&s.tokens, RAG_NORM_ACCENTS));
    assert_false(s.tokens.cjk_spaces);
    rag_source_close(&s);
    write_to(own("tokenizer_config.json"),
             "{\"tokenizer_class\":\"BertJapaneseTokenizer\"}");
    refuse(folder, RAG_E_UNSUPPORTED, "vocab.txt: the tokenizer_class Bert");
    (void)unlink(own("vocab.txt"));
    /* nor has an old XLM-RoBERTa, but SentencePiece's own file */
    write_to(own("tokenizer_config.json"),
             "{\"tokenizer_class\":\"XLMRobertaTokenizer\"}");
    write_to(own("sentencepiece.bpe.model"), pieces);
    OK(rag_foreign_open(&s, folder, NULL, &err), &err);
    assert_int_equal(s.tokens.kind, RAG_TOKENS_UNIGRAM);
    assert_int_equal(s.tokens.n_pieces, 6);
    assert_int_equal(s.tokens.bos, 0);
    rag_source_close(&s);
    write_to(own("tokenizer_config.json"),
             "{\"tokenizer_class\":\"CamembertTokenizerFast\"}");
    OK(rag_foreign_open(&s, folder, NULL, &err), &err);
    assert_int_equal(s.tokens.n_pieces, 9);
    assert_int_equal(s.tokens.bos, 5);
    rag_source_close(&s);
    write_to(own("tokenizer_config.json"),
             "{\"tokenizer_class\":\"MBartTokenizer\"}");
    refuse(folder, RAG_E_UNSUPPORTED, "MBartTokenizer");
    copy_to(own("sentencepiece.bpe.model"), own("tokenizer.model"));
    (void)unlink(own("sentencepiece.bpe.model"));
    refuse(folder, RAG_E_UNSUPPORTED, "tokenizer.model");
    write_to(own("tokenizer_config.json"),
             "{\"tokenizer_class\":\"LlamaTokenizer\"}");
    OK(rag_foreign_open(&s, folder, NULL, &err), &err);
    assert_int_equal(s.tokens.bos, 1);
    assert_int_equal(s.tokens.eos, -1);
    rag_source_close(&s);
    (void)unlink(own("tokenizer.model"));
    (void)unlink(own("tokenizer_config.json"));
    (void)unlink(own("model.safetensors"));
    (void)unlink(own("config.json"));
}

static void test_missing(void **state)
{
    (void)state;
    refuse(own("nothing"), RAG_E_NOTFOUND, "nothing");
    refuse(folder, RAG_E_NOTFOUND, "no model in");
    write_to(own("model.safetensors"), "x");
    refuse(folder, RAG_E_FORMAT, "no config.json");
    (void)unlink(own("model.safetensors"));
    write_to(own("x"), "some text\n");
    refuse(own("x"), RAG_E_FORMAT, "not a model file");
    write_to(own("x"), "");
    refuse(own("x"), RAG_E_FORMAT, "not a model file");
    (void)unlink(own("x"));
    copy_to(HF "/config.json", own("config.json"));
    refuse(folder, RAG_E_NOTFOUND, "no model.safetensors");
    write_to(own("pytorch_model.bin"), "x");
    refuse(folder, RAG_E_UNSUPPORTED, "save the model as");
    (void)unlink(own("pytorch_model.bin"));
    write_to(own("model.safetensors.index.json"),
             "{\"weight_map\":{\"a\":\"../secret\"}}");
    refuse(folder, RAG_E_FORMAT, "a file name");
    write_to(own("model.safetensors.index.json"),
             "{\"weight_map\":{\"a\":\"gone.safetensors\"}}");
    refuse(folder, RAG_E_NOTFOUND, "gone.safetensors");
    write_to(own("model.safetensors.index.json"), "{\"weight_map\":[]}");
    refuse(folder, RAG_E_FORMAT, "no weight_map");
    (void)unlink(own("model.safetensors.index.json"));
    copy_to(HF "/model-00001-of-00002.safetensors", own("model.safetensors"));
    refuse(folder, RAG_E_FORMAT, "layer 1 lacks its attention output");
    write_to(own("config.json"), one_layer);
    refuse(folder, RAG_E_NOTFOUND, "no tokenizer.json");
    write_to(own("tokenizer.json"), "{");
    refuse(folder, RAG_E_FORMAT, "tokenizer.json");
    (void)unlink(own("tokenizer.json"));
    (void)unlink(own("model.safetensors"));
    (void)unlink(own("config.json"));
}

static rag_status once(const char *path)
{
    rag_source s;
    rag_status st = rag_foreign_open(&s, path, NULL, &err);

    if (st == RAG_OK)
        rag_source_close(&s);
    return st;
}

static void test_no_memory(void **state)
{
    (void)state;
    CHECK_OOM(once(HF));
}

static int setup(void **state)
{
    (void)state;
    memcpy(folder, "/tmp/rag-imp-XXXXXX", 20);
    return mkdtemp(folder) != NULL ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder),      cmocka_unit_test(test_options),
        cmocka_unit_test(test_onnx_beside), cmocka_unit_test(test_vocab),
        cmocka_unit_test(test_missing),     cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
