#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ingest_show.h"
#include "out.h"

void ingest_show_init(ingest_show *s, cmd_run *run)
{
    memset(s, 0, sizeof *s);
    s->run = run;
    rag_arena_init(&s->arena);
    rag_buf_init(&s->jsonl, (size_t)1 << 24);
}

void ingest_show_dispose(ingest_show *s)
{
    rag_free(s->files);
    rag_arena_dispose(&s->arena);
    rag_buf_dispose(&s->jsonl);
}

static void file_json(rag_jw *w, const rag_ingest_file *file)
{
    rag_jw_obj(w, NULL);
    out_path_json(w, file->path, file->path_bytes);
    rag_jw_strz(w, "result", rag_ingest_result_name(file->result));
    if (file->reason.len != 0)
        rag_jw_str(w, "reason", file->reason);
    else
        rag_jw_null(w, "reason");
    if (file->type.len != 0)
        rag_jw_str(w, "type", file->type);
    else
        rag_jw_null(w, "type");
    rag_jw_int(w, "pages", (int64_t)file->n_pages);
    rag_jw_int(w, "empty_pages", (int64_t)file->n_empty_pages);
    rag_jw_int(w, "chars", (int64_t)file->n_chars);
    rag_jw_int(w, "chunks", (int64_t)file->n_chunks);
    rag_jw_array(w, "warnings");
    for (size_t i = 0; i < file->n_warnings; i++)
        rag_jw_str(w, NULL, file->warnings[i]);
    rag_jw_end(w);
    rag_jw_end(w);
}

/* Files are done in any order; the document lists them by path. */
static bool keep_file(ingest_show *s, const rag_ingest_file *file)
{
    rag_ingest_file *to;
    rag_str *warnings;

    if (!rag_mem_grow(&s->files, &s->cap_files, s->n_files + 1,
                      sizeof *s->files))
        return false;
    to = &s->files[s->n_files];
    *to = *file;
    warnings = rag_arena_array(&s->arena, file->n_warnings, sizeof *warnings);
    if (warnings == NULL || !rag_arena_str(&s->arena, &to->path, file->path) ||
        !rag_arena_str(&s->arena, &to->path_bytes, file->path_bytes) ||
        !rag_arena_str(&s->arena, &to->reason, file->reason) ||
        !rag_arena_str(&s->arena, &to->type, file->type))
        return false;
    for (size_t i = 0; i < file->n_warnings; i++)
        if (!rag_arena_str(&s->arena, &warnings[i], file->warnings[i]))
            return false;
    to->warnings = warnings;
    s->n_files++;
    return true;
}

static int by_path(const void *a, const void *b)
{
    const rag_ingest_file *x = a;
    const rag_ingest_file *y = b;
    size_t n = x->path.len < y->path.len ? x->path.len : y->path.len;
    int c = n != 0 ? memcmp(x->path.ptr, y->path.ptr, n) : 0;

    if (c != 0)
        return c;
    if (x->path.len != y->path.len)
        return x->path.len < y->path.len ? -1 : 1;
    return (x->result > y->result) - (x->result < y->result);
}

void ingest_show_file(void *ctx, const rag_ingest_file *file)
{
    ingest_show *s = ctx;
    term *t = s->run->term;

    if (s->run->global->json) {
        s->no_memory = s->no_memory || !keep_file(s, file);
    } else if (s->run->global->jsonl) {
        rag_jw *w = rag_jw_new();

        if (w != NULL) {
            rag_buf_clear(&s->jsonl);
            file_json(w, file);
            if (rag_jw_finish(&s->jsonl, w, false, NULL) == RAG_OK) {
                term_out(t, rag_buf_str(&s->jsonl));
                term_outz(t, "\n");
            }
            rag_jw_free(w);
        }
    }
    if (file->result == RAG_INGEST_FAILED)
        term_warn(t, "%.*s: %.*s", (int)file->path.len, file->path.ptr,
                  (int)file->reason.len, file->reason.ptr);
    else if (file->reason.len != 0)
        term_verbose(t, "%.*s: %s: %.*s", (int)file->path.len, file->path.ptr,
                     rag_ingest_result_name(file->result),
                     (int)file->reason.len, file->reason.ptr);
    else if (file->result != RAG_INGEST_UNCHANGED)
        term_verbose(t, "%.*s: %s, %llu chunk%s", (int)file->path.len,
                     file->path.ptr, rag_ingest_result_name(file->result),
                     (unsigned long long)file->n_chunks,
                     file->n_chunks == 1 ? "" : "s");
    for (size_t i = 0; i < file->n_warnings; i++)
        term_verbose(t, "%.*s: %.*s", (int)file->path.len, file->path.ptr,
                     (int)file->warnings[i].len, file->warnings[i].ptr);
}

void ingest_show_progress(void *ctx, const rag_ingest_progress *p)
{
    ingest_show *s = ctx;

    term_progress(s->run->term, p);
}

void ingest_show_note(void *ctx, const char *line)
{
    ingest_show *s = ctx;

    term_warn(s->run->term, "rag: %s", line);
}

static void report_json(rag_jw *w, const rag_ingest_report *r, bool dry_run)
{
    rag_jw_int(w, "added", (int64_t)r->n_added);
    rag_jw_int(w, "updated", (int64_t)r->n_updated);
    rag_jw_int(w, "unchanged", (int64_t)r->n_unchanged);
    rag_jw_int(w, "removed", (int64_t)r->n_removed);
    rag_jw_int(w, "failed", (int64_t)r->n_failed);
    rag_jw_int(w, "skipped", (int64_t)r->n_skipped);
    rag_jw_int(w, "kept", (int64_t)r->n_kept);
    rag_jw_int(w, "chunks", (int64_t)r->n_chunks);
    rag_jw_int(w, "embedded", (int64_t)r->n_embedded);
    rag_jw_int(w, "reused", (int64_t)r->n_reused);
    rag_jw_int(w, "missing_vectors", (int64_t)r->n_missing);
    if (dry_run)
        rag_jw_int(w, "tokens", (int64_t)r->n_tokens);
    if (dry_run) {
        rag_jw_int(w, "requests", (int64_t)r->n_requests);
        /* NaN, not known, is written as null */
        rag_jw_num(w, "estimated_ms", r->estimated_ms, 1);
        rag_jw_num(w, "estimated_cost", r->estimated_cost, 6);
    }
    rag_jw_obj(w, "timing_ms");
    rag_jw_num(w, "read", r->ms_read, 1);
    rag_jw_num(w, "embed", r->ms_embed, 1);
    rag_jw_num(w, "index", r->ms_index, 1);
    rag_jw_num(w, "total", r->ms_total, 1);
    rag_jw_end(w);
}

static void part(rag_buf *b, uint64_t n, const char *what)
{
    size_t len = strlen(what);

    /* "1 chunk", "2 chunks" */
    if (n == 1 && what[len - 1] == 's')
        len--;
    if (n != 0)
        rag_buf_addf(b, "%s%llu %.*s", b->len != 0 ? ", " : "",
                     (unsigned long long)n, (int)len, what);
}

void ingest_show_text(const ingest_show *s, const rag_ingest_report *r)
{
    const cmd_run *run = s->run;
    rag_buf b;

    rag_buf_init(&b, 4096);
    part(&b, r->n_added, s->dry_run ? "would be added" : "added");
    part(&b, r->n_updated, s->dry_run ? "would be updated" : "updated");
    part(&b, r->n_unchanged, "unchanged");
    part(&b, r->n_removed, s->dry_run ? "would be removed" : "removed");
    part(&b, r->n_failed, "failed");
    part(&b, r->n_skipped, "skipped");
    part(&b, r->n_kept, "kept");
    if (b.len == 0)
        rag_buf_addz(&b, "no files");
    part(&b, r->n_chunks, "chunks");
    part(&b, r->n_embedded, "embedded");
    part(&b, r->n_reused, "reused vectors");
    if (s->dry_run)
        part(&b, r->n_tokens, "tokens");
    if (s->dry_run)
        part(&b, r->n_requests, "requests");
    term_info(run->term, "%s (%.1f s)%s%s", b.ptr, r->ms_total / 1e3,
              s->dry_run ? "" : " in ",
              s->dry_run ? "" : settings_store(run->settings));
    if (s->dry_run && r->estimated_ms - r->ms_read >= 1.0)
        term_info(run->term, "about %.*f s with the embedding",
                  r->estimated_ms < 10e3 ? 1 : 0, r->estimated_ms / 1e3);
    if (s->dry_run && r->estimated_cost >= 0.0)
        term_info(run->term, "cost about %.4g, at embed.price_per_mtok = %g",
                  r->estimated_cost, run->config.embed_price_per_mtok);
    if (!s->dry_run && r->n_missing != 0 && !r->interrupted)
        term_info(run->term, "%llu chunk%s no vector: found by words alone; %s",
                  (unsigned long long)r->n_missing,
                  r->n_missing == 1 ? " has" : "s have",
                  s->no_embed ? "'rag ingest' embeds them"
                              : "'rag model add FILE' adds an embedding model");
    rag_buf_dispose(&b);
}

rag_status ingest_show_json(ingest_show *s, const rag_ingest_report *rep,
                            rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st;
    rag_buf b;

    if (w == NULL || s->no_memory) {
        rag_jw_free(w);
        return rag_fail_nomem(err);
    }
    rag_buf_init(&b, (size_t)1 << 30);
    if (s->n_files != 0)
        qsort(s->files, s->n_files, sizeof *s->files, by_path);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "schema", "rag.ingest/1");
    rag_jw_array(w, "files");
    for (size_t i = 0; i < s->n_files; i++)
        file_json(w, &s->files[i]);
    rag_jw_end(w);
    report_json(w, rep, s->dry_run);
    rag_jw_end(w);
    TRY(rag_jw_finish(&b, w, false, err));
    term_out(s->run->term, rag_buf_str(&b));
    term_outz(s->run->term, "\n");
out:
    rag_jw_free(w);
    rag_buf_dispose(&b);
    return st;
}
