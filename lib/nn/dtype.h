#ifndef RAG_NN_DTYPE_H
#define RAG_NN_DTYPE_H

/*
 * dtype — numbers as model files store them become floats: halves, bfloat16,
 * and GGUF's quantised blocks.
 *
 * Owns:    nothing.
 * Errors:  none; block sizes are the caller's to check with
 *          rag_dtype_bytes().
 * Threads: safe.
 */

#include <stddef.h>
#include <stdint.h>

typedef enum rag_dtype {
    RAG_DTYPE_F32,
    RAG_DTYPE_F16,
    RAG_DTYPE_BF16,
    RAG_DTYPE_Q4_0,
    RAG_DTYPE_Q4_1,
    RAG_DTYPE_Q5_0,
    RAG_DTYPE_Q5_1,
    RAG_DTYPE_Q8_0,
    RAG_DTYPE_Q4_K,
    RAG_DTYPE_Q5_K,
    RAG_DTYPE_Q6_K,
    RAG_DTYPE_IQ4_NL,
    RAG_DTYPE_I8, /* scales and zero points beside it */
    RAG_DTYPE_U8
} rag_dtype;

/* Values that are stored together: 1, 32 or 256. */
size_t rag_dtype_block(rag_dtype t);
/* Bytes of n values; SIZE_MAX when n is no multiple of the block or it does not
 * fit a size_t. */
size_t rag_dtype_bytes(rag_dtype t, uint64_t n);
/* x [n] = the n values at `bytes`; n a multiple of the block. I8 and U8 as they
 * are. Any bits are taken: NaN and infinity come out as such. */
void rag_dtype_values(float *x, rag_dtype t, const unsigned char *bytes,
                      size_t n);

#endif /* RAG_NN_DTYPE_H */
