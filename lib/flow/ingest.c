#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/walk.h"
#include "flow/gone.h"
#include "flow/known.h"
#include "flow/sync.h"

/* one document through a pipe */
#define MAX_PIPE_BYTES ((size_t)256 << 20)
#define PIPE_READ_BYTES ((size_t)1 << 16)
/* how often Ctrl-C is looked for while a pipe is silent */
#define PIPE_WAIT_MS 100

typedef struct run {
    rag *r;
    const rag_ingest_opts *opts;
    const rag_ingest_watch *watch;
    rag_ingest_report *report;
    rag_sync *sync;
    rag_flow_ignored ignored; /* by `rag rm --ignore` */
    const rag_known *known;   /* roots of the store; none without one */
    int slash; /* "/", that single files are opened below; or -1 */
    /* the root being walked */
    int fd;
    int64_t root_id;
    rag_str root_path;
} run;

/* ---- walking ------------------------------------------------------------ */

/* Would a new root at `path` swallow this one? *prefix: where it lies in it. */
static bool swallows(rag_str *prefix, const char *path,
                     const rag_known_root *root)
{
    return root->path[0] == '/' && rag_known_below(prefix, path, root->path) &&
           prefix->len != 0;
}

/* A dry run makes no root: a file that lies in a known one is looked up there,
 * as the real run would find it after it took that root over. */
static rag_status dry_file(run *u, rag_str key, const struct stat *sb,
                           rag_error *err)
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
    run *u = ctx;

    if (u->root_id == 0 && u->known->n != 0)
        return dry_file(u, key, sb, err);
    return rag_sync_file(u->sync, u->fd, key, u->root_id, u->root_path, key, sb,
                         err);
}

static rag_status on_trouble(void *ctx, rag_str key, const char *why,
                             rag_error *err)
{
    run *u = ctx;

    u->report->roots_missing = true;
    return rag_sync_tell(u->sync, u->root_path, key, RAG_INGEST_FAILED,
                         rag_str_of(why), err);
}

static bool ignored(void *ctx, rag_str key)
{
    const run *u = ctx;
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
static rag_status remove_gone(run *u, rag_walk *walk, rag_str sub,
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

        if (!swallows(&p.prefix, u->root_path.ptr, &u->known->list[i]))
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

static rag_status walk_root(run *u, rag_str sub, rag_error *err)
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

static rag_status root_missing(run *u, const char *path, const char *why,
                               rag_error *err)
{
    u->report->roots_missing = true;
    return rag_sync_tell(u->sync, rag_str_of(path), RAG_STR_LIT(""),
                         RAG_INGEST_FAILED, rag_str_of(why), err);
}

/* The same, by errno. */
static rag_status root_errno(run *u, const char *path, const char *what,
                             int errnum, rag_error *err)
{
    char why[256];
    char scratch[128];
    int n = snprintf(why, sizeof why, "%s (%s); nothing was removed", what,
                     strerror_r(errnum, scratch, sizeof scratch));

    (void)n;
    return root_missing(u, path, why, err);
}

static rag_status sync_dir(run *u, const char *root, rag_str sub,
                           rag_error *err)
{
    rag_status st;

    u->root_path = rag_str_of(root);
    u->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (u->fd < 0)
        return root_errno(u, root, "cannot be listed", errno, err);
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

/* A single file, in its root (folder) or as a root of its own. It is read with
 * others that follow: the caller ends with rag_sync_finish(). */
static rag_status sync_one_file(run *u, const char *path, const char *root,
                                rag_str key, rag_error *err)
{
    struct stat sb;

    if (stat(path, &sb) != 0)
        return root_errno(u, path, "cannot be looked at", errno, err);
    if (!S_ISREG(sb.st_mode))
        return root_missing(
            u, path, "is not a regular file any more; nothing was removed",
            err);
    if (u->slash < 0)
        u->slash = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (u->slash < 0)
        return rag_fail_errno(err, errno, "cannot open /");
    return rag_sync_file(u->sync, u->slash, rag_str_of(path + 1), u->root_id,
                         rag_str_of(root), key, &sb, err);
}

/* ---- roots that another root swallows ----------------------------------- */

typedef struct moves {
    rag_arena arena;
    int64_t *ids;
    rag_str *keys;
    size_t n;
    size_t cap_ids;
    size_t cap_keys;
    rag_str prefix;
} moves;

static rag_status plan_move(void *ctx, const rag_store_file *f, rag_error *err)
{
    moves *m = ctx;
    rag_buf b;
    rag_status st;

    rag_buf_init(&b, PATH_MAX * (size_t)16);
    rag_buf_adds(&b, m->prefix);
    if (f->key.len != 0 && m->prefix.len != 0)
        rag_buf_addc(&b, '/');
    rag_buf_adds(&b, f->key);
    st = rag_buf_status(&b, err);
    if (st == RAG_OK &&
        (!rag_mem_grow(&m->ids, &m->cap_ids, m->n + 1, sizeof *m->ids) ||
         !rag_mem_grow(&m->keys, &m->cap_keys, m->n + 1, sizeof *m->keys) ||
         !rag_arena_str(&m->arena, &m->keys[m->n], rag_buf_str(&b))))
        st = rag_fail_nomem(err);
    if (st == RAG_OK)
        m->ids[m->n++] = f->id;
    rag_buf_dispose(&b);
    return st;
}

/* Files of roots below `path` become files of root_id: overlapping roots hold
 * a file once. */
static rag_status swallow(run *u, const rag_known *k, const char *path,
                          rag_error *err)
{
    rag_status st = RAG_OK;

    for (size_t i = 0; i < k->n && st == RAG_OK; i++) {
        moves m = {.n = 0};

        if (k->list[i].id == u->root_id ||
            !swallows(&m.prefix, path, &k->list[i]))
            continue;
        rag_arena_init(&m.arena);
        st = rag_store_files(u->r->store, k->list[i].id, plan_move, &m, err);
        for (size_t f = 0; f < m.n && st == RAG_OK; f++)
            st = rag_store_file_move(u->r->store, m.ids[f], u->root_id,
                                     m.keys[f], err);
        if (st == RAG_OK)
            st = rag_store_root_drop(u->r->store, k->list[i].id, err);
        rag_free(m.ids);
        rag_free(m.keys);
        rag_arena_dispose(&m.arena);
    }
    return st;
}

/* ---- one run ------------------------------------------------------------ */

static rag_status put_root(run *u, const char *path, bool is_dir,
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

static rag_status sync_file_path(run *u, rag_known *k, char *path,
                                 const rag_known_root *root, rag_str key,
                                 rag_error *err)
{
    rag_str full = rag_str_of(path);
    rag_status st = RAG_OK;

    if (root != NULL && root->is_dir && key.len == 0) {
        bool full_of = false;

        TRY(rag_store_files(u->r->store, root->id, has_version, &full_of, err));
        if (full_of)
            return root_missing(u, path,
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
    st = sync_one_file(u, path, root != NULL ? root->path : path,
                       root != NULL ? key : RAG_STR_LIT(""), err);
out:
    return st;
}

static rag_status sync_dir_path(run *u, rag_known *k, char *path,
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
        TRY(swallow(u, k, root != NULL ? root->path : path, err));
    st = root != NULL ? sync_dir(u, root->path, key, err)
                      : sync_dir(u, path, RAG_STR_LIT(""), err);
    /* a root was made, others may have gone into it */
    if (st == RAG_OK && u->r->store != NULL)
        st = rag_known_load(k, u->r->store, err);
out:
    return st;
}

static rag_status sync_path(run *u, rag_known *k, const char *given,
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
        st = root_missing(u, path, "is not there; nothing was removed", err);
        goto out;
    }
    root = rag_known_of(&key, k, path);
    if (stat(path, &sb) != 0)
        st = root_errno(u, path, "cannot be looked at", errno, err);
    else if (S_ISDIR(sb.st_mode))
        st = sync_dir_path(u, k, path, root, key, err);
    else
        st = sync_file_path(u, k, path, root, key, err);
out:
    rag_free(path);
    return st;
}

static rag_status sync_known(run *u, const rag_known_root *root, rag_error *err)
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
        st = sync_dir(u, root->path, RAG_STR_LIT(""), err);
    else
        st = sync_one_file(u, root->path, root->path, RAG_STR_LIT(""), err);
    if (st == RAG_OK)
        st = rag_sync_finish(u->sync, err);
out:
    rag_sync_free(u->sync);
    u->sync = NULL;
    u->opts = given;
    rag_arena_dispose(&arena);
    return st;
}

/* What a pipe has, in memory that behaves like a file. */
/* The whole pipe, with an eye on Ctrl-C while nothing comes. */
static rag_status read_pipe(rag_buf *out, const rag *r, int fd, rag_error *err)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char *to = rag_buf_reserve(out, PIPE_READ_BYTES);
        ssize_t n;

        if (to == NULL)
            return rag_buf_status(out, err);
        if (rag_flow_cancelled(r))
            return rag_fail(err, RAG_E_CANCELLED, "interrupted");
        if (poll(&p, 1, PIPE_WAIT_MS) <= 0)
            continue;
        n = read(fd, to, PIPE_READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rag_fail_errno(err, errno, "cannot read standard input");
        if (n == 0)
            return RAG_OK;
        rag_buf_wrote(out, (size_t)n);
        if (out->len > MAX_PIPE_BYTES)
            return rag_fail(err, RAG_E_LIMIT,
                            "standard input: more than %zu MB, the most that "
                            "is read",
                            MAX_PIPE_BYTES >> 20);
    }
}

static rag_status spool(int *out, const rag *r, int fd, rag_error *err)
{
    rag_buf b;
    rag_status st;
    int mem = -1;

    *out = -1;
    rag_buf_init(&b, MAX_PIPE_BYTES + ((size_t)1 << 20));
    TRY(read_pipe(&b, r, fd, err));
    mem = memfd_create("rag-stdin", MFD_CLOEXEC);
    if (mem < 0) {
        st = rag_fail_errno(err, errno, "cannot keep standard input");
        goto out;
    }
    TRY(rag_file_write_fd(mem, b.ptr, b.len, "standard input", err));
    if (lseek(mem, 0, SEEK_SET) != 0) {
        st = rag_fail_errno(err, errno, "cannot rewind standard input");
        goto out;
    }
    *out = mem;
    mem = -1;
out:
    if (mem >= 0)
        (void)close(mem);
    rag_buf_dispose(&b);
    return st;
}

static rag_status sync_pipe(run *u, rag_error *err)
{
    const char *name = u->opts->name != NULL ? u->opts->name : "stdin";
    rag_status st;
    int fd;

    TRY(spool(&fd, u->r, u->opts->stdin_fd, err));
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
static rag_status check_paths(const run *u, const rag_known *k, rag_error *err)
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

static rag_status read_given(run *u, rag_known *k, rag_error *err)
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

static rag_status read_all(run *u, rag_error *err)
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

static void note(const run *u, const char *line)
{
    if (u->watch != NULL && u->watch->note != NULL)
        u->watch->note(u->watch->ctx, line);
}

/* Passages that the model does not read at once: nothing is lost, but one
 * vector for so much text finds it less well. */
static void say_windowed(const run *u, const rag_embedder *e)
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
static rag_status embed_all(run *u, rag_embedder *e, rag_error *err)
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

static rag_status finish(run *u, rag_status st, rag_error *err)
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
    run u = {.r = r,
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
