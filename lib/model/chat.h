#ifndef RAG_MODEL_CHAT_H
#define RAG_MODEL_CHAT_H

/*
 * chat — messages become an answer, streamed, whoever writes it.
 *
 * Owns:    rag_chat, from rag_chat_new() to rag_chat_free().
 * Errors:  RAG_E_NET, RAG_E_REMOTE (also of a reply that is none),
 *          RAG_E_AUTH, RAG_E_LIMIT (the prompt is over the model's context,
 *          or the reply over its cap), RAG_E_CANCELLED.
 * Threads: one chat per thread.
 */

#include "base/buf.h"

typedef struct rag_chat rag_chat;

typedef struct rag_chat_opts {
    const char *provider; /* "openai", "ollama" */
    const char *model;
    const char *url;       /* base URL; NULL: the provider's default */
    const char *key;       /* bearer token or NULL; never logged */
    double temperature;    /* below 0: not sent, the server's own */
    size_t context_tokens; /* Ollama: num_ctx; 0: 8192 */
    size_t max_tokens;     /* of the reply; 0: not sent */
    bool stream;
    bool allow_http;
    const char *ca_file;
    bool (*cancelled)(void *ctx);
    void *cancel_ctx;
} rag_chat_opts;

typedef struct rag_chat_message {
    const char *role; /* "system", "user", "assistant" */
    rag_str content;
} rag_chat_message;

typedef struct rag_chat_result {
    int64_t prompt_tokens; /* -1: the server did not say */
    int64_t completion_tokens;
    int64_t context_tokens; /* of a prompt refused as too long; -1: not said */
    bool cut;      /* the answer is not whole: limit of tokens, or broken off */
    bool withheld; /* cut by a filter of the server's, not by a limit */
    double first_token_ms; /* -1: nothing came */
} rag_chat_result;

/* A piece of the answer: valid UTF-8 pieces in order (a character that a
 * server split is put together). Anything but RAG_OK stops the request. */
typedef rag_status (*rag_chat_text)(void *ctx, rag_str piece, rag_error *err);

RAG_NODISCARD rag_status rag_chat_new(rag_chat **out, const rag_chat_opts *o,
                                      rag_error *err);
void rag_chat_free(rag_chat *c);

/* A stream that breaks off, or brings an error, is RAG_E_NET or RAG_E_REMOTE
 * with result->cut. Reaching the limit of tokens is RAG_OK with result->cut. A
 * prompt over the model's context is RAG_E_LIMIT, with the numbers in result.
 * Retries only while nothing of the answer has come. *out is always filled. */
RAG_NODISCARD rag_status rag_chat_run(rag_chat_result *out, rag_chat *c,
                                      const rag_chat_message *messages,
                                      size_t n_messages, rag_chat_text text,
                                      void *ctx, rag_error *err);

/* Is the server reachable, the key accepted, the model there (as far as it
 * says without computing)? *ms: round trip. */
RAG_NODISCARD rag_status rag_chat_check(rag_chat *c, double *ms,
                                        rag_error *err);

#endif /* RAG_MODEL_CHAT_H */
