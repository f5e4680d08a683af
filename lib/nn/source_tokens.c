#include "base/mem.h"
#include "nn/source_priv.h"
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

/* vocab.txt says nothing about case; BERT's own default is lower case. */
static rag_status read_vocab(rag_source *s, const char *dir, rag_error *err)
{
    rag_json *conf = NULL;
    char *path = rag_file_join(dir, "vocab.txt");
    bool lowercase = true;
    rag_map map = {NULL, 0};
    rag_status st;

    if (path == NULL)
        return rag_fail_nomem(err);
    TRY(rag_source_json(&conf, dir, "tokenizer_config.json", err));
    (void)rag_json_bool(&lowercase, rag_json_get(conf, "do_lower_case"));
    TRY(rag_file_map(&map, path, err));
    if (map.len > MAX_TOKENIZER_BYTES)
        st = rag_fail(err, RAG_E_LIMIT, "vocab.txt: %zu bytes, at most %zu",
                      map.len, MAX_TOKENIZER_BYTES);
    else
        st = rag_tokjson_read_vocab(&s->tokens, s->arena,
                                    rag_str_n((const char *)map.ptr, map.len),
                                    lowercase, err);
out:
    rag_file_unmap(&map);
    rag_json_free(conf);
    rag_free(path);
    return st;
}

rag_status rag_source_tokenizer_in(bool *found, rag_source *s, const char *dir,
                                   rag_error *err)
{
    *found = true;
    if (rag_source_exists(dir, "tokenizer.json"))
        return rag_source_tokenizer(s, dir, "tokenizer.json", err);
    if (rag_source_exists(dir, "vocab.txt"))
        return read_vocab(s, dir, err);
    *found = false;
    return RAG_OK;
}
