#ifndef RAG_MODEL_FLOATS_H
#define RAG_MODEL_FLOATS_H

/*
 * floats — lifts arrays of numbers out of a JSON text before it is parsed.
 *
 * A reply with vectors is almost nothing but numbers; a general parser spends
 * a heap block on each. Here every array that holds only numbers goes to one
 * float array, and [k] stands in its place (k: which array it was), so that
 * the rest can be parsed as ever. Text that is no such array is left as it is
 * for the parser to judge.
 *
 * Owns:    its memory, from _init to _dispose.
 * Errors:  RAG_E_LIMIT, RAG_E_NOMEM.
 * Threads: one object per thread.
 */

#include "base/buf.h"
#include "base/json.h"

typedef struct rag_floats {
    rag_buf json;  /* the text with [k] in place of the arrays */
    float *values; /* [n_values] of all arrays, one behind the other */
    size_t n_values;
    size_t *ends; /* [n_arrays] where in values each array ends */
    size_t n_arrays;
    size_t values_cap, ends_cap;
} rag_floats;

void rag_floats_init(rag_floats *f);
void rag_floats_dispose(rag_floats *f);

/* Empties f and lifts the arrays out of text. At most max_values numbers. */
RAG_NODISCARD rag_status rag_floats_lift(rag_floats *f, rag_str text,
                                         size_t max_values, rag_error *err);

/* The numbers of the array that v (a value of f->json, parsed) stands for, or
 * false. Borrowed until the next change of f. */
bool rag_floats_get(const float **values, size_t *n, const rag_floats *f,
                    const rag_json *v);

/* Little-endian float32 in base64 (the other form servers send): appended as
 * one more array. Arrays got before may have moved. RAG_E_FORMAT: it is not
 * that. */
RAG_NODISCARD rag_status rag_floats_base64(const float **values, size_t *n,
                                           rag_floats *f, rag_str base64,
                                           size_t max_values, rag_error *err);

#endif /* RAG_MODEL_FLOATS_H */
