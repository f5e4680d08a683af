/* A foreign model is recognised by its content and given to its importer; what
 * comes out is packed. */
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "nn/encoder.h"
#include "nn/foreign.h"
#include "nn/pack.h"

/* "FILE sha256:HEX" where the importer has not told the source. */
static rag_status describe(rag_source *s, const char *in_path, rag_error *err)
{
    uint8_t digest[RAG_SHA256_BYTES];
    char hex[2 * RAG_SHA256_BYTES + 1];
    rag_buf b;
    rag_str name;
    rag_status st;

    if (s->source[0] != '\0' || s->n_maps == 0)
        return RAG_OK;
    rag_hash_sha256(digest, s->maps[0].ptr, s->maps[0].len);
    rag_hash_hex(hex, digest, sizeof digest);
    rag_buf_init(&b, 8192);
    rag_utf8_show(&b, rag_str_of(rag_file_base(in_path)), false);
    name = rag_buf_str(&b);
    rag_buf_trunc(&b, rag_utf8_floor(name, name.len < 128 ? name.len : 128));
    rag_buf_addf(&b, " sha256:%s", hex);
    TRY(rag_buf_status(&b, err));
    memcpy(s->source, b.ptr, b.len + 1); /* at most 128 + 8 + 64 bytes */
out:
    rag_buf_dispose(&b);
    return st;
}

static rag_status check_name(const char *name, rag_error *err)
{
    size_t n = strlen(name);

    if (n == 0 || n > 63 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789._-") != n ||
        name[0] == '.' || name[0] == '-')
        return rag_fail(err, RAG_E_INVAL,
                        "a model name has 1 to 63 letters, digits, '.', '_' "
                        "or '-', the first a letter or digit");
    return RAG_OK;
}

/* "FILE sha256:HEX": the bytes count, not what the file was called. */
static bool same_source(const char *a, const char *b)
{
    const char *x = strrchr(a, ':');
    const char *y = strrchr(b, ':');

    return x != NULL && y != NULL && strcmp(x, y) == 0;
}

static rag_status check_place(const char *out_path, const rag_source *s,
                              const char *name, rag_error *err)
{
    rag_encoder_info old;
    const char *end;

    if (rag_encoder_peek(&old, out_path, NULL) != RAG_OK ||
        same_source(old.source, s->source))
        return RAG_OK;
    end = strrchr(old.source, ' ');
    return rag_fail(err, RAG_E_INVAL,
                    "there is another model '%s' already (from %.*s): give "
                    "this one another --name, or remove that one with 'rag "
                    "model rm %s'",
                    name, end != NULL ? (int)(end - old.source) : 0, old.source,
                    name);
}

/* Does anything come out? Numbers that are finite can still be absurd: all
 * zero, or so large that their sums are not finite. */
static rag_status try_out(const char *path, rag_error *err)
{
    const rag_str text = RAG_STR_LIT("one, 2");
    const rag_encoder_info *info;
    rag_encoder *e = NULL;
    float *out = NULL;
    rag_status st;

    TRY(rag_encoder_open(&e, path, 1, err));
    info = rag_encoder_about(e);
    out = rag_calloc(info->is_cross ? info->n_labels : info->dims, sizeof *out);
    if (out == NULL)
        st = rag_fail_nomem(err);
    else if (info->is_cross)
        st = rag_encoder_labels(out, e, &text, &text, 1, NULL, NULL, err);
    else
        st = rag_encoder_run(out, e, &text, 1, NULL, NULL, err);
    if (st == RAG_E_CORRUPT)
        st = rag_fail(err, RAG_E_FORMAT,
                      "its numbers give no %s: zero or far too large weights",
                      info->is_cross ? "score" : "vector");
out:
    rag_free(out);
    rag_encoder_close(e);
    return st;
}

rag_status rag_encoder_import_as(const char *out_path, const char *in_path,
                                 const char *name,
                                 const rag_encoder_import_opts *opts,
                                 rag_error *err)
{
    rag_status st;
    rag_source s;

    memset(&s, 0, sizeof s);
    TRY(check_name(name, err));
    st = rag_foreign_open(&s, in_path, opts, err);
    if (st == RAG_OK) {
        TRY(describe(&s, in_path, err));
        if (opts != NULL && opts->keep_others)
            TRY(check_place(out_path, &s, name, err));
        if (opts != NULL) {
            s.cancelled = opts->cancelled;
            s.cancel_ctx = opts->cancel_ctx;
        }
        TRY(rag_pack(out_path, &s, name, err));
        st = try_out(out_path, err);
        if (st != RAG_OK)
            (void)unlink(out_path);
    }
out:
    if (st == RAG_E_FORMAT)
        st = rag_fail_prefix(err, st, "%s", in_path);
    rag_source_close(&s);
    return st;
}

rag_status rag_encoder_import(const char *out_path, const char *in_path,
                              const char *name, rag_error *err)
{
    return rag_encoder_import_as(out_path, in_path, name, NULL, err);
}
