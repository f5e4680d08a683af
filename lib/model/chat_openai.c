#include <string.h>

#include "model/chat_priv.h"

static void fields(rag_jw *w, const rag_chat *c)
{
    if (c->o.temperature >= 0 && !c->no_temperature)
        rag_jw_num(w, "temperature", c->o.temperature, 3);
    if (c->o.max_tokens != 0)
        rag_jw_int(
            w, c->completion_tokens ? "max_completion_tokens" : "max_tokens",
            (int64_t)c->o.max_tokens);
    rag_jw_bool(w, "stream", c->o.stream);
    if (c->o.stream && !c->no_stream_options) {
        rag_jw_obj(w, "stream_options");
        rag_jw_bool(w, "include_usage", true);
        rag_jw_end(w);
    }
}

/* {"choices":[{"delta":{"content":"..."},"finish_reason":null}]} of a stream,
 * {"choices":[{"message":{"content":"..."},...}],"usage":{...}} as a whole;
 * "choices" is empty where only the usage comes. Other fields of delta
 * (reasoning_content, tool_calls) are no part of the answer. */
static rag_status event(rag_chat_turn *t, const rag_json *root, rag_error *err)
{
    const rag_json *choice = rag_json_first(rag_json_get(root, "choices"));
    const rag_json *message = rag_json_get(choice, "delta");
    const rag_json *usage = rag_json_get(root, "usage");
    rag_str reason = rag_json_get_str(choice, "finish_reason");
    rag_status st;

    if (!rag_json_is_null(rag_json_get(root, "error")))
        return rag_chat_turn_error(t, root, err);
    if (!rag_json_is_array(rag_json_get(root, "choices")))
        return rag_fail(err, RAG_E_FORMAT,
                        "the reply holds no choices: is this a chat server?");
    if (rag_json_is_null(message))
        message = rag_json_get(choice, "message");
    st = rag_chat_turn_text(t, rag_json_get(message, "content"), err);
    if (st != RAG_OK)
        return st;
    if (reason.len != 0)
        rag_chat_turn_finish(t, reason);
    rag_chat_turn_usage(t, rag_json_get(usage, "prompt_tokens"),
                        rag_json_get(usage, "completion_tokens"));
    return RAG_OK;
}

static bool names(rag_str text, const char *what)
{
    return rag_str_find(text, rag_str_of(what)) != SIZE_MAX;
}

static bool adapt(rag_chat *c, rag_str text)
{
    bool *what = names(text, "stream_options") ? &c->no_stream_options
                 : names(text, "max_tokens")   ? &c->completion_tokens
                 : names(text, "temperature")  ? &c->no_temperature
                                               : NULL;

    if (what == NULL || *what)
        return false;
    *what = true;
    return true;
}

const rag_chat_ops rag_chat_openai = {
    .provider = "openai",
    .endpoint = &rag_endpoint_openai,
    .path = "/chat/completions",
    .kind = RAG_SSE_EVENTS,
    .fields = fields,
    .event = event,
    .adapt = adapt,
    .check_path = "/models",
};
