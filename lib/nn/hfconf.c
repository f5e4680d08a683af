#include "nn/hfconf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "nn/source_priv.h"

/* front matter stands at the very front */
#define MAX_README_BYTES ((size_t)1 << 20)

static rag_status unsupported(rag_error *err, const char *what, rag_str value)
{
    int n = value.len < 64 ? (int)value.len : 64;

    return rag_fail(err, RAG_E_UNSUPPORTED, "%s \"%.*s\" is not supported",
                    what, n, value.len != 0 ? value.ptr : "");
}

/* A whole number of 1 … most; def where it is not there. */
static rag_status count_of(uint32_t *out, const rag_json *obj, const char *key,
                           uint32_t def, rag_error *err)
{
    const rag_json *v = rag_json_get(obj, key);
    int64_t n;

    *out = def;
    if (rag_json_is_null(v) && def != 0)
        return RAG_OK;
    if (!rag_json_i64(&n, v) || n < 1 || n > RAG_SOURCE_MAX_DIMS)
        return rag_fail(err, RAG_E_FORMAT,
                        "config.json: %s is no number from 1 to %u", key,
                        RAG_SOURCE_MAX_DIMS);
    *out = (uint32_t)n;
    return RAG_OK;
}

static rag_status real_of(float *out, const rag_json *obj, const char *key,
                          double def, rag_error *err)
{
    const rag_json *v = rag_json_get(obj, key);
    double d = def;

    if (!rag_json_is_null(v) && !rag_json_num(&d, v))
        d = (double)NAN;
    if (!isfinite(d) || d <= 0 || d > 1e12)
        return rag_fail(err, RAG_E_FORMAT, "config.json: %s is no number", key);
    *out = (float)d;
    return RAG_OK;
}

static bool flag(const rag_json *obj, const char *key)
{
    bool b = false;

    (void)rag_json_bool(&b, rag_json_get(obj, key));
    return b;
}

/* Says an architecture's class name has that in it? */
static bool class_has(const rag_json *config, const char *part)
{
    const rag_json *list = rag_json_get(config, "architectures");

    for (const rag_json *i = rag_json_first(list); i != NULL;
         i = rag_json_next(i)) {
        rag_str s;

        if (rag_json_str(&s, i) &&
            rag_str_find(s, rag_str_of(part)) != SIZE_MAX)
            return true;
    }
    return false;
}

/* The activation by its name among those of transformers. */
static rag_status act_of(rag_source_act *out, const rag_json *config,
                         const char *key, rag_error *err)
{
    static const struct {
        const char *name;
        rag_source_act act;
    } known[] = {{"gelu", RAG_ACT_GELU},
                 {"silu", RAG_ACT_SILU},
                 {"swish", RAG_ACT_SILU},
                 {"gelu_new", RAG_ACT_TANH_GELU},
                 {"gelu_fast", RAG_ACT_TANH_GELU},
                 {"gelu_pytorch_tanh", RAG_ACT_TANH_GELU},
                 {"relu", RAG_ACT_RELU}};
    rag_str name = rag_json_get_str(config, key);

    *out = RAG_ACT_GELU;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (rag_str_eqz(name, known[i].name)) {
            *out = known[i].act;
            return RAG_OK;
        }
    }
    return name.len == 0 ? RAG_OK : unsupported(err, key, name);
}

static rag_status bert_sizes(rag_source *s, rag_hfconf *c,
                             const rag_json *config, bool roberta,
                             rag_error *err)
{
    rag_str form = rag_json_get_str(config, "position_embedding_type");
    int64_t pad = 1;
    rag_status st;

    if (form.len != 0 && !rag_str_eqz(form, "absolute"))
        return unsupported(err, "position_embedding_type", form);
    if (flag(config, "is_decoder"))
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "a decoder (is_decoder) is not supported");
    TRY(act_of(&s->act, config, "hidden_act", err));
    TRY(real_of(&s->norm_eps, config, "layer_norm_eps", 1e-12, err));
    s->arch = RAG_ARCH_BERT;
    if (class_has(config, "ForSequenceClassification"))
        s->head = roberta ? RAG_HEAD_XLMR : RAG_HEAD_BERT;
    if (roberta) {
        const rag_json *v = rag_json_get(config, "pad_token_id");

        if (!rag_json_is_null(v) &&
            (!rag_json_i64(&pad, v) || pad < 0 || pad > 1000))
            return rag_fail(err, RAG_E_FORMAT, "config.json: pad_token_id");
        c->first_position = (uint32_t)pad + 1;
    }
out:
    return st;
}

/* BERT without token types, under names of its own; its head is another. */
static rag_status distil_sizes(rag_source *s, rag_hfconf *c,
                               const rag_json *config, rag_error *err)
{
    rag_status st;

    if (class_has(config, "ForSequenceClassification"))
        return unsupported(err, "architectures",
                           RAG_STR_LIT("DistilBertForSequenceClassification"));
    s->arch = RAG_ARCH_BERT;
    s->no_types = true;
    s->norm_eps = 1e-12f;
    TRY(act_of(&s->act, config, "activation", err));
    TRY(count_of(&s->hidden, config, "dim", 768, err));
    TRY(count_of(&s->n_layers, config, "n_layers", 6, err));
    TRY(count_of(&s->n_heads, config, "n_heads", 12, err));
    TRY(count_of(&s->ffn, config, "hidden_dim", 3072, err));
    TRY(count_of(&c->most_tokens, config, "max_position_embeddings", 512, err));
out:
    return st;
}

/* The base of a rotation: the older key, else the newer rope_parameters. */
static rag_status rope_base(float *out, const rag_json *config, const char *key,
                            const char *kind, double def, rag_error *err)
{
    const rag_json *p =
        rag_json_get(rag_json_get(config, "rope_parameters"), kind);

    if (rag_json_is_null(rag_json_get(config, key)) && rag_json_is_obj(p))
        return real_of(out, p, "rope_theta", def, err);
    return real_of(out, config, key, def, err);
}

/* Newer files list the kind of every layer: each `every`-th from the first on
 * must be a global one, as the encoder has them. */
static rag_status check_layer_types(const rag_json *config, uint32_t every,
                                    rag_error *err)
{
    const rag_json *i = rag_json_first(rag_json_get(config, "layer_types"));

    for (uint32_t n = 0; i != NULL; i = rag_json_next(i), n++) {
        rag_str type = {NULL, 0};

        if (!rag_json_str(&type, i) ||
            !rag_str_eqz(type, n % every == 0 ? "full_attention"
                                              : "sliding_attention"))
            return rag_fail(err, RAG_E_UNSUPPORTED,
                            "layer_types: layer %u is not as "
                            "global_attn_every_n_layers %u has it",
                            n, every);
    }
    return RAG_OK;
}

static rag_status modern_sizes(rag_source *s, const rag_json *config,
                               rag_error *err)
{
    rag_str head_act = rag_json_get_str(config, "classifier_activation");
    rag_str pool = rag_json_get_str(config, "classifier_pooling");
    rag_status st;

    s->arch = RAG_ARCH_MODERNBERT;
    TRY(act_of(&s->act, config, "hidden_activation", err));
    TRY(real_of(&s->norm_eps, config, "norm_eps", 1e-5, err));
    TRY(count_of(&s->local_window, config, "local_attention", 128, err));
    TRY(count_of(&s->global_every, config, "global_attn_every_n_layers", 3,
                 err));
    TRY(check_layer_types(config, s->global_every, err));
    TRY(rope_base(&s->rope_global, config, "global_rope_theta",
                  "full_attention", 160000, err));
    TRY(rope_base(&s->rope_local, config, "local_rope_theta",
                  "sliding_attention", 10000, err));
    if (!class_has(config, "ForSequenceClassification"))
        return RAG_OK;
    if (head_act.len != 0 && !rag_str_eqz(head_act, "gelu"))
        return unsupported(err, "classifier_activation", head_act);
    if (pool.len != 0 && !rag_str_eqz(pool, "cls") &&
        !rag_str_eqz(pool, "mean"))
        return unsupported(err, "classifier_pooling", pool);
    s->head = RAG_HEAD_MODERNBERT;
    s->pooling = rag_str_eqz(pool, "mean") ? RAG_POOL_MEAN : RAG_POOL_CLS;
out:
    return st;
}

/* Files from before model_type name a class only. */
static rag_str model_type(const rag_json *config)
{
    rag_str type = rag_json_get_str(config, "model_type");

    if (type.len != 0)
        return type;
    if (class_has(config, "XLMRoberta"))
        return RAG_STR_LIT("xlm-roberta");
    if (class_has(config, "Roberta"))
        return RAG_STR_LIT("roberta");
    if (class_has(config, "ModernBert"))
        return RAG_STR_LIT("modernbert");
    return class_has(config, "BertModel") || class_has(config, "BertFor")
               ? RAG_STR_LIT("bert")
               : type;
}

/* {"0": "entailment", ...}, as far as it goes. Names that say nothing, and what
 * is no text or too long, count as none: nothing depends on them here. */
static void read_label_names(rag_source *s, const rag_json *config)
{
    const rag_json *names = rag_json_get(config, "id2label");
    char all[RAG_SOURCE_MAX_TEXT] = "";
    char one[RAG_SOURCE_MAX_TEXT];
    size_t n = 0;

    memset(s->label_names, 0, sizeof s->label_names);
    for (unsigned i = 0;; i++) {
        char key[16];
        rag_str name;

        (void)snprintf(key, sizeof key, "%u", i); /* fits */
        name = rag_json_get_str(names, key);
        if (name.len == 0)
            break;
        if (rag_str_starts(name, "LABEL_") || n + 1 + name.len >= sizeof all ||
            rag_str_find_char(name, '\n') != SIZE_MAX ||
            rag_source_text(one, name, key, NULL) != RAG_OK)
            return;
        if (i != 0)
            all[n++] = '\n';
        memcpy(all + n, name.ptr, name.len);
        n += name.len;
    }
    memcpy(s->label_names, all, sizeof all);
}

rag_status rag_hfconf_model(rag_source *s, rag_hfconf *c,
                            const rag_json *config, rag_error *err)
{
    rag_str type = model_type(config);
    bool roberta = rag_str_eqz(type, "roberta") ||
                   rag_str_eqz(type, "xlm-roberta") ||
                   rag_str_eqz(type, "camembert");
    uint32_t most;
    rag_status st;

    s->head = RAG_HEAD_NONE;
    if (rag_str_eqz(type, "distilbert"))
        return distil_sizes(s, c, config, err);
    if (rag_str_eqz(type, "bert") || roberta)
        st = bert_sizes(s, c, config, roberta, err);
    else if (rag_str_eqz(type, "modernbert"))
        st = modern_sizes(s, config, err);
    else
        st = unsupported(err, "model_type", type);
    if (st != RAG_OK)
        goto out;
    TRY(count_of(&s->hidden, config, "hidden_size", 0, err));
    TRY(count_of(&s->n_layers, config, "num_hidden_layers", 0, err));
    TRY(count_of(&s->n_heads, config, "num_attention_heads", 0, err));
    TRY(count_of(&s->ffn, config, "intermediate_size", 0, err));
    TRY(count_of(&most, config, "max_position_embeddings", 512, err));
    if (most <= c->first_position)
        return rag_fail(err, RAG_E_FORMAT,
                        "config.json: max_position_embeddings is %u", most);
    c->most_tokens = most - c->first_position;
    if (s->head == RAG_HEAD_BERT || s->head == RAG_HEAD_XLMR)
        s->pooling = RAG_POOL_CLS;
    c->has_pooling = s->head != RAG_HEAD_NONE;
    if (s->head != RAG_HEAD_NONE)
        read_label_names(s, config);
out:
    return st;
}

rag_status rag_hfconf_modules(rag_hfconf *c, const rag_json *modules,
                              rag_error *err)
{
    for (const rag_json *i = rag_json_first(modules); i != NULL;
         i = rag_json_next(i)) {
        rag_str type = rag_json_get_str(i, "type");
        rag_str path = rag_json_get_str(i, "path");

        if (rag_str_ends(type, ".Pooling")) {
            if (path.len == 0 || path.len >= sizeof c->pooling_dir ||
                rag_str_find_char(path, '/') != SIZE_MAX ||
                rag_str_starts(path, "."))
                return rag_fail(err, RAG_E_FORMAT,
                                "modules.json: the pooling's folder");
            memset(c->pooling_dir, 0, sizeof c->pooling_dir);
            memcpy(c->pooling_dir, path.ptr, path.len);
        } else if (!rag_str_ends(type, ".Transformer") &&
                   !rag_str_ends(type, ".Normalize") &&
                   !rag_str_ends(type, ".Dropout")) {
            return unsupported(err, "modules.json: a module", type);
        }
    }
    return RAG_OK;
}

/* The older form: one truth value a mode. */
static rag_status pooling_flags(rag_source *s, const rag_json *p,
                                rag_error *err)
{
    static const struct {
        const char *key;
        rag_source_pooling pooling;
    } modes[] = {{"pooling_mode_cls_token", RAG_POOL_CLS},
                 {"pooling_mode_mean_tokens", RAG_POOL_MEAN},
                 {"pooling_mode_lasttoken", RAG_POOL_LAST},
                 {"pooling_mode_max_tokens", RAG_POOL_MAX},
                 /* another length, the same direction */
                 {"pooling_mode_mean_sqrt_len_tokens", RAG_POOL_MEAN},
                 {"pooling_mode_weightedmean_tokens", RAG_POOL_WEIGHTED}};
    size_t n = 0;

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (!flag(p, modes[i].key))
            continue;
        s->pooling = modes[i].pooling;
        n++;
    }
    if (n == 0)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "the model's files name no pooling: its tokens' "
                        "vectors are not made one");
    if (n != 1)
        return rag_fail(err, RAG_E_UNSUPPORTED, "%zu poolings at once", n);
    return RAG_OK;
}

rag_status rag_hfconf_pooling(rag_source *s, rag_hfconf *c, const rag_json *p,
                              rag_error *err)
{
    rag_str mode = rag_json_get_str(p, "pooling_mode");
    bool with_prompt = true;

    if (rag_json_bool(&with_prompt, rag_json_get(p, "include_prompt")) &&
        !with_prompt)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "pooling that leaves the prompt out is not supported");
    c->has_pooling = true;
    if (mode.len == 0)
        return pooling_flags(s, p, err);
    if (rag_str_eqz(mode, "mean") || rag_str_eqz(mode, "mean_sqrt_len_tokens"))
        s->pooling = RAG_POOL_MEAN;
    else if (rag_str_eqz(mode, "cls"))
        s->pooling = RAG_POOL_CLS;
    else if (rag_str_eqz(mode, "lasttoken") || rag_str_eqz(mode, "last"))
        s->pooling = RAG_POOL_LAST;
    else if (rag_str_eqz(mode, "max"))
        s->pooling = RAG_POOL_MAX;
    else if (rag_str_eqz(mode, "weightedmean"))
        s->pooling = RAG_POOL_WEIGHTED;
    else
        return unsupported(err, "pooling_mode", mode);
    return RAG_OK;
}

rag_status rag_hfconf_window(rag_hfconf *c, const rag_json *sbert,
                             rag_error *err)
{
    const rag_json *v = rag_json_get(sbert, "max_seq_length");
    int64_t n;

    c->lowercase = flag(sbert, "do_lower_case");
    if (rag_json_is_null(v))
        return RAG_OK;
    if (!rag_json_i64(&n, v) || n < 1)
        return rag_fail(err, RAG_E_FORMAT,
                        "sentence_bert_config.json: max_seq_length");
    if (c->most_tokens == 0 || n < (int64_t)c->most_tokens)
        c->most_tokens = n < RAG_SOURCE_MAX_DIMS ? (uint32_t)n : 0;
    return RAG_OK;
}

/* The first of the names that is there. */
static bool prompt_of(rag_str *out, const rag_json *prompts,
                      const char *const *names)
{
    for (; *names != NULL; names++)
        if (rag_json_str(out, rag_json_get(prompts, *names)))
            return true;
    return false;
}

rag_status rag_hfconf_prompts(rag_source *s, rag_hfconf *c,
                              const rag_json *root, rag_error *err)
{
    static const char *const query[] = {"query", "search_query", NULL};
    static const char *const passage[] = {"passage", "document",
                                          "search_document", "corpus", NULL};
    const rag_json *prompts = rag_json_get(root, "prompts");
    rag_str def = rag_json_get_str(root, "default_prompt_name");
    rag_str text = {NULL, 0};
    rag_status st = RAG_OK;

    /* what every text gets that has no prompt of its own */
    for (const rag_json *i = rag_json_first(prompts); i != NULL;
         i = rag_json_next(i)) {
        if (def.len == 0 || !rag_str_eq(rag_json_key(i), def) ||
            !rag_json_str(&text, i))
            continue;
        TRY(rag_source_text(s->query_prefix, text, "the default prompt", err));
        TRY(rag_source_text(s->passage_prefix, text, "the default prompt",
                            err));
        c->has_prompts = true;
    }
    if (prompt_of(&text, prompts, query)) {
        TRY(rag_source_text(s->query_prefix, text, "the query prompt", err));
        c->has_prompts = true;
    }
    if (prompt_of(&text, prompts, passage)) {
        TRY(rag_source_text(s->passage_prefix, text, "the passage prompt",
                            err));
        c->has_prompts = true;
    }
out:
    return st;
}

void rag_hfconf_front_matter(rag_source *s, rag_str readme)
{
    rag_str line;

    if (!rag_str_next_line(&line, &readme) ||
        !rag_str_eqz(rag_str_trim(line), "---"))
        return;
    while (rag_str_next_line(&line, &readme)) {
        if (rag_str_eqz(rag_str_trim(line), "---"))
            return;
        if (rag_str_starts(line, "license:")) {
            rag_source_licence(s, rag_str_trim(rag_str_cut(line, 8, line.len)));
            return;
        }
    }
}

static rag_status read_readme(rag_source *s, const char *dir, rag_error *err)
{
    char *path = rag_file_join(dir, "README.md");
    rag_buf b;
    rag_status st;

    if (path == NULL)
        return rag_fail_nomem(err);
    rag_buf_init(&b, MAX_README_BYTES + 1);
    st = rag_source_check_file(path, "README.md", err);
    if (st == RAG_OK)
        st = rag_file_read(&b, path, MAX_README_BYTES, err);
    if (st == RAG_OK)
        rag_hfconf_front_matter(s, rag_buf_str(&b));
    else if (st != RAG_E_NOMEM) { /* a licence is a courtesy */
        rag_error_clear(err);
        st = RAG_OK;
    }
    rag_buf_dispose(&b);
    rag_free(path);
    return st;
}

static rag_status read_pooling(rag_source *s, rag_hfconf *c, const char *dir,
                               rag_error *err)
{
    rag_json *json = NULL;
    char *path = NULL;
    rag_status st;

    memcpy(c->pooling_dir, "1_Pooling", sizeof "1_Pooling");
    TRY(rag_source_json(&json, dir, "modules.json", err));
    if (json != NULL)
        TRY(rag_hfconf_modules(c, json, err));
    rag_json_free(json);
    json = NULL;
    path = rag_file_join(dir, c->pooling_dir);
    if (path == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(rag_source_json(&json, path, "config.json", err));
    if (json != NULL)
        st = rag_hfconf_pooling(s, c, json, err);
out:
    rag_free(path);
    rag_json_free(json);
    return st;
}

rag_status rag_hfconf_folder(rag_source *s, rag_hfconf *c, const char *dir,
                             rag_error *err)
{
    rag_json *json = NULL;
    rag_status st;

    memset(c, 0, sizeof *c);
    TRY(rag_source_json(&json, dir, "config.json", err));
    if (json == NULL) {
        st = rag_fail(err, RAG_E_FORMAT, "no config.json beside the weights");
        goto out;
    }
    TRY(rag_hfconf_model(s, c, json, err));
    rag_hfconf_known(s, c, rag_json_get_str(json, "_name_or_path"));
    if (s->head == RAG_HEAD_NONE)
        TRY(read_pooling(s, c, dir, err));
    rag_json_free(json);
    json = NULL;
    TRY(rag_source_json(&json, dir, "sentence_bert_config.json", err));
    if (json != NULL)
        TRY(rag_hfconf_window(c, json, err));
    rag_json_free(json);
    json = NULL;
    TRY(rag_source_json(&json, dir, "config_sentence_transformers.json", err));
    if (json != NULL)
        TRY(rag_hfconf_prompts(s, c, json, err));
    st = read_readme(s, dir, err);
out:
    rag_json_free(json);
    return st;
}

rag_status rag_hfconf_lowercase(rag_source *s, const rag_hfconf *c,
                                rag_error *err)
{
    if (!c->lowercase || rag_source_norm_has(&s->tokens, RAG_NORM_LOWER))
        return RAG_OK;
    if (s->tokens.kind != RAG_TOKENS_WORDPIECE)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "do_lower_case with this tokenizer is not supported");
    /* not the tokenizer's own step: it sees the text before */
    if (!rag_source_norm_add(&s->tokens, RAG_NORM_LOWER, true))
        return rag_fail(err, RAG_E_LIMIT, "too many normalizers");
    return RAG_OK;
}
