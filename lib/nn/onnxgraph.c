/*
 * Field numbers are those of onnx.proto. Two passes over the graph: how many
 * tensors and nodes there are, then each. Both tables are looked into by name
 * through an order, so that a file made to be slow cannot be.
 */
#include "nn/onnxgraph.h"

#include <stdlib.h>
#include <string.h>

#include "nn/pbwire.h"

/* An exported encoder of 24 layers has some 2,500 nodes and 500 tensors. */
#define MAX_NODES 65536u
#define MAX_TENSORS 16384u
/* of one node; a Concat of everything has not many more */
#define MAX_ENDS 256u

enum {
    MODEL_GRAPH = 7,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_S = 4,
    ATTRIBUTE_T = 5,
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_FLOATS = 4,
    TENSOR_INT32S = 5,
    TENSOR_INT64S = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    TENSOR_LOCATION = 14
};

static rag_status malformed(rag_error *err)
{
    return rag_fail(err, RAG_E_FORMAT, "not an ONNX file, or cut off");
}

static void add_axis(rag_onnxgraph_tensor *t, uint64_t n)
{
    if (t->n_axes == RAG_ONNXGRAPH_MAX_AXES)
        t->too_many_axes = true;
    else
        t->shape[t->n_axes++] = n;
}

static bool read_tensor(rag_onnxgraph_tensor *t, rag_str message)
{
    rag_pbwire r = rag_pbwire_of(message);
    rag_pbwire_field f;

    memset(t, 0, sizeof *t);
    while (rag_pbwire_next(&f, &r)) {
        if (f.no == TENSOR_DIMS && f.is_bytes) {
            rag_pbwire dims = rag_pbwire_of(f.bytes);
            uint64_t n;

            while (dims.at < dims.len && rag_pbwire_varint(&n, &dims))
                add_axis(t, n);
            if (dims.bad)
                return false;
        } else if (f.no == TENSOR_DIMS) {
            add_axis(t, f.value);
        } else if (f.no == TENSOR_TYPE && !f.is_bytes) {
            t->type = f.value <= 1000 ? (uint32_t)f.value : 0;
        } else if (f.no == TENSOR_LOCATION && !f.is_bytes) {
            t->is_external = f.value != 0;
        } else if (f.no == TENSOR_NAME && f.is_bytes) {
            t->name = f.bytes;
        } else if ((f.no == TENSOR_RAW || f.no == TENSOR_FLOATS) &&
                   f.is_bytes && f.bytes.len != 0) {
            t->raw = f.bytes;
        } else if ((f.no == TENSOR_INT32S || f.no == TENSOR_INT64S) &&
                   f.is_bytes) {
            t->ints = f.bytes;
        }
    }
    return !r.bad;
}

static rag_status read_node(rag_onnxgraph_node *n, rag_arena *a,
                            rag_str message, rag_error *err)
{
    rag_pbwire r = rag_pbwire_of(message);
    rag_pbwire_field f;
    size_t n_in = 0;
    size_t n_out = 0;

    n->message = message;
    while (rag_pbwire_next(&f, &r)) {
        n_in += f.no == NODE_INPUT;
        n_out += f.no == NODE_OUTPUT;
    }
    if (r.bad)
        return malformed(err);
    if (n_in > MAX_ENDS || n_out > MAX_ENDS)
        return rag_fail(err, RAG_E_LIMIT, "a node of more than %u inputs",
                        MAX_ENDS);
    n->inputs = rag_arena_array(a, n_in + 1, sizeof *n->inputs);
    n->outputs = rag_arena_array(a, n_out + 1, sizeof *n->outputs);
    if (n->inputs == NULL || n->outputs == NULL)
        return rag_fail_nomem(err);
    r = rag_pbwire_of(message);
    while (rag_pbwire_next(&f, &r)) {
        if (f.no == NODE_INPUT)
            n->inputs[n->n_inputs++] = f.bytes;
        else if (f.no == NODE_OUTPUT)
            n->outputs[n->n_outputs++] = f.bytes;
        else if (f.no == NODE_NAME)
            n->name = f.bytes;
        else if (f.no == NODE_OP)
            n->op = f.bytes;
    }
    return RAG_OK;
}

static int tensor_order(const void *a, const void *b)
{
    const rag_onnxgraph_tensor *x = a;
    const rag_onnxgraph_tensor *y = b;

    return rag_str_cmp(x->name, y->name);
}

static int output_order(const void *a, const void *b)
{
    const rag_onnxgraph_output *x = a;
    const rag_onnxgraph_output *y = b;

    return rag_str_cmp(x->name, y->name);
}

static rag_status put_in_order(rag_onnxgraph *g, rag_arena *a, rag_error *err)
{
    size_t n = 0;

    qsort(g->tensors, g->n_tensors, sizeof *g->tensors, tensor_order);
    for (size_t i = 1; i < g->n_tensors; i++)
        if (rag_str_eq(g->tensors[i - 1].name, g->tensors[i].name))
            return rag_fail(err, RAG_E_FORMAT, "a tensor is there twice");
    for (size_t i = 0; i < g->n_nodes; i++)
        n += g->nodes[i].n_outputs;
    g->outputs = rag_arena_array(a, n + 1, sizeof *g->outputs);
    if (g->outputs == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < g->n_nodes; i++)
        for (size_t k = 0; k < g->nodes[i].n_outputs; k++)
            g->outputs[g->n_outputs++] =
                (rag_onnxgraph_output){g->nodes[i].outputs[k], (uint32_t)i};
    qsort(g->outputs, g->n_outputs, sizeof *g->outputs, output_order);
    return RAG_OK;
}

static rag_status read_graph(rag_onnxgraph *g, rag_arena *a, rag_str message,
                             rag_error *err)
{
    rag_pbwire r = rag_pbwire_of(message);
    rag_pbwire_field f;
    size_t n_nodes = 0;
    size_t n_tensors = 0;
    rag_status st = RAG_OK;

    while (rag_pbwire_next(&f, &r)) {
        n_nodes += f.no == GRAPH_NODE;
        n_tensors += f.no == GRAPH_INITIALIZER;
    }
    if (r.bad)
        return malformed(err);
    if (n_nodes > MAX_NODES || n_tensors > MAX_TENSORS)
        return rag_fail(err, RAG_E_LIMIT,
                        "a graph of more than %u nodes or %u tensors",
                        MAX_NODES, MAX_TENSORS);
    g->nodes = rag_arena_array(a, n_nodes + 1, sizeof *g->nodes);
    g->tensors = rag_arena_array(a, n_tensors + 1, sizeof *g->tensors);
    if (g->nodes == NULL || g->tensors == NULL)
        return rag_fail_nomem(err);
    r = rag_pbwire_of(message);
    while (rag_pbwire_next(&f, &r)) {
        if (f.no == GRAPH_NODE)
            TRY(read_node(&g->nodes[g->n_nodes++], a, f.bytes, err));
        else if (f.no == GRAPH_INITIALIZER &&
                 !read_tensor(&g->tensors[g->n_tensors++], f.bytes))
            return malformed(err);
    }
    st = put_in_order(g, a, err);
out:
    return st;
}

rag_status rag_onnxgraph_read(rag_onnxgraph *out, rag_arena *a, rag_str file,
                              rag_error *err)
{
    rag_pbwire r = rag_pbwire_of(file);
    rag_pbwire_field f;
    rag_str graph = {NULL, 0};

    memset(out, 0, sizeof *out);
    while (rag_pbwire_next(&f, &r)) {
        if (f.no != MODEL_GRAPH)
            continue;
        if (!f.is_bytes || graph.ptr != NULL)
            return malformed(err);
        graph = f.bytes;
    }
    if (r.bad || graph.ptr == NULL)
        return malformed(err);
    return read_graph(out, a, graph, err);
}

const rag_onnxgraph_tensor *rag_onnxgraph_tensor_of(const rag_onnxgraph *g,
                                                    rag_str name)
{
    rag_onnxgraph_tensor key = {.name = name};

    return bsearch(&key, g->tensors, g->n_tensors, sizeof *g->tensors,
                   tensor_order);
}

const rag_onnxgraph_node *rag_onnxgraph_maker(const rag_onnxgraph *g,
                                              rag_str name)
{
    rag_onnxgraph_output key = {name, 0};
    const rag_onnxgraph_output *o = bsearch(&key, g->outputs, g->n_outputs,
                                            sizeof *g->outputs, output_order);

    return o != NULL && name.len != 0 ? &g->nodes[o->node] : NULL;
}

/* The attribute's message. */
static bool attribute_of(rag_str *out, const rag_onnxgraph_node *n,
                         const char *name)
{
    rag_pbwire r = rag_pbwire_of(n->message);
    rag_pbwire_field f;

    while (rag_pbwire_next(&f, &r)) {
        rag_pbwire in;
        rag_pbwire_field g;

        if (f.no != NODE_ATTRIBUTE)
            continue;
        in = rag_pbwire_of(f.bytes);
        while (rag_pbwire_next(&g, &in)) {
            if (g.no == ATTRIBUTE_NAME && rag_str_eqz(g.bytes, name)) {
                *out = f.bytes;
                return true;
            }
        }
    }
    return false;
}

static float float_of(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float f;

    memcpy(&f, &low, sizeof f);
    return f;
}

/* The last field `no` or `or_no` of the attribute: as elsewhere in this format,
 * what comes later counts. */
static bool attribute_field(rag_pbwire_field *out, const rag_onnxgraph_node *n,
                            const char *name, uint32_t no, uint32_t or_no,
                            bool is_bytes)
{
    rag_str message;
    rag_pbwire r;
    rag_pbwire_field f;
    bool found = false;

    if (!attribute_of(&message, n, name))
        return false;
    r = rag_pbwire_of(message);
    while (rag_pbwire_next(&f, &r)) {
        if (f.is_bytes != is_bytes || (f.no != no && f.no != or_no))
            continue;
        *out = f;
        found = true;
    }
    return found;
}

bool rag_onnxgraph_number(double *out, const rag_onnxgraph_node *n,
                          const char *attribute)
{
    rag_pbwire_field f;

    if (!attribute_field(&f, n, attribute, ATTRIBUTE_F, ATTRIBUTE_I, false))
        return false;
    *out = f.no == ATTRIBUTE_F ? (double)float_of(f.value)
                               : (double)(int64_t)f.value;
    return true;
}

bool rag_onnxgraph_text(rag_str *out, const rag_onnxgraph_node *n,
                        const char *attribute)
{
    rag_pbwire_field f;

    if (!attribute_field(&f, n, attribute, ATTRIBUTE_S, ATTRIBUTE_S, true))
        return false;
    *out = f.bytes;
    return true;
}

bool rag_onnxgraph_is(const rag_onnxgraph_node *n, const char *op)
{
    return n != NULL && rag_str_eqz(n->op, op);
}

bool rag_onnxgraph_constant(rag_onnxgraph_tensor *out, const rag_onnxgraph *g,
                            rag_str name)
{
    const rag_onnxgraph_tensor *t = rag_onnxgraph_tensor_of(g, name);
    const rag_onnxgraph_node *n;
    rag_str message;
    rag_pbwire r;
    rag_pbwire_field f;

    if (t != NULL) {
        *out = *t;
        return true;
    }
    n = rag_onnxgraph_maker(g, name);
    if (n == NULL || !rag_str_eqz(n->op, "Constant") ||
        !attribute_of(&message, n, "value"))
        return false;
    r = rag_pbwire_of(message);
    while (rag_pbwire_next(&f, &r))
        if (f.no == ATTRIBUTE_T && f.is_bytes)
            return read_tensor(out, f.bytes);
    return false;
}

uint64_t rag_onnxgraph_count(const rag_onnxgraph_tensor *t)
{
    uint64_t n = 1;

    if (t->too_many_axes)
        return UINT64_MAX;
    for (size_t i = 0; i < t->n_axes; i++) {
        if (t->shape[i] != 0 && n > UINT32_MAX / t->shape[i])
            return UINT64_MAX; /* also what no tensor here needs */
        n *= t->shape[i];
    }
    return n;
}

static bool packed_value(double *out, rag_str ints, size_t i)
{
    rag_pbwire r = rag_pbwire_of(ints);
    uint64_t v = 0;

    for (size_t k = 0; k <= i; k++)
        if (!rag_pbwire_varint(&v, &r))
            return false;
    *out = (double)(int64_t)v;
    return true;
}

bool rag_onnxgraph_value(double *out, const rag_onnxgraph_tensor *t, size_t i)
{
    const unsigned char *p = (const unsigned char *)t->raw.ptr;
    uint64_t n = rag_onnxgraph_count(t);
    int64_t whole;
    float f;

    if (i >= n || n == UINT64_MAX || t->is_external)
        return false;
    if (t->raw.len == 0)
        return t->type != RAG_ONNXGRAPH_FLOAT && packed_value(out, t->ints, i);
    switch (t->type) {
    case RAG_ONNXGRAPH_FLOAT:
        if (t->raw.len / 4 <= i)
            return false;
        rag_dtype_values(&f, RAG_DTYPE_F32, p + 4 * i, 1);
        *out = (double)f;
        return true;
    case RAG_ONNXGRAPH_UINT8:
    case RAG_ONNXGRAPH_INT8:
        if (t->raw.len <= i)
            return false;
        rag_dtype_values(
            &f, t->type == RAG_ONNXGRAPH_INT8 ? RAG_DTYPE_I8 : RAG_DTYPE_U8,
            p + i, 1);
        *out = (double)f;
        return true;
    case RAG_ONNXGRAPH_INT64:
        if (t->raw.len / 8 <= i)
            return false;
        memcpy(&whole, p + 8 * i, sizeof whole);
        *out = (double)whole;
        return true;
    default:
        return false;
    }
}
