#ifndef RAG_TESTS_DATAFILE_H
#define RAG_TESTS_DATAFILE_H

/* Files of tests/data. */

#include "test.h"

#include "base/buf.h"
#include "base/file.h"

/* The whole file, by rag_buf_dispose(). */
static inline rag_buf datafile_read(const char *name)
{
    char path[512];
    rag_error err;
    rag_buf b;

    rag_buf_init(&b, 1 << 24);
    (void)snprintf(path, sizeof path, "%s/%s", RAG_TEST_DATA, name);
    OK(rag_file_read(&b, path, 1 << 24, &err), &err);
    return b;
}

#endif /* RAG_TESTS_DATAFILE_H */
