/*
 * Written section by section into a temporary file that takes the place of the
 * old one at the end.
 */
#include "nn/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "nn/tokens_blob.h"

/* blobs of tokenizers: the largest known one has 25 MB */
#define MAX_BLOB ((size_t)512 << 20)
/* rows of the vocabulary written at once */
#define VOCAB_ROWS ((size_t)256)

typedef struct writer {
    int fd;
    const char *path;
    uint64_t at;
    rag_sha256 *sha;
    rag_weights_head head;
    rag_weights_section sections[RAG_WEIGHTS_SECTIONS];
    rag_pack_parts parts;
} writer;

/* ---- header ------------------------------------------------------------ */

static void put_text(char *to, size_t cap, const char *text)
{
    rag_str s = rag_str_of(text);
    size_t n = rag_utf8_floor(s, s.len < cap ? s.len : cap - 1);

    memcpy(to, text, n);
}

/* Q4_0 rows stay as they are: they are small, and turning one into floats costs
 * nothing beside a layer. */
static uint32_t vocab_format(const rag_source *s)
{
    const rag_source_tensor *t = rag_source_find(s, RAG_PART_WORDS, 0);

    return t != NULL && t->type == RAG_DTYPE_Q4_0 ? RAG_WEIGHTS_VOCAB_Q4_0
                                                  : RAG_WEIGHTS_VOCAB_I8;
}

static size_t n_lines(const char *text)
{
    size_t n = text[0] != '\0';

    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

/* Only two are ever used: of the first and of the second text of a pair. */
static uint32_t n_types(const rag_source *s)
{
    const rag_source_tensor *t = rag_source_find(s, RAG_PART_TYPES, 0);

    return t == NULL ? 0 : t->n_rows > 1 ? 2 : 1;
}

static void describe(rag_weights_head *h, const rag_source *s, const char *name)
{
    memcpy(h->magic, "RAGMODEL", sizeof h->magic);
    h->version = RAG_WEIGHTS_VERSION;
    h->head_bytes = RAG_WEIGHTS_HEAD_BYTES;
    h->arch = (uint32_t)s->arch;
    h->act = (uint32_t)s->act;
    h->pooling = (uint32_t)s->pooling;
    h->head = (uint32_t)s->head;
    h->tokens = (uint32_t)s->tokens.kind;
    h->vocab_format = vocab_format(s);
    h->n_layers = s->n_layers;
    h->hidden = s->hidden;
    h->n_heads = s->n_heads;
    h->ffn = s->ffn;
    h->window =
        s->window < RAG_WEIGHTS_MAX_WINDOW ? s->window : RAG_WEIGHTS_MAX_WINDOW;
    h->n_vocab = s->tokens.n_pieces;
    h->n_types = n_types(s);
    h->n_labels = s->head != RAG_HEAD_NONE ? s->n_labels : 0;
    h->norm_eps = s->norm_eps;
    if (s->arch == RAG_ARCH_MODERNBERT) {
        h->local_window = s->local_window;
        h->global_every = s->global_every;
        h->rope_global = s->rope_global;
        h->rope_local = s->rope_local;
    }
    put_text(h->name, sizeof h->name, name);
    put_text(h->query_prefix, sizeof h->query_prefix, s->query_prefix);
    put_text(h->passage_prefix, sizeof h->passage_prefix, s->passage_prefix);
    put_text(h->licence, sizeof h->licence, s->licence);
    put_text(h->source, sizeof h->source, s->source);
    if (n_lines(s->label_names) == h->n_labels)
        put_text(h->label_names, sizeof h->label_names, s->label_names);
}

/* ---- writing ----------------------------------------------------------- */

static rag_status put(writer *w, const void *bytes, size_t n, rag_error *err)
{
    const rag_source *s = w->parts.s;

    if (s->cancelled != NULL && s->cancelled(s->cancel_ctx))
        return rag_fail(err, RAG_E_CANCELLED, "interrupted");
    rag_sha256_add(w->sha, bytes, n);
    w->at += n;
    return rag_file_write_fd(w->fd, bytes, n, w->path, err);
}

/* Ends the section before with zeros up to the alignment. */
static rag_status begin(writer *w, rag_weights_kind kind, rag_error *err)
{
    static const unsigned char zero[RAG_WEIGHTS_ALIGN];
    size_t over = (size_t)(w->at % RAG_WEIGHTS_ALIGN);
    rag_weights_section *s = &w->sections[kind - 1];
    rag_status st = RAG_OK;

    if (over != 0)
        st = put(w, zero, RAG_WEIGHTS_ALIGN - over, err);
    s->kind = kind;
    s->offset = w->at;
    return st;
}

static void end(writer *w, rag_weights_kind kind)
{
    w->sections[kind - 1].n_bytes = w->at - w->sections[kind - 1].offset;
}

static rag_status put_section(writer *w, rag_weights_kind kind,
                              const void *bytes, size_t n, rag_error *err)
{
    rag_status st;

    TRY(begin(w, kind, err));
    TRY(put(w, bytes, n, err));
    end(w, kind);
out:
    return st;
}

static rag_status put_layers(writer *w, rag_pack_shift *shift, rag_error *err)
{
    size_t n_bytes = rag_weights_layer_bytes(&w->head);
    unsigned char *layer = rag_malloc(n_bytes);
    rag_status st;

    if (layer == NULL)
        return rag_fail_nomem(err);
    TRY(begin(w, RAG_WEIGHTS_LAYERS, err));
    for (uint32_t i = 0; i < w->head.n_layers; i++) {
        rag_pack_shift_begin(shift, layer);
        TRY(rag_pack_attention(layer, &w->parts, &w->head, i, err));
        TRY(rag_pack_shift_attention(shift, layer, i, err));
        TRY(rag_pack_forward(layer, &w->parts, &w->head, i, err));
        TRY(rag_pack_shift_forward(shift, layer, i, err));
        TRY(put(w, layer, n_bytes, err));
    }
    end(w, RAG_WEIGHTS_LAYERS);
out:
    rag_free(layer);
    return st;
}

static rag_status put_layers_embed(writer *w, rag_error *err)
{
    size_t n_bytes = rag_weights_embed_bytes(&w->head);
    float *x = rag_malloc(n_bytes);
    rag_pack_shift *shift = NULL;
    rag_status st;

    if (x == NULL)
        return rag_fail_nomem(err);
    TRY(rag_pack_embed(x, &w->parts, &w->head, err));
    TRY(rag_pack_shift_new(&shift, &w->parts, &w->head, x, err));
    TRY(put_layers(w, shift, err));
    TRY(put_section(w, RAG_WEIGHTS_EMBED, x, n_bytes, err));
out:
    rag_pack_shift_free(shift);
    rag_free(x);
    return st;
}

static rag_status put_labels(writer *w, rag_error *err)
{
    size_t n_bytes = rag_weights_labels_bytes(&w->head);
    float *x = rag_malloc(n_bytes);
    rag_status st;

    if (x == NULL)
        return rag_fail_nomem(err);
    if (n_bytes != 0)
        TRY(rag_pack_labels(x, &w->parts, &w->head, err));
    TRY(put_section(w, RAG_WEIGHTS_HEAD, x, n_bytes, err));
out:
    rag_free(x);
    return st;
}

static rag_status put_tokens(writer *w, rag_error *err)
{
    rag_status st;
    rag_buf blob;

    rag_buf_init(&blob, MAX_BLOB);
    TRY(rag_tokens_build(&blob, &w->parts.s->tokens, err));
    TRY(put_section(w, RAG_WEIGHTS_TOKENS, blob.ptr, blob.len, err));
out:
    rag_buf_dispose(&blob);
    return st;
}

/* Q4_0 as it is; scales that are no numbers are found on the way. */
static rag_status put_q4_rows(writer *w, const rag_source_tensor *t, float *row,
                              rag_error *err)
{
    rag_status st;

    for (uint32_t i = 0; i < w->head.n_vocab; i++)
        TRY(rag_pack_row(row, t, i, err));
    TRY(put(w, t->bytes, w->head.n_vocab * rag_weights_row_bytes(&w->head),
            err));
out:
    return st;
}

static void put_i8_row(unsigned char *to, const float *row, size_t n)
{
    float most = 0.0f;
    float scale;

    for (size_t d = 0; d < n; d++)
        most = fmaxf(most, fabsf(row[d]));
    for (size_t d = 0; d < n; d++) {
        float q = most > 0.0f ? rintf(row[d] / most * 127.0f) : 0.0f;

        to[d] = (unsigned char)(int8_t)q;
    }
    scale = most / 127.0f;
    memcpy(to + n, &scale, sizeof scale);
}

static rag_status put_i8_rows(writer *w, const rag_source_tensor *t, float *row,
                              rag_error *err)
{
    size_t row_bytes = rag_weights_row_bytes(&w->head);
    unsigned char *rows = rag_malloc(VOCAB_ROWS * row_bytes);
    size_t n = 0;
    rag_status st = RAG_OK;

    if (rows == NULL)
        return rag_fail_nomem(err);
    for (uint32_t i = 0; i < w->head.n_vocab; i++) {
        TRY(rag_pack_row(row, t, i, err));
        put_i8_row(rows + n++ * row_bytes, row, w->head.hidden);
        if (n == VOCAB_ROWS || i + 1 == w->head.n_vocab) {
            TRY(put(w, rows, n * row_bytes, err));
            n = 0;
        }
    }
out:
    rag_free(rows);
    return st;
}

static rag_status put_vocab(writer *w, rag_error *err)
{
    float *row = rag_malloc(w->head.hidden * sizeof *row);
    const rag_source_tensor *t;
    rag_status st;

    if (row == NULL)
        return rag_fail_nomem(err);
    TRY(rag_pack_table(&t, &w->parts, RAG_PART_WORDS, w->head.n_vocab,
                       w->head.hidden, false, err));
    TRY(begin(w, RAG_WEIGHTS_VOCAB, err));
    if (w->head.vocab_format == RAG_WEIGHTS_VOCAB_Q4_0)
        TRY(put_q4_rows(w, t, row, err));
    else
        TRY(put_i8_rows(w, t, row, err));
    end(w, RAG_WEIGHTS_VOCAB);
out:
    rag_free(row);
    return st;
}

/* Writes the header in front of the finished sections. */
static rag_status put_head(writer *w, rag_error *err)
{
    unsigned char *page = rag_calloc(1, RAG_WEIGHTS_HEAD_BYTES);
    rag_weights_head *h = &w->head;
    rag_status st;

    if (page == NULL)
        return rag_fail_nomem(err);
    h->file_bytes = w->at;
    rag_sha256_end(w->sha, h->payload_sha256);
    memcpy(page, h, sizeof *h);
    memcpy(page + sizeof *h, w->sections, sizeof w->sections);
    rag_hash_sha256(h->head_sha256, page, RAG_WEIGHTS_HEAD_BYTES);
    memcpy(page, h, sizeof *h);
    if (lseek(w->fd, 0, SEEK_SET) != 0) {
        st = rag_fail_errno(err, errno, "cannot seek in %s", w->path);
        goto out;
    }
    st = rag_file_write_fd(w->fd, page, RAG_WEIGHTS_HEAD_BYTES, w->path, err);
out:
    rag_free(page);
    return st;
}

static rag_status write_all(writer *w, rag_error *err)
{
    rag_status st;

    w->at = RAG_WEIGHTS_HEAD_BYTES;
    if (lseek(w->fd, RAG_WEIGHTS_HEAD_BYTES, SEEK_SET) < 0)
        return rag_fail_errno(err, errno, "cannot seek in %s", w->path);
    TRY(put_layers_embed(w, err));
    TRY(put_labels(w, err));
    TRY(put_tokens(w, err));
    TRY(put_vocab(w, err));
    TRY(rag_pack_check_used(&w->parts, err));
    TRY(put_head(w, err));
out:
    return st;
}

/* The temporary file is locked while it is written: an unlocked one is what a
 * killed program left, and may be removed. */
static rag_status create(writer *w, rag_error *err)
{
    struct stat sb;

    for (;;) {
        w->fd =
            open(w->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                 0600);
        if (w->fd < 0)
            return rag_fail_errno(err, errno, "cannot create %s", w->path);
        /* a file system without locks: as if nobody swept */
        if (flock(w->fd, LOCK_EX) != 0 || fstat(w->fd, &sb) != 0 ||
            sb.st_nlink != 0)
            return RAG_OK;
        (void)close(w->fd); /* removed before the lock was there */
    }
}

static rag_status write_file(writer *w, const char *out_path, rag_error *err)
{
    rag_status st;
    rag_buf tmp;

    rag_buf_init(&tmp, PATH_MAX + (size_t)32);
    rag_buf_addf(&tmp, "%s.tmp%ld", out_path, (long)getpid());
    TRY(rag_buf_status(&tmp, err));
    w->path = tmp.ptr;
    TRY(create(w, err));
    st = write_all(w, err);
    if (st != RAG_OK) {
        (void)close(w->fd);
        (void)unlink(tmp.ptr);
        goto out;
    }
    st = rag_file_commit(w->fd, tmp.ptr, out_path, err);
out:
    rag_buf_dispose(&tmp);
    return st;
}

rag_status rag_pack(const char *out_path, const rag_source *s, const char *name,
                    rag_error *err)
{
    writer *w = rag_calloc(1, sizeof *w);
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    w->fd = -1;
    describe(&w->head, s, name);
    TRY(rag_weights_check_shape(&w->head, RAG_E_FORMAT, err));
    TRY(rag_pack_parts_init(&w->parts, s, err));
    w->sha = rag_sha256_new();
    if (w->sha == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    st = write_file(w, out_path, err);
out:
    rag_sha256_free(w->sha);
    rag_pack_parts_dispose(&w->parts);
    rag_free(w);
    return st;
}
