/* Vectors for whoever asks, slice by slice: any number of texts in bounded
 * memory, in the order they came. */

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "flow/flow_priv.h"

/* one slice: RAG_EMBED_TEXTS_MAX vectors of the longest kind are 64 MB */
#define MAX_SLICE_FLOATS ((size_t)RAG_EMBED_TEXTS_MAX * 16384)
/* a slice's texts, made valid */
#define MAX_SLICE_BYTES ((size_t)256 << 20)

typedef struct slice {
    float *vectors; /* [n x dims] */
    size_t n;
    size_t dims;
    size_t cap_floats;
} slice;

/* Batches arrive in any order; they are given on in theirs. */
static rag_status gather(void *ctx, size_t first, size_t n,
                         const float *vectors, size_t dims, rag_error *err)
{
    slice *s = ctx;

    if (s->dims == 0 || s->vectors == NULL) {
        size_t want;

        if (!rag_mul_ok(&want, s->n, dims) || want > MAX_SLICE_FLOATS)
            return rag_fail(err, RAG_E_LIMIT, "vectors of %zu numbers", dims);
        if (!rag_mem_grow(&s->vectors, &s->cap_floats, want,
                          sizeof *s->vectors))
            return rag_fail_nomem(err);
        s->dims = dims;
    }
    if (dims != s->dims || first > s->n || n > s->n - first)
        return rag_fail(err, RAG_E_FORMAT,
                        "vectors of %zu numbers after some of %zu", dims,
                        s->dims);
    memcpy(s->vectors + first * dims, vectors, n * dims * sizeof *vectors);
    return RAG_OK;
}

/* texts, each valid UTF-8, in buf and out. */
static rag_status scrub(rag_str *out, rag_buf *buf, const rag_str *texts,
                        size_t n, rag_error *err)
{
    size_t ends[RAG_EMBED_TEXTS_MAX];
    rag_status st;

    rag_buf_clear(buf);
    for (size_t i = 0; i < n; i++) {
        rag_utf8_scrub(buf, texts[i]);
        ends[i] = buf->len;
    }
    st = rag_buf_status(buf, err);
    for (size_t i = 0; i < n && st == RAG_OK; i++)
        out[i] =
            rag_str_cut(rag_buf_str(buf), i == 0 ? 0 : ends[i - 1], ends[i]);
    return st;
}

rag_status rag_embed_texts(const rag_config *cfg, bool query, rag_texts_fn next,
                           rag_vector_fn fn, void *ctx, rag_error *err)
{
    rag_str clean[RAG_EMBED_TEXTS_MAX];
    rag_embedder *e = NULL;
    char *model = NULL;
    slice s = {NULL, 0, 0, 0};
    rag_status st;
    rag_buf buf;

    rag_buf_init(&buf, MAX_SLICE_BYTES);
    TRY(rag_flow_embedder_new(&e, &model, cfg, err));
    if (e == NULL) {
        st = rag_fail(err, RAG_E_INVAL,
                      "no embedding model: add one with 'rag model add FILE', "
                      "or set embed.model");
        goto out;
    }
    for (;;) {
        const rag_str *texts;

        TRY(next(ctx, &texts, &s.n, err));
        if (s.n == 0)
            break;
        if (s.n > RAG_EMBED_TEXTS_MAX) {
            st = rag_fail(err, RAG_E_INVAL, "%zu texts at once", s.n);
            goto out;
        }
        TRY(scrub(clean, &buf, texts, s.n, err));
        s.dims = 0;
        TRY(rag_embed(e, clean, s.n,
                      query ? RAG_EMBED_QUERY : RAG_EMBED_PASSAGE, gather, &s,
                      err));
        for (size_t i = 0; i < s.n; i++)
            TRY(fn(ctx, clean[i], s.vectors + i * s.dims, s.dims, model, err));
    }
out:
    rag_free(s.vectors);
    rag_buf_dispose(&buf);
    rag_embed_free(e);
    rag_free(model);
    return st;
}
