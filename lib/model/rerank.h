#ifndef RAG_MODEL_RERANK_H
#define RAG_MODEL_RERANK_H

/*
 * rerank — a model that reads a question and a passage together says how well
 * the one answers the other.
 *
 * A reranker hides the provider. "builtin" is a cross-encoder of this program's
 * own engine (RAG_E_NOTFOUND, RAG_E_CORRUPT: its file). "http" is any server
 * with a rerank endpoint: llama.cpp, vLLM, Jina, Cohere and their likes
 * ({model, query, documents, top_n} -> results with index and relevance_score)
 * and text-embeddings-inference ({query, texts} -> a list with index and
 * score); which of the two a server speaks is found out with the first request.
 *
 * Scores are 0..1: some servers send probabilities, others raw logits. When
 * one score of a question lies outside 0..1, all of that question go through
 * the sigmoid, which keeps their order.
 *
 * Texts that the server calls too long are cut until it takes them; batches
 * that it calls too large become smaller.
 *
 * Owns:    rag_reranker, from rag_rerank_new() to rag_rerank_free().
 * Errors:  RAG_E_INVAL (settings), RAG_E_NET, RAG_E_REMOTE, RAG_E_AUTH,
 *          RAG_E_FORMAT (a reply that makes no sense), RAG_E_LIMIT,
 *          RAG_E_CANCELLED, RAG_E_NOMEM.
 * Threads: one reranker per thread.
 */

#include "base/status.h"
#include "base/str.h"

typedef struct rag_reranker rag_reranker;

/* More passages of one question are nobody's candidates. */
#define RAG_RERANK_MAX_TEXTS 4096u

typedef struct rag_rerank_opts {
    const char *provider;         /* "http", "builtin" */
    const char *model;            /* name at the provider */
    const char *model_path;       /* builtin: the model file */
    size_t n_threads;             /* builtin; 0: every CPU */
    const char *url;              /* of the server */
    const char *key;              /* bearer token or NULL; never logged */
    size_t batch_texts;           /* per request; 0: 32 */
    bool allow_http;              /* plain http to other than loopback */
    const char *ca_file;          /* NULL: the system's */
    bool (*cancelled)(void *ctx); /* asked often; may be NULL */
    void *cancel_ctx;
} rag_rerank_opts;

RAG_NODISCARD rag_status rag_rerank_new(rag_reranker **out,
                                        const rag_rerank_opts *opts,
                                        rag_error *err);
void rag_rerank_free(rag_reranker *r);

/* scores [n_texts]: 0..1, higher is better; NaN: the server gave none (it
 * sends only its best, or takes the text at no length). At least one is a
 * number. texts valid UTF-8, borrowed for the call. */
RAG_NODISCARD rag_status rag_rerank(double *scores, rag_reranker *r,
                                    rag_str query, const rag_str *texts,
                                    size_t n_texts, rag_error *err);

/* Of the last call. */
typedef struct rag_rerank_about {
    bool raw;          /* logits came, not probabilities */
    double lowest;     /* as they came */
    double highest;    /* the same */
    size_t n_unscored; /* texts without a score */
    size_t n_cut;      /* texts that were cut to be taken */
} rag_rerank_about;

rag_rerank_about rag_rerank_last(const rag_reranker *r);

/* Is the endpoint reachable, the key accepted? For `rag doctor`; one try, none
 * of the user's text. Built-in: the file's hash is checked. *ms: how long. */
RAG_NODISCARD rag_status rag_rerank_check(rag_reranker *r, double *ms,
                                          rag_error *err);

#endif /* RAG_MODEL_RERANK_H */
