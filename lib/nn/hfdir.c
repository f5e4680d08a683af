#include "nn/hfdir.h"

#include <string.h>

#include "base/mem.h"
#include "nn/hfconf.h"
#include "nn/hfnames.h"
#include "nn/safetensors.h"
#include "nn/source_priv.h"

static rag_status add_one(rag_source *s, const rag_safetensor *t,
                          rag_error *err)
{
    rag_source_tensor out = {.type = t->type, .bytes = t->bytes};
    int n = t->name.len < 128 ? (int)t->name.len : 128;

    if (!rag_hfnames_find(&out.part, &out.layer, s->arch, s->head, t->name))
        return RAG_OK;
    if (!t->is_float)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "tensor %.*s: neither F32 nor F16 nor BF16", n,
                        t->name.ptr);
    if (t->n_axes != (rag_hfnames_is_matrix(out.part) ? 2u : 1u))
        return rag_fail(err, RAG_E_FORMAT, "tensor %.*s: %zu axes", n,
                        t->name.ptr, t->n_axes);
    out.n_rows = t->n_axes == 2 ? t->shape[0] : 1;
    out.n_cols = t->shape[t->n_axes - 1];
    return rag_source_add(s, &out, t->n_bytes, t->name, err);
}

static rag_status read_file(rag_source *s, const char *dir, const char *name,
                            rag_error *err)
{
    char *path = rag_file_join(dir, name);
    rag_safetensors list;
    rag_map map;
    rag_status st;

    if (path == NULL)
        return rag_fail_nomem(err);
    TRY(rag_source_map(&map, s, path, err));
    TRY(rag_safetensors_read(&list, s->arena, map.ptr, map.len, err));
    for (size_t i = 0; i < list.n; i++)
        TRY(add_one(s, &list.list[i], err));
out:
    if (st == RAG_E_FORMAT || st == RAG_E_LIMIT)
        st = rag_fail_prefix(err, st, "%s", name);
    rag_free(path);
    return st;
}

/* Names of shards lie in the folder itself and are read once each. */
static rag_status read_shards(rag_source *s, const char *dir,
                              const rag_json *index, rag_error *err)
{
    const rag_json *map = rag_json_get(index, "weight_map");
    rag_str names[RAG_SOURCE_MAX_MAPS];
    size_t n = 0;
    rag_status st = RAG_OK;

    for (const rag_json *i = rag_json_first(map); i != NULL;
         i = rag_json_next(i)) {
        rag_str name;
        size_t k = 0;

        if (!rag_json_str(&name, i) || name.len == 0 || name.len > 255 ||
            rag_str_find_char(name, '/') != SIZE_MAX || name.ptr[0] == '.')
            return rag_fail(err, RAG_E_FORMAT,
                            "model.safetensors.index.json: a file name");
        while (k < n && !rag_str_eq(names[k], name))
            k++;
        if (k < n)
            continue;
        if (n == RAG_SOURCE_MAX_MAPS)
            return rag_fail(err, RAG_E_LIMIT, "more than %u shards",
                            RAG_SOURCE_MAX_MAPS);
        names[n++] = name;
    }
    if (n == 0)
        return rag_fail(err, RAG_E_FORMAT,
                        "model.safetensors.index.json: no weight_map");
    for (size_t k = 0; k < n; k++) /* strings of cJSON end in a NUL */
        TRY(read_file(s, dir, names[k].ptr, err));
out:
    return st;
}

static rag_status read_weights(rag_source *s, const char *dir, rag_error *err)
{
    rag_json *index = NULL;
    rag_status st;

    if (rag_source_exists(dir, "model.safetensors"))
        return read_file(s, dir, "model.safetensors", err);
    TRY(rag_source_json(&index, dir, "model.safetensors.index.json", err));
    if (index != NULL)
        st = read_shards(s, dir, index, err);
    else if (rag_source_exists(dir, "pytorch_model.bin"))
        st = rag_fail(err, RAG_E_UNSUPPORTED,
                      "pytorch_model.bin is a program, not data: save the "
                      "model as model.safetensors");
    else
        st = rag_fail(err, RAG_E_NOTFOUND, "no model.safetensors in %s", dir);
out:
    rag_json_free(index);
    return st;
}

static rag_status read_all(rag_source *s, const char *dir, rag_error *err)
{
    const rag_source_tensor *out;
    rag_hfconf c;
    bool found;
    rag_status st;

    TRY(rag_hfconf_folder(s, &c, dir, err));
    TRY(rag_hfconf_known_path(s, &c, dir, err));
    if (s->pooling == 0)
        s->pooling = RAG_POOL_MEAN; /* sentence-transformers' own rule */
    TRY(read_weights(s, dir, err));
    TRY(rag_source_cut_positions(s, c.first_position, c.most_tokens, err));
    out = rag_source_find(s, RAG_PART_HEAD_OUT_W, 0);
    if (out != NULL)
        s->n_labels = (uint32_t)out->n_rows;
    if (s->arch == RAG_ARCH_BERT)
        TRY(rag_source_check_bert(s, err));
    TRY(rag_source_tokenizer_in(&found, s, dir, err));
    if (!found) {
        st = rag_fail(err, RAG_E_NOTFOUND,
                      "no tokenizer.json in %s: load and save the tokenizer "
                      "once with the transformers library",
                      dir);
        goto out;
    }
    TRY(rag_hfconf_lowercase(s, &c, err));
    st = rag_source_describe(s, dir, err);
out:
    return st;
}

rag_status rag_hfdir_open(rag_source *out, const char *dir, rag_error *err)
{
    return rag_source_open(out, read_all, dir, err);
}
