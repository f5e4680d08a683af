#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/walk.h"
#include "flow/flow_priv.h"
#include "flow/sync.h"

/* A sync that would take more than half of a root's files away, and more than
 * this many, asks first. */
#define PRUNE_FREELY 10
/* one document through a pipe */
#define MAX_PIPE_BYTES ((size_t)256 << 20)
/* rules of `rag rm --ignore` */
#define IGNORE_META "ignore"
#define MAX_META_BYTES ((size_t)4 << 20)

typedef struct run {
    rag *r;
    const rag_ingest_opts *opts;
    const rag_ingest_watch *watch;
    rag_ingest_report *report;
    rag_sync *sync;
    rag_buf ignore; /* the store's own rules */
    /* the root being walked */
    int fd;
    int64_t root_id;
    rag_str root_path;
} run;

static void note(const run *u, const char *line)
{
    if (u->watch != NULL && u->watch->note != NULL)
        u->watch->note(u->watch->ctx, line);
}

/* ---- which root does a path belong to ----------------------------------- */

typedef struct known_root {
    int64_t id;
    char *path;
    bool is_dir;
    char *settings;
} known_root;

typedef struct known_roots {
    known_root *list;
    size_t n;
    size_t cap;
} known_roots;

static void roots_dispose(known_roots *k)
{
    for (size_t i = 0; i < k->n; i++) {
        rag_free(k->list[i].path);
        rag_free(k->list[i].settings);
    }
    rag_free(k->list);
}

static rag_status add_root(void *ctx, const rag_store_root *root,
                           rag_error *err)
{
    known_roots *k = ctx;
    known_root *e;

    if (!rag_mem_grow(&k->list, &k->cap, k->n + 1, sizeof *k->list))
        return rag_fail_nomem(err);
    e = &k->list[k->n++];
    e->id = root->id;
    e->is_dir = root->is_dir;
    e->path = rag_strndup(root->path.ptr, root->path.len);
    e->settings = rag_strndup(root->settings.ptr, root->settings.len);
    if (e->path == NULL || e->settings == NULL)
        return rag_fail_nomem(err);
    return RAG_OK;
}

/* Is path below (or the same as) folder? *rest: the part below. */
static bool below(rag_str *rest, const char *folder, const char *path)
{
    size_t n = strlen(folder);

    if (strcmp(folder, "/") == 0) {
        *rest = rag_str_of(path + 1);
        return true;
    }
    if (strncmp(folder, path, n) != 0 || (path[n] != '/' && path[n] != '\0'))
        return false;
    *rest = rag_str_of(path[n] == '/' ? path + n + 1 : path + n);
    return true;
}

/* The root that path lies in: an exact one first, else the folder above it. */
static const known_root *root_of(rag_str *key, const known_roots *k,
                                 const char *path)
{
    const known_root *best = NULL;
    rag_str rest;

    for (size_t i = 0; i < k->n; i++) {
        const known_root *e = &k->list[i];

        if (!(e->is_dir ? below(&rest, e->path, path)
                        : strcmp(e->path, path) == 0))
            continue;
        if (best == NULL || strlen(e->path) > strlen(best->path)) {
            best = e;
            *key = e->is_dir ? rest : RAG_STR_LIT("");
        }
    }
    return best;
}

/* ---- settings of a root ------------------------------------------------- */

/* The filters, so that a later `rag ingest` without a path can use them. */
static rag_status settings_write(rag_buf *out, const rag_ingest_opts *o,
                                 rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_array(w, "include");
    for (size_t i = 0; i < o->n_include; i++)
        rag_jw_strz(w, NULL, o->include[i]);
    rag_jw_end(w);
    rag_jw_array(w, "exclude");
    for (size_t i = 0; i < o->n_exclude; i++)
        rag_jw_strz(w, NULL, o->exclude[i]);
    rag_jw_end(w);
    rag_jw_bool(w, "hidden", o->hidden);
    rag_jw_bool(w, "follow", o->follow);
    rag_jw_bool(w, "gitignore", o->gitignore);
    rag_jw_strz(w, "type", o->type);
    rag_jw_end(w);
    st = rag_jw_finish(out, w, false, err);
    rag_jw_free(w);
    return st;
}

static rag_status globs_read(const char *const **out, size_t *n,
                             const rag_json *list, rag_arena *a, rag_error *err)
{
    size_t count = rag_json_count(list);
    const char **globs = rag_arena_array(a, count, sizeof *globs);

    if (globs == NULL)
        return rag_fail_nomem(err);
    *n = 0;
    for (const rag_json *e = rag_json_first(list); e != NULL;
         e = rag_json_next(e)) {
        rag_str s;

        if (!rag_json_str(&s, e))
            continue;
        globs[*n] = rag_arena_strndup(a, s.ptr, s.len);
        if (globs[(*n)++] == NULL)
            return rag_fail_nomem(err);
    }
    *out = globs;
    return RAG_OK;
}

/* The run's options with a root's stored filters. */
static rag_status settings_read(rag_ingest_opts *o, const char *text,
                                rag_arena *a, rag_error *err)
{
    rag_json *j = NULL;
    rag_status st = RAG_OK;
    rag_str type;

    if (text[0] == '\0')
        return RAG_OK;
    TRY(rag_json_parse(&j, rag_str_of(text), MAX_META_BYTES,
                       "filters of a root", err));
    TRY(globs_read(&o->include, &o->n_include, rag_json_get(j, "include"), a,
                   err));
    TRY(globs_read(&o->exclude, &o->n_exclude, rag_json_get(j, "exclude"), a,
                   err));
    (void)rag_json_bool(&o->hidden, rag_json_get(j, "hidden"));
    (void)rag_json_bool(&o->follow, rag_json_get(j, "follow"));
    (void)rag_json_bool(&o->gitignore, rag_json_get(j, "gitignore"));
    if (rag_json_str(&type, rag_json_get(j, "type"))) {
        o->type = rag_arena_strndup(a, type.ptr, type.len);
        if (o->type == NULL)
            st = rag_fail_nomem(err);
    }
out:
    rag_json_free(j);
    return st;
}

/* ---- walking ------------------------------------------------------------ */

static rag_status on_file(void *ctx, rag_str key, const struct stat *sb,
                          rag_error *err)
{
    run *u = ctx;

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

static bool cancelled(void *ctx)
{
    return rag_flow_cancelled(ctx);
}

typedef struct doomed {
    rag_walk *walk;
    const rag_sync *sync;
    rag_str sub;
    int64_t *gone; /* file ids */
    size_t n_gone;
    size_t cap_gone;
    rag_arena arena; /* keys of what is kept and gone */
    rag_str *gone_keys;
    size_t cap_keys;
    rag_str *kept;
    size_t n_kept;
    size_t cap_kept;
    uint64_t n_files; /* of the root, with a version */
} doomed;

static rag_status judge(void *ctx, const rag_store_file *f, rag_error *err)
{
    doomed *d = ctx;

    if (f->version_id != 0)
        d->n_files++;
    if (rag_sync_saw(d->sync, f->id))
        return RAG_OK;
    if (d->sub.len != 0 &&
        !(f->key.len > d->sub.len && f->key.ptr[d->sub.len] == '/' &&
          rag_str_eq(rag_str_cut(f->key, 0, d->sub.len), d->sub)))
        return RAG_OK; /* outside of what was asked for */
    switch (rag_walk_ask(d->walk, f->key)) {
    case RAG_WALK_GONE:
        if (!rag_mem_grow(&d->gone, &d->cap_gone, d->n_gone + 1,
                          sizeof *d->gone) ||
            !rag_mem_grow(&d->gone_keys, &d->cap_keys, d->n_gone + 1,
                          sizeof *d->gone_keys) ||
            !rag_arena_str(&d->arena, &d->gone_keys[d->n_gone], f->key))
            return rag_fail_nomem(err);
        d->gone[d->n_gone++] = f->id;
        break;
    case RAG_WALK_LEFT:
    case RAG_WALK_UNKNOWN:
        if (!rag_mem_grow(&d->kept, &d->cap_kept, d->n_kept + 1,
                          sizeof *d->kept) ||
            !rag_arena_str(&d->arena, &d->kept[d->n_kept], f->key))
            return rag_fail_nomem(err);
        d->n_kept++;
        break;
    case RAG_WALK_THERE:
        break;
    }
    return RAG_OK;
}

/* Takes away what is gone from the root just walked. */
static rag_status remove_gone(run *u, rag_walk *walk, rag_str sub,
                              rag_error *err)
{
    doomed d = {.walk = walk, .sync = u->sync, .sub = sub};
    rag_status st;
    bool held;

    rag_arena_init(&d.arena);
    TRY(rag_store_files(u->r->store, u->root_id, judge, &d, err));
    held =
        d.n_gone > PRUNE_FREELY && d.n_gone * 2 > d.n_files && !u->opts->prune;
    if (held) {
        char line[256];
        int n = snprintf(line, sizeof line,
                         "%zu of %llu files are gone: nothing was removed; if "
                         "that is right, run again with --prune",
                         d.n_gone, (unsigned long long)d.n_files);

        (void)n;
        u->report->needs_prune = true;
        note(u, line);
    }
    for (size_t i = 0; i < d.n_gone; i++) {
        if (!held && !u->opts->dry_run)
            TRY(rag_store_file_remove(u->r->store, d.gone[i], err));
        TRY(rag_sync_tell(u->sync, u->root_path, d.gone_keys[i],
                          held ? RAG_INGEST_KEPT : RAG_INGEST_REMOVED,
                          held ? RAG_STR_LIT("gone, held back without --prune")
                               : RAG_STR_LIT(""),
                          err));
    }
    for (size_t i = 0; i < d.n_kept; i++)
        TRY(rag_sync_tell(u->sync, u->root_path, d.kept[i], RAG_INGEST_KEPT,
                          RAG_STR_LIT("not looked at in this run"), err));
out:
    rag_free(d.gone);
    rag_free(d.gone_keys);
    rag_free(d.kept);
    rag_arena_dispose(&d.arena);
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
                       .extra_ignore = u->ignore.ptr,
                       .cancelled = cancelled,
                       .cancel_ctx = u->r};
    rag_walk *w = rag_walk_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    TRY(rag_walk_run(w, u->fd, sub, &o, on_file, on_trouble, u, err));
    TRY(rag_sync_finish(u->sync, err));
    if (u->root_id != 0 && u->r->store != NULL)
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

static rag_status sync_dir(run *u, const char *root, rag_str sub,
                           rag_error *err)
{
    rag_status st;

    u->root_path = rag_str_of(root);
    u->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (u->fd < 0) {
        char why[256];
        char scratch[128];
        int n = snprintf(why, sizeof why,
                         "cannot be listed (%s); nothing was removed",
                         strerror_r(errno, scratch, sizeof scratch));

        (void)n;
        return root_missing(u, root, why, err);
    }
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

/* A single file, in its root (folder) or as a root of its own. */
static rag_status sync_one_file(run *u, const char *path, const char *root,
                                rag_str key, rag_error *err)
{
    struct stat sb;
    rag_status st;

    if (stat(path, &sb) != 0) {
        char why[256];
        char scratch[128];
        int n = snprintf(why, sizeof why,
                         "cannot be looked at (%s); nothing was removed",
                         strerror_r(errno, scratch, sizeof scratch));

        (void)n;
        return root_missing(u, path, why, err);
    }
    if (!S_ISREG(sb.st_mode))
        return rag_fail(err, RAG_E_INVAL, "%s: not a regular file", path);
    u->fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (u->fd < 0)
        return rag_fail_errno(err, errno, "cannot open /");
    st = rag_sync_file(u->sync, u->fd, rag_str_of(path + 1), u->root_id,
                       rag_str_of(root), key, &sb, err);
    if (st == RAG_OK)
        st = rag_sync_finish(u->sync, err);
    if (st != RAG_OK) {
        rag_sync_free(u->sync);
        u->sync = NULL;
    }
    (void)close(u->fd);
    u->fd = -1;
    return st;
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
static rag_status swallow(run *u, const known_roots *k, const char *path,
                          rag_error *err)
{
    rag_status st = RAG_OK;

    for (size_t i = 0; i < k->n && st == RAG_OK; i++) {
        moves m = {.n = 0};

        if (k->list[i].id == u->root_id || k->list[i].path[0] != '/' ||
            !below(&m.prefix, path, k->list[i].path) || m.prefix.len == 0)
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
    rag_buf_init(&b, MAX_META_BYTES);
    TRY(settings_write(&b, u->opts, err));
    st = rag_store_root_put(&u->root_id, u->r->store, rag_str_of(path), is_dir,
                            rag_buf_str(&b), err);
out:
    rag_buf_dispose(&b);
    return st;
}

static rag_status sync_path(run *u, const known_roots *k, const char *given,
                            rag_error *err)
{
    const known_root *root;
    struct stat sb;
    rag_str key;
    char *path = NULL;
    rag_status st = rag_file_real(&path, given, err);

    if (st != RAG_OK) {
        /* it was there before (checked), and may be a known root */
        rag_error why = err != NULL ? *err : (rag_error){st, "missing"};

        rag_error_clear(err);
        st = root_missing(u, given, why.msg, err);
        goto out;
    }
    root = root_of(&key, k, path);
    if (stat(path, &sb) != 0) {
        st = root_missing(u, path, "cannot be looked at", err);
        goto out;
    }
    u->root_id = root != NULL ? root->id : 0;
    if (root == NULL)
        TRY(put_root(u, path, S_ISDIR(sb.st_mode), err));
    else if (key.len == 0 && S_ISDIR(sb.st_mode))
        TRY(put_root(u, path, true, err)); /* its filters may be new */
    if (u->root_id == 0 && root != NULL)
        u->root_id = root->id;
    if (!S_ISDIR(sb.st_mode)) {
        st = sync_one_file(u, path, root != NULL ? root->path : path,
                           root != NULL ? key : RAG_STR_LIT(""), err);
        goto out;
    }
    if (u->root_id != 0 && !u->opts->dry_run)
        TRY(swallow(u, k, path, err));
    st = root != NULL ? sync_dir(u, root->path, key, err)
                      : sync_dir(u, path, RAG_STR_LIT(""), err);
out:
    rag_free(path);
    return st;
}

static rag_status sync_known(run *u, const known_root *root, rag_error *err)
{
    const rag_ingest_opts *given = u->opts;
    rag_ingest_opts o = *given;
    rag_arena arena;
    rag_status st = RAG_OK;

    if (root->path[0] != '/')
        return RAG_OK; /* what came through pipes */
    rag_arena_init(&arena);
    u->root_id = root->id;
    if (!root->is_dir) {
        st = sync_one_file(u, root->path, root->path, RAG_STR_LIT(""), err);
        goto out;
    }
    TRY(settings_read(&o, root->settings, &arena, err));
    rag_sync_free(u->sync);
    u->sync = NULL;
    u->opts = &o;
    TRY(rag_sync_new(&u->sync, u->r, &o, u->watch, u->report, err));
    st = sync_dir(u, root->path, RAG_STR_LIT(""), err);
out:
    if (u->opts != given) {
        rag_sync_free(u->sync);
        u->sync = NULL;
        u->opts = given;
        if (st == RAG_OK)
            st = rag_sync_new(&u->sync, u->r, given, u->watch, u->report, err);
    }
    rag_arena_dispose(&arena);
    return st;
}

/* What a pipe has, in memory that behaves like a file. */
static rag_status spool(int *out, int fd, rag_error *err)
{
    rag_buf b;
    rag_status st;
    int mem = -1;

    *out = -1;
    rag_buf_init(&b, MAX_PIPE_BYTES + ((size_t)1 << 20));
    TRY(rag_file_read_fd(&b, fd, "standard input", MAX_PIPE_BYTES, err));
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

    TRY(spool(&fd, u->opts->stdin_fd, err));
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
static rag_status check_paths(const run *u, const known_roots *k,
                              rag_error *err)
{
    for (size_t i = 0; i < u->opts->n_paths; i++) {
        const char *path = u->opts->paths[i];
        bool is_known = false;
        struct stat sb;

        if (stat(path, &sb) == 0 || (errno != ENOENT && errno != ENOTDIR))
            continue;
        for (size_t r = 0; r < k->n && !is_known; r++) {
            rag_buf full;

            rag_buf_init(&full, PATH_MAX * (size_t)4);
            if (path[0] != '/' && u->r->cfg.cwd != NULL)
                rag_buf_addf(&full, "%s/", u->r->cfg.cwd);
            rag_buf_addz(&full, path);
            while (full.len > 1 && full.ptr[full.len - 1] == '/')
                rag_buf_trunc(&full, full.len - 1);
            is_known = strcmp(full.ptr, k->list[r].path) == 0;
            rag_buf_dispose(&full);
        }
        if (!is_known)
            return rag_fail(err, RAG_E_INVAL, "%s: no such file or folder",
                            path);
    }
    return RAG_OK;
}

static rag_status read_all(run *u, rag_error *err)
{
    known_roots k = {NULL, 0, 0};
    rag_status st = RAG_OK;
    bool found;

    if (u->r->store != NULL) {
        TRY(rag_store_roots(u->r->store, add_root, &k, err));
        TRY(rag_store_meta_get(&u->ignore, &found, u->r->store, IGNORE_META,
                               err));
    }
    TRY(check_paths(u, &k, err));
    TRY(rag_sync_new(&u->sync, u->r, u->opts, u->watch, u->report, err));
    if (u->opts->stdin_fd >= 0)
        TRY(sync_pipe(u, err));
    for (size_t i = 0; i < u->opts->n_paths; i++) {
        if (i != 0 && u->r->store != NULL) {
            /* the path before may have made a root that this one is below */
            roots_dispose(&k);
            k = (known_roots){NULL, 0, 0};
            TRY(rag_store_roots(u->r->store, add_root, &k, err));
        }
        TRY(sync_path(u, &k, u->opts->paths[i], err));
    }
    if (u->opts->n_paths == 0 && u->opts->stdin_fd < 0) {
        if (k.n == 0) {
            st = rag_fail(err, RAG_E_INVAL,
                          "nothing to sync yet: name a file or a folder");
            goto out;
        }
        for (size_t i = 0; i < k.n; i++)
            TRY(sync_known(u, &k.list[i], err));
    }
out:
    rag_sync_free(u->sync);
    u->sync = NULL;
    roots_dispose(&k);
    return st;
}

/* Vectors for what lacks them. *embed_failed: the failure to report when all
 * else went well. */
static rag_status embed_all(run *u, rag_embedder *e, rag_error *err)
{
    rag_embed_tally t = {0, 0};
    double began = rag_flow_now_ms();
    rag_status st =
        rag_flow_embed_missing(&t, u->r, e, u->opts->reembed, u->watch, err);

    u->report->n_embedded = t.n_embedded;
    u->report->n_reused = t.n_reused;
    u->report->ms_embed = rag_flow_now_ms() - began;
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
    run u = {.r = r, .opts = opts, .watch = watch, .report = out, .fd = -1};
    double began = rag_flow_now_ms();
    rag_embedder *e = NULL;
    rag_store_space space;
    rag_status st = RAG_OK;

    memset(out, 0, sizeof *out);
    rag_buf_init(&u.ignore, MAX_META_BYTES);
    /* a store of another model is refused before anything is written */
    if (!opts->no_embed && !opts->dry_run) {
        TRY(rag_flow_embedder(&e, r, err));
        if (e != NULL && !opts->reembed)
            TRY(rag_flow_check_space(&space, r, e, err));
    }
    st = read_all(&u, err);
    out->ms_read = rag_flow_now_ms() - began;
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
    rag_buf_dispose(&u.ignore);
    out->ms_total = rag_flow_now_ms() - began;
    return st;
}
