#ifndef RAG_MODEL_RERANK_PRIV_H
#define RAG_MODEL_RERANK_PRIV_H

/* Shared by the rerank*.c files only. */

#include "base/arena.h"
#include "base/buf.h"
#include "model/rerank.h"
#include "net/http.h"
#include "nn/encoder.h"

/* No reranker reads more of a passage: 8192 tokens of four bytes. */
#define RAG_RERANK_MAX_TEXT_BYTES ((size_t)32 << 10)
/* nor of a question, which is a line; a pasted page is cut here */
#define RAG_RERANK_MAX_QUERY_BYTES ((size_t)8 << 10)

/* One provider. */
typedef struct rag_rerank_ops {
    const char *provider;
    rag_status (*open)(rag_reranker *r, rag_error *err);
    /* raw [n]: as the model says it, NaN: none. query and texts are cut to the
     * lengths above. */
    rag_status (*run)(double *raw, rag_reranker *r, rag_str query,
                      const rag_str *texts, size_t n, rag_error *err);
    /* NULL: a text is scored */
    rag_status (*check)(rag_reranker *r, rag_error *err);
} rag_rerank_ops;

struct rag_reranker {
    const rag_rerank_ops *ops;
    rag_arena arena;
    rag_rerank_opts o; /* strings in the arena; key: NULL, only http has it */
    rag_rerank_about about;
    bool once; /* no retries: a check */
    /* http */
    rag_http *http;
    const char *paths[2]; /* where to look; [1] may be NULL */
    size_t path;          /* which of them */
    bool tei;             /* speaks {query, texts} */
    bool settled;         /* a request was understood */
    size_t batch_now;     /* what the server has been seen to take */
    size_t max_bytes;     /* of a text, likewise */
    bool failed_before;   /* the last call could not reach it */
    /* builtin */
    rag_encoder *encoder;
};

extern const rag_rerank_ops rag_rerank_http;
extern const rag_rerank_ops rag_rerank_builtin;

/* Reads a reply: scores [n], NaN where the reply has none. what names the
 * server in messages. RAG_E_FORMAT: an index that is missing, repeated or out
 * of range, a score that is no finite number, no result at all. */
rag_status rag_rerank_read(double *scores, size_t n, rag_str body,
                           const char *what, rag_error *err);

/* raw [n] becomes 0..1 in place; *about is filled but for n_cut. */
void rag_rerank_scale(double *raw, size_t n, rag_rerank_about *about);

#endif /* RAG_MODEL_RERANK_PRIV_H */
