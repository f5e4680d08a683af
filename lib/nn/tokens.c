#include "nn/tokens.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "nn/tokens_kinds.h"

void rag_tokens_init(rag_tokens *t, const rag_tokens_model *model)
{
    memset(t, 0, sizeof *t);
    t->model = model;
    /* a character becomes at most 18, each at most 3 bytes for one */
    rag_buf_init(&t->word, 64 * RAG_TOKENS_MAX_BYTES);
    rag_buf_init(&t->form, 64 * RAG_TOKENS_MAX_BYTES);
    rag_buf_init(&t->clean, 3 * RAG_TOKENS_MAX_BYTES);
    if (model->kind == RAG_TOKENS_UNIGRAM || model->kind == RAG_TOKENS_SP_BPE)
        rag_tokens_sp_init(t);
}

void rag_tokens_dispose(rag_tokens *t)
{
    rag_free(t->ids);
    rag_free(t->nodes);
    rag_free(t->symbols);
    rag_free(t->heap);
    rag_buf_dispose(&t->word);
    rag_buf_dispose(&t->form);
    rag_buf_dispose(&t->clean);
    memset(t, 0, sizeof *t);
}

/* The longest piece at the front of s: its bytes, 0 for none. */
static size_t longest(uint32_t *id, const rag_trie *trie, rag_str s)
{
    uint32_t at = 0;
    size_t best = 0;

    for (size_t i = 0; i < s.len && rag_trie_step(&at, trie, (uint8_t)s.ptr[i]);
         i++) {
        uint32_t found;

        if (rag_trie_value(&found, trie, at)) {
            *id = found;
            best = i + 1;
        }
    }
    return best;
}

/* Where the first USER piece begins (s.len: none is there), and its bytes. */
static size_t find_user(size_t *n, uint32_t *id, const rag_trie *trie,
                        rag_str s)
{
    *n = 0;
    if (trie->n_units == 0)
        return s.len;
    for (size_t at = 0; at < s.len; at++) {
        *n = longest(id, trie, rag_str_cut(s, at, s.len));
        if (*n != 0)
            return at;
    }
    return s.len;
}

typedef rag_status part_fn(rag_tokens *t, rag_str part, bool first,
                           rag_error *err);

/* Takes the USER pieces out of s and gives what is between them to `each`. */
static rag_status between(rag_tokens *t, const rag_trie *trie, rag_str s,
                          bool first, part_fn *each, rag_error *err)
{
    while (s.len != 0) {
        uint32_t id = 0;
        size_t n;
        size_t at = find_user(&n, &id, trie, s);
        rag_status st;

        if (at != 0) {
            st = each(t, rag_str_cut(s, 0, at), first, err);
            if (st != RAG_OK)
                return st;
        }
        if (n != 0) {
            if (t->model->kind == RAG_TOKENS_UNIGRAM ||
                t->model->kind == RAG_TOKENS_SP_BPE) {
                st = rag_tokens_sp_end(t, false, err);
                if (st != RAG_OK)
                    return st;
            }
            if (id < t->model->n_pieces && !rag_tokens_add_id(t, (int32_t)id))
                return rag_fail_nomem(err);
        }
        first = false;
        s = rag_str_cut(s, at + n, s.len);
    }
    return RAG_OK;
}

static rag_status formed_part(rag_tokens *t, rag_str s, bool first,
                              rag_error *err)
{
    switch (t->model->kind) {
    case RAG_TOKENS_WORDPIECE:
        return rag_tokens_wordpiece(t, s, err);
    case RAG_TOKENS_BYTE_BPE:
        return rag_tokens_byte_bpe(t, s, first, err);
    default:
        return rag_tokens_sp_part(t, s, first, err);
    }
}

/* Is s in NFC for sure? Only code points that neither compose with what stands
 * before nor are composed further, nor ever change. */
static bool surely_nfc(rag_str s)
{
    while (s.len != 0) {
        uint32_t cp;
        size_t n;

        if ((unsigned char)s.ptr[0] < 0x80) {
            s = rag_str_cut(s, 1, s.len);
            continue;
        }
        n = rag_utf8_decode(&cp, NULL, s);
        if (!(cp < 0x300 || (cp >= 0x2010 && cp <= 0x2027) ||
              (cp >= 0x3003 && cp <= 0x3029) ||
              (cp >= 0x3041 && cp <= 0x3098) ||
              (cp >= 0x30A0 && cp <= 0x30FF) ||
              (cp >= 0x3400 && cp <= 0x4DBF) ||
              (cp >= 0x4E00 && cp <= 0x9FFF) ||
              (cp >= 0xAC00 && cp <= 0xD7A3) || (cp >= 0xFF01 && cp <= 0xFF60)))
            return false;
        s = rag_str_cut(s, n, s.len);
    }
    return true;
}

static rag_status text_part(rag_tokens *t, rag_str s, bool first,
                            rag_error *err)
{
    const rag_tokens_model *m = t->model;

    if (m->form == RAG_FORM_NFC
            ? !surely_nfc(s)
            : m->form == RAG_FORM_NFKC && !rag_utf8_is_ascii(s)) {
        rag_status st;

        rag_buf_clear(&t->form);
        if (m->form == RAG_FORM_NFC)
            rag_utf8_nfc(&t->form, s);
        else
            rag_utf8_nfkc(&t->form, s);
        st = rag_buf_status(&t->form, err);
        if (st != RAG_OK)
            return st;
        s = rag_buf_str(&t->form);
    }
    return between(t, &m->user_form, s, first, formed_part, err);
}

/* Appends the ids of a text. */
static rag_status add_text(rag_tokens *t, rag_str text, rag_error *err)
{
    bool sp = t->model->kind == RAG_TOKENS_UNIGRAM ||
              t->model->kind == RAG_TOKENS_SP_BPE;
    rag_status st;

    if (text.len > RAG_TOKENS_MAX_BYTES)
        return rag_fail(err, RAG_E_LIMIT,
                        "text of %zu bytes, at most %zu can be embedded",
                        text.len, RAG_TOKENS_MAX_BYTES);
    if (!rag_utf8_valid(text)) {
        rag_buf_clear(&t->clean);
        rag_utf8_scrub(&t->clean, text);
        TRY(rag_buf_status(&t->clean, err));
        text = rag_buf_str(&t->clean);
    }
    if (sp)
        rag_tokens_sp_begin(t, text.len == 0);
    TRY(between(t, &t->model->user, text, true, text_part, err));
    st = sp ? rag_tokens_sp_end(t, true, err) : RAG_OK;
out:
    return st;
}

rag_status rag_tokens_encode_bare(rag_tokens *t, rag_str text, rag_error *err)
{
    t->n_ids = 0;
    return add_text(t, text, err);
}

rag_status rag_tokens_encode(rag_tokens *t, rag_str text, rag_error *err)
{
    rag_status st;

    t->n_ids = 0;
    if (t->model->bos >= 0 && !rag_tokens_add_id(t, t->model->bos))
        return rag_fail_nomem(err);
    st = add_text(t, text, err);
    if (st == RAG_OK && t->model->eos >= 0 &&
        !rag_tokens_add_id(t, t->model->eos))
        st = rag_fail_nomem(err);
    return st;
}
