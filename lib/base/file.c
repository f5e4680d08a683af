#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

/* one read(2): large enough that the call does not matter */
#define READ_BYTES ((size_t)1 << 18)

rag_status rag_file_read_fd(rag_buf *out, int fd, const char *name,
                            size_t max_bytes, rag_error *err)
{
    size_t total = 0;
    struct stat sb;

    /* one allocation when the size is known */
    if (fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) && sb.st_size > 0) {
        if ((uint64_t)sb.st_size > max_bytes)
            return rag_fail(err, RAG_E_LIMIT,
                            "%s: %lld bytes, at most %zu are read", name,
                            (long long)sb.st_size, max_bytes);
        if (rag_buf_reserve(out, (size_t)sb.st_size + 1) == NULL)
            return rag_buf_status(out, err);
    }
    for (;;) {
        size_t room = out->cap > out->len + 1 ? out->cap - out->len - 1 : 0;
        size_t want = room != 0 ? room : READ_BYTES;
        char *to = rag_buf_reserve(out, want);
        ssize_t n;

        if (to == NULL)
            return rag_buf_status(out, err);
        n = read(fd, to, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rag_fail_errno(err, errno, "cannot read %s", name);
        if (n == 0)
            return RAG_OK;
        rag_buf_wrote(out, (size_t)n);
        total += (size_t)n;
        if (total > max_bytes)
            return rag_fail(err, RAG_E_LIMIT,
                            "%s: more than %zu bytes, the most that are read",
                            name, max_bytes);
    }
}

rag_status rag_file_read(rag_buf *out, const char *path, size_t max_bytes,
                         rag_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    rag_status st;

    if (fd < 0)
        return rag_fail_errno(err, errno, "cannot open %s", path);
    st = rag_file_read_fd(out, fd, path, max_bytes, err);
    (void)close(fd); /* only read from */
    return st;
}

rag_status rag_file_write_fd(int fd, const void *bytes, size_t n,
                             const char *name, rag_error *err)
{
    const char *p = bytes;

    while (n != 0) {
        ssize_t k = write(fd, p, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return rag_fail_errno(err, errno, "cannot write %s", name);
        p += k;
        n -= (size_t)k;
    }
    return RAG_OK;
}

static rag_status sync_folder_of(const char *path, rag_error *err)
{
    char *dir = rag_strdup(path);
    char *slash;
    rag_status st = RAG_OK;
    int fd;

    if (dir == NULL)
        return rag_fail_nomem(err);
    slash = strrchr(dir, '/');
    if (slash == dir)
        slash[1] = '\0';
    else if (slash != NULL)
        *slash = '\0';
    fd = open(slash != NULL ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        st = rag_fail_errno(err, errno, "cannot open the folder of %s", path);
    } else {
        if (fsync(fd) != 0 && errno != EINVAL)
            st = rag_fail_errno(err, errno, "cannot sync the folder of %s",
                                path);
        (void)close(fd); /* only synced */
    }
    rag_free(dir);
    return st;
}

rag_status rag_file_commit(int fd, const char *tmp_path, const char *path,
                           rag_error *err)
{
    rag_status st = RAG_OK;

    if (fsync(fd) != 0)
        st = rag_fail_errno(err, errno, "cannot sync %s", tmp_path);
    if (close(fd) != 0 && st == RAG_OK)
        st = rag_fail_errno(err, errno, "cannot close %s", tmp_path);
    if (st == RAG_OK && rename(tmp_path, path) != 0)
        st = rag_fail_errno(err, errno, "cannot rename %s to %s", tmp_path,
                            path);
    if (st != RAG_OK) {
        (void)unlink(tmp_path); /* the first failure is the one to report */
        return st;
    }
    return sync_folder_of(path, err);
}

rag_status rag_file_replace(const char *path, const void *bytes, size_t n,
                            rag_error *err)
{
    rag_buf tmp;
    rag_status st;
    int fd = -1;

    rag_buf_init(&tmp, PATH_MAX + (size_t)32);
    rag_buf_addf(&tmp, "%s.tmp%ld", path, (long)getpid());
    TRY(rag_buf_status(&tmp, err));
    fd = open(tmp.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
              0600);
    if (fd < 0) {
        st = rag_fail_errno(err, errno, "cannot create %s", tmp.ptr);
        goto out;
    }
    st = rag_file_write_fd(fd, bytes, n, tmp.ptr, err);
    if (st != RAG_OK) {
        (void)close(fd);
        (void)unlink(tmp.ptr);
        goto out;
    }
    st = rag_file_commit(fd, tmp.ptr, path, err);
out:
    rag_buf_dispose(&tmp);
    return st;
}

rag_status rag_file_map(rag_map *out, const char *path, rag_error *err)
{
    struct stat sb;
    rag_status st = RAG_OK;
    /* a pipe without a writer is refused, not waited for */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    out->ptr = NULL;
    out->len = 0;
    if (fd < 0)
        return rag_fail_errno(err, errno, "cannot open %s", path);
    if (fstat(fd, &sb) != 0) {
        st = rag_fail_errno(err, errno, "cannot stat %s", path);
    } else if (!S_ISREG(sb.st_mode)) {
        st = rag_fail(err, RAG_E_FORMAT, "%s: not a regular file", path);
    } else if (sb.st_size > 0) {
        void *p = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (p == MAP_FAILED) {
            st = rag_fail_errno(err, errno, "cannot map %s", path);
        } else {
            out->ptr = p;
            out->len = (size_t)sb.st_size;
        }
    }
    (void)close(fd); /* the mapping stays */
    return st;
}

void rag_file_unmap(rag_map *m)
{
    union {
        const unsigned char *c;
        void *p;
    } u = {m->ptr};

    if (m->ptr != NULL)
        (void)munmap(u.p, m->len);
    m->ptr = NULL;
    m->len = 0;
}

rag_status rag_file_mkdirs(const char *path, rag_error *err)
{
    char *p = rag_strdup(path);
    rag_status st = RAG_OK;

    if (p == NULL)
        return rag_fail_nomem(err);
    for (char *s = p + 1;; s++) {
        char keep = *s;

        if (keep != '/' && keep != '\0')
            continue;
        *s = '\0';
        if (mkdir(p, 0700) != 0 && errno != EEXIST) {
            int e = errno;
            struct stat sb;

            /* EROFS, EACCES on a part that is there is no failure */
            if (stat(p, &sb) != 0 || !S_ISDIR(sb.st_mode)) {
                st = rag_fail_errno(err, e, "cannot create the folder %s", p);
                break;
            }
        }
        *s = keep;
        if (keep == '\0')
            break;
    }
    rag_free(p);
    return st;
}

char *rag_file_join(const char *dir, const char *name)
{
    size_t nd = strlen(dir);
    size_t nn = strlen(name);
    char *p = rag_malloc(nd + nn + 2);

    if (p == NULL)
        return NULL;
    memcpy(p, dir, nd);
    if (nd != 0 && dir[nd - 1] != '/')
        p[nd++] = '/';
    memcpy(p + nd, name, nn + 1);
    return p;
}

rag_status rag_file_real(char **out, const char *path, rag_error *err)
{
    char *real = realpath(path, NULL);

    *out = NULL;
    if (real == NULL)
        return rag_fail_errno(err, errno, "%s", path);
    *out = rag_strdup(real);
    free(real); /* libc's memory */
    return *out != NULL ? RAG_OK : rag_fail_nomem(err);
}

const char *rag_file_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;

    return strcmp(*x, *y);
}

void rag_names_dispose(rag_names *l)
{
    for (size_t i = 0; i < l->n; i++)
        rag_free(l->list[i]);
    rag_free(l->list);
    *l = (rag_names){NULL, 0, 0};
}

rag_status rag_file_list(rag_names *out, int fd, rag_error *err)
{
    rag_names l = {NULL, 0, 0};
    DIR *d = fdopendir(fd);
    rag_status st = RAG_OK;

    *out = l;
    if (d == NULL) {
        st = rag_fail_errno(err, errno, "cannot be listed");
        (void)close(fd);
        return st;
    }
    for (;;) {
        struct dirent *e;
        char *copy;

        errno = 0;
        e = readdir(d);
        if (e == NULL) {
            if (errno != 0)
                st = rag_fail_errno(err, errno, "cannot be listed to its end");
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        copy = rag_strdup(e->d_name);
        if (copy == NULL ||
            !rag_mem_grow(&l.list, &l.cap, l.n + 1, sizeof *l.list)) {
            rag_free(copy);
            st = rag_fail_nomem(err);
            break;
        }
        l.list[l.n++] = copy;
    }
    (void)closedir(d);
    if (st != RAG_OK) {
        rag_names_dispose(&l);
        return st;
    }
    if (l.n != 0)
        qsort(l.list, l.n, sizeof *l.list, by_name);
    *out = l;
    return RAG_OK;
}
