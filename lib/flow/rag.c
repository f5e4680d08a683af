#include "rag.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "flow/flow_priv.h"

bool rag_flow_cancelled(const rag *r)
{
    return r->cfg.cancelled != NULL && r->cfg.cancelled(r->cfg.cancel_ctx);
}

double rag_flow_now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int64_t rag_flow_wall_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static rag_doc_type type_of(rag_str name)
{
    rag_doc_type t = RAG_DOC_TEXT;

    (void)rag_doc_type_of(&t, name);
    return t;
}

void rag_flow_render(rag_buf *heading, rag_buf *body,
                     const rag_store_chunk *chunk)
{
    rag_chunk_parts parts = {.type = type_of(chunk->type),
                             .title = chunk->title,
                             .headings = chunk->headings,
                             .n_headings = chunk->n_headings,
                             .context = chunk->context,
                             .body = chunk->text};

    rag_chunk_breadcrumb(heading, &parts);
    rag_chunk_body(body, &parts);
}

rag_status rag_open(rag **out, const rag_config *cfg, rag_open_mode mode,
                    unsigned wait_ms, rag_error *err)
{
    rag_store_opts o = {.write =
                            mode == RAG_OPEN_WRITE || mode == RAG_OPEN_CREATE,
                        .create = mode == RAG_OPEN_CREATE,
                        .wait_ms = wait_ms,
                        .state_dir = cfg->state_dir,
                        .render = rag_flow_render,
                        .cancelled = cfg->cancelled,
                        .cancel_ctx = cfg->cancel_ctx};
    rag *r = rag_calloc(1, sizeof *r);
    rag_status st;

    *out = NULL;
    if (r == NULL)
        return rag_fail_nomem(err);
    r->cfg = *cfg;
    r->mode = mode;
    if (mode == RAG_OPEN_NONE) {
        *out = r;
        return RAG_OK;
    }
    st = rag_store_open(&r->store, cfg->store_dir, &o, err);
    if (st != RAG_OK) {
        rag_free(r);
        return st;
    }
    *out = r;
    return RAG_OK;
}

void rag_close(rag *r)
{
    if (r == NULL)
        return;
    rag_embed_free(r->embedder);
    rag_rerank_free(r->reranker);
    rag_store_close(r->store);
    rag_free(r->embed_model);
    rag_free(r);
}

bool rag_flow_model_parts(char provider[16], const char **name,
                          const char *model)
{
    const char *colon = strchr(model, ':');
    size_t n = colon != NULL ? (size_t)(colon - model) : 0;

    if (n == 0 || n >= 16 || colon[1] == '\0')
        return false;
    memcpy(provider, model, n);
    provider[n] = '\0';
    *name = colon + 1;
    return true;
}

/* The model that the settings mean: theirs, or the default built-in one. */
static rag_status resolve(char **model, const rag_config *cfg, rag_error *err)
{
    rag_status st;
    char *name = NULL;
    rag_buf b;

    *model = NULL;
    if (cfg->embed_model != NULL) {
        *model = rag_strdup(cfg->embed_model);
        return *model != NULL ? RAG_OK : rag_fail_nomem(err);
    }
    rag_buf_init(&b, 512);
    TRY(rag_flow_model_default(&name, cfg, err));
    if (name == NULL)
        rag_buf_addz(&b, "none");
    else
        rag_buf_addf(&b, "builtin:%s", name);
    TRY(rag_buf_status(&b, err));
    *model = rag_buf_take(&b, NULL);
    st = *model != NULL ? RAG_OK : rag_fail_nomem(err);
out:
    rag_buf_dispose(&b);
    rag_free(name);
    return st;
}

rag_status rag_flow_embedder_new(rag_embedder **out, char **model,
                                 const rag_config *cfg, rag_error *err)
{
    rag_embed_opts o = {.url = cfg->embed_url,
                        .key = cfg->embed_key,
                        .query_prefix = cfg->embed_query_prefix,
                        .passage_prefix = cfg->embed_passage_prefix,
                        .n_threads = cfg->n_jobs,
                        .n_in_flight = cfg->embed_in_flight,
                        .batch_texts = cfg->embed_batch_texts,
                        .allow_http = cfg->allow_http,
                        .ca_file = cfg->ca_file,
                        .cancelled = cfg->cancelled,
                        .cancel_ctx = cfg->cancel_ctx};
    char provider[16];
    char *path = NULL;
    rag_status st;

    *out = NULL;
    TRY(resolve(model, cfg, err));
    if (strcmp(*model, "none") == 0)
        goto out;
    if (!rag_flow_model_parts(provider, &o.model, *model)) {
        st = rag_fail(err, RAG_E_INVAL,
                      "embed.model is '%s': write builtin:NAME, openai:NAME, "
                      "ollama:NAME or none",
                      *model);
        goto out;
    }
    o.provider = provider;
    if (strcmp(provider, "builtin") == 0) {
        TRY(rag_flow_model_path(&path, cfg, o.model, err));
        o.model_path = path;
    }
    st = rag_embed_new(out, &o, err);
out:
    rag_free(path);
    return st;
}

rag_status rag_flow_builtin_path(char **out, const rag_config *cfg,
                                 rag_error *err)
{
    char *model = NULL;
    rag_status st = resolve(&model, cfg, err);

    *out = NULL;
    if (st == RAG_OK && strncmp(model, "builtin:", 8) == 0)
        st = rag_flow_model_path(out, cfg, model + 8, err);
    rag_free(model);
    return st;
}

rag_status rag_flow_embedder(rag_embedder **out, rag *r, rag_error *err)
{
    rag_status st;

    *out = r->embedder;
    if (r->embedder_tried)
        return RAG_OK;
    st = rag_flow_embedder_new(&r->embedder, &r->embed_model, &r->cfg, err);
    r->embedder_tried = st == RAG_OK;
    *out = r->embedder;
    return st;
}

rag_status rag_flow_chat(rag_chat **out, rag *r, bool stream, rag_error *err)
{
    rag_chat_opts o = {.url = r->cfg.chat_url,
                       .key = r->cfg.chat_key,
                       .temperature = r->cfg.chat_temperature,
                       .context_tokens = r->cfg.chat_context_tokens,
                       .max_tokens = r->cfg.chat_max_tokens,
                       .stream = stream,
                       .allow_http = r->cfg.allow_http,
                       .ca_file = r->cfg.ca_file,
                       .cancelled = r->cfg.cancelled,
                       .cancel_ctx = r->cfg.cancel_ctx};
    const char *model = r->cfg.chat_model;
    char provider[16];

    *out = NULL;
    if (model == NULL || strcmp(model, "none") == 0)
        return RAG_OK;
    if (!rag_flow_model_parts(provider, &o.model, model))
        return rag_fail(
            err, RAG_E_INVAL,
            "chat.model is '%s': write openai:NAME, ollama:NAME or none",
            model);
    o.provider = provider;
    return rag_chat_new(out, &o, err);
}

rag_status rag_flow_check_space(rag_store_space *space, rag *r,
                                const rag_embedder *e, rag_error *err)
{
    rag_status st = rag_store_space_active(space, r->store, err);

    if (st != RAG_OK || space->id == 0 ||
        rag_str_eqz(space->fingerprint, rag_embed_fingerprint(e)))
        return st;
    if (rag_str_eqz(space->model, r->embed_model))
        return rag_fail(err, RAG_E_MISMATCH,
                        "the store's vectors were made by another %s (its file "
                        "or its prefixes were not these): change them with "
                        "'rag ingest --reembed', or use another store (--store "
                        "DIR)",
                        r->embed_model);
    return rag_fail(err, RAG_E_MISMATCH,
                    "the store's vectors were made by %.*s, the settings name "
                    "%s: use another store (--store DIR), or change this one "
                    "with 'rag ingest --reembed'",
                    (int)(space->model.len < 200 ? space->model.len : 200),
                    space->model.ptr, r->embed_model);
}

const char *rag_ingest_result_name(rag_ingest_result res)
{
    static const char *const names[] = {"added",   "updated", "unchanged",
                                        "removed", "failed",  "skipped",
                                        "kept"};

    return names[res];
}

bool rag_type_is(const char *name)
{
    rag_doc_type t;

    return rag_doc_type_of(&t, rag_str_of(name));
}

const char *rag_mode_name(rag_mode m)
{
    static const char *const names[] = {"hybrid", "dense", "lexical"};

    return names[m];
}

bool rag_mode_of(rag_mode *out, rag_str name)
{
    for (int m = RAG_HYBRID; m <= RAG_LEXICAL; m++)
        if (rag_str_eqz(name, rag_mode_name((rag_mode)m))) {
            *out = (rag_mode)m;
            return true;
        }
    return false;
}

const char *rag_answer_status_name(rag_answer_status s)
{
    static const char *const names[] = {"answered", "abstained", "failed"};

    return names[s];
}

const char *rag_version(void)
{
    return RAG_VERSION;
}
