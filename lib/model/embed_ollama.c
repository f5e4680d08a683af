#include "model/embed_priv.h"

static void fields(rag_jw *w, const rag_embed_opts *o)
{
    /* its default cuts long texts without a word */
    rag_jw_bool(w, "truncate", false);
    if (o->dims_asked != 0)
        rag_jw_int(w, "dimensions", (int64_t)o->dims_asked);
}

/* {"embeddings":[[...], ...]} in the order of the texts */
static rag_status slots(const rag_json **out, size_t n, const rag_json *root,
                        rag_error *err)
{
    const rag_json *list = rag_json_get(root, "embeddings");
    size_t i = 0;

    if (!rag_json_is_array(list))
        return rag_fail(err, RAG_E_FORMAT,
                        "the reply holds no vectors: is this Ollama?");
    if (rag_json_count(list) != n)
        return rag_fail(err, RAG_E_FORMAT, "%zu vectors for %zu texts",
                        rag_json_count(list), n);
    for (const rag_json *v = rag_json_first(list); v != NULL;
         v = rag_json_next(v))
        out[i++] = v;
    return RAG_OK;
}

const rag_embed_ops rag_embed_ollama = {
    .provider = "ollama",
    .endpoint = &rag_endpoint_ollama,
    .path = "/api/embed",
    .fields = fields,
    .slots = slots,
    .open = rag_embed_remote_open,
    .run = rag_embed_remote_run,
    .check = rag_embed_remote_check,
};
