#include "nn/onnxsizes.h"

#include <math.h>

#include "nn/source_priv.h"

typedef rag_onnxgraph graph;
typedef rag_onnxgraph_node node;
typedef rag_onnxgraph_tensor tensor;

static bool has_tensor(const graph *g, const char *end)
{
    for (size_t i = 0; i < g->n_tensors; i++)
        if (rag_str_ends(g->tensors[i].name, end))
            return true;
    return false;
}

rag_status rag_onnxsizes_known(const graph *g, rag_error *err)
{
    /* weights of 4 bits; int8 joined with what stands around it */
    static const char *const others[] = {"MatMulNBits",
                                         "MatMulBnb4",
                                         "GatherBlockQuantized",
                                         "QLinearMatMul",
                                         "QGemm",
                                         "QAttention",
                                         "QEmbedLayerNormalization",
                                         "DynamicQuantizeMatMul",
                                         "MatMulIntegerToFloat",
                                         NULL};

    for (size_t i = 0; i < g->n_nodes; i++)
        for (size_t k = 0; others[k] != NULL; k++)
            if (rag_str_eqz(g->nodes[i].op, others[k]))
                return rag_fail(err, RAG_E_UNSUPPORTED,
                                "the graph has the operator %s: take the "
                                "model as it was exported, in fp32 or fp16",
                                others[k]);
    return RAG_OK;
}

rag_status rag_onnxsizes_arch(rag_source *s, const graph *g, rag_error *err)
{
    if (has_tensor(g, "final_norm.weight"))
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "a ModernBERT graph needs the model's config.json "
                        "beside it");
    s->arch = RAG_ARCH_BERT;
    s->head = has_tensor(g, "classifier.out_proj.bias") ? RAG_HEAD_XLMR
              : has_tensor(g, "classifier.bias")        ? RAG_HEAD_BERT
                                                        : RAG_HEAD_NONE;
    if (s->head != RAG_HEAD_NONE)
        s->pooling = RAG_POOL_CLS;
    return RAG_OK;
}

/* Does a node reshape to [.., .., heads, dims]? Then dims, else 0. */
static uint64_t head_dims(const graph *g, const node *n, uint32_t hidden)
{
    tensor t;
    double heads;
    double dims;

    if (rag_onnxgraph_is(n, "Concat") && n->n_inputs == 4) {
        if (!rag_onnxgraph_constant(&t, g, n->inputs[2]) ||
            !rag_onnxgraph_value(&heads, &t, 0) ||
            !rag_onnxgraph_constant(&t, g, n->inputs[3]) ||
            !rag_onnxgraph_value(&dims, &t, 0))
            return 0;
    } else if (rag_onnxgraph_is(n, "Reshape") && n->n_inputs > 1) {
        if (!rag_onnxgraph_constant(&t, g, n->inputs[1]) ||
            rag_onnxgraph_count(&t) != 4 ||
            !rag_onnxgraph_value(&heads, &t, 2) ||
            !rag_onnxgraph_value(&dims, &t, 3))
            return 0;
    } else {
        return 0;
    }
    if (dims < 1 || dims > hidden || fmod(hidden, dims) != 0 ||
        (heads != -1 && heads * dims != hidden))
        return 0;
    return (uint64_t)dims;
}

/* Attention in one node. */
static bool is_attention(const node *n)
{
    return rag_onnxgraph_is(n, "Attention") ||
           rag_onnxgraph_is(n, "MultiHeadAttention");
}

static rag_status guess_heads(rag_source *s, const graph *g, rag_error *err)
{
    uint64_t dims = 0;

    for (size_t i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];
        uint64_t d = head_dims(g, n, s->hidden);
        double heads;

        if (is_attention(n) && rag_onnxgraph_number(&heads, n, "num_heads") &&
            heads >= 1 && heads <= s->hidden && fmod(s->hidden, heads) == 0)
            d = s->hidden / (uint64_t)heads;
        if (d != 0 && dims != 0 && d != dims)
            dims = UINT64_MAX;
        else if (d != 0)
            dims = d;
    }
    if (dims == 0 || dims > s->hidden)
        return rag_fail(err, RAG_E_FORMAT,
                        "the graph does not tell the number of attention "
                        "heads: put the model's config.json beside it");
    s->n_heads = (uint32_t)(s->hidden / dims);
    return RAG_OK;
}

/* Of the first norm: an attribute, or what is added to the mean of squares. */
static void guess_eps(rag_source *s, const graph *g)
{
    s->norm_eps = 1e-12f;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];
        tensor t;
        double eps = 0;

        if (rag_onnxgraph_is(n, "LayerNormalization")) {
            if (!rag_onnxgraph_number(&eps, n, "epsilon"))
                eps = 1e-5; /* the operator's default */
        } else if (rag_onnxgraph_is(n, "EmbedLayerNormalization") ||
                   rag_onnxgraph_is(n, "SkipLayerNormalization")) {
            if (!rag_onnxgraph_number(&eps, n, "epsilon"))
                eps = 1e-12;
        } else if (rag_onnxgraph_is(n, "Add") && n->n_inputs == 2 &&
                   rag_onnxgraph_is(rag_onnxgraph_maker(g, n->inputs[0]),
                                    "ReduceMean") &&
                   rag_onnxgraph_constant(&t, g, n->inputs[1])) {
            if (!rag_onnxgraph_value(&eps, &t, 0))
                continue;
        } else {
            continue;
        }
        if (eps > 0 && eps < 0.01)
            s->norm_eps = (float)eps;
        return;
    }
}

static bool find_act(rag_source_act *out, const graph *g)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];
        rag_str kind;

        *out = RAG_ACT_GELU;
        if (rag_onnxgraph_is(n, "Erf") || rag_onnxgraph_is(n, "BiasGelu"))
            return true;
        if (rag_onnxgraph_is(n, "Gelu") &&
            (!rag_onnxgraph_text(&kind, n, "approximate") ||
             rag_str_eqz(kind, "none")))
            return true;
        *out = RAG_ACT_TANH_GELU;
        if (rag_onnxgraph_is(n, "FastGelu"))
            return true;
    }
    return false;
}

rag_status rag_onnxsizes_guess(rag_source *s, const graph *g, rag_error *err)
{
    const rag_source_tensor *words = rag_source_find(s, RAG_PART_WORDS, 0);
    const rag_source_tensor *up = rag_source_find(s, RAG_PART_UP_B, 0);
    rag_status st;

    if (words == NULL || up == NULL)
        return rag_fail(err, RAG_E_FORMAT,
                        "no BERT: embeddings or layers under their names are "
                        "missing in the graph");
    if (!find_act(&s->act, g))
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "the graph has no GELU by erf: another activation is "
                        "not supported");
    s->hidden = (uint32_t)words->n_cols;
    s->ffn = (uint32_t)up->n_cols;
    for (size_t i = 0; i < s->n_tensors; i++)
        if (s->tensors[i].layer >= s->n_layers)
            s->n_layers = s->tensors[i].layer + 1;
    guess_eps(s, g);
    st = guess_heads(s, g, err);
    return st;
}

rag_status rag_onnxsizes_attention(const rag_source *s, const graph *g,
                                   rag_error *err)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];
        double root = sqrt((double)s->hidden / s->n_heads);
        double v;

        if (!is_attention(n))
            continue;
        if (rag_onnxgraph_number(&v, n, "num_heads") && v != s->n_heads)
            return rag_fail(err, RAG_E_FORMAT,
                            "an Attention of %.0f heads in a model of %u", v,
                            s->n_heads);
        if ((rag_onnxgraph_number(&v, n, "unidirectional") && v != 0) ||
            (rag_onnxgraph_number(&v, n, "scale") && v != 0 &&
             fabs(v * root - 1.0) > 1e-3))
            return rag_fail(err, RAG_E_UNSUPPORTED,
                            "an Attention with a mask or a scale of its own");
    }
    return RAG_OK;
}
