/*
 * The normaliser of SentencePiece, for its Unigram and BPE models: follows
 * Normalizer::Normalize, in the same order of operations.
 */
#include <string.h>

#include "base/utf8.h"
#include "nn/tokens_kinds.h"

#define SPACE RAG_TOKENS_SPACE
#define SPACE_BYTES RAG_TOKENS_SPACE_BYTES

static size_t charsmap_next(rag_str *to, const rag_charsmap *m, rag_str s)
{
    uint32_t at = 0;
    uint32_t value = 0;
    size_t best = 0;
    size_t len;

    for (size_t i = 0;
         i < s.len && rag_trie_step(&at, &m->trie, (uint8_t)s.ptr[i]); i++) {
        uint32_t v;

        if (rag_trie_value(&v, &m->trie, at) && v < m->n_text) {
            value = v;
            best = i + 1;
        }
    }
    if (best == 0) {
        best = rag_tokens_char_bytes((unsigned char)s.ptr[0]);
        best = best < s.len ? best : s.len;
        *to = rag_str_cut(s, 0, best);
        return best;
    }
    len = strnlen(m->text + value, m->n_text - value);
    *to = rag_str_n(m->text + value, len);
    return best;
}

/* Takes the longest match off the front of s (well-formed, not empty). */
static size_t next_match(rag_str *to, char room[4], const rag_tokens_model *m,
                         rag_str s)
{
    size_t n;

    if (m->form == RAG_FORM_NMT)
        return rag_nmt_next(to, room, &m->nmt, s);
    if (m->form == RAG_FORM_CHARSMAP)
        return charsmap_next(to, &m->charsmap, s);
    n = rag_tokens_char_bytes((unsigned char)s.ptr[0]);
    n = n < s.len ? n : s.len;
    *to = rag_str_cut(s, 0, n);
    return n;
}

/* Does ASCII character c stay as it is, whatever ASCII follows it? */
static bool is_plain(const rag_tokens_model *m, char c)
{
    char room[4];
    rag_str to;
    uint32_t at = 0;

    (void)next_match(&to, room, m, rag_str_n(&c, 1));
    if (to.len != 1 || to.ptr[0] != c)
        return false;
    if (m->form != RAG_FORM_CHARSMAP ||
        !rag_trie_step(&at, &m->charsmap.trie, (uint8_t)c))
        return true;
    for (unsigned next = 1; next < 0x80; next++) {
        uint32_t there = at;

        if (rag_trie_step(&there, &m->charsmap.trie, (uint8_t)next))
            return false;
    }
    return true;
}

void rag_tokens_sp_init(rag_tokens *t)
{
    for (char c = 0x21; c < 0x7F; c++)
        t->plain[(unsigned char)c] = is_plain(t->model, c);
}

/* SentencePiece's own prefix stands in front of the text, whatever that begins
 * with; Hugging Face's belongs to a part of it. */
static bool prefix_of_text(const rag_tokens_model *m)
{
    return m->prefix_space && !m->prefix_missing && !m->prefix_each;
}

void rag_tokens_sp_begin(rag_tokens *t, bool is_empty)
{
    t->score = 0.0f;
    t->word_text = false;
    t->after_space = true;
    rag_buf_clear(&t->word);
    if (!is_empty && prefix_of_text(t->model))
        rag_buf_add(&t->word, SPACE, SPACE_BYTES);
}

static rag_status cut_word(rag_tokens *t, rag_error *err)
{
    rag_status st = rag_buf_status(&t->word, err);

    if (st != RAG_OK || t->word.len == 0)
        return st;
    st = t->model->kind == RAG_TOKENS_UNIGRAM ? rag_tokens_unigram_word(t, err)
                                              : rag_tokens_sp_bpe_word(t, err);
    rag_buf_clear(&t->word);
    t->word_text = false;
    return st;
}

static rag_status add_space(rag_tokens *t, rag_error *err)
{
    /* U+2581 may be in the text itself: no border then */
    if (t->word_text && t->model->by_word &&
        !rag_str_ends(rag_buf_str(&t->word), SPACE)) {
        rag_status st = cut_word(t, err);

        if (st != RAG_OK)
            return st;
    }
    rag_buf_add(&t->word, SPACE, SPACE_BYTES);
    return RAG_OK;
}

/* Adds what one match became. */
static rag_status add_match(rag_tokens *t, rag_str to, rag_error *err)
{
    if (t->model->collapse_spaces) {
        while (t->after_space && to.len != 0 && to.ptr[0] == ' ')
            to = rag_str_cut(to, 1, to.len);
    }
    if (to.len == 0)
        return RAG_OK;
    t->after_space = to.ptr[to.len - 1] == ' ';
    while (to.len != 0) {
        size_t space = rag_str_find_char(to, ' ');
        rag_status st;

        if (space == SIZE_MAX) {
            rag_buf_adds(&t->word, to);
            t->word_text = true;
            break;
        }
        if (space != 0) {
            rag_buf_add(&t->word, to.ptr, space);
            t->word_text = true;
        }
        st = add_space(t, err);
        if (st != RAG_OK)
            return st;
        to = rag_str_cut(to, space + 1, to.len);
    }
    return RAG_OK;
}

/* Bytes at the front of s that stand for themselves. The last of a run waits
 * when what follows may combine with it. */
static size_t plain_run(const rag_tokens *t, rag_str s)
{
    size_t n = 0;

    while (n < s.len && (unsigned char)s.ptr[n] < 0x80 &&
           t->plain[(unsigned char)s.ptr[n]])
        n++;
    if (n != 0 && n < s.len && (unsigned char)s.ptr[n] >= 0x80)
        n--;
    return n;
}

static bool wants_prefix(const rag_tokens_model *m, rag_str part, bool first)
{
    if (!m->prefix_space || prefix_of_text(m) || !(first || m->prefix_each))
        return false;
    return !m->prefix_missing || m->collapse_spaces ||
           !(part.ptr[0] == ' ' || rag_str_starts(part, SPACE));
}

rag_status rag_tokens_sp_part(rag_tokens *t, rag_str part, bool first,
                              rag_error *err)
{
    const rag_tokens_model *m = t->model;

    if (wants_prefix(m, part, first)) {
        rag_buf_add(&t->word, SPACE, SPACE_BYTES);
        t->after_space = true;
    } else if (!first) {
        t->after_space = false;
    }
    while (part.len != 0) {
        size_t n = plain_run(t, part);
        rag_status st;
        char room[4];
        rag_str to;

        if (n != 0) {
            rag_buf_add(&t->word, part.ptr, n);
            t->word_text = true;
            t->after_space = false;
        } else {
            n = next_match(&to, room, m, part);
            st = add_match(t, to, err);
            if (st != RAG_OK)
                return st;
        }
        part = rag_str_cut(part, n, part.len);
    }
    return rag_buf_status(&t->word, err);
}

rag_status rag_tokens_sp_end(rag_tokens *t, bool last, rag_error *err)
{
    if (t->model->collapse_spaces && (last || t->model->prefix_each)) {
        while (rag_str_ends(rag_buf_str(&t->word), SPACE))
            rag_buf_trunc(&t->word, t->word.len - SPACE_BYTES);
    }
    return cut_word(t, err);
}
