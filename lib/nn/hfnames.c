#include "nn/hfnames.h"

typedef struct known {
    const char *name; /* behind the layer's number, where there is one */
    rag_source_part part;
} known;

static const known bert_top[] = {
    {"embeddings.word_embeddings.weight", RAG_PART_WORDS},
    {"embeddings.position_embeddings.weight", RAG_PART_POSITIONS},
    {"embeddings.token_type_embeddings.weight", RAG_PART_TYPES},
    {"embeddings.LayerNorm.weight", RAG_PART_EMBED_NORM_W},
    {"embeddings.LayerNorm.bias", RAG_PART_EMBED_NORM_B},
    {NULL, RAG_PART_WORDS},
};

static const known bert_layer[] = {
    {"attention.self.query.weight", RAG_PART_Q_W},
    {"attention.self.query.bias", RAG_PART_Q_B},
    {"attention.self.key.weight", RAG_PART_K_W},
    {"attention.self.key.bias", RAG_PART_K_B},
    {"attention.self.value.weight", RAG_PART_V_W},
    {"attention.self.value.bias", RAG_PART_V_B},
    {"attention.output.dense.weight", RAG_PART_MIX_W},
    {"attention.output.dense.bias", RAG_PART_MIX_B},
    {"attention.output.LayerNorm.weight", RAG_PART_NORM1_W},
    {"attention.output.LayerNorm.bias", RAG_PART_NORM1_B},
    {"intermediate.dense.weight", RAG_PART_UP_W},
    {"intermediate.dense.bias", RAG_PART_UP_B},
    {"output.dense.weight", RAG_PART_DOWN_W},
    {"output.dense.bias", RAG_PART_DOWN_B},
    {"output.LayerNorm.weight", RAG_PART_NORM2_W},
    {"output.LayerNorm.bias", RAG_PART_NORM2_B},
    /* DistilBERT's */
    {"attention.q_lin.weight", RAG_PART_Q_W},
    {"attention.q_lin.bias", RAG_PART_Q_B},
    {"attention.k_lin.weight", RAG_PART_K_W},
    {"attention.k_lin.bias", RAG_PART_K_B},
    {"attention.v_lin.weight", RAG_PART_V_W},
    {"attention.v_lin.bias", RAG_PART_V_B},
    {"attention.out_lin.weight", RAG_PART_MIX_W},
    {"attention.out_lin.bias", RAG_PART_MIX_B},
    {"sa_layer_norm.weight", RAG_PART_NORM1_W},
    {"sa_layer_norm.bias", RAG_PART_NORM1_B},
    {"ffn.lin1.weight", RAG_PART_UP_W},
    {"ffn.lin1.bias", RAG_PART_UP_B},
    {"ffn.lin2.weight", RAG_PART_DOWN_W},
    {"ffn.lin2.bias", RAG_PART_DOWN_B},
    {"output_layer_norm.weight", RAG_PART_NORM2_W},
    {"output_layer_norm.bias", RAG_PART_NORM2_B},
    {NULL, RAG_PART_WORDS},
};

static const known modern_top[] = {
    {"embeddings.tok_embeddings.weight", RAG_PART_WORDS},
    {"embeddings.norm.weight", RAG_PART_EMBED_NORM_W},
    {"embeddings.norm.bias", RAG_PART_EMBED_NORM_B},
    {"final_norm.weight", RAG_PART_FINAL_NORM_W},
    {"final_norm.bias", RAG_PART_FINAL_NORM_B},
    {NULL, RAG_PART_WORDS},
};

static const known modern_layer[] = {
    {"attn_norm.weight", RAG_PART_NORM1_W},
    {"attn_norm.bias", RAG_PART_NORM1_B},
    {"attn.Wqkv.weight", RAG_PART_QKV_W},
    {"attn.Wqkv.bias", RAG_PART_QKV_B},
    {"attn.Wo.weight", RAG_PART_MIX_W},
    {"attn.Wo.bias", RAG_PART_MIX_B},
    {"mlp_norm.weight", RAG_PART_NORM2_W},
    {"mlp_norm.bias", RAG_PART_NORM2_B},
    {"mlp.Wi.weight", RAG_PART_UP_W},
    {"mlp.Wi.bias", RAG_PART_UP_B},
    {"mlp.Wo.weight", RAG_PART_DOWN_W},
    {"mlp.Wo.bias", RAG_PART_DOWN_B},
    {NULL, RAG_PART_WORDS},
};

/* Heads of cross-encoders; an embedding model's pooler is not used. */
static const known head_bert[] = {
    {"pooler.dense.weight", RAG_PART_HEAD_DENSE_W},
    {"pooler.dense.bias", RAG_PART_HEAD_DENSE_B},
    {"classifier.weight", RAG_PART_HEAD_OUT_W},
    {"classifier.bias", RAG_PART_HEAD_OUT_B},
    {NULL, RAG_PART_WORDS},
};

static const known head_xlmr[] = {
    {"classifier.dense.weight", RAG_PART_HEAD_DENSE_W},
    {"classifier.dense.bias", RAG_PART_HEAD_DENSE_B},
    {"classifier.out_proj.weight", RAG_PART_HEAD_OUT_W},
    {"classifier.out_proj.bias", RAG_PART_HEAD_OUT_B},
    {NULL, RAG_PART_WORDS},
};

static const known head_modern[] = {
    {"head.dense.weight", RAG_PART_HEAD_DENSE_W},
    {"head.dense.bias", RAG_PART_HEAD_DENSE_B},
    {"head.norm.weight", RAG_PART_HEAD_NORM_W},
    {"head.norm.bias", RAG_PART_HEAD_NORM_B},
    {"classifier.weight", RAG_PART_HEAD_OUT_W},
    {"classifier.bias", RAG_PART_HEAD_OUT_B},
    {NULL, RAG_PART_WORDS},
};

/* Takes off what wrappers put in front: sentence-transformers, the class with a
 * head, a parallel trainer. */
static rag_str without_prefix(rag_str name)
{
    static const char *const prefixes[] = {"0.",     "auto_model.", "module.",
                                           "bert.",  "roberta.",    "model.",
                                           "inner.", "distilbert.", NULL};
    bool again = true;

    while (again) {
        again = false;
        for (size_t i = 0; prefixes[i] != NULL; i++) {
            if (rag_str_starts(name, prefixes[i])) {
                name = rag_str_cut(name, rag_str_of(prefixes[i]).len, name.len);
                again = true;
            }
        }
    }
    return name;
}

static bool is_name(rag_str name, const char *want)
{
    rag_str w = rag_str_of(want);
    rag_str old = name;

    if (rag_str_eq(name, w))
        return true;
    /* names of TensorFlow's days */
    if (rag_str_ends(old, ".gamma") && rag_str_ends(w, ".weight"))
        return rag_str_eq(rag_str_cut(old, 0, old.len - 6),
                          rag_str_cut(w, 0, w.len - 7));
    if (rag_str_ends(old, ".beta") && rag_str_ends(w, ".bias"))
        return rag_str_eq(rag_str_cut(old, 0, old.len - 5),
                          rag_str_cut(w, 0, w.len - 5));
    return false;
}

static bool look_up(rag_source_part *part, const known *table, rag_str name)
{
    for (; table->name != NULL; table++) {
        if (is_name(name, table->name)) {
            *part = table->part;
            return true;
        }
    }
    return false;
}

/* "PREFIX12.rest" -> 12, rest */
static bool take_layer(uint32_t *layer, rag_str *name, const char *prefix)
{
    rag_str rest;
    uint64_t n;
    size_t dot;

    if (!rag_str_starts(*name, prefix))
        return false;
    rest = rag_str_cut(*name, rag_str_of(prefix).len, name->len);
    dot = rag_str_find_char(rest, '.');
    if (dot == SIZE_MAX || dot > 4 ||
        !rag_str_u64(&n, rag_str_cut(rest, 0, dot)))
        return false;
    *layer = (uint32_t)n;
    *name = rag_str_cut(rest, dot + 1, rest.len);
    return true;
}

bool rag_hfnames_find(rag_source_part *part, uint32_t *layer,
                      rag_source_arch arch, rag_source_head head, rag_str name)
{
    bool modern = arch == RAG_ARCH_MODERNBERT;
    const known *top = modern ? modern_top : bert_top;
    const known *in_head = NULL;

    *layer = 0;
    name = without_prefix(name);
    switch (head) {
    case RAG_HEAD_NONE:
        break;
    case RAG_HEAD_BERT:
        in_head = head_bert;
        break;
    case RAG_HEAD_XLMR:
        in_head = head_xlmr;
        break;
    case RAG_HEAD_MODERNBERT:
        in_head = head_modern;
        break;
    }
    if (look_up(part, top, name) ||
        (in_head != NULL && look_up(part, in_head, name)))
        return true;
    if (!take_layer(layer, &name, modern ? "layers." : "encoder.layer.") &&
        (modern || !take_layer(layer, &name, "transformer.layer.")))
        return false;
    return look_up(part, modern ? modern_layer : bert_layer, name);
}

bool rag_hfnames_is_matrix(rag_source_part part)
{
    switch (part) {
    case RAG_PART_WORDS:
    case RAG_PART_POSITIONS:
    case RAG_PART_TYPES:
    case RAG_PART_Q_W:
    case RAG_PART_K_W:
    case RAG_PART_V_W:
    case RAG_PART_QKV_W:
    case RAG_PART_MIX_W:
    case RAG_PART_UP_W:
    case RAG_PART_DOWN_W:
    case RAG_PART_HEAD_DENSE_W:
    case RAG_PART_HEAD_OUT_W:
        return true;
    case RAG_PART_EMBED_NORM_W:
    case RAG_PART_EMBED_NORM_B:
    case RAG_PART_Q_B:
    case RAG_PART_K_B:
    case RAG_PART_V_B:
    case RAG_PART_QKV_B:
    case RAG_PART_MIX_B:
    case RAG_PART_NORM1_W:
    case RAG_PART_NORM1_B:
    case RAG_PART_UP_B:
    case RAG_PART_DOWN_B:
    case RAG_PART_NORM2_W:
    case RAG_PART_NORM2_B:
    case RAG_PART_FINAL_NORM_W:
    case RAG_PART_FINAL_NORM_B:
    case RAG_PART_HEAD_DENSE_B:
    case RAG_PART_HEAD_NORM_W:
    case RAG_PART_HEAD_NORM_B:
    case RAG_PART_HEAD_OUT_B:
        break;
    }
    return false;
}
