#include "store/vindex_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define KEY_NAME "index.key"

/* Reads a key that only this user can have written and read. found false with
 * a warning: there is a file, but not such a one. */
static rag_status read_key(uint8_t out[RAG_SHA256_BYTES], bool *found,
                           const char *path, rag_error *err)
{
    uint8_t bytes[RAG_SHA256_BYTES + 1];
    const char *wrong = NULL;
    struct stat sb;
    ssize_t n = 0;
    /* O_NONBLOCK: a FIFO in its place must not hold us up */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    *found = false;
    if (fd < 0 && errno == ENOENT)
        return RAG_OK;
    if (fd < 0 && (errno == ELOOP || errno == EACCES || errno == ENXIO)) {
        rag_log(RAG_LOG_WARN, "%s is not a file this user can read: not used",
                path);
        return RAG_OK;
    }
    if (fd < 0)
        return rag_fail_errno(err, errno, "cannot open %s", path);
    if (fstat(fd, &sb) != 0)
        wrong = "cannot be examined";
    else if (!S_ISREG(sb.st_mode))
        wrong = "is not a regular file";
    else if (sb.st_uid != geteuid())
        wrong = "belongs to another user";
    else if ((sb.st_mode & 077) != 0)
        wrong = "is open to other users";
    if (wrong == NULL) {
        do
            n = read(fd, bytes, sizeof bytes);
        while (n < 0 && errno == EINTR);
        if (n != (ssize_t)RAG_SHA256_BYTES)
            wrong = "has the wrong length";
    }
    (void)close(fd); /* only read from */
    if (wrong != NULL) {
        rag_log(RAG_LOG_WARN, "%s %s: not used", path, wrong);
        return RAG_OK;
    }
    memcpy(out, bytes, RAG_SHA256_BYTES);
    *found = true;
    return RAG_OK;
}

static rag_status random_bytes(uint8_t *out, size_t n, rag_error *err)
{
    while (n != 0) {
        ssize_t k = getrandom(out, n, 0);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return rag_fail_errno(err, errno, "cannot get random bytes");
        out += k;
        n -= (size_t)k;
    }
    return RAG_OK;
}

/* Writes a new key beside path and gives it the name. With `replace` whatever
 * had the name is gone; without, the first of two processes wins. */
static rag_status write_key(const char *path, bool replace, rag_error *err)
{
    uint8_t key[RAG_SHA256_BYTES];
    rag_status st;
    rag_buf tmp;
    int fd = -1;

    rag_buf_init(&tmp, 2 * (size_t)FILENAME_MAX);
    rag_buf_addf(&tmp, "%s.tmp%ld", path, (long)getpid());
    TRY(rag_buf_status(&tmp, err));
    TRY(random_bytes(key, sizeof key, err));
    (void)unlink(tmp.ptr); /* of a killed process with this number */
    fd = open(tmp.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
              0600);
    if (fd < 0) {
        st = rag_fail_errno(err, errno, "cannot create %s", tmp.ptr);
        goto out;
    }
    st = rag_file_write_fd(fd, key, sizeof key, tmp.ptr, err);
    /* the umask may have taken bits that we need ourselves */
    if (st == RAG_OK && fchmod(fd, 0600) != 0)
        st = rag_fail_errno(err, errno, "cannot set the mode of %s", tmp.ptr);
    if (st != RAG_OK) {
        (void)close(fd);
        (void)unlink(tmp.ptr);
        goto out;
    }
    if (!replace && link(tmp.ptr, path) == 0) {
        st = fsync(fd) == 0
                 ? RAG_OK
                 : rag_fail_errno(err, errno, "cannot sync %s", path);
        (void)close(fd); /* synced above */
        (void)unlink(tmp.ptr);
    } else if (!replace && errno == EEXIST) {
        (void)close(fd);
        (void)unlink(tmp.ptr);
    } else { /* no hard links here, or to be replaced */
        st = rag_file_commit(fd, tmp.ptr, path, err);
    }
out:
    explicit_bzero(key, sizeof key);
    rag_buf_dispose(&tmp);
    return st;
}

rag_status rag_vindex_key(uint8_t out[RAG_SHA256_BYTES], bool *found,
                          const char *state_dir, bool create, rag_error *err)
{
    char *path = rag_file_join(state_dir, KEY_NAME);
    struct stat sb;
    rag_status st;

    *found = false;
    if (path == NULL)
        return rag_fail_nomem(err);
    TRY(read_key(out, found, path, err));
    if (*found || !create)
        goto out;
    TRY(rag_file_mkdirs(state_dir, err));
    /* a key that others could read or write is replaced: what it covers is a
     * cache, which is made anew */
    TRY(write_key(path, lstat(path, &sb) == 0, err));
    TRY(read_key(out, found, path, err));
    if (!*found)
        st = rag_fail(err, RAG_E_IO, "cannot make %s", path);
out:
    rag_free(path);
    return st;
}
