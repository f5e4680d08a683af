#ifndef RAG_NN_ONNXGRAPH_H
#define RAG_NN_ONNXGRAPH_H

/*
 * onnxgraph — the graph of an ONNX file: its stored tensors and its nodes, with
 * the questions that finding a model's weights asks of them.
 *
 * Owns:    the arena holds the tables; names and numbers lie in what was given.
 * Errors:  RAG_E_FORMAT, RAG_E_LIMIT, RAG_E_NOMEM.
 * Threads: safe after reading.
 */

#include "base/arena.h"
#include "base/status.h"
#include "nn/dtype.h"

#define RAG_ONNXGRAPH_MAX_AXES 4u

/* TensorProto.DataType, those that matter here. */
typedef enum rag_onnxgraph_type {
    RAG_ONNXGRAPH_FLOAT = 1,
    RAG_ONNXGRAPH_UINT8 = 2,
    RAG_ONNXGRAPH_INT8 = 3,
    RAG_ONNXGRAPH_INT64 = 7,
    RAG_ONNXGRAPH_FLOAT16 = 10,
    RAG_ONNXGRAPH_BFLOAT16 = 16
} rag_onnxgraph_type;

typedef struct rag_onnxgraph_tensor {
    rag_str name;
    uint64_t shape[RAG_ONNXGRAPH_MAX_AXES]; /* [n_axes] */
    size_t n_axes;
    bool too_many_axes;
    bool is_external; /* its numbers are in another file */
    uint32_t type;    /* rag_onnxgraph_type, or one that is not known */
    rag_str raw;      /* little-endian, or empty */
    rag_str ints;     /* the packed varints of small integer tensors */
} rag_onnxgraph_tensor;

typedef struct rag_onnxgraph_node {
    rag_str name;
    rag_str op;
    rag_str *inputs; /* [n_inputs] */
    size_t n_inputs;
    rag_str *outputs; /* [n_outputs] */
    size_t n_outputs;
    rag_str message; /* the whole, for its attributes */
} rag_onnxgraph_node;

typedef struct rag_onnxgraph_output {
    rag_str name;
    uint32_t node;
} rag_onnxgraph_output;

typedef struct rag_onnxgraph {
    rag_onnxgraph_tensor *tensors; /* [n_tensors] by name */
    size_t n_tensors;
    rag_onnxgraph_node *nodes; /* [n_nodes] in the file's order */
    size_t n_nodes;
    rag_onnxgraph_output *outputs; /* [n_outputs] by name */
    size_t n_outputs;
} rag_onnxgraph;

RAG_NODISCARD rag_status rag_onnxgraph_read(rag_onnxgraph *out, rag_arena *a,
                                            rag_str file, rag_error *err);

/* NULL: no stored tensor of that name. */
const rag_onnxgraph_tensor *rag_onnxgraph_tensor_of(const rag_onnxgraph *g,
                                                    rag_str name);
/* The node that makes it; NULL: none. */
const rag_onnxgraph_node *rag_onnxgraph_maker(const rag_onnxgraph *g,
                                              rag_str name);
/* Is it a node of this operator? NULL is none. */
bool rag_onnxgraph_is(const rag_onnxgraph_node *n, const char *op);
/* A stored tensor, or the value of a Constant node. */
bool rag_onnxgraph_constant(rag_onnxgraph_tensor *out, const rag_onnxgraph *g,
                            rag_str name);
/* An attribute that is a number (float or int) or a text. */
bool rag_onnxgraph_number(double *out, const rag_onnxgraph_node *n,
                          const char *attribute);
bool rag_onnxgraph_text(rag_str *out, const rag_onnxgraph_node *n,
                        const char *attribute);

/* Product of the shape; 1 for none. UINT64_MAX: too large. */
uint64_t rag_onnxgraph_count(const rag_onnxgraph_tensor *t);
/* Number i of a tensor of floats or integers; false: none, or another type. */
bool rag_onnxgraph_value(double *out, const rag_onnxgraph_tensor *t, size_t i);

#endif /* RAG_NN_ONNXGRAPH_H */
