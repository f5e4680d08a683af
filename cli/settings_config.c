#include "settings_priv.h"

#include <string.h>

static size_t size_of(const settings *s, const char *name)
{
    uint64_t u = 0;

    /* checked when it was set */
    return rag_str_u64(&u, rag_str_of(s->value[settings_find(name)]))
               ? (size_t)u
               : 0;
}

static double num_of(const settings *s, const char *name)
{
    double d = 0;

    return rag_str_double(&d, rag_str_of(s->value[settings_find(name)])) ? d
                                                                         : 0;
}

/* URL and key of one kind of model ("embed", "chat"). The variables of other
 * programs count where no URL is set. The default key variable counts only for
 * OpenAI's own URL or OPENAI_BASE_URL: a key goes to the host it was set up
 * with and to no other. */
static void endpoint(const char **url, const char **key, const settings *s,
                     const char *model, const char *set_url,
                     const char *key_env)
{
    bool openai = model != NULL && strncmp(model, "openai:", 7) == 0;
    const char *from = NULL;

    *url = settings_value(s, set_url);
    if (*url == NULL && settings_fallback(&from, model))
        *url = from;
    key_env = settings_value(s, key_env);
    if (key_env == NULL && openai &&
        (settings_value(s, set_url) == NULL ||
         strncmp(*url, "https://api.openai.com/", 23) == 0))
        key_env = "OPENAI_API_KEY";
    *key = key_env != NULL ? settings_variable(key_env) : NULL;
}

rag_status settings_config(rag_config *out, const settings *s, rag_error *err)
{
    memset(out, 0, sizeof *out);
    out->store_dir = s->store;
    out->state_dir = s->state_dir;
    out->data_dir = s->data_dir;
    out->cache_dir = s->cache_dir;
    out->cwd = s->cwd;
    out->embed_model = settings_value(s, "embed.model");
    endpoint(&out->embed_url, &out->embed_key, s, out->embed_model, "embed.url",
             "embed.key_env");
    out->embed_query_prefix = settings_value(s, "embed.query_prefix");
    out->embed_passage_prefix = settings_value(s, "embed.passage_prefix");
    out->embed_batch_texts = size_of(s, "embed.batch");
    out->embed_in_flight = size_of(s, "embed.in_flight");
    out->embed_price_per_mtok = num_of(s, "embed.price_per_mtok");
    out->chat_model = settings_value(s, "chat.model");
    endpoint(&out->chat_url, &out->chat_key, s, out->chat_model, "chat.url",
             "chat.key_env");
    out->chat_temperature = num_of(s, "chat.temperature");
    out->chat_context_tokens = size_of(s, "chat.context_tokens");
    out->chat_max_tokens = size_of(s, "chat.max_tokens");
    out->rerank_model = settings_value(s, "rerank.model");
    endpoint(&out->rerank_url, &out->rerank_key, s, out->rerank_model,
             "rerank.url", "rerank.key_env");
    out->rerank_candidates = size_of(s, "rerank.candidates");
    out->retrieve_k = size_of(s, "retrieve.k");
    out->retrieve_dense_weight = num_of(s, "retrieve.dense_weight");
    out->chunk_min_tokens = (uint32_t)size_of(s, "chunk.min_tokens");
    out->chunk_max_tokens = (uint32_t)size_of(s, "chunk.max_tokens");
    if (out->chunk_min_tokens > out->chunk_max_tokens)
        return rag_fail(err, RAG_E_INVAL,
                        "chunk.min_tokens (%u) is above chunk.max_tokens (%u)",
                        (unsigned)out->chunk_min_tokens,
                        (unsigned)out->chunk_max_tokens);
    out->n_jobs = size_of(s, "jobs");
    out->allow_http = settings_truth(s->value[settings_find("net.allow_http")]);
    out->ca_file = settings_value(s, "net.ca_file");
    return RAG_OK;
}
