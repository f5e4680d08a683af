/* Any bytes as a text: the ids are those of the model, as many as are counted,
 * the same when fewer fit, and the vector is of unit length. */

#include <math.h>
#include <stdint.h>
#include <sys/mman.h>

#include "tiny_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAP 4096u
#define FEW 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rag_encoder *e;
    static int32_t ids[CAP];
    rag_str text = rag_str_n((const char *)data, size);
    int32_t few[FEW + 1];
    float v[TINY_HIDDEN];
    double sum = 0.0;
    rag_error err;
    size_t n;
    size_t m;
    int fd;

    if (e == NULL) {
        OK(tiny_open(&e, &fd, tiny_model()->ptr, tiny_model()->len, &err),
           &err);
        (void)close(fd);
    }
    OK(rag_encoder_tokens(ids, CAP, &n, e, text, &err), &err);
    assert_true(n >= 2);
    for (size_t i = 0; i < n && i < CAP; i++)
        assert_true(ids[i] >= 0 &&
                    ids[i] < (int32_t)(TINY_PIECES + TINY_ROWS_MORE));
    few[FEW] = -7;
    OK(rag_encoder_tokens(few, FEW, &m, e, text, &err), &err);
    assert_int_equal(m, n);
    assert_int_equal(few[FEW], -7);
    assert_memory_equal(few, ids, sizeof *ids * (n < FEW ? n : FEW));
    if (size > 2000) /* enough windows */
        return 0;
    OK(rag_encoder_run(v, e, &text, 1, NULL, NULL, &err), &err);
    for (size_t i = 0; i < TINY_HIDDEN; i++)
        sum += (double)v[i] * (double)v[i];
    assert_true(fabs(sum - 1.0) < 1e-3);
    return 0;
}
