/*
 * BERT's tokenizer. What BertNormalizer and BertPreTokenizer do to a code point
 * does not depend on its neighbours, so both became one table at import: a code
 * point gives text in which spaces are the only borders of words.
 */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "nn/tokens_kinds.h"

/* Greedy, the longest piece first; a word with a rest that no piece fits is
 * unknown as a whole. */
static rag_status cut_word(rag_tokens *t, rag_error *err)
{
    const rag_tokens_model *m = t->model;
    const rag_trie *trie = &m->trie;
    rag_str s = rag_buf_str(&t->word);
    size_t first = t->n_ids;
    bool known = t->word_chars <= m->max_word_chars;

    while (known && s.len != 0) {
        uint32_t at = 0;
        uint32_t id = 0;
        size_t best = 0;

        for (size_t i = 0;
             i < s.len && rag_trie_step(&at, trie, (uint8_t)s.ptr[i]); i++) {
            uint32_t v;

            if (rag_trie_value(&v, trie, at) && v < m->n_pieces) {
                id = v;
                best = i + 1;
            }
        }
        known = best != 0;
        if (known && !rag_tokens_add_id(t, (int32_t)id))
            return rag_fail_nomem(err);
        s = rag_str_cut(s, best, s.len);
        trie = &m->more;
    }
    rag_buf_clear(&t->word);
    t->word_chars = 0;
    if (known)
        return RAG_OK;
    t->n_ids = first;
    return rag_tokens_add_id(t, m->unk) ? RAG_OK : rag_fail_nomem(err);
}

/* Adds one code point that is no space. Of a word that is too long already,
 * nothing more is kept. */
static void add_char(rag_tokens *t, const char *c, size_t n)
{
    t->word_chars++;
    if (t->word_chars <= t->model->max_word_chars)
        rag_buf_add(&t->word, c, n);
    else
        t->word_chars = t->model->max_word_chars + 1;
}

static rag_status end_word(rag_tokens *t, rag_error *err)
{
    return t->word_chars != 0 ? cut_word(t, err) : RAG_OK;
}

static rag_status add_text(rag_tokens *t, rag_str s, rag_error *err)
{
    while (s.len != 0) {
        size_t n = rag_tokens_char_bytes((unsigned char)s.ptr[0]);

        n = n < s.len ? n : s.len;
        if (s.ptr[0] == ' ') {
            rag_status st = end_word(t, err);

            if (st != RAG_OK)
                return st;
        } else {
            add_char(t, s.ptr, n);
        }
        s = rag_str_cut(s, n, s.len);
    }
    return RAG_OK;
}

/* Code points behind the table that are left out. */
static bool high_dropped(const rag_tokens_model *m, uint32_t cp)
{
    if (m->strip_accents && cp >= 0xE0100 && cp <= 0xE01EF)
        return true; /* variation selectors */
    return m->clean && (cp == 0xE0001 || (cp >= 0xE0020 && cp <= 0xE007F) ||
                        (cp >= 0xF0000 && (cp & 0xFFFE) != 0xFFFE));
}

/* The table's entry for cp: 0 for "stays as it is". */
static uint32_t entry_of(const rag_nmt *m, uint32_t cp)
{
    size_t page;

    if (cp >= RAG_NMT_CODE_POINTS)
        return 0;
    page = m->page_of[cp / RAG_NMT_PAGE];
    return page < m->n_pages ? m->pages[page * RAG_NMT_PAGE + cp % RAG_NMT_PAGE]
                             : 0;
}

static rag_status add_code_point(rag_tokens *t, rag_str c, uint32_t cp,
                                 rag_error *err)
{
    const rag_nmt *m = &t->model->nmt;
    uint32_t entry = entry_of(m, cp);
    size_t at = entry >> 8;
    size_t len = (entry & 0xFFu) - 1;
    rag_status st;

    if (entry == 0) {
        if (cp < RAG_NMT_CODE_POINTS || !high_dropped(t->model, cp))
            add_char(t, c.ptr, c.len);
        return RAG_OK;
    }
    if (entry == RAG_TOKENS_ALONE) {
        TRY(end_word(t, err));
        add_char(t, c.ptr, c.len);
        return end_word(t, err);
    }
    if (len > m->n_text || at > m->n_text - len) /* a damaged file */
        return RAG_OK;
    st = add_text(t, rag_str_n(m->text + at, len), err);
out:
    return st;
}

rag_status rag_tokens_wordpiece(rag_tokens *t, rag_str part, rag_error *err)
{
    rag_status st;

    rag_buf_clear(&t->word);
    t->word_chars = 0;
    while (part.len != 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, part);

        TRY(add_code_point(t, rag_str_cut(part, 0, n), cp, err));
        part = rag_str_cut(part, n, part.len);
    }
    TRY(rag_buf_status(&t->word, err));
    st = end_word(t, err);
out:
    return st;
}
