/*
 * WordPiece: the two tries, and one table of what BertNormalizer and
 * BertPreTokenizer make of every code point. Its entries are those of rag_nmt
 * (0: stays as it is), and RAG_TOKENS_ALONE; in the replacements a space is
 * the border of a word.
 *
 * The reference sorts the marks of a character before it drops them; those
 * few that stay (category Mc with a combining class: some thirty, of musical
 * notation above all) keep the order of the text here.
 */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "nn/classes.h"
#include "nn/tokens_format.h"
#include "nn/tokens_kinds.h"

/* code points that one becomes: at most 4, each at most 2 in small letters */
#define MOST 8u
/* the same as text with spaces around */
#define MOST_BYTES (MOST * 6u)

static rag_status make_tries(rag_tokens_maker *m, rag_error *err)
{
    const rag_source_tokens *s = m->source;
    rag_tokens_entry *whole = rag_calloc(s->n_pieces, sizeof *whole);
    rag_tokens_entry *more = rag_calloc(s->n_pieces, sizeof *more);
    size_t n_whole = 0;
    size_t n_more = 0;
    rag_status st;

    if (whole == NULL || more == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        rag_str p = s->pieces[i];

        if (!rag_tokens_is_piece(s, i))
            continue;
        if (rag_str_starts(p, "##") && p.len > 2)
            more[n_more++] = (rag_tokens_entry){rag_str_cut(p, 2, p.len), i};
        else
            whole[n_whole++] = (rag_tokens_entry){p, i};
    }
    TRY(rag_tokens_part_trie(m, RAG_TOKENS_TRIE, whole, n_whole, err));
    TRY(rag_tokens_part_trie(m, RAG_TOKENS_MORE, more, n_more, err));
out:
    rag_free(whole);
    rag_free(more);
    return st;
}

/* What one code point becomes by one step: how many were written to out[4]. */
static size_t normalise_one(uint32_t out[4], uint8_t norm, uint32_t cp)
{
    size_t n = 0;

    switch ((rag_tokens_norm)norm) {
    case RAG_NORM_CLEAN:
        if (rag_class_bert_dropped(cp))
            return 0;
        break;
    case RAG_NORM_LOWER:
        return rag_class_lower(out, cp);
    case RAG_NORM_ACCENTS:
    case RAG_NORM_NFD:
        n = rag_class_decompose(out, 4, cp);
        break;
    case RAG_NORM_STRIP:
        if (rag_class_accent(cp))
            return 0;
        break;
    case RAG_NORM_END:
        break;
    }
    if (n == 0)
        out[n++] = cp;
    if (norm == RAG_NORM_ACCENTS) {
        size_t kept = 0;

        for (size_t i = 0; i < n; i++) {
            if (!rag_class_bert_mark(out[i]))
                out[kept++] = out[i];
        }
        n = kept;
    }
    return n;
}

/* What cp becomes: how many code points were written to out[MOST]. */
static size_t normalise(uint32_t *out, const uint8_t *norms, uint32_t cp)
{
    size_t n = 1;

    out[0] = cp;
    for (size_t k = 0; k < RAG_NORM_MOST && norms[k] != RAG_NORM_END; k++) {
        uint32_t from[MOST];
        size_t n_from = n;

        memcpy(from, out, n * sizeof *out);
        n = 0;
        for (size_t i = 0; i < n_from; i++) {
            uint32_t made[4];
            size_t n_made = normalise_one(made, norms[k], from[i]);

            for (size_t m = 0; m < n_made && n < MOST; m++)
                out[n++] = made[m];
        }
    }
    return n;
}

/* The table's entry; *n bytes of text are what cp becomes, in room. */
static bool entry_of(char *room, size_t *n, bool *alone,
                     const rag_source_tokens *s, uint32_t cp)
{
    bool han = s->cjk_spaces && rag_class_bert_han(cp);
    uint32_t made[MOST];
    size_t n_made = normalise(made, s->norms, cp);
    bool apart = han;

    *n = 0;
    if (han)
        room[(*n)++] = ' ';
    for (size_t i = 0; i < n_made; i++) {
        bool punctuation =
            (!s->join_punctuation && rag_class_bert_punctuation(made[i])) ||
            (s->digits_apart &&
             (rag_class_bits(made[i]) & RAG_CLASS_DIGIT) != 0);

        if (rag_utf8_is_space(made[i])) {
            room[(*n)++] = ' ';
            continue;
        }
        apart = apart || punctuation;
        if (punctuation)
            room[(*n)++] = ' ';
        *n += rag_utf8_encode(room + *n, made[i]);
        if (punctuation)
            room[(*n)++] = ' ';
    }
    if (han)
        room[(*n)++] = ' ';
    *alone = n_made == 1 && made[0] == cp && apart;
    return n_made != 1 || made[0] != cp || apart || rag_utf8_is_space(cp);
}

static rag_status fill_page(uint32_t *page, rag_buf *text,
                            const rag_source_tokens *s, uint32_t p,
                            rag_error *err)
{
    for (uint32_t i = 0; i < RAG_NMT_PAGE; i++) {
        uint32_t cp = p * RAG_NMT_PAGE + i;
        char room[MOST_BYTES];
        bool alone;
        size_t n;

        page[i] = 0;
        if (cp >= 0xD800 && cp <= 0xDFFF)
            continue;
        if (!entry_of(room, &n, &alone, s, cp))
            continue;
        if (alone) {
            page[i] = RAG_TOKENS_ALONE;
            continue;
        }
        page[i] = (uint32_t)(text->len << 8) | (uint32_t)(n + 1);
        rag_buf_add(text, room, n);
    }
    return rag_buf_status(text, err);
}

/* Pages in a row that are equal are kept once: Han and Hangul have many. */
static rag_status make_table(rag_tokens_maker *m, rag_buf *pages, rag_buf *text,
                             rag_error *err)
{
    uint16_t page_of[RAG_NMT_PAGES];
    uint32_t page[RAG_NMT_PAGE] = {0};
    size_t n_pages = 1;
    rag_status st = RAG_OK;

    rag_buf_add(pages, page, sizeof page); /* page 0: nothing changes */
    for (uint32_t p = 0; p < RAG_NMT_PAGES; p++) {
        TRY(fill_page(page, text, m->source, p, err));
        TRY(rag_buf_status(pages, err));
        if (memcmp(pages->ptr, page, sizeof page) == 0) {
            page_of[p] = 0;
            continue;
        }
        if (memcmp(pages->ptr + pages->len - sizeof page, page, sizeof page) !=
            0) {
            rag_buf_add(pages, page, sizeof page);
            n_pages++;
        }
        page_of[p] = (uint16_t)(n_pages - 1);
    }
    TRY(rag_buf_status(pages, err));
    rag_tokens_part_begin(m, RAG_TOKENS_NMT_PAGES);
    rag_buf_add(m->blob, page_of, sizeof page_of);
    rag_buf_adds(m->blob, rag_buf_str(pages));
    rag_tokens_part_end(m, RAG_TOKENS_NMT_PAGES);
    rag_tokens_part_put(m, RAG_TOKENS_NMT_TEXT, text->ptr, text->len);
out:
    return st;
}

rag_status rag_tokens_make_bert(rag_tokens_maker *m, rag_error *err)
{
    rag_buf pages;
    rag_buf text;
    rag_status st;

    for (uint32_t i = 0; i < m->source->n_pieces; i++) {
        if (m->source->types[i] == RAG_PIECE_USER_FORM)
            return rag_fail(err, RAG_E_UNSUPPORTED,
                            "added token %u is looked for in normalised text, "
                            "which WordPiece here cannot do",
                            i);
    }
    if (m->source->form != RAG_FORM_NONE)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "WordPiece with another normaliser than BERT's");
    rag_buf_init(&pages, (RAG_NMT_PAGES + 1) * RAG_NMT_PAGE * sizeof(uint32_t));
    rag_buf_init(&text, ((size_t)1 << 24) - 1); /* 24 bits a place */
    TRY(make_table(m, &pages, &text, err));
    TRY(make_tries(m, err));
out:
    rag_buf_dispose(&pages);
    rag_buf_dispose(&text);
    return st;
}
