#ifndef RAG_NN_SAFETENSORS_H
#define RAG_NN_SAFETENSORS_H

/*
 * safetensors — the directory of such a file: u64 length of a JSON header, the
 * header, the tensors. Nothing is copied but names.
 *
 * Owns:    the arena holds the list; bytes lie in what was given.
 * Errors:  RAG_E_FORMAT, RAG_E_LIMIT, RAG_E_NOMEM.
 * Threads: safe.
 */

#include "base/arena.h"
#include "base/status.h"
#include "nn/dtype.h"

#define RAG_SAFETENSORS_MAX_AXES 4u

typedef struct rag_safetensor {
    rag_str name;
    bool is_float; /* F32, F16 or BF16, else `type` means nothing */
    rag_dtype type;
    uint64_t shape[RAG_SAFETENSORS_MAX_AXES]; /* [n_axes] */
    size_t n_axes;
    const unsigned char *bytes;
    size_t n_bytes;
} rag_safetensor;

typedef struct rag_safetensors {
    rag_safetensor *list; /* [n] by place in the file */
    size_t n;
} rag_safetensors;

/* Reads the directory of the file at `ptr` [len]: no two tensors overlap or
 * share a name, all lie inside, and floats are as long as their shapes say. */
RAG_NODISCARD rag_status rag_safetensors_read(rag_safetensors *out,
                                              rag_arena *a,
                                              const unsigned char *ptr,
                                              size_t len, rag_error *err);

#endif /* RAG_NN_SAFETENSORS_H */
