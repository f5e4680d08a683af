#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "flow/flow_priv.h"
#include "nn/encoder.h"

/* Built-in models are files in the user's data folder:
 *   models/NAME.model   the encoder's own format
 *   models/default      the name of the default one */
#define SUFFIX ".model"

static bool good_name(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n >= 64 || name[0] == '.')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789._-") == n;
}

static rag_status folder(char **out, const rag_config *cfg, rag_error *err)
{
    *out = NULL;
    if (cfg->data_dir == NULL)
        return rag_fail(err, RAG_E_INVAL,
                        "no data folder: set HOME or XDG_DATA_HOME");
    *out = rag_file_join(cfg->data_dir, "models");
    return *out != NULL ? RAG_OK : rag_fail_nomem(err);
}

static rag_status path_of(char **out, const rag_config *cfg, const char *name,
                          rag_error *err)
{
    rag_status st;
    char *dir = NULL;
    rag_buf b;

    *out = NULL;
    rag_buf_init(&b, 8192);
    if (!good_name(name)) {
        st = rag_fail(err, RAG_E_INVAL,
                      "'%s' cannot name a model: letters, digits, '.', '_', "
                      "'-', at most 63",
                      name);
        goto out;
    }
    TRY(folder(&dir, cfg, err));
    rag_buf_addf(&b, "%s/%s%s", dir, name, SUFFIX);
    TRY(rag_buf_status(&b, err));
    *out = rag_buf_take(&b, NULL);
    st = *out != NULL ? RAG_OK : rag_fail_nomem(err);
out:
    rag_buf_dispose(&b);
    rag_free(dir);
    return st;
}

rag_status rag_flow_model_path(char **out, const rag_config *cfg,
                               const char *name, rag_error *err)
{
    struct stat sb;
    rag_status st = path_of(out, cfg, name, err);

    if (st == RAG_OK && stat(*out, &sb) != 0) {
        st = rag_fail(err, RAG_E_NOTFOUND,
                      "no built-in model '%s': add it with 'rag model add FILE "
                      "--name %s' (rag model ls shows what is there)",
                      name, name);
        rag_free(*out);
        *out = NULL;
    }
    return st;
}

rag_status rag_flow_model_default(char **out, const rag_config *cfg,
                                  rag_error *err)
{
    rag_status st;
    char *dir = NULL;
    char *file = NULL;
    rag_str name;
    rag_buf b;

    *out = NULL;
    if (cfg->data_dir == NULL)
        return RAG_OK;
    rag_buf_init(&b, 4096);
    TRY(folder(&dir, cfg, err));
    file = rag_file_join(dir, "default");
    if (file == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    st = rag_file_read(&b, file, 1024, err);
    if (st == RAG_E_NOTFOUND) {
        rag_error_clear(err);
        st = RAG_OK;
        goto out;
    }
    if (st != RAG_OK)
        goto out;
    name = rag_str_trim(rag_buf_str(&b));
    *out = rag_strndup(name.ptr, name.len);
    if (*out == NULL)
        st = rag_fail_nomem(err);
    else if (!good_name(*out))
        st = rag_fail(err, RAG_E_INVAL,
                      "%s does not name a model: set it with 'rag model "
                      "default NAME'",
                      file);
out:
    if (st != RAG_OK) {
        rag_free(*out);
        *out = NULL;
    }
    rag_buf_dispose(&b);
    rag_free(file);
    rag_free(dir);
    return st;
}

static void copy(char *to, size_t cap, const char *from)
{
    int n = snprintf(to, cap, "%s", from);

    (void)n; /* cut on purpose */
}

static void put_kind(char *to, size_t cap, const rag_encoder_info *i)
{
    int n = i->is_cross ? snprintf(to, cap, "%s cross-encoder, %s, %zu label%s",
                                   i->arch, i->tokenizer, i->n_labels,
                                   i->n_labels == 1 ? "" : "s")
                        : snprintf(to, cap, "%s, %s, %s", i->arch, i->tokenizer,
                                   i->pooling);

    (void)n; /* fits */
}

static rag_status describe(rag_model_info *out, const char *path,
                           const char *name, const char *def, rag_error *err)
{
    rag_encoder_info i;
    rag_status st = rag_encoder_peek(&i, path, err);

    memset(out, 0, sizeof *out);
    if (st != RAG_OK)
        return st;
    copy(out->name, sizeof out->name, name);
    copy(out->path, sizeof out->path, path);
    copy(out->licence, sizeof out->licence, i.licence);
    copy(out->source, sizeof out->source, i.source);
    copy(out->sha256_hex, sizeof out->sha256_hex, i.sha256_hex);
    copy(out->query_prefix, sizeof out->query_prefix, i.query_prefix);
    copy(out->passage_prefix, sizeof out->passage_prefix, i.passage_prefix);
    copy(out->label_names, sizeof out->label_names, i.label_names);
    put_kind(out->kind, sizeof out->kind, &i);
    out->labels = i.n_labels;
    out->dims = i.dims;
    out->max_tokens = i.max_tokens;
    out->bytes = i.file_bytes;
    out->is_default = def != NULL && strcmp(def, name) == 0;
    return RAG_OK;
}

static void count_embedders(void *ctx, const rag_model_info *m)
{
    size_t *n = ctx;

    *n += m->dims != 0 && m->labels == 0;
}

const char *rag_flow_model_hint(const rag_config *cfg)
{
    size_t n = 0;

    if (rag_model_list(cfg, count_embedders, &n, NULL) == RAG_OK && n != 0)
        return "choose one with 'rag model default NAME'";
    return "add one with 'rag model add FILE'";
}

rag_status rag_model_show(rag_model_info *out, const rag_config *cfg,
                          const char *name, rag_error *err)
{
    rag_status st;
    char *def = NULL;
    char *path = NULL;

    TRY(rag_flow_model_default(&def, cfg, err));
    if (name == NULL)
        name = def;
    if (name == NULL) {
        st = rag_fail(err, RAG_E_NOTFOUND, "no default model: %s",
                      rag_flow_model_hint(cfg));
        goto out;
    }
    TRY(rag_flow_model_path(&path, cfg, name, err));
    st = describe(out, path, name, def, err);
out:
    rag_free(path);
    rag_free(def);
    return st;
}

rag_status rag_model_set_default(const rag_config *cfg, const char *name,
                                 rag_error *err)
{
    rag_status st;
    rag_encoder_info info;
    char *path = NULL;
    char *dir = NULL;
    char *file = NULL;

    TRY(rag_flow_model_path(&path, cfg, name, err));
    TRY(rag_encoder_peek(&info, path, err));
    if (info.is_cross) {
        st = rag_fail(err, RAG_E_INVAL,
                      "model '%s' scores pairs of texts, it makes no vectors: "
                      "it can be rerank.model, not the default",
                      name);
        goto out;
    }
    TRY(folder(&dir, cfg, err));
    file = rag_file_join(dir, "default");
    st = file != NULL ? rag_file_replace(file, name, strlen(name), err)
                      : rag_fail_nomem(err);
out:
    rag_free(file);
    rag_free(dir);
    rag_free(path);
    return st;
}

/* Small letters, digits, '.', '-', '_' of the first n bytes. */
static void clean_name(char out[64], const char *base, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n && k < 63; i++) {
        char c = base[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            (k != 0 && (c == '.' || c == '-' || c == '_')))
            out[k++] = c;
    }
    out[k] = '\0';
}

/* "dir/E5-Small.Q4.bin" -> "e5-small.q4", a folder by its whole name. What is
 * called "model" has the name of the folder it lies in (but for "onnx"). */
static rag_status name_from(char out[64], const char *path, rag_error *err)
{
    struct stat sb;
    char *real = NULL;
    rag_status st;

    TRY(rag_file_real(&real, path, err));
    for (bool is_dir = stat(real, &sb) == 0 && S_ISDIR(sb.st_mode);;
         is_dir = true) {
        const char *base = rag_file_base(real);
        const char *dot = is_dir ? NULL : strrchr(base, '.');
        size_t n =
            dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base);

        clean_name(out, base, n);
        if (base <= real + 1 ||
            !(is_dir ? strcmp(out, "onnx") == 0
                     : strncmp(out, "model", 5) == 0 &&
                           (out[5] == '\0' || out[5] == '_' || out[5] == '-')))
            break;
        real[base - real - 1] = '\0';
    }
out:
    rag_free(real);
    return st;
}

/* What a killed import left: "NAME.model.tmpPID", which whoever still writes it
 * holds locked. Best effort. */
static void sweep(const char *dir)
{
    static const char mark[] = SUFFIX ".tmp";
    rag_names l = {NULL, 0, 0};
    int folder_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder_fd < 0 || rag_file_list(&l, folder_fd, NULL) != RAG_OK)
        return;
    for (size_t i = 0; i < l.n; i++) {
        const char *end = strstr(l.list[i], mark);
        char *path;
        int fd;

        if (end == NULL || end[sizeof mark - 1] == '\0' ||
            end[sizeof mark - 1 +
                strspn(end + sizeof mark - 1, "0123456789")] != '\0')
            continue;
        path = rag_file_join(dir, l.list[i]);
        fd = path != NULL ? open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            (void)unlink(path);
        if (fd >= 0)
            (void)close(fd);
        rag_free(path);
    }
    rag_names_dispose(&l);
}

rag_status rag_model_add(rag_model_info *out, const rag_config *cfg,
                         const char *path, const rag_model_add_opts *opts,
                         rag_error *err)
{
    rag_encoder_import_opts import = {.keep_others = true,
                                      .cancelled = cfg->cancelled,
                                      .cancel_ctx = cfg->cancel_ctx};
    const char *name = opts != NULL ? opts->name : NULL;
    rag_status st;
    char made[64];
    char *to = NULL;
    char *dir = NULL;
    char *def = NULL;

    if (opts != NULL) {
        import.query_prefix = opts->query_prefix;
        import.passage_prefix = opts->passage_prefix;
        import.pooling = opts->pooling;
    }
    if (name == NULL) {
        TRY(name_from(made, path, err));
        name = made;
    }
    TRY(path_of(&to, cfg, name, err));
    TRY(folder(&dir, cfg, err));
    TRY(rag_file_mkdirs(dir, err));
    sweep(dir);
    TRY(rag_encoder_import_as(to, path, name, &import, err));
    TRY(rag_flow_model_default(&def, cfg, err));
    TRY(rag_model_show(out, cfg, name, err));
    if (def == NULL && out->labels == 0) {
        TRY(rag_model_set_default(cfg, name, err));
        out->is_default = true;
    }
out:
    rag_free(def);
    rag_free(dir);
    rag_free(to);
    return st;
}

/* What is left to say of a model that cannot be opened: why, without the path
 * that messages begin with. */
static void unusable(rag_model_info *out, const char *path, const char *name,
                     const char *def, const rag_error *why)
{
    size_t n = strlen(path);
    const char *msg = why->msg;

    if (strncmp(msg, path, n) == 0 && msg[n] == ':' && msg[n + 1] == ' ')
        msg += n + 2;
    memset(out, 0, sizeof *out);
    copy(out->name, sizeof out->name, name);
    copy(out->path, sizeof out->path, path);
    n = (size_t)snprintf(out->source, sizeof out->source, "cannot be used: %s",
                         msg); /* cut on purpose */
    out->is_default = def != NULL && strcmp(def, name) == 0;
}

rag_status rag_model_list(const rag_config *cfg, rag_model_fn fn, void *ctx,
                          rag_error *err)
{
    rag_status st;
    rag_names l = {NULL, 0, 0};
    char *dir = NULL;
    char *def = NULL;
    int fd;

    TRY(rag_flow_model_default(&def, cfg, err));
    TRY(folder(&dir, cfg, err));
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT)
            st = rag_fail_errno(err, errno, "cannot list %s", dir);
        goto out;
    }
    TRY(rag_file_list(&l, fd, err));
    for (size_t i = 0; i < l.n && st == RAG_OK; i++) {
        size_t len = strlen(l.list[i]);
        rag_error why = {RAG_OK, ""};
        rag_model_info info;
        char name[64];
        char *path;

        if (len <= strlen(SUFFIX) || len - strlen(SUFFIX) >= sizeof name ||
            strcmp(l.list[i] + len - strlen(SUFFIX), SUFFIX) != 0)
            continue;
        memcpy(name, l.list[i], len - strlen(SUFFIX));
        name[len - strlen(SUFFIX)] = '\0';
        path = rag_file_join(dir, l.list[i]);
        if (path == NULL) {
            st = rag_fail_nomem(err);
            break;
        }
        if (describe(&info, path, name, def, &why) != RAG_OK)
            unusable(&info, path, name, def, &why);
        fn(ctx, &info);
        rag_free(path);
    }
out:
    rag_names_dispose(&l);
    rag_free(dir);
    rag_free(def);
    return st;
}

rag_status rag_model_remove(const rag_config *cfg, const char *name,
                            rag_error *err)
{
    rag_status st;
    char *path = NULL;
    char *dir = NULL;
    char *def = NULL;
    char *file = NULL;

    TRY(rag_flow_model_path(&path, cfg, name, err));
    TRY(rag_flow_model_default(&def, cfg, err));
    if (def != NULL && strcmp(def, name) == 0) {
        TRY(folder(&dir, cfg, err));
        file = rag_file_join(dir, "default");
        if (file == NULL) {
            st = rag_fail_nomem(err);
            goto out;
        }
        if (unlink(file) != 0 && errno != ENOENT) {
            st = rag_fail_errno(err, errno, "cannot remove %s", file);
            goto out;
        }
    }
    if (unlink(path) != 0)
        st = rag_fail_errno(err, errno, "cannot remove %s", path);
out:
    rag_free(file);
    rag_free(dir);
    rag_free(def);
    rag_free(path);
    return st;
}
