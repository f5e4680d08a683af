/* The directory of a safetensors file: what is listed lies inside it, and its
 * bytes can be read. */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "nn/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_safetensors list;
    rag_arena arena;
    rag_error err;

    rag_error_clear(&err);
    rag_arena_init(&arena);
    if (rag_safetensors_read(&list, &arena, data, size, &err) != RAG_OK) {
        if (err.msg[0] == '\0')
            abort();
        rag_arena_dispose(&arena);
        return 0;
    }
    for (size_t i = 0; i < list.n; i++) {
        const rag_safetensor *t = &list.list[i];
        size_t n = t->is_float ? t->n_bytes / rag_dtype_bytes(t->type, 1) : 0;

        if (t->bytes < data || t->n_bytes > size ||
            t->bytes + t->n_bytes > data + size)
            abort();
        for (size_t k = 0; k < n; k++) {
            float x;

            rag_dtype_values(&x, t->type,
                             t->bytes + rag_dtype_bytes(t->type, k), 1);
        }
    }
    rag_arena_dispose(&arena);
    return 0;
}
