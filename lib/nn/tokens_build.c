#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/tokens_blob.h"
#include "nn/tokens_format.h"
#include "nn/tokens_kinds.h"

/* what SentencePiece takes off the worst piece's score for an unknown one */
#define UNK_PENALTY 10.0f
/* longest piece cut out of the text whole: looked for at every byte of it */
#define MAX_USER_BYTES 256u

void rag_tokens_part_begin(rag_tokens_maker *m, rag_tokens_part p)
{
    static const char zero[RAG_TOKENS_ALIGN];
    size_t over = m->blob->len % RAG_TOKENS_ALIGN;

    if (over != 0)
        rag_buf_add(m->blob, zero, RAG_TOKENS_ALIGN - over);
    m->head.parts[p].offset = m->blob->len;
}

void rag_tokens_part_end(rag_tokens_maker *m, rag_tokens_part p)
{
    m->head.parts[p].n_bytes = m->blob->len - m->head.parts[p].offset;
}

void rag_tokens_part_put(rag_tokens_maker *m, rag_tokens_part p,
                         const void *bytes, size_t n)
{
    rag_tokens_part_begin(m, p);
    rag_buf_add(m->blob, bytes, n);
    rag_tokens_part_end(m, p);
}

bool rag_tokens_is_piece(const rag_source_tokens *s, uint32_t id)
{
    switch ((rag_piece_type)s->types[id]) {
    case RAG_PIECE_NORMAL:
    case RAG_PIECE_USER:
    case RAG_PIECE_USER_FORM:
        return s->pieces[id].len != 0;
    case RAG_PIECE_SPECIAL:
    case RAG_PIECE_BYTE:
    case RAG_PIECE_UNUSED:
    case RAG_PIECE_ADDED:
        break;
    }
    return false;
}

static int by_piece(const void *a, const void *b)
{
    return rag_str_cmp(((const rag_tokens_entry *)a)->piece,
                       ((const rag_tokens_entry *)b)->piece);
}

rag_status rag_tokens_part_trie(rag_tokens_maker *m, rag_tokens_part p,
                                rag_tokens_entry *entries, size_t n,
                                rag_error *err)
{
    rag_str *keys = rag_calloc(n + 1, sizeof *keys);
    uint32_t *ids = rag_calloc(n + 1, sizeof *ids);
    uint32_t *units = NULL;
    size_t n_units;
    rag_status st;

    if (keys == NULL || ids == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    if (n != 0)
        qsort(entries, n, sizeof *entries, by_piece);
    for (size_t i = 0; i < n; i++) {
        keys[i] = entries[i].piece;
        ids[i] = entries[i].id;
    }
    TRY(rag_trie_build(&units, &n_units, keys, ids, n, err));
    rag_tokens_part_put(m, p, units, n_units * sizeof *units);
out:
    rag_free(units);
    rag_free(ids);
    rag_free(keys);
    return st;
}

/* Unigram: the pieces that text is made of; fills in what the head says of
 * them. */
static rag_status make_unigram(rag_tokens_maker *m, rag_error *err)
{
    const rag_source_tokens *s = m->source;
    rag_tokens_entry *all = rag_calloc(s->n_pieces, sizeof *all);
    float worst = INFINITY;
    size_t n = 0;
    rag_status st = RAG_OK;

    if (all == NULL)
        return rag_fail_nomem(err);
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        if (!rag_tokens_is_piece(s, i))
            continue;
        worst = fminf(worst, s->scores[i]);
        all[n++] = (rag_tokens_entry){s->pieces[i], i};
    }
    if (n == 0) {
        st = rag_fail(err, RAG_E_FORMAT, "no pieces");
        goto out;
    }
    m->head.unk_score = worst - UNK_PENALTY;
    TRY(rag_tokens_part_trie(m, RAG_TOKENS_TRIE, all, n, err));
    rag_tokens_part_put(m, RAG_TOKENS_SCORES, s->scores,
                        s->n_pieces * sizeof *s->scores);
out:
    rag_free(all);
    return st;
}

/* No piece has a space behind anything but spaces: text can then be cut at
 * the beginning of every run of them. */
static bool is_by_word(const rag_source_tokens *s)
{
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        rag_str p = s->pieces[i];

        if (!rag_tokens_is_piece(s, i))
            continue;
        while (rag_str_starts(p, RAG_TOKENS_SPACE))
            p = rag_str_cut(p, RAG_TOKENS_SPACE_BYTES, p.len);
        if (rag_str_find(p, RAG_STR_LIT(RAG_TOKENS_SPACE)) != SIZE_MAX)
            return false;
    }
    return true;
}

static rag_status make_nmt(rag_tokens_maker *m, rag_error *err)
{
    rag_nmt_built *n = rag_malloc(sizeof *n);
    rag_status st;

    if (n == NULL)
        return rag_fail_nomem(err);
    st = rag_nmt_build(n, m->source->nmt, m->source->n_nmt, err);
    if (st == RAG_OK) {
        rag_tokens_part_begin(m, RAG_TOKENS_NMT_PAGES);
        rag_buf_add(m->blob, n->page_of, sizeof n->page_of);
        rag_buf_adds(m->blob, rag_buf_str(&n->pages));
        rag_tokens_part_end(m, RAG_TOKENS_NMT_PAGES);
        rag_tokens_part_put(m, RAG_TOKENS_NMT_TEXT, n->text.ptr, n->text.len);
        rag_tokens_part_put(m, RAG_TOKENS_NMT_RULES, n->rules.ptr,
                            n->rules.len);
        rag_nmt_built_dispose(n);
    }
    rag_free(n);
    return st;
}

/* u32 bytes of the trie, the trie, replacements that end with NUL. Empty: no
 * rules at all. */
static rag_status make_charsmap(rag_tokens_maker *m, rag_error *err)
{
    rag_str s = m->source->charsmap;
    const unsigned char *p = (const unsigned char *)s.ptr;
    uint32_t n;

    if (s.len == 0) {
        m->head.form = RAG_FORM_NONE;
        return RAG_OK;
    }
    if (s.len < 8)
        return rag_fail(err, RAG_E_FORMAT, "charsmap of %zu bytes", s.len);
    n = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
        (uint32_t)p[3] << 24;
    if (n < 4 || n % 4 != 0 || n > s.len - 4 || s.ptr[s.len - 1] != '\0')
        return rag_fail(err, RAG_E_FORMAT, "charsmap: a trie of %u bytes", n);
    rag_tokens_part_put(m, RAG_TOKENS_CHARSMAP_TRIE, s.ptr + 4, n);
    rag_tokens_part_put(m, RAG_TOKENS_CHARSMAP_TEXT, s.ptr + 4 + n,
                        s.len - 4 - n);
    return RAG_OK;
}

/* The pieces of these types, cut out of the text whole. */
static rag_status make_user(rag_tokens_maker *m, rag_tokens_part p,
                            uint8_t type, uint8_t or_type, rag_error *err)
{
    const rag_source_tokens *s = m->source;
    rag_tokens_entry *all = rag_calloc(s->n_pieces, sizeof *all);
    size_t n = 0;
    rag_status st = RAG_OK;

    if (all == NULL)
        return rag_fail_nomem(err);
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        if (s->types[i] != type && s->types[i] != or_type)
            continue;
        if (s->pieces[i].len > MAX_USER_BYTES) {
            st = rag_fail(err, RAG_E_LIMIT,
                          "added token %u: longer than %u bytes", i,
                          MAX_USER_BYTES);
            goto out;
        }
        all[n++] = (rag_tokens_entry){s->pieces[i], i};
    }
    if (n != 0)
        TRY(rag_tokens_part_trie(m, p, all, n, err));
out:
    rag_free(all);
    return st;
}

static bool is_id(int32_t id, uint32_t n_pieces)
{
    return id >= -1 && id < (int64_t)n_pieces;
}

static rag_status check_merges(const rag_source_tokens *s, rag_error *err)
{
    for (uint32_t i = 0; i < s->n_merges; i++) {
        if (s->merges[i][0] >= s->n_pieces || s->merges[i][1] >= s->n_pieces ||
            s->merged[i] >= s->n_pieces)
            return rag_fail(err, RAG_E_FORMAT,
                            "merge %u: a piece outside the vocabulary", i);
    }
    return RAG_OK;
}

static rag_status check_source(const rag_source_tokens *s, rag_error *err)
{
    bool byte_level = s->kind == RAG_TOKENS_BYTE_BPE;

    if (s->kind < RAG_TOKENS_UNIGRAM || s->kind > RAG_TOKENS_SP_BPE)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "a kind of tokenizer this program does not know");
    if (s->n_pieces == 0 || s->n_pieces > RAG_TOKENS_MAX_PIECES)
        return rag_fail(err, RAG_E_FORMAT, "a vocabulary of %u pieces",
                        s->n_pieces);
    if (!is_id(s->bos, s->n_pieces) || !is_id(s->eos, s->n_pieces) ||
        !is_id(s->pad, s->n_pieces) || !is_id(s->unk, s->n_pieces))
        return rag_fail(err, RAG_E_FORMAT,
                        "special tokens outside the vocabulary");
    if (s->unk < 0 && !byte_level && !s->byte_fallback)
        return rag_fail(err, RAG_E_FORMAT, "no token for unknown text");
    if (s->max_word_chars > RAG_TOKENS_MAX_WORD_CHARS)
        return rag_fail(err, RAG_E_FORMAT, "words of %u characters",
                        s->max_word_chars);
    if (s->kind == RAG_TOKENS_UNIGRAM && s->scores == NULL)
        return rag_fail(err, RAG_E_FORMAT, "pieces without scores");
    for (uint32_t i = 0; s->scores != NULL && i < s->n_pieces; i++) {
        if (!isfinite(s->scores[i]))
            return rag_fail(err, RAG_E_FORMAT, "piece %u has no score", i);
    }
    return check_merges(s, err);
}

static uint32_t flags_of(const rag_source_tokens *s)
{
    bool sp = s->kind == RAG_TOKENS_UNIGRAM || s->kind == RAG_TOKENS_SP_BPE;
    /* the files that carry a map of code points carry no other setting */
    bool nmt = s->form == RAG_FORM_NMT;
    uint32_t f = 0;

    f |= s->pair_double_eos ? RAG_TOKENS_PAIR_DOUBLE_EOS : 0u;
    f |= rag_source_norm_has(s, RAG_NORM_CLEAN) ? RAG_TOKENS_CLEAN : 0u;
    f |= rag_source_norm_has(s, RAG_NORM_ACCENTS) ||
                 rag_source_norm_has(s, RAG_NORM_STRIP)
             ? RAG_TOKENS_STRIP_ACCENTS
             : 0u;
    f |= s->prefix_space || nmt ? RAG_TOKENS_PREFIX_SPACE : 0u;
    f |= s->prefix_missing ? RAG_TOKENS_PREFIX_MISSING : 0u;
    f |= s->prefix_each ? RAG_TOKENS_PREFIX_EACH : 0u;
    f |= s->collapse_spaces || nmt ? RAG_TOKENS_COLLAPSE_SPACES : 0u;
    f |= s->ignore_merges ? RAG_TOKENS_IGNORE_MERGES : 0u;
    return sp && is_by_word(s) ? f | RAG_TOKENS_BY_WORD : f;
}

static rag_status make_parts(rag_tokens_maker *m, rag_error *err)
{
    rag_status st = RAG_OK;

    if (m->source->form == RAG_FORM_NMT)
        TRY(make_nmt(m, err));
    if (m->source->form == RAG_FORM_CHARSMAP)
        TRY(make_charsmap(m, err));
    switch (m->source->kind) {
    case RAG_TOKENS_UNIGRAM:
        TRY(make_unigram(m, err));
        if (m->source->byte_fallback)
            TRY(rag_tokens_make_bytes(m, err));
        break;
    case RAG_TOKENS_WORDPIECE:
        TRY(rag_tokens_make_bert(m, err));
        break;
    case RAG_TOKENS_BYTE_BPE:
    case RAG_TOKENS_SP_BPE:
        TRY(rag_tokens_make_bpe(m, err));
        break;
    }
    TRY(make_user(m, RAG_TOKENS_USER_TRIE, RAG_PIECE_USER, RAG_PIECE_ADDED,
                  err));
    TRY(make_user(m, RAG_TOKENS_USER_FORM_TRIE, RAG_PIECE_USER_FORM,
                  RAG_PIECE_USER_FORM, err));
    st = rag_buf_status(m->blob, err);
out:
    return st;
}

rag_status rag_tokens_build(rag_buf *blob, const rag_source_tokens *s,
                            rag_error *err)
{
    rag_tokens_maker m = {.source = s, .blob = blob};
    rag_status st;

    TRY(check_source(s, err));
    m.head.kind = (uint32_t)s->kind;
    m.head.form = (uint32_t)s->form;
    m.head.splits = s->splits;
    m.head.n_pieces = s->n_pieces;
    m.head.max_word_chars = s->max_word_chars;
    m.head.bos = s->bos;
    m.head.eos = s->eos;
    m.head.pad = s->pad;
    m.head.unk = s->unk;
    m.head.flags = flags_of(s);
    rag_buf_add(blob, &m.head, sizeof m.head);
    TRY(make_parts(&m, err));
    memcpy(blob->ptr, &m.head, sizeof m.head);
out:
    return st;
}
