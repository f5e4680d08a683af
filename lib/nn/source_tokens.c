#include "base/mem.h"
#include "nn/source_priv.h"
#include "nn/spmodel.h"
#include "nn/tokjson.h"

/* multilingual ones with 250,000 pieces take 17 MB */
#define MAX_TOKENIZER_BYTES ((size_t)128 << 20)

rag_status rag_source_tokenizer(rag_source *s, const char *dir,
                                const char *name, rag_error *err)
{
    char *path = rag_file_join(dir, name);
    rag_map map = {NULL, 0};
    rag_status st;

    if (path == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(rag_file_map(&map, path, err));
    if (map.len > MAX_TOKENIZER_BYTES) {
        st = rag_fail(err, RAG_E_LIMIT, "%zu bytes, at most %zu", map.len,
                      MAX_TOKENIZER_BYTES);
        goto out;
    }
    st = rag_tokjson_read(&s->tokens, s->arena,
                          rag_str_n((const char *)map.ptr, map.len), err);
out:
    if (st == RAG_E_FORMAT || st == RAG_E_LIMIT || st == RAG_E_UNSUPPORTED)
        st = rag_fail_prefix(err, st, "%s", name);
    rag_file_unmap(&map);
    rag_free(path);
    return st;
}

/* Maps dir/name for `read`, which names no file in its messages. */
typedef rag_status read_fn(rag_source *s, rag_str file, const rag_json *conf,
                           rag_error *err);

static rag_status read_with(rag_source *s, const char *dir, const char *name,
                            read_fn *read, rag_error *err)
{
    rag_json *conf = NULL;
    char *path = rag_file_join(dir, name);
    rag_map map = {NULL, 0};
    rag_status st;

    if (path == NULL)
        return rag_fail_nomem(err);
    TRY(rag_source_json(&conf, dir, "tokenizer_config.json", err));
    TRY(rag_file_map(&map, path, err));
    if (map.len > MAX_TOKENIZER_BYTES)
        st = rag_fail(err, RAG_E_LIMIT, "%zu bytes, at most %zu", map.len,
                      MAX_TOKENIZER_BYTES);
    else
        st = read(s, rag_str_n((const char *)map.ptr, map.len), conf, err);
    if (st == RAG_E_FORMAT || st == RAG_E_LIMIT || st == RAG_E_UNSUPPORTED)
        st = rag_fail_prefix(err, st, "%s", name);
out:
    rag_file_unmap(&map);
    rag_json_free(conf);
    rag_free(path);
    return st;
}

static rag_status other_class(rag_str class, rag_error *err)
{
    return rag_fail(err, RAG_E_UNSUPPORTED,
                    "the tokenizer_class %.*s without a tokenizer.json is not "
                    "supported: load and save the tokenizer once with the "
                    "transformers library",
                    class.len < 64 ? (int)class.len : 64, class.ptr);
}

/* "BertTokenizerFast" is BertTokenizer. */
static bool is_class(rag_str class, const char *name)
{
    if (rag_str_ends(class, "Fast"))
        class.len -= 4;
    return rag_str_eqz(class, name);
}

/* vocab.txt says nothing about case; BERT's own default is lower case. */
static rag_status read_vocab(rag_source *s, rag_str file, const rag_json *conf,
                             rag_error *err)
{
    rag_str class = rag_json_get_str(conf, "tokenizer_class");
    rag_source_tokens *t = &s->tokens;
    bool lowercase = true;
    bool accents;
    rag_status st;

    if (class.len != 0 && !is_class(class, "BertTokenizer") &&
        !is_class(class, "DistilBertTokenizer") &&
        !is_class(class, "ElectraTokenizer") &&
        !is_class(class, "PreTrainedTokenizer"))
        return other_class(class, err);
    (void)rag_json_bool(&lowercase, rag_json_get(conf, "do_lower_case"));
    accents = lowercase;
    (void)rag_json_bool(&accents, rag_json_get(conf, "strip_accents"));
    st = rag_tokjson_read_vocab(t, s->arena, file, lowercase, accents, err);
    if (st != RAG_OK)
        return st;
    (void)rag_json_bool(&t->cjk_spaces,
                        rag_json_get(conf, "tokenize_chinese_chars"));
    return RAG_OK;
}

/* XLM-RoBERTa's file; CamemBERT's has the same name. */
static rag_status read_fairseq(rag_source *s, rag_str file,
                               const rag_json *conf, rag_error *err)
{
    rag_str class = rag_json_get_str(conf, "tokenizer_class");
    bool camembert = is_class(class, "CamembertTokenizer");

    if (class.len != 0 && !camembert && !is_class(class, "XLMRobertaTokenizer"))
        return other_class(class, err);
    return rag_spmodel_read(
        &s->tokens, s->arena, file,
        camembert ? RAG_SPMODEL_CAMEMBERT : RAG_SPMODEL_XLMR, err);
}

/* Llama's and Gemma's file. */
static rag_status read_plain(rag_source *s, rag_str file, const rag_json *conf,
                             rag_error *err)
{
    rag_str class = rag_json_get_str(conf, "tokenizer_class");
    bool bos = true;
    bool eos = false;
    rag_status st;

    if (!is_class(class, "LlamaTokenizer") &&
        !is_class(class, "GemmaTokenizer"))
        return other_class(class, err);
    st = rag_spmodel_read(&s->tokens, s->arena, file, RAG_SPMODEL_PLAIN, err);
    (void)rag_json_bool(&bos, rag_json_get(conf, "add_bos_token"));
    (void)rag_json_bool(&eos, rag_json_get(conf, "add_eos_token"));
    s->tokens.bos = bos ? s->tokens.bos : -1;
    s->tokens.eos = eos ? s->tokens.eos : -1;
    return st;
}

rag_status rag_source_tokenizer_in(bool *found, rag_source *s, const char *dir,
                                   rag_error *err)
{
    static const struct {
        const char *name;
        read_fn *read;
    } files[] = {{"vocab.txt", read_vocab},
                 {"sentencepiece.bpe.model", read_fairseq},
                 {"tokenizer.model", read_plain}};

    *found = true;
    if (rag_source_exists(dir, "tokenizer.json"))
        return rag_source_tokenizer(s, dir, "tokenizer.json", err);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (rag_source_exists(dir, files[i].name))
            return read_with(s, dir, files[i].name, files[i].read, err);
    }
    *found = false;
    return RAG_OK;
}
