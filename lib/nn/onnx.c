/*
 * Which matrix is which: exporters keep the names of biases and tables, but
 * store the matrix of a layer turned over under a new name ("onnx::MatMul_
 * 1525"). So every product with a stored matrix is looked up, and its place is
 * told by the bias that is added to it or by the node's own name
 * ("/encoder/layer.0/attention/self/query/MatMul").
 *
 * A stored matrix may stand behind nodes that only change how it is written:
 * Transpose, Cast, a product with a scale, DequantizeLinear.
 *
 * ONNX Runtime's optimiser joins nodes (model_O2.onnx and the like): the tables
 * go into EmbedLayerNormalization; queries, keys and values into one matrix of
 * an Attention, whose layer is that of the product it goes into; biases into
 * SkipLayerNormalization, BiasGelu and FastGelu.
 */
#include "nn/onnx.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "nn/hfconf.h"
#include "nn/hfnames.h"
#include "nn/onnxsizes.h"
#include "nn/source_priv.h"

/* nodes between a use and what is stored */
#define MAX_STEPS 6u
#define MAX_NAME 256u

typedef rag_onnxgraph graph;
typedef rag_onnxgraph_node node;
typedef rag_onnxgraph_tensor tensor;

/* A stored matrix or vector as the graph uses it. */
typedef struct stored {
    const tensor *t;
    bool turned; /* by Transpose */
    const tensor *scale;
    const tensor *zero; /* NULL: 0 */
} stored;

/* name + suffix, where such a tensor is there. */
static const tensor *beside(const graph *g, rag_str name, const char *suffix)
{
    char text[MAX_NAME];
    size_t n = strlen(suffix);

    if (name.len + n > sizeof text)
        return NULL;
    if (name.len != 0)
        memcpy(text, name.ptr, name.len);
    memcpy(text + name.len, suffix, n);
    return rag_onnxgraph_tensor_of(g, rag_str_n(text, name.len + n));
}

/* ONNX Runtime's quantiser: NAME_quantized, NAME_scale, NAME_zero_point. */
static bool quantised(stored *out, const graph *g, const tensor *t)
{
    rag_str base = t->name;

    if (!rag_str_ends(base, "_quantized"))
        return false;
    base = rag_str_cut(base, 0, base.len - 10);
    out->scale = beside(g, base, "_scale");
    out->zero = beside(g, base, "_zero_point");
    return out->scale != NULL;
}

/* Follows name back to what is stored. */
static bool find_stored(stored *out, const graph *g, rag_str name)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < MAX_STEPS; i++) {
        const node *n;

        out->t = rag_onnxgraph_tensor_of(g, name);
        if (out->t != NULL)
            return out->scale != NULL || !rag_str_ends(name, "_quantized") ||
                   quantised(out, g, out->t);
        n = rag_onnxgraph_maker(g, name);
        if (n == NULL || n->n_inputs == 0)
            return false;
        name = n->inputs[0];
        if (rag_onnxgraph_is(n, "Transpose")) {
            out->turned = !out->turned;
        } else if (rag_onnxgraph_is(n, "DequantizeLinear") &&
                   n->n_inputs >= 2) {
            out->scale = rag_onnxgraph_tensor_of(g, n->inputs[1]);
            if (n->n_inputs > 2)
                out->zero = rag_onnxgraph_tensor_of(g, n->inputs[2]);
            if (out->scale == NULL || (n->n_inputs > 2 && out->zero == NULL))
                return false;
        } else if (rag_onnxgraph_is(n, "Mul") && n->n_inputs == 2 &&
                   out->scale == NULL) {
            out->scale = rag_onnxgraph_tensor_of(g, n->inputs[1]);
            if (out->scale == NULL)
                return false;
        } else if (!rag_onnxgraph_is(n, "Cast") &&
                   !rag_onnxgraph_is(n, "Identity")) {
            return false;
        }
    }
    return false;
}

/* ---- adding ------------------------------------------------------------ */

/* Scales and zero points into the arena. A scale belongs to an output: a row of
 * a matrix as PyTorch has it, a column of a turned one. */
static rag_status add_scales(rag_source_tensor *out, rag_source *s,
                             const stored *w, rag_error *err)
{
    uint64_t n = rag_onnxgraph_count(w->scale);
    uint64_t n_out = out->transposed ? out->n_cols : out->n_rows;
    size_t last = w->scale->n_axes == 0 ? 0 : w->scale->n_axes - 1;
    float *scales;
    int32_t *zeros;

    if (n != 1 && (n != n_out ||
                   (last == 1 && out->transposed != (w->scale->shape[1] == n))))
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "a matrix with %llu scales for %llu outputs",
                        (unsigned long long)n, (unsigned long long)n_out);
    if (n > w->scale->raw.len / 4)
        return rag_fail(err, RAG_E_FORMAT, "scales that are no floats");
    scales = rag_arena_array(s->arena, (size_t)n, sizeof *scales);
    zeros = rag_arena_array(s->arena, (size_t)n, sizeof *zeros);
    if (scales == NULL || zeros == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        double scale;
        double zero = 0;

        if (!rag_onnxgraph_value(&scale, w->scale, i) || !isfinite(scale) ||
            (w->zero != NULL &&
             !rag_onnxgraph_value(&zero, w->zero,
                                  rag_onnxgraph_count(w->zero) == 1 ? 0 : i)) ||
            fabs(zero) > 255)
            return rag_fail(err, RAG_E_FORMAT,
                            "scales or zero points that are no numbers");
        scales[i] = (float)scale;
        zeros[i] = (int32_t)zero;
    }
    out->scales = scales;
    out->zeros = zeros;
    out->n_scales = (size_t)n;
    return RAG_OK;
}

static bool dtype_of(rag_dtype *out, uint32_t type, bool has_scale)
{
    static const struct {
        uint32_t onnx;
        rag_dtype type;
        bool has_scale;
    } known[] = {{RAG_ONNXGRAPH_FLOAT, RAG_DTYPE_F32, false},
                 {RAG_ONNXGRAPH_FLOAT16, RAG_DTYPE_F16, false},
                 {RAG_ONNXGRAPH_BFLOAT16, RAG_DTYPE_BF16, false},
                 {RAG_ONNXGRAPH_INT8, RAG_DTYPE_I8, true},
                 {RAG_ONNXGRAPH_UINT8, RAG_DTYPE_U8, true}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].onnx == type && known[i].has_scale == has_scale) {
            *out = known[i].type;
            return true;
        }
    }
    return false;
}

static rag_status add(rag_source *s, rag_source_part part, uint32_t layer,
                      const stored *w, bool transposed, rag_error *err)
{
    const tensor *t = w->t;
    int n = t->name.len < 128 ? (int)t->name.len : 128;
    rag_source_tensor out = {.part = part,
                             .layer = layer,
                             .transposed = transposed,
                             .bytes = (const unsigned char *)t->raw.ptr};
    rag_status st = RAG_OK;

    if (t->is_external)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "tensor %.*s is in another file: export the model "
                        "with its weights inside",
                        n, t->name.ptr);
    if (!dtype_of(&out.type, t->type, w->scale != NULL))
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "tensor %.*s: its number format is not supported", n,
                        t->name.ptr);
    if (t->too_many_axes || t->n_axes != (rag_hfnames_is_matrix(part) ? 2 : 1))
        return rag_fail(err, RAG_E_FORMAT, "tensor %.*s: %zu axes", n,
                        t->name.ptr, t->n_axes);
    out.n_rows = t->n_axes == 2 ? t->shape[0] : 1;
    out.n_cols = t->shape[t->n_axes - 1];
    if (w->scale != NULL)
        st = add_scales(&out, s, w, err);
    return st == RAG_OK ? rag_source_add(s, &out, t->raw.len, t->name, err)
                        : st;
}

/* ---- products ---------------------------------------------------------- */

static bool is_product(const node *n)
{
    return rag_onnxgraph_is(n, "MatMul") ||
           rag_onnxgraph_is(n, "MatMulInteger") || rag_onnxgraph_is(n, "Gemm");
}

/* PyTorch's name of the layer, from a node's: "/encoder/layer.0/a/MatMul" ->
 * "encoder.layer.0.a.weight". */
static bool name_by_node(char out[MAX_NAME], const node *n)
{
    size_t end = n->name.len;
    size_t len = 0;

    while (end > 0 && n->name.ptr[end - 1] != '/')
        end--;
    if (end < 2 || end + 8 > MAX_NAME)
        return false;
    for (size_t i = n->name.ptr[0] == '/'; i < end - 1; i++)
        out[len++] = n->name.ptr[i] == '/' ? '.' : n->name.ptr[i];
    memcpy(out + len, ".weight", sizeof ".weight");
    return true;
}

/* The same from a bias: "encoder.layer.0.a.bias". */
static bool name_by_bias(char out[MAX_NAME], rag_str bias)
{
    if (!rag_str_ends(bias, ".bias") || bias.len + 3 > MAX_NAME)
        return false;
    memcpy(out, bias.ptr, bias.len - 4);
    memcpy(out + bias.len - 4, "weight", sizeof "weight");
    return true;
}

static bool is_gemm_turned(const node *n)
{
    double v = 0;

    return rag_onnxgraph_is(n, "Gemm") &&
           rag_onnxgraph_number(&v, n, "transB") && v != 0;
}

/* Queries, keys and values behind each other, where n is what goes into a
 * layer's mix. */
static rag_status add_attention(rag_source *s, const graph *g, const node *n,
                                uint32_t layer, rag_error *err)
{
    stored w;
    stored b;
    rag_status st;

    if (!rag_onnxgraph_is(n, "Attention") || n->n_inputs < 3 ||
        rag_source_find(s, RAG_PART_QKV_W, layer) != NULL ||
        !find_stored(&w, g, n->inputs[1]) || !find_stored(&b, g, n->inputs[2]))
        return RAG_OK;
    TRY(add(s, RAG_PART_QKV_W, layer, &w, !w.turned, err));
    st = add(s, RAG_PART_QKV_B, layer, &b, false, err);
out:
    return st;
}

/* Adds the matrix of product n under PyTorch's name; nothing when that is none
 * of the model's, or when it is there already. */
static rag_status add_product(rag_source *s, const graph *g, const node *n,
                              const char *name, rag_error *err)
{
    rag_source_part part;
    uint32_t layer;
    stored w;
    rag_status st;

    if (!rag_hfnames_find(&part, &layer, s->arch, s->head, rag_str_of(name)) ||
        !rag_hfnames_is_matrix(part) || n->n_inputs < 2 ||
        rag_source_find(s, part, layer) != NULL ||
        !find_stored(&w, g, n->inputs[1]))
        return RAG_OK;
    if (part == RAG_PART_MIX_W)
        TRY(add_attention(s, g, rag_onnxgraph_maker(g, n->inputs[0]), layer,
                          err));
    /* a product takes [n_in x n_out] */
    st = add(s, part, layer, &w, w.turned == is_gemm_turned(n), err);
out:
    return st;
}

/* From the sum of a bias back to the product it is added to. */
static const node *product_below(const graph *g, rag_str name)
{
    for (size_t i = 0; i < MAX_STEPS; i++) {
        const node *n = rag_onnxgraph_maker(g, name);

        if (n == NULL || n->n_inputs == 0)
            return NULL;
        if (is_product(n))
            return n;
        if (!rag_onnxgraph_is(n, "Cast") && !rag_onnxgraph_is(n, "Mul"))
            return NULL;
        name = n->inputs[0]; /* the scales are the second one */
    }
    return NULL;
}

/* The matrix of the product below `sum`, to which `bias` is added. */
static rag_status by_bias(rag_source *s, const graph *g, rag_str sum,
                          rag_str bias, rag_error *err)
{
    char name[MAX_NAME];
    const node *p;

    if (!name_by_bias(name, bias))
        return RAG_OK;
    p = product_below(g, sum);
    return p != NULL ? add_product(s, g, p, name, err) : RAG_OK;
}

static rag_status by_biases(rag_source *s, const graph *g, rag_error *err)
{
    char name[MAX_NAME];
    rag_status st = RAG_OK;

    for (size_t i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];
        const rag_str *in = n->inputs;
        bool sum = rag_onnxgraph_is(n, "Add") ||
                   rag_onnxgraph_is(n, "BiasGelu") ||
                   rag_onnxgraph_is(n, "FastGelu");

        if (rag_onnxgraph_is(n, "Gemm") && n->n_inputs > 2 &&
            name_by_bias(name, in[2]))
            TRY(add_product(s, g, n, name, err));
        if (sum && n->n_inputs == 2) {
            TRY(by_bias(s, g, in[1], in[0], err));
            TRY(by_bias(s, g, in[0], in[1], err));
        }
        /* input, what goes around it, weight, bias, bias of the input */
        if (rag_onnxgraph_is(n, "SkipLayerNormalization") && n->n_inputs == 5)
            TRY(by_bias(s, g, in[0], in[4], err));
    }
out:
    return st;
}

static rag_status by_nodes(rag_source *s, const graph *g, rag_error *err)
{
    char name[MAX_NAME];
    rag_status st = RAG_OK;

    for (size_t i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];

        if (is_product(n) && name_by_node(name, n))
            TRY(add_product(s, g, n, name, err));
    }
out:
    return st;
}

/* ---- what keeps its name ----------------------------------------------- */

/* Vectors under their own names, wherever they are used. */
static rag_status add_vectors(rag_source *s, const graph *g, rag_error *err)
{
    rag_status st = RAG_OK;

    for (size_t i = 0; i < g->n_tensors; i++) {
        stored w = {.t = &g->tensors[i]};
        rag_source_part part;
        uint32_t layer;

        if (rag_hfnames_find(&part, &layer, s->arch, s->head, w.t->name) &&
            !rag_hfnames_is_matrix(part))
            TRY(add(s, part, layer, &w, false, err));
    }
out:
    return st;
}

/* The name a table has behind Cast, Mul, DequantizeLinear or ONNX Runtime's
 * "_quantized". */
static rag_str table_name(rag_str used, const stored *w)
{
    rag_source_part part;
    uint32_t layer;

    if (rag_hfnames_find(&part, &layer, RAG_ARCH_BERT, RAG_HEAD_NONE, used) ||
        rag_hfnames_find(&part, &layer, RAG_ARCH_MODERNBERT, RAG_HEAD_NONE,
                         used))
        return used;
    used = w->t->name;
    if (rag_str_ends(used, "_quantized"))
        used = rag_str_cut(used, 0, used.len - 10);
    return used;
}

static rag_status add_table(rag_source *s, const graph *g, rag_str used,
                            rag_error *err)
{
    rag_source_part part;
    uint32_t layer;
    stored w;

    if (!find_stored(&w, g, used) || w.turned ||
        !rag_hfnames_find(&part, &layer, s->arch, s->head,
                          table_name(used, &w)) ||
        rag_source_find(s, part, layer) != NULL)
        return RAG_OK;
    return add(s, part, layer, &w, false, err);
}

/* Tables of embeddings: what a Gather takes rows of, or all three at once. */
static rag_status add_tables(rag_source *s, const graph *g, rag_error *err)
{
    rag_status st = RAG_OK;

    for (size_t i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];

        if (rag_onnxgraph_is(n, "Gather") && n->n_inputs >= 2)
            TRY(add_table(s, g, n->inputs[0], err));
        if (!rag_onnxgraph_is(n, "EmbedLayerNormalization"))
            continue;
        for (size_t k = 2; k < 5 && k < n->n_inputs; k++)
            TRY(add_table(s, g, n->inputs[k], err));
    }
out:
    return st;
}

/* ---- the whole ---------------------------------------------------------- */

static bool has_op(const graph *g, const char *op)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        if (rag_str_eqz(g->nodes[i].op, op))
            return true;
    return false;
}

rag_status rag_onnx_read(rag_source *s, uint32_t *first_position, rag_str file,
                         bool has_config, rag_error *err)
{
    const rag_source_tensor *out;
    graph g;
    rag_status st;

    *first_position = 0;
    TRY(rag_onnxgraph_read(&g, s->arena, file, err));
    TRY(rag_onnxsizes_known(&g, err));
    if (!has_config)
        TRY(rag_onnxsizes_arch(s, &g, err));
    TRY(add_vectors(s, &g, err));
    TRY(add_tables(s, &g, err));
    TRY(by_biases(s, &g, err));
    TRY(by_nodes(s, &g, err));
    if (!has_config)
        TRY(rag_onnxsizes_guess(s, &g, err));
    TRY(rag_onnxsizes_attention(s, &g, err));
    if (s->arch == RAG_ARCH_BERT)
        TRY(rag_source_check_bert(s, err));
    out = rag_source_find(s, RAG_PART_HEAD_OUT_W, 0);
    if (out != NULL)
        s->n_labels = (uint32_t)(out->transposed ? out->n_cols : out->n_rows);
    /* RoBERTa counts the tokens that are no padding, from 2 */
    if (has_op(&g, "CumSum"))
        *first_position = 2;
out:
    return st;
}

/* ---- files ------------------------------------------------------------- */

/* NAME-tokenizer.json beside NAME.onnx, else tokenizer.json there or above. */
static rag_status read_tokenizer(rag_source *s, const char *path,
                                 const char *dir, const char *above,
                                 rag_error *err)
{
    rag_str stem = rag_str_of(rag_file_base(path));
    bool found;
    rag_buf own;
    rag_status st;

    rag_buf_init(&own, 8192);
    if (rag_str_ends(stem, ".onnx"))
        stem = rag_str_cut(stem, 0, stem.len - 5);
    rag_buf_adds(&own, stem);
    rag_buf_addz(&own, "-tokenizer.json");
    TRY(rag_buf_status(&own, err));
    if (rag_source_exists(dir, own.ptr)) {
        st = rag_source_tokenizer(s, dir, own.ptr, err);
        goto out;
    }
    TRY(rag_source_tokenizer_in(&found, s, dir, err));
    if (!found)
        TRY(rag_source_tokenizer_in(&found, s, above, err));
    if (!found)
        st = rag_fail(err, RAG_E_NOTFOUND,
                      "no tokenizer.json beside the ONNX file");
out:
    rag_buf_dispose(&own);
    return st;
}

static rag_status read_beside(rag_source *s, const char *path, const char *dir,
                              const char *above, rag_error *err)
{
    const char *conf = rag_source_exists(dir, "config.json")     ? dir
                       : rag_source_exists(above, "config.json") ? above
                                                                 : NULL;
    rag_hfconf c;
    uint32_t first;
    rag_map map;
    rag_status st;

    memset(&c, 0, sizeof c);
    if (conf != NULL) {
        TRY(rag_hfconf_folder(s, &c, conf, err));
        TRY(rag_hfconf_known_path(s, &c, conf, err));
    }
    TRY(rag_source_map(&map, s, path, err));
    TRY(rag_onnx_read(s, &first, rag_str_n((const char *)map.ptr, map.len),
                      conf != NULL, err));
    if (conf == NULL)
        c.first_position = first;
    TRY(rag_hfconf_known_path(s, &c, path, err));
    TRY(rag_source_cut_positions(s, c.first_position, c.most_tokens, err));
    TRY(read_tokenizer(s, path, dir, above, err));
    TRY(rag_hfconf_lowercase(s, &c, err));
    st = rag_source_describe(s, path, err);
out:
    return st;
}

static rag_status open_file(rag_source *s, const char *path, rag_error *err)
{
    char *dir = rag_source_folder(path);
    char *above = dir != NULL ? rag_file_join(dir, "..") : NULL;
    rag_status st;

    if (above == NULL)
        st = rag_fail_nomem(err);
    else
        st = read_beside(s, path, dir, above, err);
    rag_free(above);
    rag_free(dir);
    return st;
}

rag_status rag_onnx_open(rag_source *out, const char *path, rag_error *err)
{
    return rag_source_open(out, open_file, path, err);
}
