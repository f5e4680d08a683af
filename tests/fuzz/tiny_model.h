#ifndef RAG_TESTS_TINY_MODEL_H
#define RAG_TESTS_TINY_MODEL_H

/* The bytes of a small model file, imported by this very program, so that a
 * change of the format changes what is fuzzed with it. */

#include "nn_tiny.h"

#include "nn/encoder.h"

static inline const rag_buf *tiny_model(void)
{
    static rag_buf file;
    tiny_places at;
    rag_error err;
    rag_buf in;

    if (file.len != 0)
        return &file;
    tiny_make(&in, &at);
    tiny_write(tiny_path("in"), in.ptr, in.len);
    rag_buf_dispose(&in);
    OK(rag_encoder_import(tiny_path("out"), tiny_path("in"), "tiny", &err),
       &err);
    rag_buf_init(&file, (size_t)1 << 24);
    OK(rag_file_read(&file, tiny_path("out"), (size_t)1 << 23, &err), &err);
    (void)tiny_cleanup(NULL);
    return &file;
}

/* A descriptor whose /proc path is opened as the model file. */
static inline rag_status tiny_open(rag_encoder **e, int *fd, const void *bytes,
                                   size_t n, rag_error *err)
{
    char path[64];

    *fd = memfd_create("model", MFD_CLOEXEC);
    assert_true(*fd >= 0);
    OK(rag_file_write_fd(*fd, bytes, n, "model", err), err);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", *fd);
    return rag_encoder_open(e, path, 1, err);
}

#endif /* RAG_TESTS_TINY_MODEL_H */
