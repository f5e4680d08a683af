#include "out.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"

void out_num(rag_jw *w, const char *key, double v, int decimals)
{
    if (isnan(v))
        rag_jw_null(w, key);
    else
        rag_jw_num(w, key, v, decimals);
}

rag_status out_unbase64(rag_buf *b, rag_str text, rag_error *err)
{
    if (rag_base64_decode(b, text, err) == RAG_OK)
        return RAG_OK;
    return rag_fail(err, RAG_E_INVAL, "--b64: '%.*s' is not base64",
                    (int)(text.len < 80 ? text.len : 80), text.ptr);
}

void out_str_or_null(rag_jw *w, const char *key, rag_str s)
{
    if (s.len != 0)
        rag_jw_str(w, key, s);
    else
        rag_jw_null(w, key);
}

void out_pair(rag_jw *w, const char *key, uint64_t a, uint64_t b)
{
    rag_jw_array(w, key);
    rag_jw_int(w, NULL, (int64_t)a);
    rag_jw_int(w, NULL, (int64_t)b);
    rag_jw_end(w);
}

static void name_json(rag_jw *w, const char *key, const char *key_b64,
                      rag_str name, rag_str bytes)
{
    rag_buf b64;

    rag_jw_str(w, key, name);
    if (bytes.len == 0)
        return;
    rag_buf_init(&b64, (size_t)1 << 20);
    rag_base64_add(&b64, bytes);
    rag_jw_str(w, key_b64, rag_buf_str(&b64));
    rag_buf_dispose(&b64);
}

void out_name_json(rag_jw *w, rag_str name, rag_str bytes)
{
    name_json(w, "document", "document_b64", name, bytes);
}

void out_path_json(rag_jw *w, rag_str path, rag_str bytes)
{
    name_json(w, "path", "path_b64", path, bytes);
}

static void time_json(rag_jw *w, const char *key, int64_t ns)
{
    time_t t = (time_t)(ns / 1000000000);
    char b[32];
    struct tm tm;

    if (ns == 0 || gmtime_r(&t, &tm) == NULL ||
        strftime(b, sizeof b, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        rag_jw_null(w, key);
    else
        rag_jw_strz(w, key, b);
}

void out_document_json(rag_jw *w, const rag_document *d)
{
    out_name_json(w, d->name, d->name_bytes);
    out_str_or_null(w, "id", d->record_id);
    rag_jw_str(w, "type", d->type);
    out_str_or_null(w, "title", d->title);
    rag_jw_int(w, "chunks", (int64_t)d->n_chunks);
    if (d->n_pages != 0)
        rag_jw_int(w, "pages", d->n_pages);
    else
        rag_jw_null(w, "pages");
    rag_jw_int(w, "text_bytes", (int64_t)d->text_bytes);
    time_json(w, "ingested", d->ingested_ns);
    time_json(w, "modified", d->mtime_ns);
    rag_jw_bool(w, "stale", d->stale != NULL);
    rag_jw_strz(w, "stale_why", d->stale);
}

void out_where_json(rag_jw *w, const rag_hit *h)
{
    out_name_json(w, h->document, h->document_bytes);
    out_str_or_null(w, "id", h->id);
    out_str_or_null(w, "title", h->title);
    rag_jw_array(w, "heading");
    for (size_t i = 0; i < h->n_headings; i++)
        rag_jw_str(w, NULL, h->headings[i]);
    rag_jw_end(w);
    if (h->page != 0) {
        rag_jw_int(w, "page", h->page);
        rag_jw_int(w, "page_end", h->page_end);
    } else {
        rag_jw_null(w, "page");
        rag_jw_null(w, "page_end");
    }
    if (h->line != 0)
        out_pair(w, "lines", h->line, h->line_end);
    else
        rag_jw_null(w, "lines");
    out_pair(w, "bytes", h->start, h->end);
    rag_jw_str(w, "chunk", h->chunk);
}

void out_hit_json(rag_jw *w, const char *key, const rag_hit *h,
                  int64_t query_no)
{
    rag_jw_obj(w, key);
    if (query_no >= 0)
        rag_jw_int(w, "query_no", query_no);
    rag_jw_int(w, "rank", h->rank);
    rag_jw_num(w, "score", h->score, 6);
    out_num(w, "dense", h->dense, 6);
    out_num(w, "lexical", h->lexical, 6);
    out_num(w, "rerank", h->rerank, 6);
    out_where_json(w, h);
    rag_jw_str(w, "text", h->text);
    if (h->context.len != 0) {
        rag_jw_obj(w, "context");
        out_pair(w, "bytes", h->context_start, h->context_end);
        rag_jw_str(w, "text", h->context);
        rag_jw_end(w);
    } else {
        rag_jw_null(w, "context");
    }
    rag_jw_bool(w, "stale", h->stale);
    rag_jw_end(w);
}

void out_place(rag_buf *b, const rag_hit *h)
{
    rag_buf_adds(b, h->document);
    if (h->page != 0 && h->page_end > h->page)
        rag_buf_addf(b, ", p. %u-%u", h->page, h->page_end);
    else if (h->page != 0)
        rag_buf_addf(b, ", p. %u", h->page);
    else if (h->has_lines && h->line != 0 && h->line_end > h->line)
        rag_buf_addf(b, ":%llu-%llu", (unsigned long long)h->line,
                     (unsigned long long)h->line_end);
    else if (h->has_lines && h->line != 0)
        rag_buf_addf(b, ":%llu", (unsigned long long)h->line);
}

rag_status out_json(cmd_run *run, rag_jw *w, rag_error *err)
{
    rag_status st;
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 30);
    TRY(rag_jw_finish(&b, w, false, err));
    term_out(run->term, rag_buf_str(&b));
    term_outz(run->term, "\n");
out:
    rag_buf_dispose(&b);
    return st;
}

void out_error_no(cmd_run *run, const char *what, int64_t no,
                  const rag_error *why)
{
    rag_jw *w = rag_jw_new();
    char key[32];
    int n = snprintf(key, sizeof key, "%s_no", what);

    if (w != NULL && n > 0) {
        rag_jw_obj(w, NULL);
        rag_jw_strz(w, "schema", "rag.error/1");
        rag_jw_int(w, key, no);
        rag_jw_obj(w, "error");
        rag_jw_strz(w, "code", rag_status_name(why->code));
        rag_jw_int(w, "exit", exit_of(why->code));
        rag_jw_strz(w, "message", why->msg);
        rag_jw_null(w, "hint");
        rag_jw_end(w);
        rag_jw_end(w);
        if (out_json(run, w, NULL) != RAG_OK)
            term_verbose(run->term, "rag: no memory for the error object");
    }
    rag_jw_free(w);
    term_warn(run->term, "rag: %s %lld: %s", what, (long long)no, why->msg);
}

void out_error_line(cmd_run *run, int64_t query_no, const rag_error *why)
{
    out_error_no(run, "query", query_no, why);
}
