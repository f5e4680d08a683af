#include "flow/sync_priv.h"

#include <string.h>

#include "base/mem.h"

/* Behind a file that may have taken more than this, memory goes back to the
 * system: each thread would keep its own otherwise. */
#define TRIM_BYTES ((uint64_t)16 << 20)

static void tell_progress(rag_sync *s)
{
    rag_ingest_progress p = {"reading", s->n_ended, 0,
                             (rag_flow_now_ms() - s->began_ms) / 1e3};

    if (s->watch != NULL && s->watch->progress != NULL)
        s->watch->progress(s->watch->ctx, &p);
}

static void count(rag_ingest_report *rep, rag_ingest_result result)
{
    switch (result) {
    case RAG_INGEST_ADDED:
        rep->n_added++;
        break;
    case RAG_INGEST_UPDATED:
        rep->n_updated++;
        break;
    case RAG_INGEST_UNCHANGED:
        rep->n_unchanged++;
        break;
    case RAG_INGEST_REMOVED:
        rep->n_removed++;
        break;
    case RAG_INGEST_FAILED:
        rep->n_failed++;
        break;
    case RAG_INGEST_SKIPPED:
        rep->n_skipped++;
        break;
    case RAG_INGEST_KEPT:
        rep->n_kept++;
        break;
    }
}

rag_status rag_sync_report(rag_sync *s, rag_str root, rag_str key,
                           rag_ingest_file *f, rag_str warnings, rag_error *err)
{
    rag_str list[16];
    rag_str line;
    rag_arena arena;
    rag_status st = RAG_OK;

    count(s->report, f->result);
    if (s->watch == NULL || s->watch->file == NULL)
        return RAG_OK;
    rag_arena_init(&arena);
    TRY(rag_flow_shown(&f->path, &f->path_bytes, &arena, s->r, root, key,
                       RAG_STR_LIT(""), err));
    while (f->n_warnings < 16 && rag_str_next_line(&line, &warnings))
        list[f->n_warnings++] = line;
    f->warnings = list;
    s->watch->file(s->watch->ctx, f);
out:
    rag_arena_dispose(&arena);
    return st;
}

rag_status rag_sync_tell(rag_sync *s, rag_str root_path, rag_str key,
                         rag_ingest_result result, rag_str reason,
                         rag_error *err)
{
    rag_ingest_file f = {.result = result, .reason = reason};

    return rag_sync_report(s, root_path, key, &f, RAG_STR_LIT(""), err);
}

static rag_status write_doc(rag_sync *s, rag_sync_job *j,
                            const rag_ready *ready, rag_error *err)
{
    const rag_doc *d = ready->doc;

    j->n_docs++;
    j->n_chunks += ready->in.n_chunks;
    j->n_chars += ready->n_chars;
    j->n_pages += d->n_pages;
    j->n_empty_pages += d->n_empty_pages;
    j->type = rag_doc_type_name(d->type);
    for (size_t i = 0; i < d->n_warnings; i++)
        rag_buf_addf(&j->warnings, "%s\n", d->warnings[i]);
    s->report->n_tokens += ready->n_tokens;
    if (s->opts->dry_run)
        return RAG_OK;
    if (j->version_id == 0) {
        rag_status st = rag_store_version_begin(
            &j->version_id, s->r->store, j->root_id, rag_str_of(j->key), err);

        if (st != RAG_OK)
            return st;
    }
    return rag_store_doc_add(s->r->store, j->version_id, &ready->in, err);
}

static void info_of(rag_store_file *f, const rag_sync *s, const rag_sync_job *j,
                    rag_buf *fp)
{
    memset(f, 0, sizeof *f);
    rag_sync_fingerprint(fp, s, j->type);
    f->look = j->look;
    f->fingerprint = rag_buf_str(fp);
    f->type = rag_str_of(j->type);
    f->n_docs = (int64_t)j->n_docs;
    f->n_chunks = (int64_t)j->n_chunks;
    f->n_chars = (int64_t)j->n_chars;
    f->n_pages = (int64_t)j->n_pages;
    f->n_empty_pages = (int64_t)j->n_empty_pages;
    f->warnings = rag_buf_str(&j->warnings);
    f->ingested_ns = rag_flow_wall_ns();
    memcpy(f->version_sha256, j->look.sha256, RAG_SHA256_BYTES);
}

static bool is_skip(rag_status st)
{
    return st == RAG_E_EMPTY || st == RAG_E_UNSUPPORTED;
}

/* The job's file could not be read, or there is nothing to read in it. */
static rag_status end_badly(rag_sync *s, rag_sync_job *j, rag_error *err)
{
    rag_ingest_file tf = {.result = RAG_INGEST_FAILED};
    rag_store_file f;
    rag_status st = RAG_OK;
    rag_buf reason;
    rag_buf fp;

    rag_buf_init(&reason, 4096);
    rag_buf_init(&fp, 4096);
    if (!s->opts->dry_run && j->version_id != 0)
        TRY(rag_store_version_drop(s->r->store, j->version_id, err));
    rag_buf_addz(&reason, j->err.msg);
    if (is_skip(j->st) && !j->had_version)
        tf.result = RAG_INGEST_SKIPPED;
    else if (j->had_version)
        rag_buf_addz(&reason, "; its last good version stays searchable "
                              "('rag rm' forgets it)");
    j->type = NULL;
    /* what this machine could not do just now is tried again next time */
    if (j->st == RAG_E_IO || j->st == RAG_E_NOTFOUND)
        j->look.looked_ns = 0;
    info_of(&f, s, j, &fp);
    f.result =
        tf.result == RAG_INGEST_FAILED ? RAG_FILE_FAILED : RAG_FILE_SKIPPED;
    f.reason = rag_buf_str(&reason);
    TRY(rag_buf_status(&reason, err));
    if (!s->opts->dry_run)
        TRY(rag_store_file_note(s->r->store, j->root_id, rag_str_of(j->key), &f,
                                err));
    tf.reason = f.reason;
    TRY(rag_sync_report(s, rag_str_of(j->root_path), rag_str_of(j->key), &tf,
                        RAG_STR_LIT(""), err));
    if (s->opts->strict && tf.result == RAG_INGEST_FAILED)
        st = rag_fail(err, RAG_E_FORMAT, "%s: %s", j->path, reason.ptr);
out:
    rag_buf_dispose(&fp);
    rag_buf_dispose(&reason);
    return st;
}

/* A touched but equal file: only the look is new. */
static rag_status note_look(rag_sync *s, const rag_sync_job *j, rag_error *err)
{
    rag_store_file f;
    rag_arena arena;
    rag_status st;
    bool found;

    rag_arena_init(&arena);
    TRY(rag_store_file_find(&f, &found, s->r->store, j->root_id,
                            rag_str_of(j->key), err));
    if (!found)
        goto out;
    f.look = j->look;
    /* the strings are borrowed until the next call */
    if (f.reason.len != 0)
        s->report->n_partial++; /* the good records of a broken file */
    if (!rag_arena_str(&arena, &f.reason, f.reason) ||
        !rag_arena_str(&arena, &f.fingerprint, f.fingerprint) ||
        !rag_arena_str(&arena, &f.type, f.type) ||
        !rag_arena_str(&arena, &f.warnings, f.warnings)) {
        st = rag_fail_nomem(err);
        goto out;
    }
    st = rag_store_file_note(s->r->store, j->root_id, rag_str_of(j->key), &f,
                             err);
out:
    rag_arena_dispose(&arena);
    return st;
}

static rag_status end_well(rag_sync *s, rag_sync_job *j, rag_error *err)
{
    rag_ingest_file tf = {.type = rag_str_of(j->type),
                          .n_pages = j->n_pages,
                          .n_empty_pages = j->n_empty_pages,
                          .n_chars = j->n_chars,
                          .n_chunks = j->n_chunks};
    rag_store_file f;
    rag_status st = RAG_OK;
    rag_buf fp;

    rag_buf_init(&fp, 4096);
    info_of(&f, s, j, &fp);
    f.result = RAG_FILE_OK;
    if (j->partial) {
        f.reason = tf.reason = rag_str_of(j->err.msg);
        s->report->n_partial++;
    }
    TRY(rag_buf_status(&j->warnings, err));
    tf.result = j->had_version ? RAG_INGEST_UPDATED : RAG_INGEST_ADDED;
    if (j->same) {
        tf.result = RAG_INGEST_UNCHANGED;
        if (!s->opts->dry_run)
            TRY(note_look(s, j, err));
    } else {
        if (!s->opts->dry_run)
            TRY(rag_store_version_publish(s->r->store, j->version_id, &f, err));
        s->report->n_chunks += j->n_chunks;
    }
    st = rag_sync_report(s, rag_str_of(j->root_path), rag_str_of(j->key), &tf,
                         rag_buf_str(&j->warnings), err);
out:
    rag_buf_dispose(&fp);
    return st;
}

static rag_status end_job(rag_sync *s, rag_sync_job *j, rag_error *err)
{
    rag_status st;
    bool large;

    s->n_open--;
    s->open_bytes -= j->cost_bytes;
    s->n_ended++;
    if (j->st == RAG_OK && !j->same && j->n_docs == 0)
        j->st = rag_fail(&j->err, RAG_E_EMPTY, "nothing in it");
    /* a record file with some bad lines: the good ones are kept, and it is said
     */
    if (j->n_docs != 0 && j->type != NULL && strcmp(j->type, "records") == 0 &&
        (j->st == RAG_E_FORMAT || j->st == RAG_E_LIMIT ||
         j->st == RAG_E_NOTEXT)) {
        j->partial = true;
        j->st = RAG_OK;
    }
    if (j->st == RAG_E_CANCELLED)
        st = rag_fail(err, RAG_E_CANCELLED, "interrupted");
    else if (j->st == RAG_E_NOMEM)
        st = rag_fail(err, RAG_E_NOMEM, "%s: out of memory", j->path);
    else if (j->st != RAG_OK)
        st = end_badly(s, j, err);
    else
        st = end_well(s, j, err);
    tell_progress(s);
    large = j->cost_bytes >= TRIM_BYTES;
    rag_sync_job_free(j);
    if (large)
        rag_mem_trim();
    return st;
}

rag_status rag_sync_drain(rag_sync *s, bool wait, rag_error *err)
{
    rag_status st = RAG_OK;
    rag_sync_item *it;

    while (st == RAG_OK && (it = rag_sync_take(&s->queue, wait)) != NULL) {
        wait = false;
        if (it->ready != NULL) {
            st = write_doc(s, it->job, it->ready, err);
            rag_ready_free(it->ready);
        } else {
            st = end_job(s, it->job, err);
        }
        rag_free(it);
    }
    if (st == RAG_OK && rag_flow_cancelled(s->r))
        st = rag_fail(err, RAG_E_CANCELLED, "interrupted");
    return st;
}
