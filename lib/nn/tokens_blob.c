#include "nn/tokens_blob.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ALIGN ((size_t)64)
/* what SentencePiece takes off the worst piece's score for an unknown one */
#define UNK_PENALTY 10.0f

#define FLAG_BY_WORD 1u         /* no piece has a space but in front */
#define FLAG_PAIR_DOUBLE_EOS 2u /* a pair: A </s></s> B */

typedef enum part_kind {
    PART_NMT_PAGES,
    PART_NMT_TEXT,
    PART_NMT_RULES,
    PART_TRIE,
    PART_SCORES,
    PARTS = 16 /* room for kinds to come */
} part_kind;

typedef struct part {
    uint64_t offset; /* from the start of the blob */
    uint64_t n_bytes;
} part;

/* The front of the blob; little-endian, no padding. */
typedef struct blob_head {
    uint32_t kind;
    uint32_t flags;
    uint32_t n_pieces;
    int32_t bos;
    int32_t eos;
    int32_t pad;
    int32_t unk;
    float unk_score;
    part parts[PARTS];
} blob_head;

static_assert(sizeof(blob_head) == 288, "no padding");

/* ---- building ---------------------------------------------------------- */

static void align(rag_buf *b)
{
    static const char zero[ALIGN];

    if (b->len % ALIGN != 0)
        rag_buf_add(b, zero, ALIGN - b->len % ALIGN);
}

/* Begins a part at the end of the blob, and ends it. */
static void begin(rag_buf *b, blob_head *h, part_kind k)
{
    align(b);
    h->parts[k].offset = b->len;
}

static void end(rag_buf *b, blob_head *h, part_kind k)
{
    h->parts[k].n_bytes = b->len - h->parts[k].offset;
}

static void put(rag_buf *b, blob_head *h, part_kind k, const void *bytes,
                size_t n)
{
    begin(b, h, k);
    rag_buf_add(b, bytes, n);
    end(b, h, k);
}

static rag_status put_nmt(rag_buf *b, blob_head *h, const rag_source_tokens *t,
                          rag_error *err)
{
    rag_nmt_built *n;
    rag_status st;

    if (t->form != RAG_FORM_NMT)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "a form of normalising this program does not know");
    n = rag_malloc(sizeof *n);
    if (n == NULL)
        return rag_fail_nomem(err);
    st = rag_nmt_build(n, t->nmt, t->n_nmt, err);
    if (st == RAG_OK) {
        begin(b, h, PART_NMT_PAGES);
        rag_buf_add(b, n->page_of, sizeof n->page_of);
        rag_buf_adds(b, rag_buf_str(&n->pages));
        end(b, h, PART_NMT_PAGES);
        put(b, h, PART_NMT_TEXT, n->text.ptr, n->text.len);
        put(b, h, PART_NMT_RULES, n->rules.ptr, n->rules.len);
        rag_nmt_built_dispose(n);
    }
    rag_free(n);
    return st;
}

typedef struct entry {
    rag_str piece;
    uint32_t id;
} entry;

static int by_piece(const void *a, const void *b)
{
    return rag_str_cmp(((const entry *)a)->piece, ((const entry *)b)->piece);
}

/* The pieces that text is made of, in order; fills in what the head says of
 * them. */
static rag_status sort_pieces(entry *all, size_t *n_all, blob_head *h,
                              const rag_source_tokens *t, rag_error *err)
{
    float worst = INFINITY;
    size_t n = 0;

    h->flags |= FLAG_BY_WORD;
    for (uint32_t i = 0; i < t->n_pieces; i++) {
        rag_str p = t->pieces[i];

        if (t->types[i] != RAG_PIECE_NORMAL && t->types[i] != RAG_PIECE_USER)
            continue;
        if (rag_str_find(rag_str_cut(p, 1, p.len),
                         RAG_STR_LIT("\xE2\x96\x81")) != SIZE_MAX)
            h->flags &= ~FLAG_BY_WORD;
        worst = fminf(worst, t->scores[i]);
        all[n++] = (entry){p, i};
    }
    if (n == 0)
        return rag_fail(err, RAG_E_FORMAT, "no pieces");
    qsort(all, n, sizeof *all, by_piece);
    h->unk_score = worst - UNK_PENALTY;
    *n_all = n;
    return RAG_OK;
}

static rag_status put_trie(rag_buf *b, blob_head *h, const rag_source_tokens *t,
                           rag_error *err)
{
    size_t n = t->n_pieces;
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
    TRY(sort_pieces(all, &n, h, t, err));
    for (size_t i = 0; i < n; i++) {
        keys[i] = all[i].piece;
        ids[i] = all[i].id;
    }
    TRY(rag_trie_build(&units, &n_units, keys, ids, n, err));
    put(b, h, PART_TRIE, units, n_units * sizeof *units);
    put(b, h, PART_SCORES, t->scores, t->n_pieces * sizeof *t->scores);
out:
    rag_free(units);
    rag_free(ids);
    rag_free(keys);
    rag_free(all);
    return st;
}

static rag_status check_source(const rag_source_tokens *t, rag_error *err)
{
    if (t->kind != RAG_TOKENS_UNIGRAM)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "a kind of tokenizer this program does not know");
    if (t->n_pieces == 0 || t->n_pieces > RAG_TOKENS_MAX_PIECES)
        return rag_fail(err, RAG_E_FORMAT, "a vocabulary of %u pieces",
                        t->n_pieces);
    if (t->bos < -1 || t->eos < -1 || t->unk < 0 ||
        t->bos >= (int64_t)t->n_pieces || t->eos >= (int64_t)t->n_pieces ||
        t->unk >= (int64_t)t->n_pieces)
        return rag_fail(err, RAG_E_FORMAT,
                        "special tokens outside the vocabulary");
    for (uint32_t i = 0; i < t->n_pieces; i++) {
        if (!isfinite(t->scores[i]))
            return rag_fail(err, RAG_E_FORMAT, "piece %u has no score", i);
    }
    return RAG_OK;
}

rag_status rag_tokens_build(rag_buf *blob, const rag_source_tokens *t,
                            rag_error *err)
{
    blob_head h = {.kind = (uint32_t)t->kind,
                   .n_pieces = t->n_pieces,
                   .bos = t->bos,
                   .eos = t->eos,
                   .pad = t->pad,
                   .unk = t->unk};
    rag_status st;

    TRY(check_source(t, err));
    if (t->pair_double_eos)
        h.flags |= FLAG_PAIR_DOUBLE_EOS;
    rag_buf_add(blob, &h, sizeof h);
    TRY(put_nmt(blob, &h, t, err));
    TRY(put_trie(blob, &h, t, err));
    TRY(rag_buf_status(blob, err));
    memcpy(blob->ptr, &h, sizeof h);
out:
    return st;
}

/* ---- opening ----------------------------------------------------------- */

/* The part's bytes, of which there must be a multiple of `unit`, at least
 * `least`. */
static rag_status part_at(rag_str *out, rag_str blob, part_kind k, size_t unit,
                          size_t least, rag_error *err)
{
    const blob_head *h = (const void *)blob.ptr;
    const part *p = &h->parts[k];

    if (p->offset % ALIGN != 0 || p->offset > blob.len ||
        p->n_bytes > blob.len - p->offset || p->n_bytes % unit != 0 ||
        p->n_bytes < least)
        return rag_fail(err, RAG_E_CORRUPT, "tokenizer: part %d of %llu bytes",
                        (int)k, (unsigned long long)p->n_bytes);
    *out = rag_str_n(blob.ptr + p->offset, (size_t)p->n_bytes);
    return RAG_OK;
}

static rag_status open_nmt(rag_nmt *m, rag_str blob, rag_error *err)
{
    static const size_t page = RAG_NMT_PAGE * sizeof(uint32_t);
    static const size_t pages_at = RAG_NMT_PAGES * sizeof(uint16_t);
    rag_status st;
    rag_str s;

    TRY(part_at(&s, blob, PART_NMT_PAGES, 1, pages_at + page, err));
    if ((s.len - pages_at) % page != 0)
        return rag_fail(err, RAG_E_CORRUPT, "normaliser of %zu bytes", s.len);
    m->page_of = (const void *)s.ptr;
    m->pages = (const void *)(s.ptr + pages_at);
    m->n_pages = (s.len - pages_at) / page;
    TRY(part_at(&s, blob, PART_NMT_TEXT, 1, 0, err));
    m->text = s.ptr;
    m->n_text = s.len;
    TRY(part_at(&s, blob, PART_NMT_RULES, sizeof(rag_nmt_rule), 0, err));
    m->rules = (const void *)s.ptr;
    m->n_rules = s.len / sizeof(rag_nmt_rule);
out:
    return st;
}

static rag_status check_ids(const blob_head *h, rag_error *err)
{
    int64_t n = h->n_pieces;

    if (h->kind != RAG_TOKENS_UNIGRAM)
        return rag_fail(err, RAG_E_CORRUPT,
                        "a kind of tokenizer this program does not know");
    if (n == 0 || n > RAG_TOKENS_MAX_PIECES || h->bos < -1 || h->bos >= n ||
        h->eos < -1 || h->eos >= n || h->unk < 0 || h->unk >= n)
        return rag_fail(err, RAG_E_CORRUPT,
                        "special tokens outside the vocabulary");
    return RAG_OK;
}

rag_status rag_tokens_model_open(rag_tokens_model *out, rag_str blob,
                                 rag_error *err)
{
    const blob_head *h = (const void *)blob.ptr;
    rag_status st;
    rag_str s;

    memset(out, 0, sizeof *out);
    if (blob.len < sizeof *h)
        return rag_fail(err, RAG_E_CORRUPT, "tokenizer of %zu bytes", blob.len);
    TRY(check_ids(h, err));
    TRY(open_nmt(&out->nmt, blob, err));
    TRY(part_at(&s, blob, PART_TRIE, sizeof(uint32_t), sizeof(uint32_t), err));
    if (s.len / sizeof(uint32_t) >= UINT32_MAX)
        return rag_fail(err, RAG_E_CORRUPT, "trie of %zu bytes", s.len);
    out->trie.units = (const void *)s.ptr;
    out->trie.n_units = (uint32_t)(s.len / sizeof(uint32_t));
    TRY(part_at(&s, blob, PART_SCORES, 1, h->n_pieces * sizeof(float), err));
    out->scores = (const void *)s.ptr;
    out->kind = h->kind;
    out->n_pieces = h->n_pieces;
    out->unk_score = h->unk_score;
    out->bos = h->bos;
    out->eos = h->eos;
    out->unk = h->unk;
    out->by_word = (h->flags & FLAG_BY_WORD) != 0;
    out->pair_double_eos = (h->flags & FLAG_PAIR_DOUBLE_EOS) != 0;
out:
    return st;
}
