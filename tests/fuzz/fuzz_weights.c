/* A model file: opened, and used when that goes well. What comes out must be
 * finite. The hashes are not looked at, as in every run of the program. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "nn/encoder.h"

/* a damaged header may say 8192 tokens of 4096 numbers: hours of work */
#define MOST_DIMS 64u
#define MOST_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(rag_encoder *e)
{
    static const char bytes[] = "\xE4\xB8\x86 \xE4\xB8\x8A\xE4\xB8\x8C a\t\xCC"
                                "\x81 \xED\x95\x9C\xFF\xE1\x84\x92\xE1\x85\xA1";
    const rag_encoder_info *info = rag_encoder_about(e);
    rag_str texts[2] = {rag_str_n(bytes, sizeof bytes - 1), RAG_STR_LIT("")};
    size_t n = info->is_cross ? info->n_labels : info->dims;
    float *out = rag_calloc(2 * n, sizeof *out);
    rag_status st;

    if (out == NULL)
        abort();
    st = info->is_cross
             ? rag_encoder_labels(out, e, texts, texts, 2, NULL, NULL, NULL)
             : rag_encoder_run(out, e, texts, 2, NULL, NULL, NULL);
    for (size_t i = 0; st == RAG_OK && i < 2 * n; i++) {
        if (!isfinite(out[i]))
            abort();
    }
    rag_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("model", MFD_CLOEXEC);
    rag_encoder *e = NULL;
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd < 0 || size > MOST_BYTES ||
        rag_file_write_fd(fd, data, size, path, NULL) != RAG_OK)
        goto out;
    if (rag_encoder_open(&e, path, 1, NULL) == RAG_OK &&
        rag_encoder_about(e)->dims <= MOST_DIMS)
        use(e);
    rag_encoder_close(e);
out:
    if (fd >= 0)
        (void)close(fd);
    return 0;
}
