#include "model/embed_priv.h"

static void fields(rag_jw *w, const rag_embed_opts *o)
{
    /* said in so many words: some servers default to base64 */
    rag_jw_strz(w, "encoding_format", "float");
    if (o->dims_asked != 0)
        rag_jw_int(w, "dimensions", (int64_t)o->dims_asked);
}

/* {"data":[{"index":0,"embedding":[...]}, ...]}, in any order. A server that
 * numbers nothing means the order of the texts. */
static rag_status slots(const rag_json **out, size_t n, const rag_json *root,
                        rag_error *err)
{
    const rag_json *data = rag_json_get(root, "data");
    size_t at = 0;

    if (!rag_json_is_array(data))
        return rag_fail(err, RAG_E_FORMAT,
                        "the reply holds no vectors: is this an embedding "
                        "server?");
    if (rag_json_count(data) != n)
        return rag_fail(err, RAG_E_FORMAT, "%zu vectors for %zu texts",
                        rag_json_count(data), n);
    for (const rag_json *d = rag_json_first(data); d != NULL;
         d = rag_json_next(d), at++) {
        const rag_json *index = rag_json_get(d, "index");
        int64_t i = (int64_t)at;

        if (!rag_json_is_null(index) && !rag_json_i64(&i, index))
            i = -1;
        if (i < 0 || (uint64_t)i >= n || out[i] != NULL)
            return rag_fail(err, RAG_E_FORMAT,
                            "vectors with wrong or repeated numbers (index)");
        out[i] = rag_json_get(d, "embedding");
        if (out[i] == NULL)
            return rag_fail(err, RAG_E_FORMAT, "a reply without embedding");
    }
    return RAG_OK;
}

const rag_embed_ops rag_embed_openai = {
    .provider = "openai",
    .endpoint = &rag_endpoint_openai,
    .path = "/embeddings",
    .fields = fields,
    .slots = slots,
    .open = rag_embed_remote_open,
    .run = rag_embed_remote_run,
    .check = rag_embed_remote_check,
};
