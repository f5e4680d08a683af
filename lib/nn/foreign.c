#include "nn/foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "nn/e5s1.h"
#include "nn/ggufmodel.h"
#include "nn/hfdir.h"
#include "nn/onnx.h"
#include "nn/source_priv.h"

typedef enum format { UNKNOWN, E5S1, GGUF, SAFETENSORS, ONNX } format;

/* By the first bytes: safetensors begin with the length of their header and the
 * header's '{', ONNX with its version of the format as field 1. */
static format format_of(const unsigned char *p, size_t n)
{
    if (rag_e5s1_is(p, n))
        return E5S1;
    if (n >= 4 && memcmp(p, "GGUF", 4) == 0)
        return GGUF;
    if (n >= 9 && p[8] == '{' && p[6] == 0 && p[7] == 0)
        return SAFETENSORS;
    return n >= 2 && p[0] == 8 && p[1] < 128 ? ONNX : UNKNOWN;
}

static rag_status open_file(rag_source *s, const char *path, rag_error *err)
{
    rag_map m;
    char *dir;
    format f;
    rag_status st = rag_file_map(&m, path, err);

    if (st != RAG_OK)
        return st;
    f = format_of(m.ptr, m.len);
    rag_file_unmap(&m);
    switch (f) {
    case E5S1:
        return rag_e5s1_open(s, path, err);
    case GGUF:
        return rag_ggufmodel_open(s, path, err);
    case ONNX:
        return rag_onnx_open(s, path, err);
    case SAFETENSORS:
        dir = rag_source_folder(path);
        if (dir == NULL)
            return rag_fail_nomem(err);
        st = rag_hfdir_open(s, dir, err);
        rag_free(dir);
        return st;
    case UNKNOWN:
        break;
    }
    return rag_fail(err, RAG_E_FORMAT,
                    "not a model file this program can import (E5S1, "
                    "safetensors, GGUF, ONNX)");
}

/* How many names in the folder end so, and the last of them. */
static size_t named(const char **found, const rag_names *l, const char *end)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        if (!rag_str_iends(rag_str_of(l->list[i]), end))
            continue;
        *found = l->list[i];
        n++;
    }
    return n;
}

static rag_status open_inside(rag_source *s, const char *dir, const char *name,
                              rag_error *err)
{
    char *path = rag_file_join(dir, name);
    rag_status st =
        path != NULL ? open_file(s, path, err) : rag_fail_nomem(err);

    rag_free(path);
    return st;
}

static rag_status open_folder(rag_source *s, const char *dir, rag_error *err)
{
    rag_names l = {NULL, 0, 0};
    const char *name = NULL;
    rag_status st;
    size_t n;
    int fd;

    if (rag_source_exists(dir, "model.safetensors") ||
        rag_source_exists(dir, "model.safetensors.index.json"))
        return rag_hfdir_open(s, dir, err);
    if (rag_source_exists(dir, "model.onnx"))
        return open_inside(s, dir, "model.onnx", err);
    if (rag_source_exists(dir, "onnx/model.onnx"))
        return open_inside(s, dir, "onnx/model.onnx", err);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return rag_fail_errno(err, errno, "cannot list %s", dir);
    TRY(rag_file_list(&l, fd, err));
    n = named(&name, &l, ".onnx");
    if (n != 1)
        n += named(&name, &l, ".gguf");
    if (n == 1)
        st = open_inside(s, dir, name, err);
    else if (n > 1)
        st = rag_fail(err, RAG_E_INVAL,
                      "%s holds several models, as %s: add one of the files",
                      dir, name);
    else if (rag_source_exists(dir, "config.json"))
        st = rag_hfdir_open(s, dir, err); /* says what is missing */
    else
        st = rag_fail(err, RAG_E_NOTFOUND,
                      "no model in %s: neither config.json with "
                      "model.safetensors, nor an ONNX or a GGUF file",
                      dir);
out:
    rag_names_dispose(&l);
    return st;
}

/* A text of the command line: what is wrong with it is no file's fault. */
static rag_status given(char to[RAG_SOURCE_MAX_TEXT], const char *text,
                        const char *what, rag_error *err)
{
    rag_status st = rag_source_text(to, rag_str_of(text), what, err);

    if (st != RAG_E_FORMAT && st != RAG_E_LIMIT)
        return st;
    if (err != NULL)
        err->code = RAG_E_INVAL;
    return RAG_E_INVAL;
}

static rag_status override(rag_source *s, const rag_encoder_import_opts *o,
                           rag_error *err)
{
    rag_status st = RAG_OK;

    if (o->query_prefix != NULL)
        TRY(given(s->query_prefix, o->query_prefix, "the query prefix", err));
    if (o->passage_prefix != NULL)
        TRY(given(s->passage_prefix, o->passage_prefix, "the passage prefix",
                  err));
    if (o->pooling == NULL)
        return RAG_OK;
    if (strcmp(o->pooling, "mean") == 0)
        s->pooling = RAG_POOL_MEAN;
    else if (strcmp(o->pooling, "cls") == 0)
        s->pooling = RAG_POOL_CLS;
    else if (strcmp(o->pooling, "last") == 0)
        s->pooling = RAG_POOL_LAST;
    else if (strcmp(o->pooling, "max") == 0)
        s->pooling = RAG_POOL_MAX;
    else
        st = rag_fail(err, RAG_E_INVAL, "pooling is mean, cls, last or max");
out:
    return st;
}

rag_status rag_foreign_open(rag_source *out, const char *path,
                            const rag_encoder_import_opts *opts, rag_error *err)
{
    struct stat sb;
    rag_status st;

    memset(out, 0, sizeof *out);
    if (stat(path, &sb) != 0)
        return rag_fail_errno(err, errno, "cannot open %s", path);
    if (S_ISDIR(sb.st_mode))
        st = open_folder(out, path, err);
    else if (S_ISREG(sb.st_mode))
        st = open_file(out, path, err);
    else
        st = rag_fail(err, RAG_E_FORMAT, "neither a file nor a folder");
    if (st == RAG_OK && opts != NULL)
        st = override(out, opts, err);
    if (st == RAG_OK && out->pooling == 0)
        st = rag_fail(err, RAG_E_INVAL,
                      "the model does not say how its vectors are pooled: "
                      "--pooling mean, cls, last or max");
    if (st != RAG_OK)
        rag_source_close(out);
    return st;
}
