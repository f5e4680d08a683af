/* An ONNX file as a BERT, without and with sizes from elsewhere: every tensor
 * that comes out can be read to its end. */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "nn/onnx.h"
#include "nn/source_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tensor(const rag_source_tensor *t)
{
    size_t n = (size_t)(t->n_rows * t->n_cols);
    uint64_t n_out = t->transposed ? t->n_cols : t->n_rows;
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        float x;

        rag_dtype_values(&x, t->type, t->bytes + rag_dtype_bytes(t->type, i),
                         1);
    }
    if ((t->scales != NULL) != (t->n_scales != 0) ||
        (t->n_scales > 1 && t->n_scales != n_out))
        abort();
    for (size_t i = 0; i < t->n_scales; i++)
        sum += (double)t->scales[i] + (double)t->zeros[i];
    if (sum != sum)
        abort();
}

static void read_as(rag_source_arch arch, bool has_config, rag_str file)
{
    uint32_t first;
    rag_source s;
    rag_error err;

    rag_error_clear(&err);
    if (rag_source_begin(&s, &err) == RAG_OK) {
        s.arch = arch;
        if (rag_onnx_read(&s, &first, file, has_config, &err) == RAG_OK) {
            if (!has_config && (s.n_heads == 0 || s.hidden % s.n_heads != 0))
                abort();
            if (rag_source_cut_positions(&s, first, 0, &err) != RAG_OK &&
                err.msg[0] == '\0')
                abort();
            for (size_t i = 0; i < s.n_tensors; i++)
                check_tensor(&s.tensors[i]);
        } else if (err.msg[0] == '\0') {
            abort();
        }
    }
    rag_source_close(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_str file = rag_str_n((const char *)data, size);

    read_as(RAG_ARCH_BERT, false, file);
    read_as(RAG_ARCH_BERT, true, file);
    read_as(RAG_ARCH_MODERNBERT, true, file);
    return 0;
}
