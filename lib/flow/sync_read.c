#include "flow/sync_priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/walk.h"

static rag_status got_doc(void *ctx, rag_doc *doc, rag_error *err)
{
    rag_sync_job *j = ctx;
    rag_ready *ready;
    rag_status st =
        rag_ready_new(&ready, doc, &j->s->chunk_opts, rag_str_of(j->path), err);

    if (st != RAG_OK)
        return st;
    return rag_sync_put(&j->s->queue, j, ready, ready->doc->text_len, err);
}

static rag_status hash_file(uint8_t out[RAG_SHA256_BYTES], int fd,
                            const rag_sync *s, rag_error *err)
{
    size_t cap = (size_t)1 << 17;
    rag_sha256 *h = rag_sha256_new();
    unsigned char *b = rag_malloc(cap);
    rag_status st = RAG_OK;

    if (h == NULL || b == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (;;) {
        ssize_t n = read(fd, b, cap);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            st = rag_fail_errno(err, errno, "cannot be read");
            goto out;
        }
        if (n == 0)
            break;
        if (rag_flow_cancelled(s->r)) {
            st = rag_fail(err, RAG_E_CANCELLED, "interrupted");
            goto out;
        }
        rag_sha256_add(h, b, (size_t)n);
    }
    rag_sha256_end(h, out);
    if (lseek(fd, 0, SEEK_SET) != 0)
        st = rag_fail_errno(err, errno, "cannot be read again");
out:
    rag_free(b);
    rag_sha256_free(h);
    return st;
}

static bool cancelled(void *ctx)
{
    return rag_flow_cancelled(ctx);
}

static rag_status read_one(rag_sync_job *j, int fd)
{
    const rag_sync *s = j->s;
    rag_doc_opts o = {
        .type = s->opts->type, .cancelled = cancelled, .cancel_ctx = s->r};
    rag_status st = hash_file(j->look.sha256, fd, s, &j->err);

    if (st != RAG_OK)
        return st;
    if (j->may_equal &&
        memcmp(j->look.sha256, j->old_sha, RAG_SHA256_BYTES) == 0) {
        j->same = true;
        return RAG_OK;
    }
    return rag_doc_read(fd, rag_file_base(j->key[0] != '\0' ? j->key : j->path),
                        &o, got_doc, j, &j->err);
}

int64_t rag_sync_ns(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void rag_sync_look(rag_store_look *look, const struct stat *sb)
{
    look->size_bytes = sb->st_size;
    look->mtime_ns = rag_sync_ns(sb->st_mtim);
    look->ctime_ns = rag_sync_ns(sb->st_ctim);
    look->inode = sb->st_ino;
    look->device = sb->st_dev;
    look->looked_ns = rag_flow_wall_ns();
}

void rag_sync_work(void *job)
{
    rag_sync_job *j = job;
    int fd = j->fd;
    struct stat sb;

    if (rag_flow_cancelled(j->s->r)) {
        j->st = rag_fail(&j->err, RAG_E_CANCELLED, "interrupted");
    } else if (fd < 0) {
        fd = rag_walk_open(j->dir_fd, j->name, j->s->opts->follow);
        if (fd < 0)
            j->st = rag_fail_errno(&j->err, errno, "cannot be opened");
        else if (fstat(fd, &sb) != 0)
            j->st = rag_fail_errno(&j->err, errno, "cannot be looked at");
        else if (!S_ISREG(sb.st_mode))
            j->st = rag_fail(&j->err, RAG_E_UNSUPPORTED,
                             "not a regular file any more");
        else
            rag_sync_look(&j->look,
                          &sb); /* what is read, not what was listed */
    }
    if (j->st == RAG_OK)
        j->st = read_one(j, fd);
    if (fd >= 0)
        (void)close(fd);
    /* an end without memory for its message must still arrive */
    while (rag_sync_put(&j->s->queue, j, NULL, 0, NULL) != RAG_OK)
        (void)usleep(1000);
}
