#ifndef RAG_TESTS_DATAFILE_H
#define RAG_TESTS_DATAFILE_H

/* Files of tests/data. */

#include "test.h"

#include <math.h>

#include "base/buf.h"
#include "base/file.h"
#include "nn/weights.h"

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

/* Row i of the unit vectors v [n x dims] against that of a file of float16
 * vectors [n x dims]. */
static inline double datafile_cosine(const rag_buf *halves, const float *v,
                                     size_t i, size_t dims)
{
    double dot = 0.0;
    double square = 0.0;

    for (size_t d = 0; d < dims; d++) {
        uint16_t half;
        double w;

        memcpy(&half, halves->ptr + 2 * (i * dims + d), 2);
        w = (double)rag_weights_half(half);
        dot += w * (double)v[i * dims + d];
        square += w * w;
    }
    return dot / sqrt(square);
}

#endif /* RAG_TESTS_DATAFILE_H */
