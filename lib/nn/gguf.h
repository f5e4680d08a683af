#ifndef RAG_NN_GGUF_H
#define RAG_NN_GGUF_H

/*
 * gguf — the container of llama.cpp (versions 2 and 3, little-endian): pairs of
 * key and value, and a directory of tensors. Nothing is copied but the tables;
 * texts and numbers stay where they lie.
 *
 * Owns:    the arena holds the tables; the rest lies in what was given.
 * Errors:  RAG_E_FORMAT, RAG_E_UNSUPPORTED, RAG_E_LIMIT, RAG_E_NOMEM.
 * Threads: safe.
 */

#include "base/arena.h"
#include "base/status.h"
#include "nn/dtype.h"

typedef enum rag_gguf_type {
    RAG_GGUF_U8,
    RAG_GGUF_I8,
    RAG_GGUF_U16,
    RAG_GGUF_I16,
    RAG_GGUF_U32,
    RAG_GGUF_I32,
    RAG_GGUF_F32,
    RAG_GGUF_BOOL,
    RAG_GGUF_STRING,
    RAG_GGUF_ARRAY,
    RAG_GGUF_U64,
    RAG_GGUF_I64,
    RAG_GGUF_F64
} rag_gguf_type;

typedef struct rag_gguf_value {
    rag_str key;
    rag_gguf_type type;       /* of the items where is_array */
    bool is_array;            /* never of arrays */
    uint64_t n;               /* items; 1 without an array */
    const unsigned char *ptr; /* [n_bytes] the items, checked to be whole */
    size_t n_bytes;
} rag_gguf_value;

#define RAG_GGUF_MAX_AXES 4u

typedef struct rag_gguf_tensor {
    rag_str name;
    uint32_t n_axes;
    uint64_t shape[RAG_GGUF_MAX_AXES]; /* [0] lies closest together */
    bool is_known;                     /* else the type is none of ours */
    rag_dtype type;
    const unsigned char *bytes; /* [n_bytes]; NULL unless is_known */
    size_t n_bytes;
} rag_gguf_tensor;

typedef struct rag_gguf {
    rag_gguf_value *values; /* [n_values] */
    size_t n_values;
    rag_gguf_tensor *tensors; /* [n_tensors] by place in the file */
    size_t n_tensors;
} rag_gguf;

/* Reads both tables of the file at ptr [len]. Tensors of known type lie inside
 * and do not overlap; no key and no tensor is there twice. */
RAG_NODISCARD rag_status rag_gguf_read(rag_gguf *out, rag_arena *a,
                                       const unsigned char *ptr, size_t len,
                                       rag_error *err);

/* NULL: no such key. Borrowed. */
const rag_gguf_value *rag_gguf_find(const rag_gguf *g, const char *key);
/* false: no such key, or of another kind. */
bool rag_gguf_str(rag_str *out, const rag_gguf *g, const char *key);
bool rag_gguf_u32(uint32_t *out, const rag_gguf *g, const char *key);
bool rag_gguf_float(float *out, const rag_gguf *g, const char *key);
bool rag_gguf_bool(bool *out, const rag_gguf *g, const char *key);

/* Takes the first string off an array's items; *at starts as ptr. */
rag_str rag_gguf_next_str(const unsigned char **at);

#endif /* RAG_NN_GGUF_H */
