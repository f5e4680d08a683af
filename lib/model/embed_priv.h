#ifndef RAG_MODEL_EMBED_PRIV_H
#define RAG_MODEL_EMBED_PRIV_H

/* Shared by the embed_*.c files only. */

#include "base/arena.h"
#include "base/json.h"
#include "model/embed.h"
#include "model/endpoint.h"
#include "model/floats.h"
#include "net/http.h"
#include "nn/encoder.h"

/* The longest vectors of known models are 4096 numbers, some of 12288. */
#define RAG_EMBED_MAX_DIMS 16384u

/* One provider. */
typedef struct rag_embed_ops {
    const char *provider;
    /* remote ones: where it is and what its requests look like */
    const rag_endpoint *endpoint;
    const char *path;
    /* fields of the request besides its texts */
    void (*fields)(rag_jw *w, const rag_embed_opts *o);
    /* slots [n]: where the vector of each text is in the reply */
    rag_status (*slots)(const rag_json **slots, size_t n, const rag_json *root,
                        rag_error *err);
    rag_status (*open)(rag_embedder *e, rag_error *err);
    rag_status (*run)(rag_embedder *e, const rag_str *texts, size_t n_texts,
                      const char *prefix, rag_embed_done done, void *ctx,
                      rag_error *err);
    rag_status (*check)(rag_embedder *e, rag_error *err);
} rag_embed_ops;

struct rag_embedder {
    const rag_embed_ops *ops;
    rag_arena arena;  /* copies of all strings */
    rag_embed_opts o; /* key: NULL, only http has it */
    const char *query_prefix, *passage_prefix;
    const char *fingerprint;
    size_t dims;
    double shortest, longest; /* vectors as they came; 0: none yet */
    size_t refused;           /* index of the text the last call could not do */
    /* remote */
    rag_http *http;
    size_t batch_now; /* what the server has been seen to take */
    bool once;        /* no retries: a check */
    rag_floats floats;
    float *vectors; /* of one reply */
    size_t vectors_cap;
    /* built-in */
    rag_encoder *encoder;
};

extern const rag_embed_ops rag_embed_openai;
extern const rag_embed_ops rag_embed_ollama;
extern const rag_embed_ops rag_embed_local;

rag_status rag_embed_remote_open(rag_embedder *e, rag_error *err);
rag_status rag_embed_remote_run(rag_embedder *e, const rag_str *texts,
                                size_t n_texts, const char *prefix,
                                rag_embed_done done, void *ctx, rag_error *err);
rag_status rag_embed_remote_check(rag_embedder *e, rag_error *err);

/* vectors [n x dims]: checks and makes them unit length; first is the index of
 * the first text, for messages. Sets e->dims the first time. */
rag_status rag_embed_finish(rag_embedder *e, float *vectors, size_t n,
                            size_t dims, size_t first, rag_error *err);

#endif /* RAG_MODEL_EMBED_PRIV_H */
