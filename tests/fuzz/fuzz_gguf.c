/* A GGUF file as an encoder: every tensor that comes out can be read to its
 * end, every id of the tokenizer is in bounds, and it can be built or refused.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "nn/ggufmodel.h"
#include "nn/source_priv.h"
#include "nn/tokens_blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tensor(const rag_source_tensor *t)
{
    size_t n = (size_t)(t->n_rows * t->n_cols);
    size_t block = rag_dtype_block(t->type);
    float x[256];

    if (n % block != 0)
        abort();
    for (size_t i = 0; i < n; i += block)
        rag_dtype_values(x, t->type, t->bytes + rag_dtype_bytes(t->type, i),
                         block);
}

static void check_tokens(const rag_source_tokens *t)
{
    int32_t ids[] = {t->bos, t->eos, t->pad, t->unk};

    for (size_t i = 0; i < 4; i++)
        if (ids[i] >= 0 && (uint32_t)ids[i] >= t->n_pieces)
            abort();
    for (size_t i = 0; i < t->n_merges; i++)
        if (t->merges[i][0] >= t->n_pieces || t->merges[i][1] >= t->n_pieces ||
            t->merged[i] >= t->n_pieces)
            abort();
    for (size_t i = 0; i < t->n_pieces; i++)
        if (t->types[i] > RAG_PIECE_UNUSED ||
            (t->scores != NULL && !(t->scores[i] == t->scores[i])))
            abort();
}

static void build(const rag_source_tokens *t)
{
    rag_tokens_model model;
    rag_error err;
    rag_buf blob;

    rag_error_clear(&err);
    rag_buf_init(&blob, (size_t)1 << 28);
    if (rag_tokens_build(&blob, t, &err) == RAG_OK) {
        if (rag_tokens_model_open(&model, rag_buf_str(&blob), &err) != RAG_OK)
            abort(); /* what was just built */
    } else if (err.msg[0] == '\0') {
        abort();
    }
    rag_buf_dispose(&blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_source s;
    rag_error err;

    rag_error_clear(&err);
    if (rag_source_begin(&s, &err) == RAG_OK) {
        if (rag_ggufmodel_read(&s, data, size, &err) == RAG_OK) {
            for (size_t i = 0; i < s.n_tensors; i++)
                check_tensor(&s.tensors[i]);
            check_tokens(&s.tokens);
            build(&s.tokens);
        } else if (err.msg[0] == '\0') {
            abort();
        }
    }
    rag_source_close(&s);
    return 0;
}
