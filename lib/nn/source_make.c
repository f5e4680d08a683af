#include "nn/source_priv.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "nn/weights.h"

rag_status rag_source_begin(rag_source *s, rag_error *err)
{
    memset(s, 0, sizeof *s);
    s->arena = rag_malloc(sizeof *s->arena);
    if (s->arena == NULL)
        return rag_fail_nomem(err);
    rag_arena_init(s->arena);
    s->maps = rag_arena_array(s->arena, RAG_SOURCE_MAX_MAPS, sizeof *s->maps);
    s->tensors =
        rag_arena_array(s->arena, RAG_SOURCE_MAX_TENSORS, sizeof *s->tensors);
    if (s->maps == NULL || s->tensors == NULL)
        return rag_fail_nomem(err);
    s->normalise = true;
    return RAG_OK;
}

rag_status rag_source_open(rag_source *out, rag_source_reader fill,
                           const char *path, rag_error *err)
{
    rag_status st = rag_source_begin(out, err);

    if (st == RAG_OK)
        st = fill(out, path, err);
    if (st != RAG_OK)
        rag_source_close(out);
    return st;
}

rag_status rag_source_map(rag_map *out, rag_source *s, const char *path,
                          rag_error *err)
{
    rag_status st;

    if (s->n_maps == RAG_SOURCE_MAX_MAPS)
        return rag_fail(err, RAG_E_LIMIT, "weights in more than %u files",
                        RAG_SOURCE_MAX_MAPS);
    st = rag_file_map(&s->maps[s->n_maps], path, err);
    if (st == RAG_OK)
        *out = s->maps[s->n_maps++];
    return st;
}

rag_status rag_source_add(rag_source *s, const rag_source_tensor *t,
                          uint64_t n_bytes, rag_str name, rag_error *err)
{
    int len = name.len < 128 ? (int)name.len : 128;

    if (t->n_rows == 0 || t->n_cols == 0 || t->n_rows > RAG_SOURCE_MAX_DIMS ||
        t->n_cols > RAG_SOURCE_MAX_DIMS)
        return rag_fail(err, RAG_E_FORMAT, "tensor %.*s: %llu x %llu values",
                        len, name.ptr, (unsigned long long)t->n_rows,
                        (unsigned long long)t->n_cols);
    /* a row is never cut by a block */
    if (t->n_cols % rag_dtype_block(t->type) != 0 ||
        rag_dtype_bytes(t->type, t->n_rows * t->n_cols) != n_bytes)
        return rag_fail(
            err, RAG_E_FORMAT, "tensor %.*s: %llu bytes for %llu x %llu values",
            len, name.ptr, (unsigned long long)n_bytes,
            (unsigned long long)t->n_rows, (unsigned long long)t->n_cols);
    if (rag_source_find(s, t->part, t->layer) != NULL)
        return rag_fail(err, RAG_E_FORMAT, "tensor %.*s: there twice", len,
                        name.ptr);
    if (s->n_tensors == RAG_SOURCE_MAX_TENSORS)
        return rag_fail(err, RAG_E_LIMIT, "more than %u tensors",
                        RAG_SOURCE_MAX_TENSORS);
    s->tensors[s->n_tensors++] = *t;
    return RAG_OK;
}

/* How many steps there are. */
static size_t count_norms(const rag_source_tokens *t)
{
    size_t n = 0;

    while (n < RAG_NORM_MOST && t->norms[n] != RAG_NORM_END)
        n++;
    return n;
}

bool rag_source_norm_has(const rag_source_tokens *t, rag_tokens_norm norm)
{
    return memchr(t->norms, (int)norm, count_norms(t)) != NULL;
}

bool rag_source_norm_add(rag_source_tokens *t, rag_tokens_norm norm,
                         bool is_first)
{
    size_t n = count_norms(t);

    if (n + 1 >= RAG_NORM_MOST) /* the end has its place, too */
        return false;
    if (is_first)
        memmove(t->norms + 1, t->norms, n);
    t->norms[is_first ? 0 : n] = (uint8_t)norm;
    return true;
}

bool rag_source_norm_bert(rag_source_tokens *t, bool clean, bool accents,
                          bool lower)
{
    return (!clean || rag_source_norm_add(t, RAG_NORM_CLEAN, false)) &&
           (!accents || rag_source_norm_add(t, RAG_NORM_ACCENTS, false)) &&
           (!lower || rag_source_norm_add(t, RAG_NORM_LOWER, false));
}

rag_status rag_source_cut_positions(rag_source *s, uint32_t n_first,
                                    uint32_t most, rag_error *err)
{
    uint64_t n = RAG_WEIGHTS_MAX_WINDOW;

    for (size_t i = 0; i < s->n_tensors; i++) {
        rag_source_tensor *t = &s->tensors[i];

        if (t->part != RAG_PART_POSITIONS)
            continue;
        if (t->n_rows <= n_first)
            return rag_fail(err, RAG_E_FORMAT,
                            "%llu positions, the first %u unused",
                            (unsigned long long)t->n_rows, n_first);
        t->bytes += rag_dtype_bytes(t->type, n_first * t->n_cols);
        t->n_rows -= n_first;
        if (t->n_scales > 1) {
            t->scales += n_first;
            t->zeros += n_first;
            t->n_scales -= n_first;
        }
        n = t->n_rows < n ? t->n_rows : n;
        t->n_rows = n;
        if (t->n_scales > n)
            t->n_scales = (size_t)n;
    }
    if (most != 0 && most < n)
        n = most;
    s->window = (uint32_t)n;
    return RAG_OK;
}

static bool has(const rag_source *s, rag_source_part part, uint32_t layer)
{
    return rag_source_find(s, part, layer) != NULL;
}

rag_status rag_source_check_bert(const rag_source *s, rag_error *err)
{
    static const struct {
        rag_source_part part;
        const char *name;
    } top[] = {{RAG_PART_WORDS, "word embeddings"},
               {RAG_PART_POSITIONS, "position embeddings"},
               {RAG_PART_TYPES, "token type embeddings"},
               {RAG_PART_EMBED_NORM_W, "norm of the embeddings"},
               {RAG_PART_EMBED_NORM_B, "norm of the embeddings (bias)"}},
      layer[] = {{RAG_PART_MIX_W, "attention output"},
                 {RAG_PART_MIX_B, "attention output (bias)"},
                 {RAG_PART_NORM1_W, "first norm"},
                 {RAG_PART_NORM1_B, "first norm (bias)"},
                 {RAG_PART_UP_W, "feed-forward, first matrix"},
                 {RAG_PART_UP_B, "feed-forward, first bias"},
                 {RAG_PART_DOWN_W, "feed-forward, second matrix"},
                 {RAG_PART_DOWN_B, "feed-forward, second bias"},
                 {RAG_PART_NORM2_W, "second norm"},
                 {RAG_PART_NORM2_B, "second norm (bias)"}};

    for (size_t i = 0; i < sizeof top / sizeof top[0]; i++)
        if (!has(s, top[i].part, 0) &&
            !(s->no_types && top[i].part == RAG_PART_TYPES))
            return rag_fail(err, RAG_E_FORMAT, "the model lacks its %s",
                            top[i].name);
    for (uint32_t n = 0; n < s->n_layers && n < RAG_WEIGHTS_MAX_LAYERS; n++) {
        for (size_t i = 0; i < sizeof layer / sizeof layer[0]; i++)
            if (!has(s, layer[i].part, n))
                return rag_fail(err, RAG_E_FORMAT, "layer %u lacks its %s", n,
                                layer[i].name);
        if (has(s, RAG_PART_QKV_W, n)
                ? !has(s, RAG_PART_QKV_B, n)
                : !has(s, RAG_PART_Q_W, n) || !has(s, RAG_PART_Q_B, n) ||
                      !has(s, RAG_PART_K_W, n) || !has(s, RAG_PART_K_B, n) ||
                      !has(s, RAG_PART_V_W, n) || !has(s, RAG_PART_V_B, n))
            return rag_fail(err, RAG_E_FORMAT,
                            "layer %u lacks its query, key or value", n);
    }
    return RAG_OK;
}

static rag_status add_hash(rag_buf *b, const rag_source *s, rag_error *err)
{
    uint8_t digest[RAG_SHA256_BYTES];
    char hex[2 * RAG_SHA256_BYTES + 1];
    rag_sha256 *h = rag_sha256_new();

    if (h == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < s->n_maps; i++)
        rag_sha256_add(h, s->maps[i].ptr, s->maps[i].len);
    rag_sha256_end(h, digest);
    rag_sha256_free(h);
    rag_hash_hex(hex, digest, sizeof digest);
    rag_buf_addf(b, " sha256:%s", hex);
    return RAG_OK;
}

rag_status rag_source_describe(rag_source *s, const char *path, rag_error *err)
{
    char *real = NULL; /* "." is no name */
    rag_buf b;
    rag_str name;
    rag_status st;

    rag_buf_init(&b, 8192);
    TRY(rag_file_real(&real, path, err));
    rag_utf8_show(&b, rag_str_of(rag_file_base(real)), false);
    name = rag_buf_str(&b);
    rag_buf_trunc(&b, rag_utf8_floor(name, name.len < 128 ? name.len : 128));
    TRY(add_hash(&b, s, err));
    TRY(rag_buf_status(&b, err));
    st = rag_source_text(s->source, rag_buf_str(&b), "the name of the file",
                         err);
out:
    rag_buf_dispose(&b);
    rag_free(real);
    return st;
}

static bool is_plain(rag_str text)
{
    if (!rag_utf8_valid(text))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 32 || text.ptr[i] == 127)
            return false;
    return true;
}

rag_status rag_source_text(char to[RAG_SOURCE_MAX_TEXT], rag_str text,
                           const char *what, rag_error *err)
{
    rag_str body = text;

    /* instructions end in a line feed: the one control character allowed */
    while (body.len > 0 && body.ptr[body.len - 1] == '\n')
        body.len--;
    if (text.len >= RAG_SOURCE_MAX_TEXT)
        return rag_fail(err, RAG_E_LIMIT, "%s: %zu bytes, at most %u", what,
                        text.len, RAG_SOURCE_MAX_TEXT - 1);
    if (!is_plain(body))
        return rag_fail(err, RAG_E_FORMAT, "%s: no plain text", what);
    memset(to, 0, RAG_SOURCE_MAX_TEXT);
    if (text.len != 0)
        memcpy(to, text.ptr, text.len);
    return RAG_OK;
}

void rag_source_licence(rag_source *s, rag_str text)
{
    size_t n = text.len < sizeof s->licence ? text.len : sizeof s->licence - 1;

    if (!is_plain(text))
        return;
    n = n < text.len ? rag_utf8_floor(text, n) : n;
    memset(s->licence, 0, sizeof s->licence);
    if (n != 0)
        memcpy(s->licence, text.ptr, n);
}

bool rag_source_exists(const char *dir, const char *name)
{
    char *path = rag_file_join(dir, name);
    bool there = path != NULL && access(path, F_OK) == 0;

    rag_free(path);
    return there;
}

rag_status rag_source_check_file(const char *path, const char *name,
                                 rag_error *err)
{
    struct stat sb;

    if (stat(path, &sb) != 0 || S_ISREG(sb.st_mode))
        return RAG_OK; /* reading says why it cannot be opened */
    return rag_fail(err, RAG_E_FORMAT, "%s: not a regular file", name);
}

rag_status rag_source_json(rag_json **out, const char *dir, const char *name,
                           rag_error *err)
{
    char *path = rag_file_join(dir, name);
    rag_buf b;
    rag_status st;

    *out = NULL;
    rag_buf_init(&b, RAG_SOURCE_MAX_JSON_BYTES + 1);
    if (path == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(rag_source_check_file(path, name, err));
    st = rag_file_read(&b, path, RAG_SOURCE_MAX_JSON_BYTES, err);
    if (st == RAG_E_NOTFOUND) {
        rag_error_clear(err);
        st = RAG_OK;
        goto out;
    }
    if (st == RAG_OK)
        st = rag_json_parse(out, rag_buf_str(&b), RAG_SOURCE_MAX_JSON_BYTES,
                            name, err);
    if (st == RAG_OK && !rag_json_is_obj(*out) && !rag_json_is_array(*out)) {
        rag_json_free(*out);
        *out = NULL;
        st = rag_fail(err, RAG_E_FORMAT, "%s: no JSON object", name);
    }
out:
    rag_buf_dispose(&b);
    rag_free(path);
    return st;
}

char *rag_source_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return rag_strdup(".");
    return rag_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}
