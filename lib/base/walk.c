#include "base/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/glob.h"
#include "base/ignore.h"
#include "base/mem.h"

/* deeper trees than any real one; each level costs a descriptor */
#define MAX_DEPTH 128
/* an ignore file larger than this is not one */
#define MAX_IGNORE_BYTES ((size_t)1 << 20)
/* keys longer than this cannot be opened by the system anyway */
#define MAX_KEY_BYTES ((size_t)1 << 16)

/* What the walk remembers of a key. */
enum mark { MARK_FILE, MARK_LISTED, MARK_LEFT, MARK_UNKNOWN };

typedef struct seen {
    rag_str key;
    enum mark mark;
} seen;

struct rag_walk {
    rag_arena arena;
    seen *seen; /* sorted after the walk */
    size_t n_seen;
    size_t cap_seen;
    bool sorted;
    char *sub; /* where the walk began */
};

typedef struct dir_id {
    dev_t dev;
    ino_t ino;
} dir_id;

typedef struct state {
    rag_walk *w;
    const rag_walk_opts *opts;
    rag_walk_file_fn file;
    rag_walk_trouble_fn trouble;
    void *ctx;
    rag_ignore *ignore;
    rag_buf key;
    dir_id above[MAX_DEPTH];
    size_t depth;
} state;

rag_walk *rag_walk_new(void)
{
    return rag_calloc(1, sizeof(rag_walk));
}

void rag_walk_free(rag_walk *w)
{
    if (w == NULL)
        return;
    rag_arena_dispose(&w->arena);
    rag_free(w->seen);
    rag_free(w->sub);
    rag_free(w);
}

static rag_status remember(rag_walk *w, rag_str key, enum mark mark,
                           rag_error *err)
{
    if (!rag_mem_grow(&w->seen, &w->cap_seen, w->n_seen + 1, sizeof *w->seen) ||
        !rag_arena_str(&w->arena, &w->seen[w->n_seen].key, key))
        return rag_fail_nomem(err);
    w->seen[w->n_seen++].mark = mark;
    w->sorted = false;
    return RAG_OK;
}

static rag_status trouble(state *s, rag_str key, const char *why,
                          rag_error *err)
{
    rag_status st = remember(s->w, key, MARK_UNKNOWN, err);

    return st != RAG_OK ? st : s->trouble(s->ctx, key, why, err);
}

static rag_status in_trouble(state *s, rag_str key, int errnum, rag_error *err)
{
    char scratch[128];

    return trouble(s, key, strerror_r(errnum, scratch, sizeof scratch), err);
}

static bool picked(const char *const *globs, size_t n, rag_str key)
{
    for (size_t i = 0; i < n; i++)
        if (rag_glob_pick(rag_str_of(globs[i]), key))
            return true;
    return false;
}

/* Is the entry left out by the filters? */
static bool left_out(const state *s, rag_str key, bool is_dir)
{
    const char *base = key.ptr + key.len;

    while (base > key.ptr && base[-1] != '/')
        base--;
    if (!s->opts->hidden && base[0] == '.')
        return true;
    if (rag_str_eqz(key, ".rag") || rag_str_ends(key, "/.rag"))
        return true; /* a store is never its own document */
    if (picked(s->opts->exclude, s->opts->n_exclude, key))
        return true;
    if (!is_dir && s->opts->n_include != 0 &&
        !picked(s->opts->include, s->opts->n_include, key))
        return true;
    if (s->opts->left_out != NULL &&
        s->opts->left_out(s->opts->left_out_ctx, key))
        return true;
    return rag_ignore_hit(s->ignore, key, is_dir);
}

static rag_status load_ignore(state *s, int dir_fd, const char *name,
                              rag_error *err)
{
    int fd =
        openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    rag_status st = RAG_OK;
    struct stat sb;
    rag_buf text;

    if (fd < 0)
        return RAG_OK; /* none, or not ours to read */
    rag_buf_init(&text, MAX_IGNORE_BYTES * 2);
    if (fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) &&
        (size_t)sb.st_size <= MAX_IGNORE_BYTES) {
        st = rag_file_read_fd(&text, fd, name, MAX_IGNORE_BYTES, err);
        if (st == RAG_OK)
            st = rag_ignore_add(s->ignore, rag_buf_str(&s->key),
                                rag_buf_str(&text), err);
        else if (st != RAG_E_NOMEM)
            st = RAG_OK;
    }
    rag_buf_dispose(&text);
    (void)close(fd);
    return st;
}

static rag_status load_ignores(state *s, int dir_fd, rag_error *err)
{
    rag_status st = RAG_OK;

    if (s->opts->gitignore)
        st = load_ignore(s, dir_fd, ".gitignore", err);
    if (st == RAG_OK)
        st = load_ignore(s, dir_fd, ".ragignore", err);
    return st;
}

static rag_status walk_dir(state *s, int fd, rag_error *err);

static rag_status enter_dir(state *s, int parent_fd, const char *name,
                            rag_error *err)
{
    rag_str key = rag_buf_str(&s->key);
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd =
        openat(parent_fd, name, s->opts->follow ? flags : flags | O_NOFOLLOW);
    struct stat sb;
    rag_status st;

    if (fd < 0)
        return in_trouble(s, key, errno, err);
    if (fstat(fd, &sb) != 0) {
        st = in_trouble(s, key, errno, err);
        (void)close(fd);
        return st;
    }
    if (s->opts->not_ino != 0 && sb.st_ino == s->opts->not_ino &&
        sb.st_dev == s->opts->not_dev) {
        (void)close(fd);
        return remember(s->w, key, MARK_LEFT, err);
    }
    for (size_t i = 0; i < s->depth; i++)
        if (s->above[i].dev == sb.st_dev && s->above[i].ino == sb.st_ino) {
            (void)close(fd); /* a loop of links */
            return remember(s->w, key, MARK_LEFT, err);
        }
    if (s->depth == MAX_DEPTH) {
        (void)close(fd);
        return in_trouble(s, key, ELOOP, err);
    }
    s->above[s->depth++] = (dir_id){sb.st_dev, sb.st_ino};
    st = walk_dir(s, fd, err);
    s->depth--;
    return st;
}

static rag_status one_entry(state *s, int fd, const char *name, rag_error *err)
{
    rag_str key = rag_buf_str(&s->key);
    struct stat sb;

    if (fstatat(fd, name, &sb, s->opts->follow ? 0 : AT_SYMLINK_NOFOLLOW) !=
        0) {
        /* a dangling link, or gone since the folder was listed */
        if (errno == ENOENT)
            return fstatat(fd, name, &sb, AT_SYMLINK_NOFOLLOW) == 0
                       ? remember(s->w, key, MARK_LEFT, err)
                       : RAG_OK;
        return in_trouble(s, key, errno, err);
    }
    if (left_out(s, key, S_ISDIR(sb.st_mode)))
        return remember(s->w, key, MARK_LEFT, err);
    if (S_ISDIR(sb.st_mode))
        return enter_dir(s, fd, name, err);
    if (S_ISREG(sb.st_mode)) {
        rag_status st = remember(s->w, key, MARK_FILE, err);

        return st != RAG_OK ? st : s->file(s->ctx, key, &sb, err);
    }
    /* links not followed, FIFOs, sockets, devices */
    return remember(s->w, key, MARK_LEFT, err);
}

/* Walks the folder open at fd (taken over); s->key is its key. Recursion is
 * bounded by MAX_DEPTH. */
static rag_status walk_dir(state *s, int fd, rag_error *err)
{
    size_t n_rules = rag_ignore_count(s->ignore);
    size_t key_len = s->key.len;
    int dup_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rag_names l = {NULL, 0, 0};
    rag_error why = {RAG_OK, ""};
    rag_status st;

    if (dup_fd < 0)
        st = rag_fail_errno(&why, errno, "cannot be listed");
    else
        st = rag_file_list(&l, dup_fd, &why);
    if (st == RAG_E_NOMEM)
        st = rag_fail_nomem(err);
    else if (st != RAG_OK)
        st = trouble(s, rag_buf_str(&s->key), why.msg, err);
    else
        st = remember(s->w, rag_buf_str(&s->key), MARK_LISTED, err);
    if (st == RAG_OK)
        st = load_ignores(s, fd, err);
    for (size_t i = 0; st == RAG_OK && i < l.n; i++) {
        if (s->opts->cancelled != NULL &&
            s->opts->cancelled(s->opts->cancel_ctx)) {
            st = rag_fail(err, RAG_E_CANCELLED, "interrupted");
            break;
        }
        rag_buf_trunc(&s->key, key_len);
        if (key_len != 0)
            rag_buf_addc(&s->key, '/');
        rag_buf_addz(&s->key, l.list[i]);
        st = rag_buf_status(&s->key, err);
        if (st == RAG_OK)
            st = one_entry(s, fd, l.list[i], err);
    }
    rag_buf_trunc(&s->key, key_len);
    rag_ignore_cut(s->ignore, n_rules);
    rag_names_dispose(&l);
    (void)close(fd);
    return st;
}

/* Opens the folder `sub` below root_fd, loading the ignore files on the way. */
static rag_status descend(state *s, int *fd, rag_str sub, rag_error *err)
{
    rag_status st = RAG_OK;

    while (st == RAG_OK && sub.len != 0) {
        size_t slash = rag_str_find_char(sub, '/');
        rag_str part = rag_str_cut(sub, 0, slash);
        size_t at;
        int next;

        st = load_ignores(s, *fd, err);
        if (st != RAG_OK)
            break;
        if (s->key.len != 0)
            rag_buf_addc(&s->key, '/');
        at = s->key.len;
        rag_buf_adds(&s->key, part);
        TRY(rag_buf_status(&s->key, err));
        next = openat(*fd, s->key.ptr + at,
                      O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        (void)close(*fd);
        *fd = next;
        if (next < 0)
            return in_trouble(s, rag_buf_str(&s->key), errno, err);
        sub = slash == SIZE_MAX ? rag_str_n(NULL, 0)
                                : rag_str_cut(sub, slash + 1, sub.len);
    }
out:
    return st;
}

rag_status rag_walk_run(rag_walk *w, int root_fd, rag_str sub,
                        const rag_walk_opts *opts, rag_walk_file_fn file,
                        rag_walk_trouble_fn on_trouble, void *ctx,
                        rag_error *err)
{
    state s = {
        .w = w, .opts = opts, .file = file, .trouble = on_trouble, .ctx = ctx};
    struct stat sb;
    rag_status st;
    int fd = -1;

    rag_buf_init(&s.key, MAX_KEY_BYTES);
    s.ignore = rag_ignore_new();
    rag_free(w->sub);
    w->sub = rag_strndup(sub.ptr, sub.len);
    if (s.ignore == NULL || w->sub == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        st = in_trouble(&s, RAG_STR_LIT(""), errno, err);
        goto out;
    }
    TRY(descend(&s, &fd, sub, err));
    if (fd < 0)
        goto out;
    if (fstat(fd, &sb) == 0)
        s.above[s.depth++] = (dir_id){sb.st_dev, sb.st_ino};
    st = walk_dir(&s, fd, err);
    fd = -1;
out:
    if (fd >= 0)
        (void)close(fd);
    rag_ignore_free(s.ignore);
    rag_buf_dispose(&s.key);
    return st;
}

static int by_key(const void *a, const void *b)
{
    const seen *x = a;
    const seen *y = b;

    return rag_str_cmp(x->key, y->key);
}

static const seen *look_up(rag_walk *w, rag_str key)
{
    seen want = {key, MARK_FILE};

    if (w->n_seen == 0)
        return NULL;
    if (!w->sorted) {
        qsort(w->seen, w->n_seen, sizeof *w->seen, by_key);
        w->sorted = true;
    }
    return bsearch(&want, w->seen, w->n_seen, sizeof *w->seen, by_key);
}

rag_walk_verdict rag_walk_ask(rag_walk *w, rag_str key)
{
    rag_str sub = rag_str_of(w->sub);
    size_t at = sub.len;
    const seen *dir;

    /* below what was walked at all? */
    if (sub.len != 0 && (key.len <= sub.len || key.ptr[sub.len] != '/' ||
                         !rag_str_eq(rag_str_cut(key, 0, sub.len), sub)))
        return RAG_WALK_UNKNOWN;
    for (;;) {
        size_t next;
        const seen *e;

        dir = look_up(w, rag_str_cut(key, 0, at));
        if (dir == NULL || dir->mark != MARK_LISTED)
            return RAG_WALK_UNKNOWN;
        next = at == 0 ? 0 : at + 1;
        while (next < key.len && key.ptr[next] != '/')
            next++;
        e = look_up(w, rag_str_cut(key, 0, next));
        if (e == NULL)
            return RAG_WALK_GONE;
        if (e->mark == MARK_LEFT)
            return RAG_WALK_LEFT;
        if (e->mark == MARK_UNKNOWN)
            return RAG_WALK_UNKNOWN;
        if (next >= key.len) /* a folder where the file was: it is gone */
            return e->mark == MARK_FILE ? RAG_WALK_THERE : RAG_WALK_GONE;
        if (e->mark == MARK_FILE)
            return RAG_WALK_GONE; /* a file where its folder was */
        at = next;
    }
}

int rag_walk_open(int root_fd, const char *key, bool follow)
{
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    struct open_how how;
    long fd;

    if (follow)
        return openat(root_fd, key, flags);
    memset(&how, 0, sizeof how);
    how.flags = (unsigned long long)flags;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    fd = syscall(SYS_openat2, root_fd, key, &how, sizeof how);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
        return (int)fd;
    /* a kernel before 5.6, or a sandbox that hides the call */
    return openat(root_fd, key, flags | O_NOFOLLOW);
}
