/* Vectors for whoever asks, slice by slice: any number of texts in bounded
 * memory, in the order they came. A text that the model does not take is told
 * in its place; the others go on. */

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "flow/flow_priv.h"

/* one slice: RAG_EMBED_TEXTS_MAX vectors of the longest kind are 64 MB */
#define MAX_SLICE_FLOATS ((size_t)RAG_EMBED_TEXTS_MAX * 16384)
/* a slice's texts, made valid */
#define MAX_SLICE_BYTES ((size_t)256 << 20)

typedef struct slice {
    rag_str texts[RAG_EMBED_TEXTS_MAX];
    size_t n;
    float *vectors; /* [n x dims] */
    size_t dims;
    size_t cap_floats;
    rag_error *whys; /* [RAG_EMBED_TEXTS_MAX], made when first needed */
    bool done[RAG_EMBED_TEXTS_MAX];
    /* those on their way, and which of the slice they are */
    rag_str asked[RAG_EMBED_TEXTS_MAX];
    size_t which[RAG_EMBED_TEXTS_MAX];
    size_t n_asked;
    rag_buf buf;
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
    if (dims != s->dims || first > s->n_asked || n > s->n_asked - first)
        return rag_fail(err, RAG_E_FORMAT,
                        "vectors of %zu numbers after some of %zu", dims,
                        s->dims);
    for (size_t i = 0; i < n; i++) {
        memcpy(s->vectors + s->which[first + i] * dims, vectors + i * dims,
               dims * sizeof *vectors);
        s->done[s->which[first + i]] = true;
    }
    return RAG_OK;
}

/* texts, each made valid UTF-8, become the slice. */
static rag_status take(slice *s, const rag_str *texts, size_t n, rag_error *err)
{
    size_t ends[RAG_EMBED_TEXTS_MAX];
    rag_status st;

    if (n > RAG_EMBED_TEXTS_MAX)
        return rag_fail(err, RAG_E_INVAL, "%zu texts at once", n);
    rag_buf_clear(&s->buf);
    for (size_t i = 0; i < n; i++) {
        rag_utf8_scrub(&s->buf, texts[i]);
        ends[i] = s->buf.len;
    }
    st = rag_buf_status(&s->buf, err);
    for (size_t i = 0; i < n && st == RAG_OK; i++)
        s->texts[i] = rag_str_cut(rag_buf_str(&s->buf),
                                  i == 0 ? 0 : ends[i - 1], ends[i]);
    s->n = n;
    s->dims = 0;
    memset(s->done, 0, sizeof s->done);
    return st;
}

/* Embeds what is not done. *bad: the text that was refused, or SIZE_MAX. */
static rag_status embed_rest(size_t *bad, slice *s, rag_embedder *e,
                             rag_embed_kind kind, rag_error *err)
{
    rag_status st;
    size_t refused;

    s->n_asked = 0;
    for (size_t i = 0; i < s->n; i++)
        if (!s->done[i]) {
            s->asked[s->n_asked] = s->texts[i];
            s->which[s->n_asked++] = i;
        }
    st = rag_embed_blame(
        e, rag_embed(e, s->asked, s->n_asked, kind, gather, s, err), err);
    refused = st != RAG_OK ? rag_embed_refused(e) : SIZE_MAX;
    *bad = refused < s->n_asked ? s->which[refused] : SIZE_MAX;
    return st;
}

/* The embedder numbers the texts of its own call, the caller has other numbers.
 */
static void drop_number(rag_error *why, const slice *s, size_t bad)
{
    size_t asked = 0;
    char head[80];
    int n;

    while (asked < s->n_asked && s->which[asked] != bad)
        asked++;
    n = snprintf(head, sizeof head, "text %zu (%zu bytes): ", asked,
                 s->texts[bad].len);
    if (n > 0 && (size_t)n < sizeof head &&
        strncmp(why->msg, head, (size_t)n) == 0)
        memmove(why->msg, why->msg + n, strlen(why->msg + n) + 1);
}

static rag_status embed_slice(slice *s, rag_embedder *e, rag_embed_kind kind,
                              rag_error *err)
{
    for (;;) {
        rag_error why = {RAG_OK, ""};
        size_t bad;
        rag_status st = embed_rest(&bad, s, e, kind, &why);

        if (st == RAG_OK)
            return RAG_OK;
        if (bad == SIZE_MAX) {
            if (err != NULL)
                *err = why;
            return st;
        }
        if (s->whys == NULL)
            s->whys = rag_calloc(RAG_EMBED_TEXTS_MAX, sizeof *s->whys);
        if (s->whys == NULL)
            return rag_fail_nomem(err);
        drop_number(&why, s, bad);
        s->whys[bad] = why;
        s->done[bad] = true;
    }
}

static rag_status give(rag_embed_report *out, slice *s, const char *model,
                       rag_embedded_fn fn, void *ctx, rag_error *err)
{
    rag_status st = RAG_OK;

    for (size_t i = 0; i < s->n && st == RAG_OK; i++) {
        bool bad = s->whys != NULL && s->whys[i].code != RAG_OK;
        rag_embedded v = {.text = s->texts[i],
                          .no = out->n_texts,
                          .vector = bad ? NULL : s->vectors + i * s->dims,
                          .dims = s->dims,
                          .model = model,
                          .why = bad ? &s->whys[i] : NULL};

        st = fn(ctx, &v, err);
        out->n_texts++;
        out->n_failed += bad;
        if (bad)
            rag_error_clear(&s->whys[i]);
    }
    return st;
}

rag_status rag_embed_texts(rag_embed_report *out, const rag_config *cfg,
                           bool query, rag_texts_fn next, rag_embedded_fn fn,
                           void *ctx, rag_error *err)
{
    slice *s = rag_calloc(1, sizeof *s);
    rag_embedder *e = NULL;
    char *model = NULL;
    rag_status st;

    memset(out, 0, sizeof *out);
    if (s == NULL)
        return rag_fail_nomem(err);
    rag_buf_init(&s->buf, MAX_SLICE_BYTES);
    TRY(rag_flow_embedder_new(&e, &model, cfg, err));
    if (e == NULL) {
        st = rag_fail(err, RAG_E_INVAL,
                      "no embedding model: %s, or set embed.model",
                      rag_flow_model_hint(cfg));
        goto out;
    }
    for (;;) {
        const rag_str *texts;
        size_t n;

        TRY(next(ctx, &texts, &n, err));
        if (n == 0)
            break;
        TRY(take(s, texts, n, err));
        TRY(embed_slice(s, e, query ? RAG_EMBED_QUERY : RAG_EMBED_PASSAGE,
                        err));
        TRY(give(out, s, model, fn, ctx, err));
    }
out:
    if (e != NULL) {
        out->n_windowed = rag_embed_windowed(e);
        out->window_tokens = rag_embed_window(e);
    }
    rag_free(s->vectors);
    rag_free(s->whys);
    rag_buf_dispose(&s->buf);
    rag_free(s);
    rag_embed_free(e);
    rag_free(model);
    return st;
}
