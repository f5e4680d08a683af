#ifndef RAG_NN_ENCODER_H
#define RAG_NN_ENCODER_H

/*
 * encoder — texts become unit vectors, or pairs of texts scores, by this
 * program's own arithmetic: int8 weights per output row, int8 activations per
 * token, the same int32 accumulators on every CPU.
 *
 * Owns:    rag_encoder from rag_encoder_open() to rag_encoder_close().
 * Errors:  RAG_E_NOTFOUND, RAG_E_CORRUPT (model file), RAG_E_NOMEM,
 *          RAG_E_INVAL (a model that does not do this), RAG_E_CANCELLED.
 * Threads: one encoder per thread of the caller; it uses its own inside.
 */

#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

typedef struct rag_encoder rag_encoder;

typedef struct rag_encoder_info {
    char name[64];         /* "e5-small" */
    char sha256_hex[65];   /* of the model file's payload, from its header */
    const char *arch;      /* "BERT", "ModernBERT" */
    const char *tokenizer; /* "Unigram", "WordPiece", ... */
    const char *pooling;   /* "mean", "first token", "last token" */
    bool is_cross;         /* a cross-encoder: scores of pairs, no vectors */
    size_t n_labels;       /* of a cross-encoder: 1 for reranking, 3 mostly for
                            * entailment; else 0 */
    size_t dims;           /* floats a vector */
    size_t max_tokens;     /* window, special tokens counted */
    size_t file_bytes;
    char query_prefix[256];
    char passage_prefix[256];
    char licence[64];
    char source[256]; /* file name and SHA-256 of what it was imported from */
    char label_names[256]; /* a line a label, in the order of the logits; "" */
} rag_encoder_info;

/* n_threads 0: every CPU. */
RAG_NODISCARD rag_status rag_encoder_open(rag_encoder **out, const char *path,
                                          size_t n_threads, rag_error *err);
void rag_encoder_close(rag_encoder *e);
const rag_encoder_info *rag_encoder_about(const rag_encoder *e);

/* out [n_texts x dims] float32, row-major, unit length. The prefix is added by
 * the caller. Texts over the window are cut into windows, their vectors
 * averaged by length. Valid or invalid UTF-8 (bad parts count as U+FFFD).
 * cancelled is asked between batches; may be NULL. */
RAG_NODISCARD rag_status rag_encoder_run(float *out, rag_encoder *e,
                                         const rag_str *texts, size_t n_texts,
                                         bool (*cancelled)(void *), void *ctx,
                                         rag_error *err);

/* Texts that were longer than the window, of all runs so far. */
uint64_t rag_encoder_windowed(const rag_encoder *e);

/* Cross-encoders. How well each text answers the query: scores [n_texts] in
 * 0..1, the sigmoid of the model's one label. A pair that is longer than the
 * window loses tokens at the end of its longer side. */
RAG_NODISCARD rag_status rag_encoder_score(float *scores, rag_encoder *e,
                                           rag_str query, const rag_str *texts,
                                           size_t n_texts,
                                           bool (*cancelled)(void *), void *ctx,
                                           rag_error *err);

/* The logits themselves of pairs (first[i], second[i]), logits
 * [n_pairs x n_labels]. For entailment first is what is known, second what is
 * claimed. */
RAG_NODISCARD rag_status rag_encoder_labels(
    float *logits, rag_encoder *e, const rag_str *first, const rag_str *second,
    size_t n_pairs, bool (*cancelled)(void *), void *ctx, rag_error *err);

/* Token ids with <s> and </s>, not windowed; *n: how many there are, of which
 * at most cap are written. */
RAG_NODISCARD rag_status rag_encoder_tokens(int32_t *ids, size_t cap, size_t *n,
                                            rag_encoder *e, rag_str text,
                                            rag_error *err);

/* What the user says about a model, in place of what its files say; NULL: as
 * they say. */
typedef struct rag_encoder_import_opts {
    const char *query_prefix;
    const char *passage_prefix;
    const char *pooling; /* "mean", "cls", "last" */
    /* A model made from something else stands at out_path: RAG_E_INVAL. The
     * same source again, a damaged file and one of another version are
     * replaced. */
    bool keep_others;
    bool (*cancelled)(void *ctx); /* asked between layers; may be NULL */
    void *cancel_ctx;
} rag_encoder_import_opts;

/* Imports a model in a foreign format (docs/models.md lists them), a file or a
 * folder, as our own file at out_path (replaced in one step). */
RAG_NODISCARD rag_status rag_encoder_import(const char *out_path,
                                            const char *in_path,
                                            const char *name, rag_error *err);
/* The same; opts may be NULL. */
RAG_NODISCARD rag_status rag_encoder_import_as(
    const char *out_path, const char *in_path, const char *name,
    const rag_encoder_import_opts *opts, rag_error *err);

/* Reads the whole file and compares its hash with the header's. */
RAG_NODISCARD rag_status rag_encoder_verify(const char *path, rag_error *err);
/* The header alone. */
RAG_NODISCARD rag_status rag_encoder_peek(rag_encoder_info *out,
                                          const char *path, rag_error *err);

/* "avx2", "scalar", ...: the kernels in use on this machine. */
const char *rag_encoder_tier(void);

#endif /* RAG_NN_ENCODER_H */
