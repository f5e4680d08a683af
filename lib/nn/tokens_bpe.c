/*
 * Byte pair merging as Hugging Face tokenizers does it: of all pairs of
 * neighbours the one with the lowest rank becomes one symbol, the leftmost of
 * equals first, until none is left.
 *
 * Words are short as a rule: looking at all pairs again after each merge is
 * then the fastest. Longer ones go through a heap of pairs, so that a word of n
 * bytes takes n log n steps whatever it holds.
 */
#include <string.h>

#include "nn/tokens_kinds.h"

/* symbols up to which all pairs are looked at again */
#define FEW 20u
#define NONE UINT32_MAX

typedef struct rag_tokens_symbol {
    uint32_t prev; /* NONE at the ends */
    uint32_t next;
    uint32_t id; /* NONE: became part of the one before */
} symbol;

typedef struct rag_tokens_pair {
    uint32_t rank;
    uint32_t at;     /* its left symbol */
    uint32_t merged; /* what it became when it was found */
} pair;

/* The merge of two neighbours; NULL: none. */
static const rag_tokens_merge *find_merge(const rag_tokens_model *m,
                                          uint32_t left, uint32_t right)
{
    uint32_t mask = m->n_slots - 1;
    uint32_t at = rag_tokens_merge_hash(left, right) & mask;

    for (uint32_t i = 0; i < m->most_probes; i++) {
        const rag_tokens_merge *slot = &m->merges[(at + i) & mask];

        if (slot->merged >= m->n_pieces)
            return NULL;
        if (slot->left == left && slot->right == right)
            return slot;
    }
    return NULL;
}

static rag_status merge_few(rag_tokens *t, const symbol *symbols, uint32_t n,
                            rag_error *err)
{
    const rag_tokens_merge *merges[FEW];
    uint32_t ids[FEW];

    for (uint32_t i = 0; i < n; i++)
        ids[i] = symbols[i].id;
    for (uint32_t i = 0; i + 1 < n; i++)
        merges[i] = find_merge(t->model, ids[i], ids[i + 1]);
    while (n > 1) {
        uint32_t best = NONE;

        for (uint32_t i = 0; i + 1 < n; i++) {
            if (merges[i] != NULL &&
                (best == NONE || merges[i]->rank < merges[best]->rank))
                best = i;
        }
        if (best == NONE)
            break;
        ids[best] = merges[best]->merged;
        n--;
        memmove(ids + best + 1, ids + best + 2, (n - best - 1) * sizeof *ids);
        memmove(merges + best, merges + best + 1,
                (n - best - 1) * sizeof(merges[0]));
        if (best > 0)
            merges[best - 1] = find_merge(t->model, ids[best - 1], ids[best]);
        if (best + 1 < n)
            merges[best] = find_merge(t->model, ids[best], ids[best + 1]);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!rag_tokens_add_id(t, (int32_t)ids[i]))
            return rag_fail_nomem(err);
    }
    return RAG_OK;
}

static bool before(pair a, pair b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

/* Sinks heap[at] to where it belongs. */
static void sink(pair *heap, size_t n, size_t at)
{
    pair p = heap[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= n)
            break;
        if (child + 1 < n && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], p))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = p;
}

static bool push(rag_tokens *t, size_t *n, pair p)
{
    size_t at = *n;

    if (!rag_mem_grow(&t->heap, &t->heap_cap, at + 1, sizeof *t->heap))
        return false;
    while (at != 0 && before(p, t->heap[(at - 1) / 2])) {
        t->heap[at] = t->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    t->heap[at] = p;
    (*n)++;
    return true;
}

/* Adds the pair that begins with symbol `at`, when it merges. */
static bool offer(rag_tokens *t, size_t *n_heap, uint32_t at)
{
    const symbol *s = t->symbols;
    const rag_tokens_merge *found;

    if (at == NONE || s[at].next == NONE)
        return true;
    found = find_merge(t->model, s[at].id, s[s[at].next].id);
    return found == NULL ||
           push(t, n_heap, (pair){found->rank, at, found->merged});
}

/* Makes one of a pair; false: it is no longer there, or is another one now. */
static bool merge_at(rag_tokens *t, pair p)
{
    symbol *left = &t->symbols[p.at];
    const rag_tokens_merge *now;
    symbol *right;

    if (left->id == NONE || left->next == NONE)
        return false;
    right = &t->symbols[left->next];
    now = find_merge(t->model, left->id, right->id);
    if (now == NULL || now->merged != p.merged)
        return false;
    left->id = p.merged;
    left->next = right->next;
    right->id = NONE;
    if (left->next != NONE)
        t->symbols[left->next].prev = p.at;
    return true;
}

static rag_status merge_many(rag_tokens *t, uint32_t n, rag_error *err)
{
    size_t n_heap = 0;

    for (uint32_t i = 0; i < n; i++) {
        t->symbols[i].prev = i == 0 ? NONE : i - 1;
        t->symbols[i].next = i + 1 < n ? i + 1 : NONE;
    }
    for (uint32_t i = 0; i + 1 < n; i++) {
        if (!offer(t, &n_heap, i))
            return rag_fail_nomem(err);
    }
    while (n_heap != 0) {
        pair best = t->heap[0];

        t->heap[0] = t->heap[--n_heap];
        if (n_heap != 0)
            sink(t->heap, n_heap, 0);
        if (merge_at(t, best) &&
            (!offer(t, &n_heap, t->symbols[best.at].prev) ||
             !offer(t, &n_heap, best.at)))
            return rag_fail_nomem(err);
    }
    for (uint32_t i = 0; i != NONE; i = t->symbols[i].next) {
        if (!rag_tokens_add_id(t, (int32_t)t->symbols[i].id))
            return rag_fail_nomem(err);
    }
    return RAG_OK;
}

/* The first n symbols as ids. */
static rag_status merge(rag_tokens *t, size_t n, rag_error *err)
{
    if (n == 0)
        return RAG_OK;
    return n <= FEW ? merge_few(t, t->symbols, (uint32_t)n, err)
                    : merge_many(t, (uint32_t)n, err);
}

/* ---- byte-level -------------------------------------------------------- */

static bool whole_word(uint32_t *id, const rag_tokens_model *m, rag_str s)
{
    uint32_t at = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (!rag_trie_step(&at, &m->trie, (uint8_t)s.ptr[i]))
            return false;
    }
    return rag_trie_value(id, &m->trie, at) && *id < m->n_pieces;
}

static rag_status byte_word(rag_tokens *t, rag_str s, rag_error *err)
{
    uint32_t id;

    if (t->model->ignore_merges && whole_word(&id, t->model, s))
        return rag_tokens_add_id(t, (int32_t)id) ? RAG_OK : rag_fail_nomem(err);
    if (!rag_mem_grow(&t->symbols, &t->symbols_cap, s.len, sizeof *t->symbols))
        return rag_fail_nomem(err);
    for (size_t i = 0; i < s.len; i++)
        t->symbols[i].id = (uint32_t)t->model->bytes[(unsigned char)s.ptr[i]];
    return merge(t, s.len, err);
}

/* Words by the model's splits from number i on: each takes apart what the one
 * before left. */
static rag_status byte_words(rag_tokens *t, rag_str s, uint32_t i,
                             rag_error *err)
{
    rag_tokens_split split =
        i < RAG_SPLIT_MOST ? rag_split_at(t->model->splits, i) : RAG_SPLIT_NONE;

    if (split == RAG_SPLIT_NONE)
        return byte_word(t, s, err);
    while (s.len != 0) {
        size_t n = rag_tokens_split_next(t->model, split, s);
        rag_status st = byte_words(t, rag_str_cut(s, 0, n), i + 1, err);

        if (st != RAG_OK)
            return st;
        s = rag_str_cut(s, n, s.len);
    }
    return RAG_OK;
}

rag_status rag_tokens_byte_bpe(rag_tokens *t, rag_str part, bool first,
                               rag_error *err)
{
    const rag_tokens_model *m = t->model;
    rag_status st = RAG_OK;

    if (m->prefix_space && (first || m->prefix_each) && part.ptr[0] != ' ') {
        rag_buf_clear(&t->word);
        rag_buf_addc(&t->word, ' ');
        rag_buf_adds(&t->word, part);
        TRY(rag_buf_status(&t->word, err));
        part = rag_buf_str(&t->word);
    }
    st = byte_words(t, part, 0, err);
out:
    return st;
}

/* ---- SentencePiece ----------------------------------------------------- */

/* The symbols of one character of t->word; *n is where they go. */
static void add_character(rag_tokens *t, size_t *n, rag_str c)
{
    const rag_tokens_model *m = t->model;
    uint32_t id;

    if (whole_word(&id, m, c)) {
        t->symbols[(*n)++].id = id;
    } else if (m->bytes != NULL) {
        for (size_t i = 0; i < c.len; i++)
            t->symbols[(*n)++].id = (uint32_t)m->bytes[(unsigned char)c.ptr[i]];
    } else if (*n == 0 || t->symbols[*n - 1].id != (uint32_t)m->unk) {
        t->symbols[(*n)++].id = (uint32_t)m->unk;
    }
}

rag_status rag_tokens_sp_bpe_word(rag_tokens *t, rag_error *err)
{
    rag_str s = rag_buf_str(&t->word);
    size_t n = 0;

    /* a character becomes as many symbols as it has bytes, at most */
    if (!rag_mem_grow(&t->symbols, &t->symbols_cap, s.len, sizeof *t->symbols))
        return rag_fail_nomem(err);
    while (s.len != 0) {
        size_t one = rag_tokens_char_bytes((unsigned char)s.ptr[0]);

        one = one < s.len ? one : s.len;
        add_character(t, &n, rag_str_cut(s, 0, one));
        s = rag_str_cut(s, one, s.len);
    }
    return merge(t, n, err);
}
