#include "out.h"

#include <math.h>
#include <string.h>

#include <nettle/base64.h>

void out_num(rag_jw *w, const char *key, double v, int decimals)
{
    if (isnan(v))
        rag_jw_null(w, key);
    else
        rag_jw_num(w, key, v, decimals);
}

void out_base64(rag_buf *b, rag_str bytes)
{
    char *to = rag_buf_reserve(b, BASE64_ENCODE_RAW_LENGTH(bytes.len));

    if (to == NULL)
        return;
    base64_encode_raw(to, bytes.len, (const uint8_t *)bytes.ptr);
    rag_buf_wrote(b, BASE64_ENCODE_RAW_LENGTH(bytes.len));
}

rag_status out_unbase64(rag_buf *b, rag_str text, rag_error *err)
{
    struct base64_decode_ctx ctx;
    size_t n = 0;
    char *to = rag_buf_reserve(b, BASE64_DECODE_LENGTH(text.len) + 1);

    if (to == NULL)
        return rag_buf_status(b, err);
    base64_decode_init(&ctx);
    if (!base64_decode_update(&ctx, &n, (uint8_t *)to, text.len, text.ptr) ||
        !base64_decode_final(&ctx))
        return rag_fail(err, RAG_E_INVAL, "--b64: '%.*s' is not base64",
                        (int)(text.len < 80 ? text.len : 80), text.ptr);
    rag_buf_wrote(b, n);
    return RAG_OK;
}

static void str_or_null(rag_jw *w, const char *key, rag_str s)
{
    if (s.len != 0)
        rag_jw_str(w, key, s);
    else
        rag_jw_null(w, key);
}

static void pair(rag_jw *w, const char *key, uint64_t a, uint64_t b)
{
    rag_jw_array(w, key);
    rag_jw_int(w, NULL, (int64_t)a);
    rag_jw_int(w, NULL, (int64_t)b);
    rag_jw_end(w);
}

void out_hit_json(rag_jw *w, const char *key, const rag_hit *h,
                  int64_t query_no)
{
    rag_buf b64;

    rag_jw_obj(w, key);
    if (query_no >= 0)
        rag_jw_int(w, "query_no", query_no);
    rag_jw_int(w, "rank", h->rank);
    rag_jw_num(w, "score", h->score, 6);
    out_num(w, "dense", h->dense, 6);
    out_num(w, "lexical", h->lexical, 6);
    rag_jw_str(w, "document", h->document);
    if (h->document_bytes.len != 0) {
        rag_buf_init(&b64, (size_t)1 << 20);
        out_base64(&b64, h->document_bytes);
        rag_jw_str(w, "document_b64", rag_buf_str(&b64));
        rag_buf_dispose(&b64);
    }
    str_or_null(w, "id", h->id);
    str_or_null(w, "title", h->title);
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
        pair(w, "lines", h->line, h->line_end);
    else
        rag_jw_null(w, "lines");
    pair(w, "bytes", h->start, h->end);
    rag_jw_str(w, "chunk", h->chunk);
    rag_jw_str(w, "text", h->text);
    if (h->context.len != 0) {
        rag_jw_obj(w, "context");
        pair(w, "bytes", h->context_start, h->context_end);
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

void out_error_line(cmd_run *run, int64_t query_no, const rag_error *why)
{
    rag_jw *w = rag_jw_new();

    if (w != NULL) {
        rag_jw_obj(w, NULL);
        rag_jw_strz(w, "schema", "rag.error/1");
        rag_jw_int(w, "query_no", query_no);
        rag_jw_obj(w, "error");
        rag_jw_strz(w, "code", rag_status_name(why->code));
        rag_jw_int(w, "exit", exit_of(why->code));
        rag_jw_strz(w, "message", why->msg);
        rag_jw_null(w, "hint");
        rag_jw_end(w);
        rag_jw_end(w);
        if (out_json(run, w, NULL) != RAG_OK)
            term_verbose(run->term, "rag: no memory for the error object");
        rag_jw_free(w);
    }
    term_warn(run->term, "rag: query %lld: %s", (long long)query_no, why->msg);
}
