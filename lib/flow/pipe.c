#include "flow/pipe.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

/* one document through a pipe */
#define MAX_PIPE_BYTES ((size_t)256 << 20)
#define PIPE_READ_BYTES ((size_t)1 << 16)
/* how often Ctrl-C is looked for while a pipe is silent */
#define PIPE_WAIT_MS 100

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

rag_status rag_pipe_spool(int *out, const rag *r, int fd, rag_error *err)
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
