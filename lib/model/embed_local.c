/*
 * The built-in encoder. Texts go to it in slices, so that results are stored
 * and a cancel is seen often; inside a slice they are sorted by length, so that
 * the encoder's threads get equal shares.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/embed_priv.h"

/* About a third of a second of work on two CPUs. */
#define SLICE_TEXTS 64u
#define SLICE_BYTES ((size_t)128 * 1024)
/* a single text that holds more than any model's window many times over */
#define MAX_TEXT_BYTES ((size_t)64 << 20)

static rag_status open_model(rag_embedder *e, rag_error *err)
{
    const rag_encoder_info *info;
    rag_status st;

    if (e->o.model_path == NULL)
        return rag_fail(err, RAG_E_NOTFOUND,
                        "the built-in model '%s' is not installed: rag model "
                        "add",
                        e->o.model);
    st = rag_encoder_open(&e->encoder, e->o.model_path, e->o.n_threads, err);
    if (st != RAG_OK)
        return st;
    info = rag_encoder_about(e->encoder);
    if (info->is_cross)
        return rag_fail(err, RAG_E_INVAL,
                        "model %s scores pairs of texts, it makes no vectors: "
                        "embed.model wants another one",
                        info->name);
    e->dims = info->dims;
    if (e->query_prefix == NULL)
        e->query_prefix = info->query_prefix;
    if (e->passage_prefix == NULL)
        e->passage_prefix = info->passage_prefix;
    return RAG_OK;
}

typedef struct entry {
    size_t i;
    rag_str text;
} entry;

static int by_length(const void *a, const void *b)
{
    const entry *x = a;
    const entry *y = b;

    if (x->text.len != y->text.len)
        return x->text.len < y->text.len ? 1 : -1;
    return x->i < y->i ? -1 : x->i > y->i;
}

static size_t slice_len(const rag_str *texts, size_t n)
{
    size_t k = 0;
    size_t bytes = 0;

    while (k < n && k < SLICE_TEXTS && (k == 0 || bytes < SLICE_BYTES))
        bytes += texts[k++].len;
    return k;
}

/* Everything a slice needs. */
typedef struct slice {
    entry order[SLICE_TEXTS];
    rag_str sorted[SLICE_TEXTS];
    rag_buf joined; /* prefix and text of each, one behind the other */
    float *raw;     /* [n x dims] in the order of length */
    float *out;     /* [n x dims] in the order of the texts */
} slice;

static rag_status sort_slice(slice *s, const rag_str *texts, size_t n,
                             const char *prefix, rag_error *err)
{
    size_t len = strlen(prefix);
    size_t at = 0;
    rag_status st;

    rag_buf_clear(&s->joined);
    for (size_t i = 0; i < n; i++) {
        rag_buf_addz(&s->joined, prefix);
        rag_buf_adds(&s->joined, texts[i]);
    }
    st = rag_buf_status(&s->joined, err);
    if (st != RAG_OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        s->order[i].i = i;
        s->order[i].text = rag_str_n(s->joined.ptr + at, len + texts[i].len);
        at += len + texts[i].len;
    }
    qsort(s->order, n, sizeof *s->order, by_length);
    for (size_t i = 0; i < n; i++)
        s->sorted[i] = s->order[i].text;
    return RAG_OK;
}

static rag_status run_slice(slice *s, rag_embedder *e, const rag_str *texts,
                            size_t first, size_t n, const char *prefix,
                            rag_error *err)
{
    rag_status st = sort_slice(s, texts + first, n, prefix, err);

    if (st != RAG_OK)
        return st;
    st = rag_encoder_run(s->raw, e->encoder, s->sorted, n, e->o.cancelled,
                         e->o.cancel_ctx, err);
    if (st != RAG_OK)
        return st;
    for (size_t i = 0; i < n; i++)
        memcpy(s->out + s->order[i].i * e->dims, s->raw + i * e->dims,
               e->dims * sizeof *s->out);
    return rag_embed_finish(e, s->out, n, e->dims, first, err);
}

static rag_status run_local(rag_embedder *e, const rag_str *texts,
                            size_t n_texts, const char *prefix,
                            rag_embed_done done, void *ctx, rag_error *err)
{
    slice *s = rag_calloc(1, sizeof *s);
    size_t room = SLICE_TEXTS < n_texts ? SLICE_TEXTS : n_texts;
    size_t n_floats;
    rag_status st = RAG_OK;

    if (s == NULL)
        return rag_fail_nomem(err);
    rag_buf_init(&s->joined, MAX_TEXT_BYTES);
    if (rag_mul_ok(&n_floats, room, e->dims)) {
        s->raw = rag_calloc(n_floats, sizeof *s->raw);
        s->out = rag_calloc(n_floats, sizeof *s->out);
    }
    if (s->raw == NULL || s->out == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (size_t first = 0; first < n_texts;) {
        size_t n = slice_len(texts + first, n_texts - first);

        if (e->o.cancelled != NULL && e->o.cancelled(e->o.cancel_ctx)) {
            st = rag_fail(err, RAG_E_CANCELLED, "interrupted");
            goto out;
        }
        TRY(run_slice(s, e, texts, first, n, prefix, err));
        TRY(done(ctx, first, n, s->out, e->dims, err));
        first += n;
    }
out:
    rag_free(s->raw);
    rag_free(s->out);
    rag_buf_dispose(&s->joined);
    rag_free(s);
    return st;
}

static rag_status check_file(rag_embedder *e, rag_error *err)
{
    return rag_encoder_verify(e->o.model_path, err);
}

const rag_embed_ops rag_embed_local = {
    .provider = "builtin",
    .open = open_model,
    .run = run_local,
    .check = check_file,
};
