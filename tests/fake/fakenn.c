/* A stand-in for nn/encoder: vectors from the bytes of the text, so that the
 * order in which texts come back can be checked without a model file. */
#include "nn/encoder.h"

#include <string.h>

#include "base/mem.h"

struct rag_encoder {
    rag_encoder_info info;
};

rag_status rag_encoder_open(rag_encoder **out, const char *path,
                            size_t n_threads, rag_error *err)
{
    rag_encoder *e;

    (void)n_threads;
    *out = NULL;
    if (strncmp(path, "fake", 4) != 0)
        return rag_fail(err, RAG_E_NOTFOUND, "%s: no such model", path);
    e = rag_calloc(1, sizeof *e);
    if (e == NULL)
        return rag_fail_nomem(err);
    e->info.dims = 8;
    e->info.pooling = "mean";
    e->info.is_cross = strncmp(path, "fakecross", 9) == 0;
    e->info.n_labels = strcmp(path, "fakecross3") == 0 ? 3 : e->info.is_cross;
    memcpy(e->info.name, "fake", 5);
    memcpy(e->info.sha256_hex, "abc", 4);
    memcpy(e->info.query_prefix, "query: ", 8);
    memcpy(e->info.passage_prefix, "passage: ", 10);
    *out = e;
    return RAG_OK;
}

void rag_encoder_close(rag_encoder *e)
{
    rag_free(e);
}

const rag_encoder_info *rag_encoder_about(const rag_encoder *e)
{
    return &e->info;
}

uint64_t rag_encoder_windowed(const rag_encoder *e)
{
    (void)e;
    return 0;
}

/* [length, first 7 bytes behind the last ':'] */
rag_status rag_encoder_run(float *out, rag_encoder *e, const rag_str *texts,
                           size_t n_texts, bool (*cancelled)(void *), void *ctx,
                           rag_error *err)
{
    (void)e;
    for (size_t i = 0; i < n_texts; i++) {
        float *v = out + i * 8;

        if (cancelled != NULL && cancelled(ctx))
            return rag_fail(err, RAG_E_CANCELLED, "interrupted");
        if (i != 0 && texts[i].len > texts[i - 1].len)
            return rag_fail(err, RAG_E_INVAL, "not sorted by length");
        v[0] = (float)texts[i].len;
        for (size_t k = 1; k < 8; k++)
            v[k] = k <= texts[i].len ? (float)texts[i].ptr[texts[i].len - k]
                                     : 0.0f;
    }
    return RAG_OK;
}

/* Longer texts answer better, to 255 bytes. */
rag_status rag_encoder_score(float *scores, rag_encoder *e, rag_str query,
                             const rag_str *texts, size_t n_texts,
                             bool (*cancelled)(void *), void *ctx,
                             rag_error *err)
{
    (void)e;
    (void)query;
    if (cancelled != NULL && cancelled(ctx))
        return rag_fail(err, RAG_E_CANCELLED, "interrupted");
    for (size_t i = 0; i < n_texts; i++)
        scores[i] = (float)(texts[i].len & 255) / 256.0f;
    return RAG_OK;
}

rag_status rag_encoder_labels(float *logits, rag_encoder *e,
                              const rag_str *first, const rag_str *second,
                              size_t n_pairs, bool (*cancelled)(void *),
                              void *ctx, rag_error *err)
{
    (void)logits;
    (void)e;
    (void)first;
    (void)second;
    (void)n_pairs;
    (void)cancelled;
    (void)ctx;
    return rag_fail(err, RAG_E_UNSUPPORTED, "not here");
}

rag_status rag_encoder_tokens(int32_t *ids, size_t cap, size_t *n,
                              rag_encoder *e, rag_str text, rag_error *err)
{
    (void)ids;
    (void)cap;
    (void)e;
    (void)text;
    *n = 0;
    return rag_fail(err, RAG_E_UNSUPPORTED, "not here");
}

rag_status rag_encoder_import(const char *out_path, const char *in_path,
                              const char *name, rag_error *err)
{
    (void)out_path;
    (void)in_path;
    (void)name;
    return rag_fail(err, RAG_E_UNSUPPORTED, "not here");
}

rag_status rag_encoder_verify(const char *path, rag_error *err)
{
    return strncmp(path, "fake", 4) == 0
               ? RAG_OK
               : rag_fail(err, RAG_E_CORRUPT, "%s: damaged", path);
}

rag_status rag_encoder_peek(rag_encoder_info *out, const char *path,
                            rag_error *err)
{
    (void)path;
    memset(out, 0, sizeof *out);
    return rag_fail(err, RAG_E_UNSUPPORTED, "not here");
}

const char *rag_encoder_tier(void)
{
    return "fake";
}
