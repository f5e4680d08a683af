#include <errno.h>
#include <unistd.h>

#include "doc/reader.h"

bool rag_source_suffix(const rag_source *src, const char *const *suffixes)
{
    rag_str name = rag_str_of(src->name);

    for (; *suffixes != NULL; suffixes++)
        if (rag_str_iends(name, *suffixes))
            return true;
    return false;
}

size_t rag_source_limit(const rag_source *src, size_t own_max_bytes)
{
    size_t asked = src->opts->max_bytes;

    return asked != 0 && asked < own_max_bytes ? asked : own_max_bytes;
}

bool rag_source_cancelled(const rag_source *src)
{
    return src->opts->cancelled != NULL &&
           src->opts->cancelled(src->opts->cancel_ctx);
}

rag_status rag_source_read(size_t *got, const rag_source *src, void *to,
                           size_t n, uint64_t at, rag_error *err)
{
    char *p = to;

    *got = 0;
    while (*got < n) {
        ssize_t k = pread(src->fd, p + *got, n - *got, (off_t)(at + *got));

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return rag_fail_errno(err, errno, "cannot read");
        if (k == 0)
            break;
        *got += (size_t)k;
    }
    return RAG_OK;
}
