#include "flow/fit.h"

#include <pthread.h>

#include "base/mem.h"
#include "nn/encoder.h"

/* one passage as the model sees it */
#define MAX_INPUT_BYTES ((size_t)64 << 20)

struct rag_fit {
    rag_encoder *encoder; /* for its tokenizer alone */
    const char *prefix;
    size_t window;
    pthread_mutex_t lock; /* of what follows, and of the tokenizer */
    rag_buf input;
};

rag_status rag_fit_new(rag_fit **out, const rag_config *cfg, rag_error *err)
{
    rag_fit *f = NULL;
    char *path = NULL;
    rag_error why = {RAG_OK, ""};
    rag_status st;

    *out = NULL;
    st = rag_flow_builtin_path(&path, cfg, &why);
    if (st == RAG_OK && path != NULL) {
        f = rag_calloc(1, sizeof *f);
        st = f == NULL ? rag_fail_nomem(&why)
                       : rag_encoder_open(&f->encoder, path, 1, &why);
    }
    rag_free(path);
    if (st == RAG_OK && f != NULL && !rag_encoder_about(f->encoder)->is_cross) {
        const rag_encoder_info *info = rag_encoder_about(f->encoder);

        f->window = info->max_tokens;
        f->prefix = cfg->embed_passage_prefix != NULL
                        ? cfg->embed_passage_prefix
                        : info->passage_prefix;
        rag_buf_init(&f->input, MAX_INPUT_BYTES);
        (void)pthread_mutex_init(&f->lock, NULL);
        *out = f;
        return RAG_OK;
    }
    if (f != NULL && f->encoder != NULL)
        rag_encoder_close(f->encoder);
    rag_free(f);
    return st == RAG_E_NOMEM ? rag_fail_nomem(err) : RAG_OK;
}

void rag_fit_free(rag_fit *f)
{
    if (f == NULL)
        return;
    rag_encoder_close(f->encoder);
    rag_buf_dispose(&f->input);
    (void)pthread_mutex_destroy(&f->lock);
    rag_free(f);
}

/* Tokens of what is in f->input; SIZE_MAX: they cannot be counted. */
static size_t count(rag_fit *f)
{
    size_t n = 0;

    if (f->input.failed != RAG_OK ||
        rag_encoder_tokens(NULL, 0, &n, f->encoder, rag_buf_str(&f->input),
                           NULL) != RAG_OK)
        return SIZE_MAX;
    return n;
}

bool rag_fit_fits(void *ctx, const rag_chunk_parts *parts)
{
    rag_fit *f = ctx;
    size_t n;
    bool yes;

    (void)pthread_mutex_lock(&f->lock);
    rag_buf_clear(&f->input);
    rag_buf_addz(&f->input, f->prefix);
    rag_chunk_input(&f->input, parts);
    n = count(f);
    yes = n <= f->window || n == SIZE_MAX;
    if (!yes) {
        rag_chunk_parts alone = {.type = parts->type, .body = parts->body};
        size_t body;

        rag_buf_clear(&f->input);
        rag_chunk_input(&f->input, &alone);
        body = count(f);
        yes = body != SIZE_MAX && body <= f->window / 2;
    }
    (void)pthread_mutex_unlock(&f->lock);
    return yes;
}
