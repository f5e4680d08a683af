/*
 * A foreign model file becomes one of ours: matrices rounded to int8 and
 * packed, trie and normaliser built. Written section by section into a
 * temporary file that takes the place of the old one at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "nn/e5s1.h"
#include "nn/encoder.h"
#include "nn/kern.h"
#include "nn/trie.h"

#define Q4_BYTES 18u
/* what SentencePiece takes off the worst piece's score for an unknown one */
#define UNK_PENALTY 10.0f

typedef struct writer {
    int fd;
    const char *path;
    uint64_t at;
    rag_sha256 *sha;
    rag_weights_section sections[RAG_WEIGHTS_SECTIONS];
} writer;

/* One matrix on its way into the file. */
typedef struct target {
    int8_t *w;
    float *scale;
    float *sum;
    float *bias;
    size_t n_in;
} target;

static target target_at(unsigned char **at, size_t n_out, size_t n_in)
{
    target m = {(int8_t *)*at, (float *)(void *)(*at + n_out * n_in), NULL,
                NULL, n_in};

    m.sum = m.scale + n_out;
    m.bias = m.sum + n_out;
    *at += rag_weights_matrix_bytes(n_out, n_in);
    return m;
}

/* Rounds row `o` to int8 by its greatest magnitude and puts it in its panel. */
static void pack_row(target *m, size_t o, const float *x, float factor)
{
    int8_t *panel = m->w + o / RAG_KERN_PANEL * RAG_KERN_PANEL * m->n_in +
                    o % RAG_KERN_PANEL * RAG_KERN_QUAD;
    float most = 0.0f;
    int32_t sum = 0;

    for (size_t k = 0; k < m->n_in; k++)
        most = fmaxf(most, fabsf(x[k]));
    for (size_t k = 0; k < m->n_in; k++) {
        float q = most > 0.0f ? rintf(x[k] / most * 127.0f) : 0.0f;

        panel[k / RAG_KERN_QUAD * RAG_KERN_PANEL * RAG_KERN_QUAD +
              k % RAG_KERN_QUAD] = (int8_t)q;
        sum += (int32_t)q;
    }
    m->scale[o] = most / 127.0f * factor;
    m->sum[o] = m->scale[o] * (float)sum;
}

/* Rows [first, first + n_out) of m from the tensors NAME.w and NAME.b, all
 * times factor. row: scratch [n_in] */
static rag_status matrix(target *m, size_t first, size_t n_out, float factor,
                         const rag_e5s1 *s, int layer, const char *name,
                         float *row, rag_error *err)
{
    char part[16];
    const rag_e5s1_tensor *t;
    rag_status st;
    size_t len = strlen(name);

    memcpy(part, name, len);
    memcpy(part + len, ".w", 3);
    TRY(rag_e5s1_find(&t, s, layer, part, n_out * m->n_in, err));
    for (size_t o = 0; o < n_out; o++) {
        TRY(rag_e5s1_values(row, t, o * m->n_in, m->n_in, err));
        pack_row(m, first + o, row, factor);
    }
    memcpy(part + len, ".b", 3);
    TRY(rag_e5s1_vector(m->bias + first, s, layer, part, n_out, err));
    for (size_t o = 0; o < n_out; o++)
        m->bias[first + o] *= factor;
out:
    return st;
}

static float *vector_at(unsigned char **at, size_t n)
{
    float *v = (float *)(void *)*at;

    *at += n * sizeof *v;
    return v;
}

static rag_status pack_layer(unsigned char *to, const rag_e5s1 *s, int layer,
                             float *row, rag_error *err)
{
    size_t hidden = s->head.hidden;
    size_t ffn = s->head.ffn;
    float q_factor = 1.0f / sqrtf((float)(hidden / s->head.n_heads));
    rag_status st;
    target m = target_at(&to, 3 * hidden, hidden);

    TRY(matrix(&m, 0, hidden, q_factor, s, layer, "q", row, err));
    TRY(matrix(&m, hidden, hidden, 1.0f, s, layer, "k", row, err));
    TRY(matrix(&m, 2 * hidden, hidden, 1.0f, s, layer, "v", row, err));
    m = target_at(&to, hidden, hidden);
    TRY(matrix(&m, 0, hidden, 1.0f, s, layer, "ao", row, err));
    TRY(rag_e5s1_vector(vector_at(&to, hidden), s, layer, "aln.w", hidden,
                        err));
    TRY(rag_e5s1_vector(vector_at(&to, hidden), s, layer, "aln.b", hidden,
                        err));
    m = target_at(&to, ffn, hidden);
    TRY(matrix(&m, 0, ffn, 1.0f, s, layer, "fi", row, err));
    m = target_at(&to, hidden, ffn);
    TRY(matrix(&m, 0, hidden, 1.0f, s, layer, "fo", row, err));
    TRY(rag_e5s1_vector(vector_at(&to, hidden), s, layer, "oln.w", hidden,
                        err));
    TRY(rag_e5s1_vector(vector_at(&to, hidden), s, layer, "oln.b", hidden,
                        err));
out:
    return st;
}

/* ---- writing ----------------------------------------------------------- */

static rag_status put(writer *w, const void *bytes, size_t n, rag_error *err)
{
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

static rag_status put_layers(writer *w, const rag_e5s1 *s, rag_error *err)
{
    size_t n_bytes = rag_weights_layer_bytes(&s->head);
    size_t longest =
        s->head.ffn > s->head.hidden ? s->head.ffn : s->head.hidden;
    unsigned char *layer = rag_malloc(n_bytes);
    float *row = rag_malloc(longest * sizeof *row);
    rag_status st;

    if (layer == NULL || row == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(begin(w, RAG_WEIGHTS_LAYERS, err));
    for (uint32_t i = 0; i < s->head.n_layers; i++) {
        TRY(pack_layer(layer, s, (int)i, row, err));
        TRY(put(w, layer, n_bytes, err));
    }
    end(w, RAG_WEIGHTS_LAYERS);
out:
    rag_free(row);
    rag_free(layer);
    return st;
}

static rag_status put_embed(writer *w, const rag_e5s1 *s, rag_error *err)
{
    size_t hidden = s->head.hidden;
    size_t n = hidden * s->head.window;
    float *x = rag_malloc(rag_weights_embed_bytes(&s->head));
    float *type = rag_malloc(hidden * s->n_types * sizeof *type);
    rag_status st;

    if (x == NULL || type == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(rag_e5s1_vector(x, s, -1, "emb.pos", n, err));
    TRY(rag_e5s1_vector(type, s, -1, "emb.type", hidden * s->n_types, err));
    for (size_t i = 0; i < n; i++)
        x[i] += type[i % hidden];
    TRY(rag_e5s1_vector(x + n, s, -1, "emb.ln.w", hidden, err));
    TRY(rag_e5s1_vector(x + n + hidden, s, -1, "emb.ln.b", hidden, err));
    TRY(put_section(w, RAG_WEIGHTS_EMBED, x, rag_weights_embed_bytes(&s->head),
                    err));
out:
    rag_free(type);
    rag_free(x);
    return st;
}

static rag_status put_nmt(writer *w, const rag_e5s1 *s, rag_error *err)
{
    rag_nmt_built b;
    rag_status st;

    st = rag_nmt_build(&b, s->nmt, s->n_nmt, err);
    if (st != RAG_OK)
        return st;
    TRY(begin(w, RAG_WEIGHTS_NMT_PAGES, err));
    TRY(put(w, b.page_of, sizeof b.page_of, err));
    TRY(put(w, b.pages.ptr, b.pages.len, err));
    end(w, RAG_WEIGHTS_NMT_PAGES);
    TRY(put_section(w, RAG_WEIGHTS_NMT_TEXT, b.text.ptr, b.text.len, err));
    TRY(put_section(w, RAG_WEIGHTS_NMT_RULES, b.rules.ptr, b.rules.len, err));
out:
    rag_nmt_built_dispose(&b);
    return st;
}

/* Pieces that are no text: they never come out of a segmentation. */
static bool is_special(const rag_e5s1 *s, size_t i)
{
    return (int64_t)i == s->head.bos || (int64_t)i == s->head.eos ||
           (int64_t)i == s->head.unk || (int64_t)i == s->pad ||
           rag_str_eqz(s->pieces[i], "<mask>");
}

typedef struct entry {
    rag_str piece;
    uint32_t id;
} entry;

static int by_piece(const void *a, const void *b)
{
    return rag_str_cmp(((const entry *)a)->piece, ((const entry *)b)->piece);
}

/* The pieces in order; fills in what the header says of them. */
static rag_status sort_pieces(entry *all, size_t *n_all, rag_e5s1 *s,
                              rag_error *err)
{
    float worst = INFINITY;
    size_t n = 0;

    s->head.flags = RAG_WEIGHTS_FLAG_BY_WORD;
    for (size_t i = 0; i < s->head.n_pieces; i++) {
        rag_str p = s->pieces[i];

        if (is_special(s, i))
            continue;
        if (rag_str_find(rag_str_cut(p, 1, p.len),
                         RAG_STR_LIT("\xE2\x96\x81")) != SIZE_MAX)
            s->head.flags = 0;
        worst = fminf(worst, rag_e5s1_score(s, i));
        all[n++] = (entry){p, (uint32_t)i};
    }
    if (n == 0)
        return rag_fail(err, RAG_E_FORMAT, "no pieces");
    qsort(all, n, sizeof *all, by_piece);
    s->head.unk_score = worst - UNK_PENALTY;
    *n_all = n;
    return RAG_OK;
}

static rag_status put_trie(writer *w, rag_e5s1 *s, rag_error *err)
{
    size_t n = s->head.n_pieces;
    entry *all = rag_calloc(n, sizeof *all);
    rag_str *keys = rag_calloc(n, sizeof *keys);
    uint32_t *ids = rag_calloc(n, sizeof *ids);
    uint32_t *units = NULL;
    size_t n_units;
    rag_status st;

    if (all == NULL || keys == NULL || ids == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(sort_pieces(all, &n, s, err));
    for (size_t i = 0; i < n; i++) {
        keys[i] = all[i].piece;
        ids[i] = all[i].id;
    }
    TRY(rag_trie_build(&units, &n_units, keys, ids, n, err));
    TRY(put_section(w, RAG_WEIGHTS_TRIE, units, n_units * sizeof *units, err));
    TRY(put_section(w, RAG_WEIGHTS_SCORES, s->scores,
                    (size_t)s->head.n_pieces * sizeof(float), err));
out:
    rag_free(units);
    rag_free(ids);
    rag_free(keys);
    rag_free(all);
    return st;
}

/* The rows of the pieces as they are: Q4_0 is small, and turning one row into
 * floats costs nothing beside a layer. */
static rag_status put_vocab(writer *w, const rag_e5s1 *s, rag_error *err)
{
    size_t n_bytes = rag_weights_vocab_bytes(&s->head);
    const rag_e5s1_tensor *t;
    rag_status st;

    TRY(rag_e5s1_find(&t, s, -1, "emb.word", s->n_vocab * s->head.hidden, err));
    if (!t->q4)
        return rag_fail(err, RAG_E_FORMAT, "emb.word is not Q4_0");
    for (size_t i = 0; i < n_bytes; i += Q4_BYTES) {
        const unsigned char *p = t->bytes + i;

        if (!isfinite(rag_weights_half((uint16_t)(p[0] | p[1] << 8))))
            return rag_fail(err, RAG_E_FORMAT, "emb.word: not a number");
    }
    TRY(put_section(w, RAG_WEIGHTS_VOCAB, t->bytes, n_bytes, err));
out:
    return st;
}

static void put_text(char *to, size_t cap, const char *text)
{
    size_t n = strlen(text);

    if (n >= cap)
        n = cap - 1;
    memcpy(to, text, n);
}

/* "FILE sha256:HEX" */
static rag_status describe(rag_e5s1 *s, const char *in_path, rag_error *err)
{
    rag_weights_head *h = &s->head;
    const char *base = rag_file_base(in_path);
    uint8_t digest[RAG_SHA256_BYTES];
    char hex[2 * RAG_SHA256_BYTES + 1];
    rag_buf b;
    rag_str name;
    rag_status st;

    rag_hash_sha256(digest, s->map.ptr, s->map.len);
    rag_hash_hex(hex, digest, sizeof digest);
    rag_buf_init(&b, 8192);
    rag_utf8_show(&b, rag_str_of(base), false);
    name = rag_buf_str(&b);
    rag_buf_trunc(&b, rag_utf8_floor(name, name.len < 128 ? name.len : 128));
    rag_buf_addf(&b, " sha256:%s", hex);
    TRY(rag_buf_status(&b, err));
    put_text(h->source, sizeof h->source, b.ptr);
    /* E5S1 does not carry these; it is only ever this model */
    put_text(h->query_prefix, sizeof h->query_prefix, "query: ");
    put_text(h->passage_prefix, sizeof h->passage_prefix, "passage: ");
    put_text(h->licence, sizeof h->licence, "MIT (multilingual-e5-small)");
out:
    rag_buf_dispose(&b);
    return st;
}

/* Writes the header in front of the finished sections. */
static rag_status put_head(writer *w, rag_e5s1 *s, rag_error *err)
{
    unsigned char *page = rag_calloc(1, RAG_WEIGHTS_HEAD_BYTES);
    rag_weights_head *h = &s->head;
    rag_status st;

    if (page == NULL)
        return rag_fail_nomem(err);
    memcpy(h->magic, "RAGMODEL", sizeof h->magic);
    h->version = RAG_WEIGHTS_VERSION;
    h->head_bytes = RAG_WEIGHTS_HEAD_BYTES;
    h->file_bytes = w->at;
    h->arch = RAG_WEIGHTS_ARCH_BERT;
    h->tokens = RAG_WEIGHTS_TOKENS_UNIGRAM;
    h->pooling = RAG_WEIGHTS_POOL_MEAN;
    h->vocab_format = RAG_WEIGHTS_VOCAB_Q4_0;
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

static rag_status write_all(writer *w, rag_e5s1 *s, rag_error *err)
{
    rag_status st;

    w->at = RAG_WEIGHTS_HEAD_BYTES;
    if (lseek(w->fd, RAG_WEIGHTS_HEAD_BYTES, SEEK_SET) < 0)
        return rag_fail_errno(err, errno, "cannot seek in %s", w->path);
    TRY(put_layers(w, s, err));
    TRY(put_embed(w, s, err));
    TRY(put_nmt(w, s, err));
    TRY(put_trie(w, s, err));
    TRY(put_vocab(w, s, err));
    TRY(put_head(w, s, err));
out:
    return st;
}

static rag_status write_file(const char *out_path, rag_e5s1 *s, rag_error *err)
{
    writer w = {.fd = -1};
    rag_status st;
    rag_buf tmp;

    rag_buf_init(&tmp, PATH_MAX + (size_t)32);
    rag_buf_addf(&tmp, "%s.tmp%ld", out_path, (long)getpid());
    TRY(rag_buf_status(&tmp, err));
    w.path = tmp.ptr;
    w.sha = rag_sha256_new();
    if (w.sha == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    w.fd = open(tmp.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                0600);
    if (w.fd < 0) {
        st = rag_fail_errno(err, errno, "cannot create %s", tmp.ptr);
        goto out;
    }
    st = write_all(&w, s, err);
    if (st != RAG_OK) {
        (void)close(w.fd);
        (void)unlink(tmp.ptr);
        goto out;
    }
    st = rag_file_commit(w.fd, tmp.ptr, out_path, err);
out:
    rag_sha256_free(w.sha);
    rag_buf_dispose(&tmp);
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

rag_status rag_encoder_import(const char *out_path, const char *in_path,
                              const char *name, rag_error *err)
{
    rag_status st;
    rag_e5s1 s;

    memset(&s, 0, sizeof s);
    TRY(check_name(name, err));
    st = rag_e5s1_open(&s, in_path, err);
    if (st == RAG_OK) {
        put_text(s.head.name, sizeof s.head.name, name);
        TRY(describe(&s, in_path, err));
        st = write_file(out_path, &s, err);
    }
    if (st == RAG_E_FORMAT)
        st = rag_fail_prefix(err, st, "%s", in_path);
out:
    rag_e5s1_close(&s);
    return st;
}
