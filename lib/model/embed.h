#ifndef RAG_MODEL_EMBED_H
#define RAG_MODEL_EMBED_H

/*
 * embed — texts become vectors, whoever computes them.
 *
 * An embedder hides the provider (built-in, OpenAI-compatible, Ollama). All
 * vectors of one embedder have the same length and are unit length; what a
 * provider sends is normalised here; zero, NaN or a wrong length is refused,
 * so nobody below checks again.
 *
 * Owns:    rag_embedder, from rag_embed_new() to rag_embed_free().
 * Errors:  RAG_E_NET, RAG_E_REMOTE, RAG_E_AUTH, RAG_E_FORMAT (wrong length,
 *          NaN), RAG_E_CANCELLED, RAG_E_CORRUPT (model file), RAG_E_NOTFOUND.
 * Threads: one embedder per thread (it may use several inside).
 */

#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

typedef struct rag_embedder rag_embedder;

/* Texts a request when nothing else is asked for. */
#define RAG_EMBED_BATCH_TEXTS 64

typedef enum rag_embed_kind {
    RAG_EMBED_QUERY,
    RAG_EMBED_PASSAGE /* some models prefix the two differently */
} rag_embed_kind;

typedef struct rag_embed_opts {
    const char *provider;         /* "builtin", "openai", "ollama" */
    const char *model;            /* name at the provider */
    const char *model_path;       /* builtin: the model file */
    const char *url;              /* base URL; NULL: the provider's default */
    const char *key;              /* bearer token or NULL; never logged */
    const char *query_prefix;     /* NULL: what the model says */
    const char *passage_prefix;   /* NULL: what the model says */
    size_t dims_asked;            /* openai: "dimensions"; 0: not sent */
    size_t n_threads;             /* builtin; 0: every CPU */
    size_t n_in_flight;           /* HTTP requests at once; 0: 4 */
    size_t batch_texts;           /* per request; 0: 64 */
    size_t batch_tokens;          /* per request, estimated; 0: 16384 */
    bool allow_http;              /* plain http to other than loopback */
    const char *ca_file;          /* NULL: the system's */
    bool (*cancelled)(void *ctx); /* asked often; may be NULL */
    void *cancel_ctx;
} rag_embed_opts;

RAG_NODISCARD rag_status rag_embed_new(rag_embedder **out,
                                       const rag_embed_opts *opts,
                                       rag_error *err);
void rag_embed_free(rag_embedder *e);

/* Length of every vector in floats; for a remote model known only after its
 * first reply (0 before). */
size_t rag_embed_dims(const rag_embedder *e);

/* What is put before a text of that kind; "": nothing. Borrowed. */
const char *rag_embed_prefix(const rag_embedder *e, rag_embed_kind kind);
/* Shortest and longest vector so far as they came, before they were made unit
 * length. */
void rag_embed_lengths(const rag_embedder *e, double *shortest,
                       double *longest);

/* What a stored vector depends on, one line: provider kind, model name, dims
 * when asked, prefixes, file hash of a built-in model. Borrowed. Two embedders
 * with the same fingerprint make interchangeable vectors. (URL and key are not
 * part of it.) */
const char *rag_embed_fingerprint(const rag_embedder *e);

/* Tokens that the model reads at once, its prefix and special tokens counted;
 * 0: not known (remote). */
size_t rag_embed_window(const rag_embedder *e);
/* Texts so far that were longer and went through it in windows, averaged by
 * length. */
uint64_t rag_embed_windowed(const rag_embedder *e);

/* Called once for every batch that is done, in any order, never from two
 * threads at once: texts [first, first + n) have vectors [n x dims], borrowed
 * for the call. */
typedef rag_status (*rag_embed_done)(void *ctx, size_t first, size_t n,
                                     const float *vectors, size_t dims,
                                     rag_error *err);
/* One of them, for whoever wants no vectors: a probe. */
RAG_NODISCARD rag_status rag_embed_ignore(void *ctx, size_t first, size_t n,
                                          const float *vectors, size_t dims,
                                          rag_error *err);

/* Embeds n_texts texts. texts [n_texts] valid UTF-8, borrowed for the call.
 * What arrived before a failure has been given to done. A batch that the
 * server refuses is bisected; a single text that it refuses is an error that
 * names its index. */
RAG_NODISCARD rag_status rag_embed(rag_embedder *e, const rag_str *texts,
                                   size_t n_texts, rag_embed_kind kind,
                                   rag_embed_done done, void *ctx,
                                   rag_error *err);

/* After a failed rag_embed(): the index of the single text that the server
 * refuses (leave it out and call again), SIZE_MAX: the failure is another. */
size_t rag_embed_refused(const rag_embedder *e);

/* One text: out [dims] float32, caller's memory of cap floats. */
RAG_NODISCARD rag_status rag_embed_one(float *out, size_t cap, rag_embedder *e,
                                       rag_str text, rag_embed_kind kind,
                                       rag_error *err);

/* The failure of a call above, for those who do not look into replies: one that
 * is none, or over its cap, is the server's (RAG_E_REMOTE), like one that does
 * not come. Of a built-in model: as it is. */
rag_status rag_embed_blame(const rag_embedder *e, rag_status st,
                           rag_error *err);

/* Is the endpoint reachable, the key accepted? For `rag doctor`; *ms: round
 * trip. Built-in: the file's hash is checked. */
RAG_NODISCARD rag_status rag_embed_check(rag_embedder *e, double *ms,
                                         rag_error *err);

/* "libcurl/7.88.1 ..." (loads it), or NULL and why it cannot be used. */
const char *rag_embed_http_library(rag_error *err);

#endif /* RAG_MODEL_EMBED_H */
