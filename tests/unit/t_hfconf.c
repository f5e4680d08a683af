#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "nn/hfconf.h"
#include "nn/hfnames.h"

static rag_source s;
static rag_hfconf c;
static rag_error err;

typedef rag_status (*reader)(const rag_json *j);

static rag_status model(const rag_json *j)
{
    return rag_hfconf_model(&s, &c, j, &err);
}

static rag_status modules(const rag_json *j)
{
    return rag_hfconf_modules(&c, j, &err);
}

static rag_status pooling(const rag_json *j)
{
    return rag_hfconf_pooling(&s, &c, j, &err);
}

static rag_status window(const rag_json *j)
{
    return rag_hfconf_window(&c, j, &err);
}

static rag_status prompts(const rag_json *j)
{
    return rag_hfconf_prompts(&s, &c, j, &err);
}

static rag_status with(reader f, const char *text)
{
    rag_json *j = NULL;
    rag_status st;

    memset(&s, 0, sizeof s);
    memset(&c, 0, sizeof c);
    rag_error_clear(&err);
    OK(rag_json_parse(&j, rag_str_of(text), 1 << 20, "test", &err), &err);
    st = f(j);
    rag_json_free(j);
    return st;
}

#define BERT                                                                   \
    "\"hidden_size\":384,\"num_hidden_layers\":12,"                            \
    "\"num_attention_heads\":12,\"intermediate_size\":1536"

static void test_bert(void **state)
{
    (void)state;
    OK(with(model, "{\"model_type\":\"bert\",\"hidden_act\":\"gelu\","
                   "\"max_position_embeddings\":512,\"layer_norm_eps\":1e-12,"
                   "\"position_embedding_type\":\"absolute\"," BERT "}"),
       &err);
    assert_int_equal(s.arch, RAG_ARCH_BERT);
    assert_int_equal(s.head, RAG_HEAD_NONE);
    assert_int_equal(s.hidden, 384);
    assert_int_equal(s.ffn, 1536);
    assert_int_equal(s.n_heads, 12);
    assert_int_equal(s.n_layers, 12);
    assert_true(s.norm_eps == 1e-12f);
    assert_int_equal(c.first_position, 0);
    assert_int_equal(c.most_tokens, 512);
    /* older files: no model_type */
    OK(with(model, "{\"architectures\":[\"BertModel\"]," BERT "}"), &err);
    OK(with(model, "{\"architectures\":[\"BertForSequenceClassification\"],"
                   "\"model_type\":\"bert\"," BERT "}"),
       &err);
    assert_int_equal(s.head, RAG_HEAD_BERT);
    assert_int_equal(s.pooling, RAG_POOL_CLS);
}

static void test_distilbert(void **state)
{
    (void)state;
    OK(with(model, "{\"model_type\":\"distilbert\",\"dim\":384,\"n_layers\":3,"
                   "\"n_heads\":6,\"hidden_dim\":1536,\"activation\":\"gelu\","
                   "\"max_position_embeddings\":128}"),
       &err);
    assert_int_equal(s.arch, RAG_ARCH_BERT);
    assert_true(s.no_types);
    assert_int_equal(s.hidden, 384);
    assert_int_equal(s.ffn, 1536);
    assert_int_equal(s.n_heads, 6);
    assert_int_equal(s.n_layers, 3);
    assert_int_equal(c.most_tokens, 128);
    assert_int_equal(with(model,
                          "{\"model_type\":\"distilbert\",\"architectures\":["
                          "\"DistilBertForSequenceClassification\"]}"),
                     RAG_E_UNSUPPORTED);
}

static void test_roberta(void **state)
{
    (void)state;
    OK(with(model,
            "{\"model_type\":\"xlm-roberta\",\"pad_token_id\":1,"
            "\"max_position_embeddings\":514,\"layer_norm_eps\":1e-5,"
            "\"architectures\":[\"XLMRobertaForSequenceClassification\"]," BERT
            "}"),
       &err);
    assert_int_equal(s.arch, RAG_ARCH_BERT);
    assert_int_equal(s.head, RAG_HEAD_XLMR);
    assert_int_equal(c.first_position, 2);
    assert_int_equal(c.most_tokens, 512);
}

/* config.json of a cross-encoder with that id2label; its label_names */
static const char *label_names(const char *id2label)
{
    char config[2048];

    (void)snprintf(config, sizeof config,
                   "{\"model_type\":\"xlm-roberta\",\"hidden_size\":64,"
                   "\"num_hidden_layers\":2,\"num_attention_heads\":4,"
                   "\"intermediate_size\":128,\"hidden_act\":\"gelu\","
                   "\"max_position_embeddings\":514,\"pad_token_id\":1,"
                   "\"architectures\":[\"XLMRobertaForSequenceClassification"
                   "\"],\"id2label\":%s}",
                   id2label);
    OK(with(model, config), &err);
    return s.label_names;
}

static void test_label_names(void **state)
{
    char many[1024] = "{\"0\":\"";

    (void)state;
    assert_string_equal(label_names("{\"0\":\"entailment\",\"1\":\"neutral\"}"),
                        "entailment\nneutral");
    assert_string_equal(label_names("{\"1\":\"b\",\"0\":\"a\"}"), "a\nb");
    /* what says nothing, or is no text */
    assert_string_equal(label_names("{\"0\":\"LABEL_0\"}"), "");
    assert_string_equal(label_names("{\"0\":\"a\\nb\"}"), "");
    assert_string_equal(label_names("{\"0\":\"a\",\"1\":\"b\\u0007\"}"), "");
    assert_string_equal(label_names("[\"a\"]"), "");
    assert_string_equal(label_names("{\"0\":7}"), "");
    memset(many + 6, 'x', 300);
    (void)strcpy(many + 306, "\"}");
    assert_string_equal(label_names(many), "");
}

static void test_modernbert(void **state)
{
    (void)state;
    OK(with(model, "{\"model_type\":\"modernbert\",\"local_attention\":128,"
                   "\"global_attn_every_n_layers\":3,\"norm_eps\":1e-5,"
                   "\"global_rope_theta\":150000.0,\"local_rope_theta\":1e4,"
                   "\"hidden_activation\":\"gelu\","
                   "\"max_position_embeddings\":8192," BERT "}"),
       &err);
    assert_int_equal(s.arch, RAG_ARCH_MODERNBERT);
    assert_int_equal(s.local_window, 128);
    assert_int_equal(s.global_every, 3);
    assert_true(s.rope_global == 150000.0f && s.rope_local == 10000.0f);
    OK(with(model,
            "{\"model_type\":\"modernbert\",\"rope_parameters\":{"
            "\"full_attention\":{\"rope_theta\":80000},"
            "\"sliding_attention\":{\"rope_theta\":7}},"
            "\"global_attn_every_n_layers\":2,\"layer_types\":["
            "\"full_attention\",\"sliding_attention\",\"full_attention\"],"
            "\"architectures\":[\"ModernBertForSequence"
            "Classification\"],\"classifier_pooling\":\"mean\"," BERT "}"),
       &err);
    assert_true(s.rope_global == 80000.0f && s.rope_local == 7.0f);
    assert_int_equal(s.head, RAG_HEAD_MODERNBERT);
    assert_int_equal(s.pooling, RAG_POOL_MEAN);
}

static void test_activations(void **state)
{
    static const struct {
        const char *json;
        rag_source_act act;
    } all[] = {
        {"{\"model_type\":\"modernbert\"," BERT "}", RAG_ACT_GELU},
        {"{\"model_type\":\"modernbert\",\"hidden_activation\":\"silu\"," BERT
         "}",
         RAG_ACT_SILU},
        {"{\"model_type\":\"bert\",\"hidden_act\":\"swish\"," BERT "}",
         RAG_ACT_SILU},
        {"{\"model_type\":\"bert\",\"hidden_act\":\"gelu_new\"," BERT "}",
         RAG_ACT_TANH_GELU},
        {"{\"model_type\":\"bert\",\"hidden_act\":\"gelu_pytorch_tanh\"," BERT
         "}",
         RAG_ACT_TANH_GELU},
        {"{\"model_type\":\"roberta\",\"hidden_act\":\"relu\"," BERT "}",
         RAG_ACT_RELU},
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        OK(with(model, all[i].json), &err);
        assert_int_equal(s.act, all[i].act);
    }
}

static void test_refuses_models(void **state)
{
    static const struct {
        const char *json;
        rag_status st;
        const char *says;
    } bad[] = {
        {"{\"model_type\":\"llama\"," BERT "}", RAG_E_UNSUPPORTED, "llama"},
        {"{" BERT "}", RAG_E_UNSUPPORTED, "model_type"},
        {"{\"model_type\":\"bert\",\"hidden_act\":\"relu2\"," BERT "}",
         RAG_E_UNSUPPORTED, "relu2"},
        {"{\"model_type\":\"bert\",\"hidden_act\":\"quick_gelu\"," BERT "}",
         RAG_E_UNSUPPORTED, "quick_gelu"},
        {"{\"model_type\":\"bert\",\"position_embedding_type\":"
         "\"relative_key\"," BERT "}",
         RAG_E_UNSUPPORTED, "relative_key"},
        {"{\"model_type\":\"bert\",\"is_decoder\":true," BERT "}",
         RAG_E_UNSUPPORTED, "decoder"},
        {"{\"model_type\":\"bert\"}", RAG_E_FORMAT, "hidden_size"},
        {"{\"model_type\":\"bert\",\"hidden_size\":1e18}", RAG_E_FORMAT,
         "hidden_size"},
        {"{\"model_type\":\"bert\",\"hidden_size\":-1}", RAG_E_FORMAT,
         "hidden_size"},
        {"{\"model_type\":\"bert\",\"layer_norm_eps\":-1," BERT "}",
         RAG_E_FORMAT, "layer_norm_eps"},
        {"{\"model_type\":\"bert\",\"layer_norm_eps\":\"x\"," BERT "}",
         RAG_E_FORMAT, "layer_norm_eps"},
        {"{\"model_type\":\"roberta\",\"max_position_embeddings\":2," BERT "}",
         RAG_E_FORMAT, "max_position_embeddings"},
        {"{\"model_type\":\"roberta\",\"pad_token_id\":-7," BERT "}",
         RAG_E_FORMAT, "pad_token_id"},
        {"{\"model_type\":\"modernbert\",\"layer_types\":[\"full_attention\","
         "\"full_attention\"]," BERT "}",
         RAG_E_UNSUPPORTED, "layer 1 is not"},
        {"{\"model_type\":\"modernbert\",\"layer_types\":[7]," BERT "}",
         RAG_E_UNSUPPORTED, "layer 0 is not"},
        {"{\"model_type\":\"modernbert\",\"hidden_activation\":\"mish\"," BERT
         "}",
         RAG_E_UNSUPPORTED, "mish"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(with(model, bad[i].json), bad[i].st);
        if (strstr(err.msg, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].json, err.msg);
    }
}

static void test_modules(void **state)
{
    (void)state;
    OK(with(modules, "[{\"idx\":0,\"path\":\"\",\"type\":"
                     "\"sentence_transformers.models.Transformer\"},"
                     "{\"idx\":1,\"path\":\"1_Pooling\",\"type\":"
                     "\"sentence_transformers.models.Pooling\"},"
                     "{\"idx\":2,\"path\":\"2_Normalize\",\"type\":"
                     "\"sentence_transformers.models.Normalize\"}]"),
       &err);
    assert_string_equal(c.pooling_dir, "1_Pooling");
    assert_int_equal(with(modules, "[{\"path\":\"2_Dense\",\"type\":"
                                   "\"sentence_transformers.models.Dense\"}]"),
                     RAG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "Dense"));
    assert_int_equal(with(modules, "[{\"path\":\"../x\",\"type\":"
                                   "\"models.Pooling\"}]"),
                     RAG_E_FORMAT);
    assert_int_equal(with(modules, "[{\"path\":\"..\",\"type\":"
                                   "\"models.Pooling\"}]"),
                     RAG_E_FORMAT);
}

static void test_pooling(void **state)
{
    (void)state;
    OK(with(pooling, "{\"pooling_mode_cls_token\":true,"
                     "\"pooling_mode_mean_tokens\":false}"),
       &err);
    assert_int_equal(s.pooling, RAG_POOL_CLS);
    assert_true(c.has_pooling);
    OK(with(pooling, "{\"pooling_mode_lasttoken\":true}"), &err);
    assert_int_equal(s.pooling, RAG_POOL_LAST);
    OK(with(pooling, "{\"pooling_mode\":\"mean\",\"include_prompt\":true}"),
       &err);
    assert_int_equal(s.pooling, RAG_POOL_MEAN);
    OK(with(pooling, "{\"pooling_mode_max_tokens\":true}"), &err);
    assert_int_equal(s.pooling, RAG_POOL_MAX);
    OK(with(pooling, "{\"pooling_mode_mean_sqrt_len_tokens\":true}"), &err);
    assert_int_equal(s.pooling, RAG_POOL_MEAN);
    OK(with(pooling, "{\"pooling_mode\":\"weightedmean\"}"), &err);
    assert_int_equal(s.pooling, RAG_POOL_WEIGHTED);
    assert_int_equal(with(pooling, "{\"pooling_mode_max_tokens\":true,"
                                   "\"pooling_mode_cls_token\":true}"),
                     RAG_E_UNSUPPORTED);
    assert_int_equal(with(pooling, "{\"pooling_mode_cls_token\":true,"
                                   "\"pooling_mode_mean_tokens\":true}"),
                     RAG_E_UNSUPPORTED);
    assert_int_equal(with(pooling, "{\"pooling_mode_mean_tokens\":true,"
                                   "\"include_prompt\":false}"),
                     RAG_E_UNSUPPORTED);
    assert_int_equal(with(pooling, "{}"), RAG_E_UNSUPPORTED);
}

static void test_window_and_prompts(void **state)
{
    static const uint8_t front[] = {RAG_NORM_LOWER, RAG_NORM_CLEAN,
                                    RAG_NORM_ACCENTS, RAG_NORM_END};

    (void)state;
    OK(with(window, "{\"max_seq_length\":256,\"do_lower_case\":true}"), &err);
    assert_int_equal(c.most_tokens, 256);
    assert_true(c.lowercase);
    assert_int_equal(rag_hfconf_lowercase(&s, &c, &err), RAG_E_UNSUPPORTED);
    s.tokens.kind = RAG_TOKENS_WORDPIECE;
    assert_true(rag_source_norm_bert(&s.tokens, true, true, false));
    for (size_t i = 0; i < 2; i++) { /* the second time it is there already */
        OK(rag_hfconf_lowercase(&s, &c, &err), &err);
        assert_memory_equal(s.tokens.norms, front, sizeof front);
    }
    while (rag_source_norm_add(&s.tokens, RAG_NORM_NFD, false))
        ;
    assert_int_equal(s.tokens.norms[RAG_NORM_MOST - 1], RAG_NORM_END);
    memset(s.tokens.norms + 1, RAG_NORM_NFD, RAG_NORM_MOST - 2);
    s.tokens.norms[0] = RAG_NORM_NFD;
    assert_int_equal(rag_hfconf_lowercase(&s, &c, &err), RAG_E_LIMIT);
    assert_int_equal(with(window, "{\"max_seq_length\":0}"), RAG_E_FORMAT);
    OK(with(prompts, "{\"prompts\":{\"query\":\"query: \",\"document\":"
                     "\"passage: \"},\"default_prompt_name\":null}"),
       &err);
    assert_string_equal(s.query_prefix, "query: ");
    assert_string_equal(s.passage_prefix, "passage: ");
    OK(with(prompts, "{\"prompts\":{\"query\":\"q: \",\"all\":\"x: \"},"
                     "\"default_prompt_name\":\"all\"}"),
       &err);
    assert_string_equal(s.query_prefix, "q: ");
    assert_string_equal(s.passage_prefix, "x: ");
    OK(with(prompts, "{\"similarity_fn_name\":\"cosine\"}"), &err);
    assert_false(c.has_prompts);
    assert_int_equal(with(prompts, "{\"prompts\":{\"query\":\"a\\u0007b\"}}"),
                     RAG_E_FORMAT);
}

static void known(const char *name)
{
    memset(&s, 0, sizeof s);
    memset(&c, 0, sizeof c);
    rag_hfconf_known(&s, &c, rag_str_of(name));
}

static void test_known(void **state)
{
    (void)state;
    known("multilingual-e5-small");
    assert_int_equal(s.pooling, RAG_POOL_MEAN);
    assert_string_equal(s.query_prefix, "query: ");
    assert_string_equal(s.passage_prefix, "passage: ");
    known("Multilingual E5 Small"); /* general.name of a GGUF file */
    assert_string_equal(s.query_prefix, "query: ");
    known("BAAI/bge-small-en-v1.5");
    assert_int_equal(s.pooling, RAG_POOL_CLS);
    assert_non_null(strstr(s.query_prefix, "Represent this sentence"));
    assert_string_equal(s.passage_prefix, "");
    known("bge-reranker-v2-m3");
    assert_string_equal(s.query_prefix, "");
    known("bge_m3");
    assert_string_equal(s.query_prefix, "");
    known("snowflake-arctic-embed-m-v2.0");
    assert_string_equal(s.query_prefix, "query: ");
    known("multilingual-e5-large-instruct");
    assert_int_equal(s.pooling, 0);
    known("gte-modernbert-base");
    assert_int_equal(s.pooling, RAG_POOL_CLS);
    known("nomic-ai/modernbert-embed-base");
    assert_string_equal(s.query_prefix, "search_query: ");
    assert_string_equal(s.passage_prefix, "search_document: ");
    known("mxbai-embed-large-v1");
    assert_int_equal(s.pooling, RAG_POOL_CLS);
    known("my-own");
    assert_int_equal(s.pooling, 0);
    /* what the files said stays */
    memset(&s, 0, sizeof s);
    c.has_pooling = true;
    c.has_prompts = true;
    s.pooling = RAG_POOL_LAST;
    rag_hfconf_known(&s, &c, RAG_STR_LIT("e5-base"));
    assert_int_equal(s.pooling, RAG_POOL_LAST);
    assert_string_equal(s.query_prefix, "");
}

static void test_licence(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    rag_hfconf_front_matter(
        &s, RAG_STR_LIT("---\r\nlanguage: en\r\nlicense: mit\r\n---\r\n# x\n"));
    assert_string_equal(s.licence, "mit");
    memset(&s, 0, sizeof s);
    rag_hfconf_front_matter(&s, RAG_STR_LIT("---\n---\nlicense: mit\n"));
    assert_string_equal(s.licence, "");
    rag_hfconf_front_matter(&s, RAG_STR_LIT("license: mit\n"));
    assert_string_equal(s.licence, "");
}

static void check_name(rag_source_arch arch, rag_source_head head,
                       const char *name, int want, uint32_t want_layer)
{
    rag_source_part part;
    uint32_t layer;
    bool found = rag_hfnames_find(&part, &layer, arch, head, rag_str_of(name));

    if (found != (want >= 0) ||
        (found && ((int)part != want || layer != want_layer)))
        fail_msg("%s", name);
}

static void test_names(void **state)
{
    const rag_source_arch bert = RAG_ARCH_BERT;
    const rag_source_arch modern = RAG_ARCH_MODERNBERT;

    (void)state;
    check_name(bert, RAG_HEAD_NONE, "embeddings.word_embeddings.weight",
               RAG_PART_WORDS, 0);
    check_name(bert, RAG_HEAD_NONE,
               "bert.encoder.layer.11.attention.self.query.weight",
               RAG_PART_Q_W, 11);
    check_name(bert, RAG_HEAD_NONE,
               "distilbert.transformer.layer.5.attention.out_lin.bias",
               RAG_PART_MIX_B, 5);
    check_name(bert, RAG_HEAD_NONE, "transformer.layer.0.ffn.lin2.weight",
               RAG_PART_DOWN_W, 0);
    check_name(modern, RAG_HEAD_NONE, "transformer.layer.0.ffn.lin2.weight", -1,
               0);
    check_name(bert, RAG_HEAD_NONE,
               "0.auto_model.encoder.layer.3.output.LayerNorm.bias",
               RAG_PART_NORM2_B, 3);
    check_name(bert, RAG_HEAD_NONE, "roberta.embeddings.LayerNorm.gamma",
               RAG_PART_EMBED_NORM_W, 0);
    check_name(bert, RAG_HEAD_NONE, "embeddings.LayerNorm.beta",
               RAG_PART_EMBED_NORM_B, 0);
    check_name(bert, RAG_HEAD_NONE, "embeddings.position_ids", -1, 0);
    check_name(bert, RAG_HEAD_NONE, "pooler.dense.weight", -1, 0);
    check_name(bert, RAG_HEAD_BERT, "bert.pooler.dense.weight",
               RAG_PART_HEAD_DENSE_W, 0);
    check_name(bert, RAG_HEAD_XLMR, "classifier.out_proj.bias",
               RAG_PART_HEAD_OUT_B, 0);
    check_name(bert, RAG_HEAD_NONE, "encoder.layer.99999.output.dense.bias", -1,
               0);
    check_name(bert, RAG_HEAD_NONE, "encoder.layer.-1.output.dense.bias", -1,
               0);
    check_name(bert, RAG_HEAD_NONE, "encoder.layer.1", -1, 0);
    check_name(modern, RAG_HEAD_NONE, "model.layers.7.attn.Wqkv.weight",
               RAG_PART_QKV_W, 7);
    check_name(modern, RAG_HEAD_MODERNBERT, "head.norm.weight",
               RAG_PART_HEAD_NORM_W, 0);
    check_name(modern, RAG_HEAD_NONE, "final_norm.weight",
               RAG_PART_FINAL_NORM_W, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bert),
        cmocka_unit_test(test_distilbert),
        cmocka_unit_test(test_roberta),
        cmocka_unit_test(test_label_names),
        cmocka_unit_test(test_modernbert),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_refuses_models),
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_pooling),
        cmocka_unit_test(test_window_and_prompts),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_licence),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
