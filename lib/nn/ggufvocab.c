/*
 * GGUF keeps WordPiece vocabularies with U+2581 in front of what begins a word
 * and "##" taken off the rest; here they get their own form back. What the file
 * does not carry (lower case, Unicode form, splitting pattern) follows from the
 * vocabulary or from the name in "tokenizer.ggml.pre".
 */
#include "nn/ggufvocab.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "nn/tokens.h"

#define LOWER_ONE_EIGHTH "\xE2\x96\x81" /* U+2581 */
/* longest piece; real ones have some 100 bytes, runs of spaces */
#define MAX_PIECE_BYTES 1024u
#define MAX_MERGES (1u << 20)
#define MAX_WORD_CHARS 100u

/* Values of tokenizer.ggml.token_type. */
enum {
    GGML_NORMAL = 1,
    GGML_UNKNOWN,
    GGML_CONTROL,
    GGML_USER,
    GGML_UNUSED,
    GGML_BYTE
};

static rag_status bad(rag_error *err, const char *what)
{
    return rag_fail(err, RAG_E_FORMAT, "tokenizer.ggml.%s", what);
}

static const rag_gguf_value *array_of(const rag_gguf *g, const char *key,
                                      rag_gguf_type type, uint64_t n)
{
    const rag_gguf_value *v = rag_gguf_find(g, key);

    return v != NULL && v->is_array && v->type == type && v->n == n ? v : NULL;
}

static int32_t i32_at(const rag_gguf_value *v, size_t i)
{
    int32_t x;

    memcpy(&x, v->ptr + 4 * i, sizeof x);
    return x;
}

static rag_status read_types(rag_source_tokens *t, rag_arena *a,
                             const rag_gguf *g, rag_error *err)
{
    static const uint8_t kind[] = {[0] = RAG_PIECE_NORMAL,
                                   [GGML_NORMAL] = RAG_PIECE_NORMAL,
                                   [GGML_UNKNOWN] = RAG_PIECE_SPECIAL,
                                   [GGML_CONTROL] = RAG_PIECE_SPECIAL,
                                   [GGML_USER] = RAG_PIECE_USER,
                                   [GGML_UNUSED] = RAG_PIECE_UNUSED,
                                   [GGML_BYTE] = RAG_PIECE_BYTE};
    const rag_gguf_value *v =
        array_of(g, "tokenizer.ggml.token_type", RAG_GGUF_I32, t->n_pieces);

    t->types = rag_arena_array(a, t->n_pieces, sizeof *t->types);
    if (t->types == NULL)
        return rag_fail_nomem(err);
    if (v == NULL && rag_gguf_find(g, "tokenizer.ggml.token_type") != NULL)
        return bad(err, "token_type: not one number a token");
    for (size_t i = 0; i < t->n_pieces && v != NULL; i++) {
        int32_t x = i32_at(v, i);

        if (x < 0 || x > GGML_BYTE)
            return bad(err, "token_type: an unknown value");
        t->types[i] = kind[x];
    }
    return RAG_OK;
}

static rag_status read_scores(rag_source_tokens *t, rag_arena *a,
                              const rag_gguf *g, rag_error *err)
{
    const rag_gguf_value *v =
        array_of(g, "tokenizer.ggml.scores", RAG_GGUF_F32, t->n_pieces);

    if (v == NULL)
        return bad(err, "scores: not one number a token");
    t->scores = rag_arena_array(a, t->n_pieces, sizeof *t->scores);
    if (t->scores == NULL)
        return rag_fail_nomem(err);
    memcpy(t->scores, v->ptr, t->n_pieces * sizeof *t->scores);
    for (size_t i = 0; i < t->n_pieces; i++)
        if (!isfinite(t->scores[i]))
            return bad(err, "scores: not a number");
    return RAG_OK;
}

static rag_status read_pieces(rag_source_tokens *t, rag_arena *a,
                              const rag_gguf *g, rag_error *err)
{
    const rag_gguf_value *v = rag_gguf_find(g, "tokenizer.ggml.tokens");
    const unsigned char *at;

    if (v == NULL || !v->is_array || v->type != RAG_GGUF_STRING || v->n == 0)
        return bad(err, "tokens: not there");
    if (v->n > RAG_TOKENS_MAX_PIECES)
        return rag_fail(err, RAG_E_LIMIT, "%llu tokens, at most %u",
                        (unsigned long long)v->n, RAG_TOKENS_MAX_PIECES);
    t->n_pieces = (uint32_t)v->n;
    t->pieces = rag_arena_array(a, t->n_pieces, sizeof *t->pieces);
    if (t->pieces == NULL)
        return rag_fail_nomem(err);
    at = v->ptr;
    for (size_t i = 0; i < t->n_pieces; i++) {
        t->pieces[i] = rag_gguf_next_str(&at);
        if (t->pieces[i].len > MAX_PIECE_BYTES || !rag_utf8_valid(t->pieces[i]))
            return rag_fail(err, RAG_E_FORMAT,
                            "token %zu: too long, or no UTF-8", i);
    }
    return RAG_OK;
}

/* The id at one of two keys (the second may be NULL), -1 where neither is. */
static rag_status read_id(int32_t *out, const rag_source_tokens *t,
                          const rag_gguf *g, const char *key, const char *other,
                          rag_error *err)
{
    uint32_t id;

    *out = -1;
    if (!rag_gguf_u32(&id, g, key) &&
        (other == NULL || !rag_gguf_u32(&id, g, other)))
        return RAG_OK;
    if (id == UINT32_MAX) /* written for "none" */
        return RAG_OK;
    if (id >= t->n_pieces)
        return rag_fail(err, RAG_E_FORMAT, "%s: no such token", key);
    *out = (int32_t)id;
    return RAG_OK;
}

static void by_name(int32_t *id, const rag_source_tokens *t, const char *name)
{
    for (size_t i = 0; *id < 0 && i < t->n_pieces; i++)
        if (rag_str_eqz(t->pieces[i], name))
            *id = (int32_t)i;
}

static rag_status read_ids(rag_source_tokens *t, const rag_gguf *g,
                           rag_error *err)
{
    int32_t mask;
    rag_status st;

    TRY(read_id(&t->bos, t, g, "tokenizer.ggml.cls_token_id",
                "tokenizer.ggml.bos_token_id", err));
    TRY(read_id(&t->eos, t, g, "tokenizer.ggml.seperator_token_id",
                "tokenizer.ggml.eos_token_id", err));
    TRY(read_id(&t->unk, t, g, "tokenizer.ggml.unknown_token_id", NULL, err));
    TRY(read_id(&t->pad, t, g, "tokenizer.ggml.padding_token_id", NULL, err));
    TRY(read_id(&mask, t, g, "tokenizer.ggml.mask_token_id", NULL, err));
    if (t->kind == RAG_TOKENS_WORDPIECE) {
        by_name(&t->bos, t, "[CLS]");
        by_name(&t->eos, t, "[SEP]");
        by_name(&t->unk, t, "[UNK]");
        by_name(&t->pad, t, "[PAD]");
        by_name(&mask, t, "[MASK]");
    } else if (t->kind == RAG_TOKENS_UNIGRAM) {
        by_name(&t->unk, t, "<unk>");
        by_name(&mask, t, "<mask>");
    }
    for (size_t i = 0; i < 5; i++) {
        int32_t ids[] = {t->bos, t->eos, t->unk, t->pad, mask};

        if (ids[i] >= 0)
            t->types[ids[i]] = RAG_PIECE_SPECIAL;
    }
out:
    return st;
}

static bool has_upper(rag_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z')
            return true;
    return false;
}

/* "▁word" -> "word", "word" -> "##word". */
static rag_status wordpiece(rag_source_tokens *t, rag_arena *a, rag_error *err)
{
    bool cased = false;

    for (size_t i = 0; i < t->n_pieces; i++) {
        rag_str *p = &t->pieces[i];
        char *more;

        if (t->types[i] == RAG_PIECE_SPECIAL ||
            (p->len > 2 && p->ptr[0] == '[' && p->ptr[p->len - 1] == ']'))
            continue;
        if (rag_str_starts(*p, LOWER_ONE_EIGHTH)) {
            *p = rag_str_cut(*p, 3, p->len);
        } else {
            more = rag_arena_alloc(a, p->len + 3);
            if (more == NULL)
                return rag_fail_nomem(err);
            memcpy(more, "##", 2);
            memcpy(more + 2, p->ptr, p->len);
            *p = rag_str_n(more, p->len + 2);
        }
        /* "[unused7]" is no word */
        cased = cased || (!rag_str_starts(*p, "[") && has_upper(*p));
    }
    if (!rag_source_norm_bert(t, true, !cased, !cased))
        return rag_fail(err, RAG_E_LIMIT, "too many normalizers");
    t->cjk_spaces = true;
    t->max_word_chars = MAX_WORD_CHARS;
    return RAG_OK;
}

static rag_status unigram(rag_source_tokens *t, rag_arena *a, const rag_gguf *g,
                          rag_error *err)
{
    const rag_gguf_value *map =
        rag_gguf_find(g, "tokenizer.ggml.precompiled_charsmap");

    t->prefix_space = true;
    (void)rag_gguf_bool(&t->prefix_space, g, "tokenizer.ggml.add_space_prefix");
    /* remove_extra_whitespaces is not read: the converter fills it from an
     * unrelated setting, and every model of this kind collapses */
    t->collapse_spaces = true;
    t->pair_double_eos = true;
    t->form = RAG_FORM_NONE;
    if (map != NULL && map->is_array && map->n != 0) {
        if (map->type != RAG_GGUF_U8 && map->type != RAG_GGUF_I8)
            return bad(err, "precompiled_charsmap: no bytes");
        t->form = RAG_FORM_CHARSMAP;
        t->charsmap = rag_str_n((const char *)map->ptr, map->n_bytes);
    }
    if (t->unk < 0 || t->eos < 0)
        return bad(err, "unknown_token_id or eos_token_id: not there");
    return read_scores(t, a, g, err);
}

/* Piece -> id + 1, open addressing; a power of two of places. */
typedef struct table {
    uint32_t *ids;
    size_t mask;
    const rag_source_tokens *t;
} table;

static rag_status table_init(table *m, const rag_source_tokens *t,
                             rag_error *err)
{
    size_t n = 16;

    while (n < (size_t)t->n_pieces * 2)
        n *= 2;
    m->t = t;
    m->mask = n - 1;
    m->ids = rag_calloc(n, sizeof *m->ids);
    if (m->ids == NULL)
        return rag_fail_nomem(err);
    for (uint32_t i = 0; i < t->n_pieces; i++) {
        size_t at = rag_hash_fast(t->pieces[i].ptr, t->pieces[i].len);

        while (m->ids[at & m->mask] != 0)
            at++;
        m->ids[at & m->mask] = i + 1;
    }
    return RAG_OK;
}

static bool table_find(uint32_t *id, const table *m, rag_str piece)
{
    size_t at = rag_hash_fast(piece.ptr, piece.len);

    for (; m->ids[at & m->mask] != 0; at++) {
        *id = m->ids[at & m->mask] - 1;
        if (rag_str_eq(m->t->pieces[*id], piece))
            return true;
    }
    return false;
}

static rag_status read_merge(rag_source_tokens *t, const table *m, rag_str line,
                             rag_error *err)
{
    char both[2 * MAX_PIECE_BYTES];
    size_t n = t->n_merges;
    size_t gap = SIZE_MAX;
    rag_str l;
    rag_str r;

    if (line.len > 1)
        gap = rag_str_find_char(rag_str_cut(line, 1, line.len), ' ');
    if (gap == SIZE_MAX || line.len > sizeof both)
        return bad(err, "merges: not two pieces");
    l = rag_str_cut(line, 0, gap + 1);
    r = rag_str_cut(line, gap + 2, line.len);
    memcpy(both, l.ptr, l.len);
    if (r.len != 0)
        memcpy(both + l.len, r.ptr, r.len);
    if (!table_find(&t->merges[n][0], m, l) ||
        !table_find(&t->merges[n][1], m, r) ||
        !table_find(&t->merged[n], m, rag_str_n(both, l.len + r.len)))
        return bad(err, "merges: a piece that is no token");
    t->n_merges++;
    return RAG_OK;
}

static rag_status read_merges(rag_source_tokens *t, rag_arena *a,
                              const rag_gguf *g, rag_error *err)
{
    const rag_gguf_value *v = rag_gguf_find(g, "tokenizer.ggml.merges");
    const unsigned char *at;
    table m = {NULL, 0, NULL};
    rag_status st;

    if (v == NULL || !v->is_array || v->type != RAG_GGUF_STRING || v->n == 0 ||
        v->n > MAX_MERGES)
        return bad(err, "merges: not there, or too many");
    t->merges = rag_arena_array(a, (size_t)v->n, sizeof *t->merges);
    t->merged = rag_arena_array(a, (size_t)v->n, sizeof *t->merged);
    if (t->merges == NULL || t->merged == NULL)
        return rag_fail_nomem(err);
    TRY(table_init(&m, t, err));
    at = v->ptr;
    for (uint64_t i = 0; i < v->n; i++)
        TRY(read_merge(t, &m, rag_gguf_next_str(&at), err));
out:
    rag_free(m.ids);
    return st;
}

static rag_status byte_bpe(rag_source_tokens *t, rag_arena *a,
                           const rag_gguf *g, rag_error *err)
{
    static const struct {
        const char *pre;
        uint32_t splits;
        rag_tokens_form form;
        bool pair_double_eos;
        bool ignore_merges;
    } known[] = {
        {"gpt-2", RAG_SPLIT_GPT2, RAG_FORM_NONE, false, false},
        {"roberta-bpe", RAG_SPLIT_GPT2, RAG_FORM_NONE, true, false},
        {"modern-bert", RAG_SPLIT_GPT2, RAG_FORM_NFC, false, false},
        {"llama-bpe", RAG_SPLIT_LLAMA3, RAG_FORM_NONE, false, true},
        {"qwen2", RAG_SPLIT_QWEN2, RAG_FORM_NFC, false, false},
        {"gpt-4o", RAG_SPLIT_O200K, RAG_FORM_NONE, false, false},
        {"granite-embed-multi-97m", RAG_SPLIT_O200K, RAG_FORM_NONE, false,
         true},
    };
    rag_str pre = RAG_STR_LIT("default");
    int n;

    (void)rag_gguf_str(&pre, g, "tokenizer.ggml.pre");
    n = pre.len < 64 ? (int)pre.len : 64;
    (void)rag_gguf_bool(&t->prefix_space, g, "tokenizer.ggml.add_space_prefix");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!rag_str_eqz(pre, known[i].pre))
            continue;
        t->splits = known[i].splits;
        t->form = known[i].form;
        t->pair_double_eos = known[i].pair_double_eos;
        t->ignore_merges = known[i].ignore_merges;
        return read_merges(t, a, g, err);
    }
    return rag_fail(err, RAG_E_UNSUPPORTED,
                    "the tokenizer \"%.*s\" (tokenizer.ggml.pre) is not "
                    "supported: import the model's safetensors folder",
                    n, pre.ptr);
}

static rag_status sp_bpe(rag_source_tokens *t, rag_arena *a, const rag_gguf *g,
                         rag_error *err)
{
    bool add = true;

    t->prefix_space = true;
    (void)rag_gguf_bool(&t->prefix_space, g, "tokenizer.ggml.add_space_prefix");
    (void)rag_gguf_bool(&t->collapse_spaces, g,
                        "tokenizer.ggml.remove_extra_whitespaces");
    t->byte_fallback = true;
    if (rag_gguf_bool(&add, g, "tokenizer.ggml.add_bos_token") && !add)
        t->bos = -1;
    if (rag_gguf_bool(&add, g, "tokenizer.ggml.add_eos_token") && !add)
        t->eos = -1;
    return read_scores(t, a, g, err);
}

rag_status rag_ggufvocab_read(rag_source_tokens *out, rag_arena *a,
                              const rag_gguf *g, rag_error *err)
{
    rag_str model = {NULL, 0};
    rag_status st;

    memset(out, 0, sizeof *out);
    if (!rag_gguf_str(&model, g, "tokenizer.ggml.model"))
        return bad(err, "model: not there");
    if (rag_str_eqz(model, "bert"))
        out->kind = RAG_TOKENS_WORDPIECE;
    else if (rag_str_eqz(model, "t5"))
        out->kind = RAG_TOKENS_UNIGRAM;
    else if (rag_str_eqz(model, "gpt2"))
        out->kind = RAG_TOKENS_BYTE_BPE;
    else if (rag_str_eqz(model, "llama"))
        out->kind = RAG_TOKENS_SP_BPE;
    else
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "the tokenizer \"%.*s\" is not supported",
                        model.len < 64 ? (int)model.len : 64, model.ptr);
    TRY(read_pieces(out, a, g, err));
    TRY(read_types(out, a, g, err));
    TRY(read_ids(out, g, err));
    switch (out->kind) {
    case RAG_TOKENS_WORDPIECE:
        st = wordpiece(out, a, err);
        break;
    case RAG_TOKENS_UNIGRAM:
        st = unigram(out, a, g, err);
        break;
    case RAG_TOKENS_BYTE_BPE:
        st = byte_bpe(out, a, g, err);
        break;
    case RAG_TOKENS_SP_BPE:
        st = sp_bpe(out, a, g, err);
        break;
    }
out:
    return st;
}
