#include "nn/ggufmodel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/ggufvocab.h"
#include "nn/hfconf.h"
#include "nn/hfnames.h"
#include "nn/source_priv.h"

#define MAX_KEY 96u

typedef struct known {
    const char *name; /* without ".weight", ".bias" */
    rag_source_part weight;
    int bias; /* -1: none */
} known;

static const known top[] = {
    {"token_embd", RAG_PART_WORDS, -1},
    {"position_embd", RAG_PART_POSITIONS, -1},
    {"token_types", RAG_PART_TYPES, -1},
    {"token_embd_norm", RAG_PART_EMBED_NORM_W, RAG_PART_EMBED_NORM_B},
    {"output_norm", RAG_PART_FINAL_NORM_W, RAG_PART_FINAL_NORM_B},
    {"cls", RAG_PART_HEAD_DENSE_W, RAG_PART_HEAD_DENSE_B},
    {"cls.norm", RAG_PART_HEAD_NORM_W, RAG_PART_HEAD_NORM_B},
    {"cls.output", RAG_PART_HEAD_OUT_W, RAG_PART_HEAD_OUT_B},
    {NULL, RAG_PART_WORDS, -1},
};

static const known in_layer[] = {
    {"attn_q", RAG_PART_Q_W, RAG_PART_Q_B},
    {"attn_k", RAG_PART_K_W, RAG_PART_K_B},
    {"attn_v", RAG_PART_V_W, RAG_PART_V_B},
    {"attn_qkv", RAG_PART_QKV_W, RAG_PART_QKV_B},
    {"attn_output", RAG_PART_MIX_W, RAG_PART_MIX_B},
    {"attn_output_norm", RAG_PART_NORM1_W, RAG_PART_NORM1_B}, /* bert */
    {"attn_norm", RAG_PART_NORM1_W, RAG_PART_NORM1_B},        /* modern-bert */
    {"ffn_up", RAG_PART_UP_W, RAG_PART_UP_B},
    {"ffn_down", RAG_PART_DOWN_W, RAG_PART_DOWN_B},
    {"layer_output_norm", RAG_PART_NORM2_W, RAG_PART_NORM2_B}, /* bert */
    {"ffn_norm", RAG_PART_NORM2_W, RAG_PART_NORM2_B},          /* modern-bert */
    {NULL, RAG_PART_WORDS, -1},
};

static bool look_up(rag_source_part *part, const known *table, rag_str name)
{
    bool bias = rag_str_ends(name, ".bias");
    size_t tail = bias ? 5 : 7;

    if (!bias && !rag_str_ends(name, ".weight"))
        return false;
    name = rag_str_cut(name, 0, name.len - tail);
    for (; table->name != NULL; table++) {
        if (!rag_str_eqz(name, table->name))
            continue;
        if (bias && table->bias < 0)
            return false;
        *part = bias ? (rag_source_part)table->bias : table->weight;
        return true;
    }
    return false;
}

/* "blk.12.attn_q.weight" */
static bool find_part(rag_source_part *part, uint32_t *layer, rag_str name)
{
    rag_str rest;
    uint64_t n;
    size_t dot;

    *layer = 0;
    if (!rag_str_starts(name, "blk."))
        return look_up(part, top, name);
    rest = rag_str_cut(name, 4, name.len);
    dot = rag_str_find_char(rest, '.');
    if (dot == SIZE_MAX || dot > 4 ||
        !rag_str_u64(&n, rag_str_cut(rest, 0, dot)))
        return false;
    *layer = (uint32_t)n;
    return look_up(part, in_layer, rag_str_cut(rest, dot + 1, rest.len));
}

static rag_status add_tensor(rag_source *s, const rag_gguf_tensor *t,
                             rag_error *err)
{
    rag_source_tensor out = {.type = t->type, .bytes = t->bytes};
    int n = t->name.len < 64 ? (int)t->name.len : 64;

    /* unlike the files of PyTorch, these hold nothing that is not needed */
    if (!find_part(&out.part, &out.layer, t->name))
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "tensor %.*s is none of this kind of model", n,
                        t->name.ptr);
    if (!t->is_known)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "tensor %.*s: its number format is not supported", n,
                        t->name.ptr);
    if (t->n_axes > 2 || (t->n_axes == 2) != rag_hfnames_is_matrix(out.part)) {
        /* a single row of token types or of a head has lost its axis */
        if (t->n_axes != 1)
            return rag_fail(err, RAG_E_FORMAT, "tensor %.*s: %u axes", n,
                            t->name.ptr, t->n_axes);
    }
    out.n_cols = t->shape[0];
    out.n_rows = t->n_axes == 2 ? t->shape[1] : 1;
    return rag_source_add(s, &out, t->n_bytes, t->name, err);
}

/* A number below the architecture's name. */
static rag_status size_of(uint32_t *out, const rag_gguf *g, const char *arch,
                          const char *what, rag_error *err)
{
    char key[MAX_KEY];

    if (snprintf(key, sizeof key, "%s.%s", arch, what) < 0 ||
        !rag_gguf_u32(out, g, key) || *out == 0 || *out > RAG_SOURCE_MAX_DIMS)
        return rag_fail(err, RAG_E_FORMAT, "%s.%s: no number from 1 to %u",
                        arch, what, RAG_SOURCE_MAX_DIMS);
    return RAG_OK;
}

static rag_status real_of(float *out, const rag_gguf *g, const char *arch,
                          const char *what, float def, rag_error *err)
{
    char key[MAX_KEY];

    *out = def;
    if (snprintf(key, sizeof key, "%s.%s", arch, what) < 0)
        return rag_fail_nomem(err);
    if (rag_gguf_find(g, key) != NULL && !rag_gguf_float(out, g, key))
        *out = NAN;
    if (!isfinite(*out) || *out <= 0)
        return rag_fail(err, RAG_E_FORMAT, "%s: no number above 0", key);
    return RAG_OK;
}

static rag_status modern(rag_source *s, const rag_gguf *g, rag_error *err)
{
    static const char a[] = "modern-bert";
    const rag_gguf_value *v;
    rag_str act = {NULL, 0};
    rag_status st;

    TRY(real_of(&s->rope_global, g, a, "rope.freq_base", 10000.0f, err));
    TRY(real_of(&s->rope_local, g, a, "rope.freq_base_swa", s->rope_global,
                err));
    s->global_every = 3; /* what the converter leaves out when it is that */
    if (rag_gguf_find(g, "modern-bert.attention.sliding_window_pattern"))
        TRY(size_of(&s->global_every, g, a, "attention.sliding_window_pattern",
                    err));
    v = rag_gguf_find(g, "modern-bert.attention.sliding_window");
    if (v != NULL) {
        TRY(size_of(&s->local_window, g, a, "attention.sliding_window", err));
    } else { /* every layer sees everything */
        s->global_every = 1;
        s->local_window = s->window;
    }
    if ((rag_gguf_str(&act, g, "modern-bert.hidden_act") ||
         rag_gguf_str(&act, g, "modern-bert.hidden_activation")) &&
        !rag_str_eqz(act, "gelu") && !rag_str_eqz(act, "silu"))
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "hidden_act \"%.*s\" is not supported",
                        act.len < 64 ? (int)act.len : 64, act.ptr);
    s->act = rag_str_eqz(act, "silu") ? RAG_ACT_SILU : RAG_ACT_GELU;
out:
    return st;
}

static rag_status read_sizes(rag_source *s, const rag_gguf *g, const char *a,
                             rag_error *err)
{
    char key[MAX_KEY];
    bool causal = false;
    rag_status st;

    TRY(size_of(&s->hidden, g, a, "embedding_length", err));
    TRY(size_of(&s->n_layers, g, a, "block_count", err));
    TRY(size_of(&s->ffn, g, a, "feed_forward_length", err));
    TRY(size_of(&s->n_heads, g, a, "attention.head_count", err));
    TRY(size_of(&s->window, g, a, "context_length", err));
    TRY(real_of(&s->norm_eps, g, a, "attention.layer_norm_epsilon", 1e-12f,
                err));
    if (snprintf(key, sizeof key, "%s.attention.causal", a) > 0 &&
        rag_gguf_bool(&causal, g, key) && causal)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "a causal model is not supported");
    if (s->arch == RAG_ARCH_MODERNBERT)
        st = modern(s, g, err);
out:
    return st;
}

static rag_status read_pooling(rag_source *s, const rag_gguf *g, const char *a,
                               bool *is_reranker, rag_error *err)
{
    char key[MAX_KEY];
    uint32_t n = 0;

    *is_reranker = false;
    if (snprintf(key, sizeof key, "%s.pooling_type", a) < 0 ||
        rag_gguf_find(g, key) == NULL)
        return RAG_OK;
    if (!rag_gguf_u32(&n, g, key) || n > 4)
        return rag_fail(err, RAG_E_FORMAT, "%s: unknown", key);
    if (n == 4) {
        *is_reranker = true;
        s->pooling = RAG_POOL_CLS;
    } else if (n != 0) {
        s->pooling = n == 1   ? RAG_POOL_MEAN
                     : n == 2 ? RAG_POOL_CLS
                              : RAG_POOL_LAST;
    }
    return RAG_OK;
}

static rag_status read_head(rag_source *s, bool is_reranker, rag_error *err)
{
    const rag_source_tensor *out = rag_source_find(s, RAG_PART_HEAD_OUT_W, 0);

    if (out == NULL) {
        if (is_reranker)
            return rag_fail(err, RAG_E_FORMAT, "a reranker without cls.output");
        return RAG_OK;
    }
    /* llama.cpp's converter drops the pooler of BERT's own classifiers */
    if (rag_source_find(s, RAG_PART_HEAD_DENSE_W, 0) == NULL)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "the head lacks its first layer (cls.weight): import "
                        "the model's safetensors folder");
    s->n_labels = (uint32_t)out->n_rows;
    s->pooling = s->pooling != 0 ? s->pooling : RAG_POOL_CLS;
    s->head =
        s->arch == RAG_ARCH_MODERNBERT ? RAG_HEAD_MODERNBERT : RAG_HEAD_XLMR;
    return RAG_OK;
}

static rag_status read_all(rag_source *s, const rag_gguf *g, rag_error *err)
{
    rag_hfconf c = {.has_pooling = false};
    rag_str arch = {NULL, 0};
    rag_str text;
    const char *a;
    bool is_reranker;
    rag_status st;

    (void)rag_gguf_str(&arch, g, "general.architecture");
    if (rag_str_eqz(arch, "bert"))
        s->arch = RAG_ARCH_BERT;
    else if (rag_str_eqz(arch, "modern-bert"))
        s->arch = RAG_ARCH_MODERNBERT;
    else
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "the architecture \"%.*s\" is not supported",
                        arch.len < 64 ? (int)arch.len : 64,
                        arch.len != 0 ? arch.ptr : "");
    a = s->arch == RAG_ARCH_BERT ? "bert" : "modern-bert";
    TRY(read_sizes(s, g, a, err));
    for (size_t i = 0; i < g->n_tensors; i++)
        TRY(add_tensor(s, &g->tensors[i], err));
    if (s->arch == RAG_ARCH_BERT)
        TRY(rag_source_check_bert(s, err));
    TRY(rag_source_cut_positions(s, 0, s->window, err));
    TRY(read_pooling(s, g, a, &is_reranker, err));
    TRY(read_head(s, is_reranker, err));
    if (rag_gguf_str(&text, g, "general.license"))
        rag_source_licence(s, text);
    c.has_pooling = s->pooling != 0;
    if (rag_gguf_str(&text, g, "general.name"))
        rag_hfconf_known(s, &c, text);
    st = rag_ggufvocab_read(&s->tokens, s->arena, g, err);
out:
    return st;
}

rag_status rag_ggufmodel_read(rag_source *s, const unsigned char *ptr,
                              size_t len, rag_error *err)
{
    rag_gguf g;
    rag_status st;

    TRY(rag_gguf_read(&g, s->arena, ptr, len, err));
    st = read_all(s, &g, err);
out:
    return st;
}

static rag_status open_file(rag_source *s, const char *path, rag_error *err)
{
    rag_hfconf c = {.has_pooling = false};
    rag_map map;
    rag_status st;

    TRY(rag_source_map(&map, s, path, err));
    TRY(rag_ggufmodel_read(s, map.ptr, map.len, err));
    c.has_pooling = s->pooling != 0;
    c.has_prompts = s->query_prefix[0] != '\0';
    TRY(rag_hfconf_known_path(s, &c, path, err));
    st = rag_source_describe(s, path, err);
out:
    return st;
}

rag_status rag_ggufmodel_open(rag_source *out, const char *path, rag_error *err)
{
    return rag_source_open(out, open_file, path, err);
}
