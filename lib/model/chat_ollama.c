#include "model/chat_priv.h"

/* Its own default (4096, or what the server was started with) would cut a
 * prompt without a word. */
#define CONTEXT_TOKENS 8192u

static size_t context(const rag_chat *c)
{
    return c->o.context_tokens != 0 ? c->o.context_tokens : CONTEXT_TOKENS;
}

static void fields(rag_jw *w, const rag_chat *c)
{
    rag_jw_bool(w, "stream", c->o.stream);
    rag_jw_bool(w, "truncate", false);
    rag_jw_obj(w, "options");
    rag_jw_int(w, "num_ctx", (int64_t)context(c));
    if (c->o.temperature >= 0)
        rag_jw_num(w, "temperature", c->o.temperature, 3);
    if (c->o.max_tokens != 0)
        rag_jw_int(w, "num_predict", (int64_t)c->o.max_tokens);
    rag_jw_end(w);
}

/* {"message":{"content":"..."},"done":false}, the last one with done, its
 * reason and the counts; a whole reply looks like the last one. */
static rag_status event(rag_chat_turn *t, const rag_json *root, rag_error *err)
{
    const rag_json *message = rag_json_get(root, "message");
    rag_str reason = rag_json_get_str(root, "done_reason");
    bool done = false;
    rag_status st;

    if (!rag_json_is_null(rag_json_get(root, "error")))
        return rag_chat_turn_error(t, root, err);
    if (!rag_json_is_obj(message))
        return rag_fail(err, RAG_E_FORMAT,
                        "the reply holds no message: is this Ollama?");
    st = rag_chat_turn_text(t, rag_json_get(message, "content"), err);
    if (st != RAG_OK)
        return st;
    if (rag_json_bool(&done, rag_json_get(root, "done")) && done) {
        rag_chat_turn_finish(t, reason);
        rag_chat_turn_usage(t, rag_json_get(root, "prompt_eval_count"),
                            rag_json_get(root, "eval_count"));
    }
    return RAG_OK;
}

static void check_fields(rag_jw *w, const rag_chat *c)
{
    rag_jw_strz(w, "model", c->o.model);
}

const rag_chat_ops rag_chat_ollama = {
    .provider = "ollama",
    .endpoint = &rag_endpoint_ollama,
    .path = "/api/chat",
    .kind = RAG_SSE_LINES,
    .fields = fields,
    .event = event,
    .check_path = "/api/show",
    .check_fields = check_fields,
};
