#include "flow/ingest_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "flow/pipe.h"

static rag_status put_root(rag_ingest_run *u, const char *path, bool is_dir,
                           rag_error *err)
{
    rag_status st;
    rag_buf b;

    u->root_id = 0;
    if (u->opts->dry_run || u->r->store == NULL)
        return RAG_OK;
    rag_buf_init(&b, RAG_FLOW_MAX_META_BYTES);
    TRY(rag_known_settings(&b, u->opts, err));
    st = rag_store_root_put(&u->root_id, u->r->store, rag_str_of(path), is_dir,
                            rag_buf_str(&b), err);
out:
    rag_buf_dispose(&b);
    return st;
}

/* May a root that was a folder become a file? Only when nothing is stored of
 * the folder any more. */
static rag_status has_version(void *ctx, const rag_store_file *f,
                              rag_error *err)
{
    bool *yes = ctx;

    (void)err;
    *yes = *yes || f->version_id != 0;
    return RAG_OK;
}

static rag_status sync_file_path(rag_ingest_run *u, rag_known *k, char *path,
                                 const rag_known_root *root, rag_str key,
                                 rag_error *err)
{
    rag_str full = rag_str_of(path);
    rag_status st = RAG_OK;

    if (root != NULL && root->is_dir && key.len == 0) {
        bool full_of = false;

        TRY(rag_store_files(u->r->store, root->id, has_version, &full_of, err));
        if (full_of)
            return rag_ingest_missing(
                u, path,
                "is a file now and was a folder; nothing was "
                "removed ('rag rm' forgets what was in it)",
                err);
        TRY(put_root(u, path, false, err));
        root = NULL;
        TRY(rag_known_load(k, u->r->store, err));
    } else if (root == NULL) {
        TRY(put_root(u, path, false, err));
        if (u->root_id != 0)
            TRY(rag_known_add(k, u->root_id, path, false, err));
    } else {
        u->root_id = root->id;
    }
    /* asked for by name: wanted again */
    if (!u->opts->dry_run && rag_flow_ignored_has(&u->ignored, full)) {
        TRY(rag_flow_ignored_change(u->r->store, &full, 1, false, err));
        rag_flow_ignored_dispose(&u->ignored);
        TRY(rag_flow_ignored_load(&u->ignored, u->r->store, err));
    }
    st = rag_ingest_file_at(u, path, root != NULL ? root->path : path,
                            root != NULL ? key : RAG_STR_LIT(""), err);
out:
    return st;
}

static rag_status sync_dir_path(rag_ingest_run *u, rag_known *k, char *path,
                                const rag_known_root *root, rag_str key,
                                rag_error *err)
{
    rag_status st;

    u->root_id = root != NULL ? root->id : 0;
    if (root == NULL || key.len == 0)
        TRY(put_root(u, path, true, err)); /* its filters may be new */
    if (u->root_id == 0 && root != NULL)
        u->root_id = root->id; /* a dry run */
    if (u->root_id != 0 && !u->opts->dry_run)
        TRY(rag_ingest_merge(u->r->store, k, u->root_id,
                             root != NULL ? root->path : path, err));
    st = root != NULL ? rag_ingest_dir(u, root->path, key, err)
                      : rag_ingest_dir(u, path, RAG_STR_LIT(""), err);
    /* a root was made, others may have gone into it */
    if (st == RAG_OK && u->r->store != NULL)
        st = rag_known_load(k, u->r->store, err);
out:
    return st;
}

static rag_status sync_path(rag_ingest_run *u, rag_known *k, const char *given,
                            rag_error *err)
{
    const rag_known_root *root;
    struct stat sb;
    rag_str key;
    char *path = NULL;
    rag_status st = rag_file_real(&path, given, err);

    if (st == RAG_E_NOMEM)
        return st;
    if (st != RAG_OK) { /* it was there before: that was checked */
        rag_error_clear(err);
        TRY(rag_known_full(&path, given, u->r->cfg.cwd, err));
        st = rag_ingest_missing(u, path, "is not there; nothing was removed",
                                err);
        goto out;
    }
    root = rag_known_of(&key, k, path);
    if (stat(path, &sb) != 0)
        st = rag_ingest_missing_errno(u, path, "cannot be looked at", errno,
                                      err);
    else if (S_ISDIR(sb.st_mode))
        st = sync_dir_path(u, k, path, root, key, err);
    else
        st = sync_file_path(u, k, path, root, key, err);
out:
    rag_free(path);
    return st;
}

static rag_status sync_known(rag_ingest_run *u, const rag_known_root *root,
                             rag_error *err)
{
    const rag_ingest_opts *given = u->opts;
    rag_ingest_opts o = *given;
    rag_arena arena;
    rag_status st;

    if (root->path[0] != '/')
        return RAG_OK; /* what came through pipes */
    if (!root->is_dir &&
        rag_flow_ignored_has(&u->ignored, rag_str_of(root->path)))
        return RAG_OK;
    rag_arena_init(&arena);
    u->root_id = root->id;
    TRY(rag_known_options(&o, root->settings, &arena, err));
    u->opts = &o;
    TRY(rag_sync_new(&u->sync, u->r, &o, u->watch, u->report, err));
    if (root->is_dir)
        st = rag_ingest_dir(u, root->path, RAG_STR_LIT(""), err);
    else
        st =
            rag_ingest_file_at(u, root->path, root->path, RAG_STR_LIT(""), err);
    if (st == RAG_OK)
        st = rag_sync_finish(u->sync, err);
out:
    rag_sync_free(u->sync);
    u->sync = NULL;
    u->opts = given;
    rag_arena_dispose(&arena);
    return st;
}

static rag_status sync_pipe(rag_ingest_run *u, rag_error *err)
{
    const char *name = u->opts->name != NULL ? u->opts->name : "stdin";
    rag_status st;
    int fd;

    TRY(rag_pipe_spool(&fd, u->r, u->opts->stdin_fd, err));
    st = put_root(u, RAG_FLOW_PIPE_ROOT, true, err);
    if (st != RAG_OK) {
        (void)close(fd);
        goto out;
    }
    TRY(rag_sync_fd(u->sync, fd, u->root_id, rag_str_of(name), err));
    st = rag_sync_finish(u->sync, err);
out:
    return st;
}

/* Every path must exist, or be known: a typing error does nothing at all. */
static rag_status check_paths(const rag_ingest_run *u, const rag_known *k,
                              rag_error *err)
{
    for (size_t i = 0; i < u->opts->n_paths; i++) {
        const char *given = u->opts->paths[i];
        bool was = false;
        struct stat sb;
        rag_status st;
        char *full;

        if (stat(given, &sb) == 0) {
            if (!S_ISREG(sb.st_mode) && !S_ISDIR(sb.st_mode))
                return rag_fail(err, RAG_E_INVAL,
                                "%s: neither a regular file nor a folder",
                                given);
            continue;
        }
        if (errno != ENOENT && errno != ENOTDIR)
            continue;
        if (u->r->store != NULL) {
            st = rag_known_full(&full, given, u->r->cfg.cwd, err);
            if (st != RAG_OK)
                return st;
            st = rag_known_was_there(&was, k, u->r->store, full, err);
            rag_free(full);
            if (st != RAG_OK)
                return st;
        }
        if (!was)
            return rag_fail(err, RAG_E_INVAL, "%s: no such file or folder",
                            given);
    }
    return RAG_OK;
}

static rag_status read_given(rag_ingest_run *u, rag_known *k, rag_error *err)
{
    rag_status st;

    TRY(rag_sync_new(&u->sync, u->r, u->opts, u->watch, u->report, err));
    if (u->opts->stdin_fd >= 0)
        TRY(sync_pipe(u, err));
    for (size_t i = 0; i < u->opts->n_paths; i++)
        TRY(sync_path(u, k, u->opts->paths[i], err));
    st = rag_sync_finish(u->sync, err);
out:
    return st;
}

static rag_status read_all(rag_ingest_run *u, rag_error *err)
{
    rag_known k = {NULL, 0, 0};
    rag_status st = RAG_OK;

    if (u->r->store != NULL) {
        TRY(rag_known_load(&k, u->r->store, err));
        TRY(rag_flow_ignored_load(&u->ignored, u->r->store, err));
    }
    u->known = &k;
    TRY(check_paths(u, &k, err));
    if (u->opts->n_paths != 0 || u->opts->stdin_fd >= 0) {
        st = read_given(u, &k, err);
        goto out;
    }
    if (k.n == 0) {
        st = rag_fail(err, RAG_E_INVAL,
                      "nothing to sync yet: name a file or a folder");
        goto out;
    }
    for (size_t i = 0; i < k.n; i++)
        TRY(sync_known(u, &k.list[i], err));
out:
    rag_sync_free(u->sync);
    u->sync = NULL;
    if (u->slash >= 0)
        (void)close(u->slash);
    u->slash = -1;
    u->known = NULL;
    rag_known_dispose(&k);
    return st;
}

static void note(const rag_ingest_run *u, const char *line)
{
    if (u->watch != NULL && u->watch->note != NULL)
        u->watch->note(u->watch->ctx, line);
}

/* Passages that the model does not read at once: nothing is lost, but one
 * vector for so much text finds it less well. */
static void say_windowed(const rag_ingest_run *u, const rag_embedder *e)
{
    uint64_t n = rag_embed_windowed(e);
    char line[256];

    if (n == 0)
        return;
    if (snprintf(line, sizeof line,
                 "%llu passages are longer than the model's %zu tokens: read "
                 "in windows, averaged by length (chunk.max_tokens makes them "
                 "shorter)",
                 (unsigned long long)n, rag_embed_window(e)) > 0)
        note(u, line);
}

/* Vectors for what lacks them. *embed_failed: the failure to report when all
 * else went well. */
static rag_status embed_all(rag_ingest_run *u, rag_embedder *e, rag_error *err)
{
    rag_embed_tally t = {0, 0, 0};
    double began = rag_flow_now_ms();
    rag_status st =
        rag_flow_embed_missing(&t, u->r, e, u->opts->reembed, u->watch, err);

    u->report->n_embedded = t.n_embedded;
    u->report->n_reused = t.n_reused;
    u->report->ms_embed = rag_flow_now_ms() - began;
    say_windowed(u, e);
    rag_flow_note_rate(u->r, t.n_tokens, u->report->ms_embed);
    return st;
}

static rag_status finish(rag_ingest_run *u, rag_status st, rag_error *err)
{
    rag_ingest_progress p = {"indexing", 0, 0, 0};
    double began = rag_flow_now_ms();
    rag_status st2;

    /* what is whole is kept, also after Ctrl-C or a failed endpoint */
    st2 = rag_store_flush(u->r->store, st == RAG_OK ? err : NULL);
    if (st == RAG_OK)
        st = st2;
    if (st == RAG_OK) {
        if (u->watch != NULL && u->watch->progress != NULL)
            u->watch->progress(u->watch->ctx, &p);
        st = rag_store_tidy(u->r->store, false, err);
    }
    u->report->ms_index = rag_flow_now_ms() - began;
    return st;
}

rag_status rag_ingest(rag_ingest_report *out, rag *r,
                      const rag_ingest_opts *opts,
                      const rag_ingest_watch *watch, rag_error *err)
{
    rag_ingest_run u = {.r = r,
                        .opts = opts,
                        .watch = watch,
                        .report = out,
                        .fd = -1,
                        .slash = -1};
    double began = rag_flow_now_ms();
    rag_embedder *e = NULL;
    rag_store_space space;
    rag_status st = RAG_OK;

    memset(out, 0, sizeof *out);
    rag_mem_return_large();
    rag_buf_init(&u.ignored.bytes, RAG_FLOW_MAX_META_BYTES);
    /* a store of another model is refused before anything is written */
    if (!opts->no_embed && !opts->dry_run) {
        TRY(rag_flow_embedder(&e, r, err));
        if (e != NULL && !opts->reembed)
            TRY(rag_flow_check_space(&space, r, e, err));
        if (e == NULL && opts->reembed) {
            st = rag_fail(err, RAG_E_INVAL,
                          "--reembed needs an embedding model: the settings "
                          "name none");
            goto out;
        }
    }
    st = read_all(&u, err);
    out->ms_read = rag_flow_now_ms() - began;
    if (opts->dry_run)
        rag_flow_estimate(out, r, opts);
    if (st == RAG_OK && e != NULL)
        st = embed_all(&u, e, err);
    out->interrupted = st == RAG_E_CANCELLED;
    if (!opts->dry_run && r->store != NULL) {
        st = finish(&u, st, err);
        if (rag_store_unembedded_count(&out->n_missing, r->store, 0, NULL) !=
            RAG_OK)
            out->n_missing = 0;
    }
out:
    rag_flow_ignored_dispose(&u.ignored);
    out->ms_total = rag_flow_now_ms() - began;
    return st;
}
