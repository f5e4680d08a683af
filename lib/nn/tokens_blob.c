/* Opening; tokens_build.c writes what is read here. */
#include "nn/tokens_blob.h"

#include <string.h>

#include "nn/tokens_format.h"

/* The part's bytes, of which there must be a multiple of `unit`, at least
 * `least`. */
static rag_status part_at(rag_str *out, rag_str blob, rag_tokens_part k,
                          size_t unit, size_t least, rag_error *err)
{
    const rag_tokens_head *h = (const void *)blob.ptr;
    const rag_tokens_extent *p = &h->parts[k];

    if (p->offset % RAG_TOKENS_ALIGN != 0 || p->offset > blob.len ||
        p->n_bytes > blob.len - p->offset || p->n_bytes % unit != 0 ||
        p->n_bytes < least)
        return rag_fail(err, RAG_E_CORRUPT, "tokenizer: part %d of %llu bytes",
                        (int)k, (unsigned long long)p->n_bytes);
    *out = rag_str_n(blob.ptr + p->offset, (size_t)p->n_bytes);
    return RAG_OK;
}

static rag_status open_trie(rag_trie *out, rag_str blob, rag_tokens_part k,
                            size_t least, rag_error *err)
{
    rag_str s;
    rag_status st =
        part_at(&s, blob, k, sizeof(uint32_t), least * sizeof(uint32_t), err);

    if (st != RAG_OK)
        return st;
    if (s.len / sizeof(uint32_t) >= UINT32_MAX)
        return rag_fail(err, RAG_E_CORRUPT, "trie of %zu bytes", s.len);
    out->units = (const void *)s.ptr;
    out->n_units = (uint32_t)(s.len / sizeof(uint32_t));
    return RAG_OK;
}

static rag_status open_nmt(rag_nmt *m, rag_str blob, rag_error *err)
{
    static const size_t page = RAG_NMT_PAGE * sizeof(uint32_t);
    static const size_t pages_at = RAG_NMT_PAGES * sizeof(uint16_t);
    rag_status st;
    rag_str s;

    TRY(part_at(&s, blob, RAG_TOKENS_NMT_PAGES, 1, pages_at + page, err));
    if ((s.len - pages_at) % page != 0)
        return rag_fail(err, RAG_E_CORRUPT, "normaliser of %zu bytes", s.len);
    m->page_of = (const void *)s.ptr;
    m->pages = (const void *)(s.ptr + pages_at);
    m->n_pages = (s.len - pages_at) / page;
    TRY(part_at(&s, blob, RAG_TOKENS_NMT_TEXT, 1, 0, err));
    m->text = s.ptr;
    m->n_text = s.len;
    TRY(part_at(&s, blob, RAG_TOKENS_NMT_RULES, sizeof(rag_nmt_rule), 0, err));
    m->rules = (const void *)s.ptr;
    m->n_rules = s.len / sizeof(rag_nmt_rule);
out:
    return st;
}

static rag_status open_charsmap(rag_charsmap *m, rag_str blob, rag_error *err)
{
    rag_status st;
    rag_str s;

    TRY(open_trie(&m->trie, blob, RAG_TOKENS_CHARSMAP_TRIE, 1, err));
    TRY(part_at(&s, blob, RAG_TOKENS_CHARSMAP_TEXT, 1, 0, err));
    m->text = s.ptr;
    m->n_text = s.len;
out:
    return st;
}

static rag_status open_bytes(rag_tokens_model *m, rag_str blob, bool needed,
                             rag_error *err)
{
    rag_status st;
    rag_str s;

    TRY(part_at(&s, blob, RAG_TOKENS_BYTES, 256 * sizeof *m->bytes, 0, err));
    if (s.len == 0 && !needed)
        return RAG_OK;
    if (s.len != 256 * sizeof *m->bytes)
        return rag_fail(err, RAG_E_CORRUPT, "tokenizer: no bytes");
    m->bytes = (const void *)s.ptr;
    for (size_t i = 0; i < 256; i++) {
        if (m->bytes[i] < 0 || m->bytes[i] >= (int64_t)m->n_pieces)
            return rag_fail(err, RAG_E_CORRUPT,
                            "tokenizer: byte %zu outside the vocabulary", i);
    }
out:
    return st;
}

static rag_status open_bpe(rag_tokens_model *m, rag_str blob, rag_error *err)
{
    const rag_tokens_head *h = (const void *)blob.ptr;
    rag_status st;
    rag_str s;
    size_t n;

    TRY(part_at(&s, blob, RAG_TOKENS_MERGES, sizeof *m->merges,
                sizeof *m->merges, err));
    n = s.len / sizeof *m->merges;
    if (n > UINT32_MAX || (n & (n - 1)) != 0 ||
        h->most_probes > RAG_TOKENS_MOST_PROBES)
        return rag_fail(err, RAG_E_CORRUPT, "table of %zu merges", n);
    m->merges = (const void *)s.ptr;
    m->n_slots = (uint32_t)n;
    m->most_probes = h->most_probes;
    if (m->kind != RAG_TOKENS_BYTE_BPE)
        return RAG_OK;
    TRY(part_at(&s, blob, RAG_TOKENS_CLASSES, 256, RAG_TOKENS_CLASS_PAGES + 256,
                err));
    m->class_page = (const void *)s.ptr;
    m->classes = m->class_page + RAG_TOKENS_CLASS_PAGES;
    m->n_class_pages = (s.len - RAG_TOKENS_CLASS_PAGES) / 256;
out:
    return st;
}

static bool are_splits(uint32_t splits)
{
    for (uint32_t i = 0; i < RAG_SPLIT_MOST; i++) {
        if (rag_split_at(splits, i) > RAG_SPLIT_PUNCTUATION)
            return false;
    }
    return true;
}

static rag_status check_head(const rag_tokens_head *h, rag_error *err)
{
    int64_t n = h->n_pieces;

    if (h->kind < RAG_TOKENS_UNIGRAM || h->kind > RAG_TOKENS_SP_BPE ||
        h->form > RAG_FORM_NMT || !are_splits(h->splits) ||
        h->max_word_chars > RAG_TOKENS_MAX_WORD_CHARS)
        return rag_fail(err, RAG_E_CORRUPT,
                        "a kind of tokenizer this program does not know");
    if (n == 0 || n > RAG_TOKENS_MAX_PIECES || h->bos < -1 || h->bos >= n ||
        h->eos < -1 || h->eos >= n || h->unk < -1 || h->unk >= n ||
        h->pad < -1 || h->pad >= n)
        return rag_fail(err, RAG_E_CORRUPT,
                        "special tokens outside the vocabulary");
    return RAG_OK;
}

static void take_head(rag_tokens_model *m, const rag_tokens_head *h)
{
    m->kind = h->kind;
    m->form = h->form;
    m->splits = h->splits;
    m->n_pieces = h->n_pieces;
    m->max_word_chars = h->max_word_chars;
    m->unk_score = h->unk_score;
    m->bos = h->bos;
    m->eos = h->eos;
    m->pad = h->pad;
    m->unk = h->unk;
    m->by_word = (h->flags & RAG_TOKENS_BY_WORD) != 0;
    m->pair_double_eos = (h->flags & RAG_TOKENS_PAIR_DOUBLE_EOS) != 0;
    m->clean = (h->flags & RAG_TOKENS_CLEAN) != 0;
    m->strip_accents = (h->flags & RAG_TOKENS_STRIP_ACCENTS) != 0;
    m->prefix_space = (h->flags & RAG_TOKENS_PREFIX_SPACE) != 0;
    m->prefix_missing = (h->flags & RAG_TOKENS_PREFIX_MISSING) != 0;
    m->prefix_each = (h->flags & RAG_TOKENS_PREFIX_EACH) != 0;
    m->collapse_spaces = (h->flags & RAG_TOKENS_COLLAPSE_SPACES) != 0;
    m->ignore_merges = (h->flags & RAG_TOKENS_IGNORE_MERGES) != 0;
}

/* What the kind needs must be there. */
static rag_status open_kind(rag_tokens_model *m, rag_str blob, rag_error *err)
{
    bool byte_level = m->kind == RAG_TOKENS_BYTE_BPE;
    rag_status st = RAG_OK;
    rag_str s;

    if (m->kind == RAG_TOKENS_WORDPIECE || m->form == RAG_FORM_NMT)
        TRY(open_nmt(&m->nmt, blob, err));
    if (m->form == RAG_FORM_CHARSMAP)
        TRY(open_charsmap(&m->charsmap, blob, err));
    TRY(open_trie(&m->trie, blob, RAG_TOKENS_TRIE,
                  byte_level && !m->ignore_merges ? 0 : 1, err));
    if (m->kind == RAG_TOKENS_WORDPIECE)
        TRY(open_trie(&m->more, blob, RAG_TOKENS_MORE, 1, err));
    else
        TRY(open_bytes(m, blob, byte_level, err));
    if (byte_level || m->kind == RAG_TOKENS_SP_BPE)
        TRY(open_bpe(m, blob, err));
    if (m->kind == RAG_TOKENS_UNIGRAM) {
        TRY(part_at(&s, blob, RAG_TOKENS_SCORES, 1, m->n_pieces * sizeof(float),
                    err));
        m->scores = (const void *)s.ptr;
    }
    if (!byte_level && m->unk < 0 && m->bytes == NULL)
        return rag_fail(err, RAG_E_CORRUPT, "no token for unknown text");
    TRY(open_trie(&m->user, blob, RAG_TOKENS_USER_TRIE, 0, err));
    TRY(open_trie(&m->user_form, blob, RAG_TOKENS_USER_FORM_TRIE, 0, err));
out:
    return st;
}

rag_status rag_tokens_model_open(rag_tokens_model *out, rag_str blob,
                                 rag_error *err)
{
    const rag_tokens_head *h = (const void *)blob.ptr;
    rag_status st;

    memset(out, 0, sizeof *out);
    if (blob.len < sizeof *h)
        return rag_fail(err, RAG_E_CORRUPT, "tokenizer of %zu bytes", blob.len);
    TRY(check_head(h, err));
    take_head(out, h);
    TRY(open_kind(out, blob, err));
out:
    return st;
}
