/*
 * Segmentation follows Model::EncodeOptimized of SentencePiece: scores are
 * added in double and kept in float, and the first found of two equal paths
 * stays. Starting a word where the last one ended with that path's score keeps
 * even the rounding of long texts the same.
 */
#include <string.h>

#include "nn/tokens_kinds.h"

#define NO_START UINT32_MAX

typedef struct rag_tokens_node {
    float score;    /* of the best path that ends here */
    uint32_t start; /* where its last piece begins, NO_START: none yet */
    int32_t id;     /* of that piece */
} node;

static void offer(node *to, float score, size_t start, int32_t id)
{
    if (to->start == NO_START || score > to->score)
        *to = (node){score, (uint32_t)start, id};
}

/* All pieces that begin at `start`, and <unk> when no single character does. */
static void offer_from(node *nodes, const rag_tokens_model *m, const char *s,
                       size_t n, size_t start, size_t one)
{
    float so_far = nodes[start].score;
    uint32_t at = 0;
    bool has_single = false;

    for (size_t i = start; i < n && rag_trie_step(&at, &m->trie, (uint8_t)s[i]);
         i++) {
        uint32_t id;

        if (!rag_trie_value(&id, &m->trie, at) || id >= m->n_pieces)
            continue;
        offer(&nodes[i + 1], m->scores[id] + so_far, start, (int32_t)id);
        if (i + 1 - start == one)
            has_single = true;
    }
    if (!has_single)
        offer(&nodes[start + one], m->unk_score + so_far, start, m->unk);
}

/* The bytes of an unknown character, from the last to the first. */
static size_t take_bytes(rag_tokens *t, size_t to, size_t start, size_t end)
{
    while (end > start)
        t->ids[--to] = t->model->bytes[(unsigned char)t->word.ptr[--end]];
    return to;
}

static bool by_bytes(const rag_tokens_model *m, int32_t id)
{
    return m->bytes != NULL && id == m->unk;
}

/* Turns the best path into ids, unknown ones in a row into one. */
static bool take_path(rag_tokens *t, const node *nodes, size_t n)
{
    const rag_tokens_model *m = t->model;
    size_t first = t->n_ids;
    size_t count = 0;
    size_t to;
    int32_t last;

    for (size_t i = n; i != 0; i = nodes[i].start)
        count += by_bytes(m, nodes[i].id) ? i - nodes[i].start : 1;
    if (!rag_mem_grow(&t->ids, &t->ids_cap, first + count, sizeof *t->ids))
        return false;
    to = first + count;
    for (size_t i = n; i != 0; i = nodes[i].start) {
        if (by_bytes(m, nodes[i].id))
            to = take_bytes(t, to, nodes[i].start, i);
        else
            t->ids[--to] = nodes[i].id;
    }
    last = first != 0 ? t->ids[first - 1] : -1;
    for (size_t i = 0; i < count; i++) {
        int32_t id = t->ids[first + i];

        if (id != m->unk || last != m->unk)
            t->ids[t->n_ids++] = id;
        last = id;
    }
    return true;
}

rag_status rag_tokens_unigram_word(rag_tokens *t, rag_error *err)
{
    const char *s = t->word.ptr;
    size_t n = t->word.len;
    size_t start = 0;

    if (n >= NO_START)
        return rag_fail(err, RAG_E_LIMIT, "a word of %zu bytes", n);
    if (!rag_mem_grow(&t->nodes, &t->nodes_cap, n + 1, sizeof *t->nodes))
        return rag_fail_nomem(err);
    t->nodes[0] = (node){t->score, 0, 0};
    for (size_t i = 1; i <= n; i++)
        t->nodes[i].start = NO_START;
    while (start < n) {
        size_t one = rag_tokens_char_bytes((unsigned char)s[start]);

        if (one > n - start)
            one = n - start;
        offer_from(t->nodes, t->model, s, n, start, one);
        start += one;
    }
    t->score = t->nodes[n].score;
    return take_path(t, t->nodes, n) ? RAG_OK : rag_fail_nomem(err);
}
