#ifndef RAG_MODEL_CHAT_PRIV_H
#define RAG_MODEL_CHAT_PRIV_H

/* Shared by the chat*.c files only. */

#include "base/arena.h"
#include "base/json.h"
#include "model/chat.h"
#include "model/endpoint.h"
#include "net/http.h"
#include "net/sse.h"

typedef struct rag_chat_turn rag_chat_turn; /* one rag_chat_run() */

typedef struct rag_chat_ops {
    const char *provider;
    const rag_endpoint *endpoint;
    const char *path;
    rag_sse_kind kind; /* of its streams */
    /* fields of the request besides model and messages */
    void (*fields)(rag_jw *w, const rag_chat *c);
    /* one event of a stream, or a whole reply */
    rag_status (*event)(rag_chat_turn *t, const rag_json *root, rag_error *err);
    /* A parameter that this model does not take was refused with text: true
     * when c was changed so that another try may pass. */
    bool (*adapt)(rag_chat *c, rag_str text);
    /* a request that computes nothing; its body is written to body, or
     * nothing for GET */
    const char *check_path;
    void (*check_fields)(rag_jw *w, const rag_chat *c); /* NULL: GET */
} rag_chat_ops;

struct rag_chat {
    const rag_chat_ops *ops;
    rag_arena arena;
    rag_chat_opts o; /* key: NULL, only http has it */
    rag_http *http;
    /* what servers of newer models do not take (learned from refusals) */
    bool no_temperature, no_stream_options, completion_tokens;
};

extern const rag_chat_ops rag_chat_openai;
extern const rag_chat_ops rag_chat_ollama;

/* For event(): a piece of the answer, its end, an error of the server. */
rag_status rag_chat_turn_text(rag_chat_turn *t, const rag_json *content,
                              rag_error *err);
void rag_chat_turn_finish(rag_chat_turn *t, rag_str reason);
void rag_chat_turn_usage(rag_chat_turn *t, const rag_json *prompt_tokens,
                         const rag_json *completion_tokens);
rag_status rag_chat_turn_error(rag_chat_turn *t, const rag_json *root,
                               rag_error *err);

/* RAG_E_LIMIT and the numbers in *r when an error reply means that the prompt
 * is over the model's context, else RAG_OK. */
rag_status rag_chat_overflow(rag_chat_result *r, const rag_chat *c,
                             const rag_json *root, rag_error *err);

#endif /* RAG_MODEL_CHAT_PRIV_H */
