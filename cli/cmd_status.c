#include <stdio.h>

#include "out.h"

static const opt options[] = {
    OPT_END,
};

static rag_status state_json(cmd_run *run, const rag_state *s, rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "schema", "rag.status/1");
    rag_jw_int(w, "files", (int64_t)s->n_files);
    rag_jw_int(w, "documents", (int64_t)s->n_documents);
    rag_jw_int(w, "chunks", (int64_t)s->n_chunks);
    rag_jw_int(w, "vectors", (int64_t)s->n_vectors);
    rag_jw_int(w, "missing_vectors", (int64_t)s->n_missing);
    rag_jw_int(w, "failed", (int64_t)s->n_failed);
    rag_jw_int(w, "skipped", (int64_t)s->n_skipped);
    rag_jw_int(w, "stale", (int64_t)s->n_stale);
    rag_jw_int(w, "generation", (int64_t)s->generation);
    rag_jw_obj(w, "index");
    out_str_or_null(w, "kind", s->index_kind);
    rag_jw_int(w, "vectors", (int64_t)s->index_vectors);
    rag_jw_bool(w, "fresh", s->index_fresh);
    rag_jw_int(w, "bytes", (int64_t)s->index_bytes);
    rag_jw_end(w);
    rag_jw_obj(w, "embed");
    rag_jw_str(w, "model", s->embed_model);
    out_str_or_null(w, "store_model", s->store_embed_model);
    if (s->dims != 0)
        rag_jw_int(w, "dims", (int64_t)s->dims);
    else
        rag_jw_null(w, "dims");
    rag_jw_end(w);
    rag_jw_obj(w, "chat");
    rag_jw_str(w, "model", s->chat_model);
    rag_jw_end(w);
    rag_jw_obj(w, "rerank");
    rag_jw_str(w, "model", s->rerank_model);
    rag_jw_end(w);
    rag_jw_array(w, "roots");
    for (size_t i = 0; i < s->n_roots; i++)
        rag_jw_str(w, NULL, s->roots[i]);
    rag_jw_end(w);
    rag_jw_str(w, "store", s->store);
    rag_jw_int(w, "text_bytes", (int64_t)s->text_bytes);
    rag_jw_int(w, "bytes", (int64_t)s->store_bytes);
    rag_jw_end(w);
    st = out_json(run, w, err);
    rag_jw_free(w);
    return st;
}

static void row(term *t, const char *name, const char *fmt, ...)
    RAG_PRINTF(3, 4);

static void row(term *t, const char *name, const char *fmt, ...)
{
    char value[512];
    char head[32];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    if (n < 0 || snprintf(head, sizeof head, "%-10s ", name) < 0)
        return;
    term_styled(t, TERM_DIM, rag_str_of(head));
    term_styled(t, TERM_PLAIN, rag_str_of(value));
    term_outz(t, "\n");
}

static void models_text(term *t, const rag_state *s)
{
    if (s->store_embed_model.len == 0)
        row(t, "embed", "%.*s", (int)s->embed_model.len, s->embed_model.ptr);
    else if (rag_str_eq(s->store_embed_model, s->embed_model))
        row(t, "embed", "%.*s, %llu dimensions", (int)s->embed_model.len,
            s->embed_model.ptr, (unsigned long long)s->dims);
    else
        row(t, "embed", "%.*s (the store's vectors are from %.*s)",
            (int)s->embed_model.len, s->embed_model.ptr,
            (int)s->store_embed_model.len, s->store_embed_model.ptr);
    row(t, "chat", "%.*s%s", (int)s->chat_model.len, s->chat_model.ptr,
        rag_str_eqz(s->chat_model, "none")
            ? " (answers are sentences of the documents)"
            : "");
    if (!rag_str_eqz(s->rerank_model, "none"))
        row(t, "rerank", "%.*s", (int)s->rerank_model.len, s->rerank_model.ptr);
}

static void state_text(term *t, const rag_state *s)
{
    row(t, "store", "%.*s", (int)s->store.len, s->store.ptr);
    row(t, "documents", "%llu in %llu files",
        (unsigned long long)s->n_documents, (unsigned long long)s->n_files);
    row(t, "chunks", "%llu", (unsigned long long)s->n_chunks);
    if (s->n_missing != 0)
        row(t, "vectors", "%llu (%llu chunks have none: %s)",
            (unsigned long long)s->n_vectors, (unsigned long long)s->n_missing,
            rag_str_eqz(s->embed_model, "none")
                ? "rag model add FILE, then rag ingest"
                : "rag ingest");
    else
        row(t, "vectors", "%llu", (unsigned long long)s->n_vectors);
    if (s->index_vectors != 0)
        row(t, "index", "%.*s, %llu vectors%s", (int)s->index_kind.len,
            s->index_kind.ptr, (unsigned long long)s->index_vectors,
            s->index_fresh ? "" : " (newer ones are searched exactly)");
    if (s->n_failed != 0)
        row(t, "failed", "%llu files, %llu of them show an older version",
            (unsigned long long)s->n_failed, (unsigned long long)s->n_stale);
    if (s->n_skipped != 0)
        row(t, "skipped", "%llu files", (unsigned long long)s->n_skipped);
    models_text(t, s);
    for (size_t i = 0; i < s->n_roots; i++)
        row(t, i == 0 ? "roots" : "", "%.*s", (int)s->roots[i].len,
            s->roots[i].ptr);
    row(t, "size", "%.1f MB, text %.1f MB", (double)s->store_bytes / 1e6,
        (double)s->text_bytes / 1e6);
}

static rag_status status(cmd_run *run, rag_error *err)
{
    rag_state *s = NULL;
    rag *r = NULL;
    rag_status st;

    TRY(cmd_open(&r, run, RAG_OPEN_READ, 0, err));
    TRY(rag_state_get(&s, r, err));
    if (run->global->json || run->global->jsonl)
        st = state_json(run, s, err);
    else
        state_text(run->term, s);
out:
    rag_state_free(s);
    rag_close(r);
    return st;
}

static int run_status(cmd_run *run, rag_error *err)
{
    if (run->argc != 0)
        return cmd_usage(run, "status takes no argument");
    return exit_of(status(run, err));
}

extern const cmd cmd_status;
const cmd cmd_status = {
    "status",
    "",
    "what is in the store, which models",
    "  rag status --json | jq .chunks\n",
    options,
    run_status,
};
