#include "flow/ingest_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/walk.h"
#include "flow/gone.h"

/* A dry run makes no root: a file that lies in a known one is looked up there,
 * as the real run would find it after it took that root over. */
static rag_status dry_file(rag_ingest_run *u, rag_str key,
                           const struct stat *sb, rag_error *err)
{
    const rag_known_root *root;
    rag_str below;
    rag_buf path;
    rag_status st;

    rag_buf_init(&path, PATH_MAX * (size_t)16);
    rag_flow_path(&path, u->root_path, key);
    TRY(rag_buf_status(&path, err));
    root = rag_known_of(&below, u->known, path.ptr);
    if (root != NULL)
        st = rag_sync_file(u->sync, u->fd, key, root->id,
                           rag_str_of(root->path), below, sb, err);
    else
        st = rag_sync_file(u->sync, u->fd, key, 0, u->root_path, key, sb, err);
out:
    rag_buf_dispose(&path);
    return st;
}

static rag_status on_file(void *ctx, rag_str key, const struct stat *sb,
                          rag_error *err)
{
    rag_ingest_run *u = ctx;

    if (u->root_id == 0 && u->known->n != 0)
        return dry_file(u, key, sb, err);
    return rag_sync_file(u->sync, u->fd, key, u->root_id, u->root_path, key, sb,
                         err);
}

static rag_status on_trouble(void *ctx, rag_str key, const char *why,
                             rag_error *err)
{
    rag_ingest_run *u = ctx;

    u->report->roots_missing = true;
    return rag_sync_tell(u->sync, u->root_path, key, RAG_INGEST_FAILED,
                         rag_str_of(why), err);
}

static bool ignored(void *ctx, rag_str key)
{
    const rag_ingest_run *u = ctx;
    rag_buf path;
    bool yes;

    if (u->ignored.n == 0)
        return false;
    rag_buf_init(&path, PATH_MAX * (size_t)16);
    rag_flow_path(&path, u->root_path, key);
    yes = rag_flow_ignored_has(&u->ignored, rag_buf_str(&path));
    rag_buf_dispose(&path);
    return yes;
}

static bool cancelled(void *ctx)
{
    return rag_flow_cancelled(ctx);
}

/* Takes away what is gone from the root just walked. A dry run over a folder
 * that would swallow known roots has none of its own: it looks at theirs. */
static rag_status remove_gone(rag_ingest_run *u, rag_walk *walk, rag_str sub,
                              rag_error *err)
{
    rag_gone g = {.store = u->r->store,
                  .sync = u->sync,
                  .walk = walk,
                  .opts = u->opts,
                  .watch = u->watch,
                  .report = u->report,
                  .root_path = u->root_path,
                  .sub = sub};
    rag_gone_part own = {u->root_id, RAG_STR_LIT("")};
    rag_gone_part *parts = NULL;
    size_t cap = 0;
    rag_status st;

    g.parts = &own;
    g.n_parts = 1;
    if (u->root_id != 0)
        return rag_gone_remove(&g, err);
    g.n_parts = 0;
    for (size_t i = 0; i < u->known->n; i++) {
        rag_gone_part p = {u->known->list[i].id, RAG_STR_LIT("")};

        if (!rag_ingest_swallows(&p.prefix, u->root_path.ptr,
                                 &u->known->list[i]))
            continue;
        if (!rag_mem_grow(&parts, &cap, g.n_parts + 1, sizeof *parts)) {
            rag_free(parts);
            return rag_fail_nomem(err);
        }
        parts[g.n_parts++] = p;
    }
    g.parts = parts;
    st = rag_gone_remove(&g, err);
    rag_free(parts);
    return st;
}

static rag_status walk_root(rag_ingest_run *u, rag_str sub, rag_error *err)
{
    rag_walk_opts o = {.hidden = u->opts->hidden,
                       .follow = u->opts->follow,
                       .gitignore = u->opts->gitignore,
                       .include = u->opts->include,
                       .n_include = u->opts->n_include,
                       .exclude = u->opts->exclude,
                       .n_exclude = u->opts->n_exclude,
                       .left_out = ignored,
                       .left_out_ctx = u,
                       .cancelled = cancelled,
                       .cancel_ctx = u->r};
    rag_walk *w = rag_walk_new();
    struct stat sb;
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    if (u->r->store != NULL && stat(rag_store_dir(u->r->store), &sb) == 0) {
        o.not_dev = sb.st_dev; /* a store is never its own document */
        o.not_ino = sb.st_ino;
    }
    TRY(rag_walk_run(w, u->fd, sub, &o, on_file, on_trouble, u, err));
    TRY(rag_sync_finish(u->sync, err));
    if (u->r->store != NULL)
        st = remove_gone(u, w, sub, err);
out:
    rag_walk_free(w);
    return st;
}

rag_status rag_ingest_missing(rag_ingest_run *u, const char *path,
                              const char *why, rag_error *err)
{
    u->report->roots_missing = true;
    return rag_sync_tell(u->sync, rag_str_of(path), RAG_STR_LIT(""),
                         RAG_INGEST_FAILED, rag_str_of(why), err);
}

rag_status rag_ingest_missing_errno(rag_ingest_run *u, const char *path,
                                    const char *what, int errnum,
                                    rag_error *err)
{
    char why[256];
    char scratch[128];
    int n = snprintf(why, sizeof why, "%s (%s); nothing was removed", what,
                     strerror_r(errnum, scratch, sizeof scratch));

    (void)n;
    return rag_ingest_missing(u, path, why, err);
}

rag_status rag_ingest_dir(rag_ingest_run *u, const char *root, rag_str sub,
                          rag_error *err)
{
    rag_status st;

    u->root_path = rag_str_of(root);
    u->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (u->fd < 0)
        return rag_ingest_missing_errno(u, root, "cannot be listed", errno,
                                        err);
    st = walk_root(u, sub, err);
    /* workers may still open files below it after a failure */
    if (st != RAG_OK) {
        rag_sync_free(u->sync);
        u->sync = NULL;
    }
    (void)close(u->fd);
    u->fd = -1;
    return st;
}

rag_status rag_ingest_file_at(rag_ingest_run *u, const char *path,
                              const char *root, rag_str key, rag_error *err)
{
    struct stat sb;

    if (stat(path, &sb) != 0)
        return rag_ingest_missing_errno(u, path, "cannot be looked at", errno,
                                        err);
    if (!S_ISREG(sb.st_mode))
        return rag_ingest_missing(
            u, path, "is not a regular file any more; nothing was removed",
            err);
    if (u->slash < 0)
        u->slash = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (u->slash < 0)
        return rag_fail_errno(err, errno, "cannot open /");
    return rag_sync_file(u->sync, u->slash, rag_str_of(path + 1), u->root_id,
                         rag_str_of(root), key, &sb, err);
}
