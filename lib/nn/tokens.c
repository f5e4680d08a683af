/*
 * Normalisation follows Normalizer::Normalize, segmentation
 * Model::EncodeOptimized of SentencePiece, in the same order of operations:
 * scores are added in double and kept in float, and the first found of two
 * equal paths stays. Starting a word where the last one ended with that path's
 * score keeps even the rounding of long texts the same.
 */
#include "nn/tokens.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define SPACE "\xE2\x96\x81" /* U+2581 */
#define SPACE_BYTES ((size_t)3)
#define NO_START UINT32_MAX

typedef struct rag_tokens_node {
    float score;    /* of the best path that ends here */
    uint32_t start; /* where its last piece begins, NO_START: none yet */
    int32_t id;     /* of that piece */
} node;

void rag_tokens_init(rag_tokens *t, const rag_tokens_model *model)
{
    memset(t, 0, sizeof *t);
    t->model = model;
    /* a character becomes at most 18, each at most 3 bytes for one */
    rag_buf_init(&t->word, 64 * RAG_TOKENS_MAX_BYTES);
    for (char c = 0x21; c < 0x7F; c++) {
        char room[4];
        rag_str to;

        rag_nmt_next(&to, room, &model->nmt, rag_str_n(&c, 1));
        t->plain[(unsigned char)c] = to.len == 1 && to.ptr[0] == c;
    }
}

void rag_tokens_dispose(rag_tokens *t)
{
    rag_free(t->ids);
    rag_free(t->nodes);
    rag_buf_dispose(&t->word);
    t->ids = NULL;
    t->nodes = NULL;
}

static bool add_id(rag_tokens *t, int32_t id)
{
    if (!rag_mem_grow(&t->ids, &t->ids_cap, t->n_ids + 1, sizeof *t->ids))
        return false;
    t->ids[t->n_ids++] = id;
    return true;
}

/* Bytes of the UTF-8 character that begins with c. */
static size_t char_bytes(unsigned char c)
{
    static const uint8_t of_high_bits[16] = {1, 1, 1, 1, 1, 1, 1, 1,
                                             1, 1, 1, 1, 2, 2, 3, 4};

    return of_high_bits[c >> 4];
}

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

/* Turns the best path into ids, unknown ones in a row into one. */
static bool take_path(rag_tokens *t, const node *nodes, size_t n)
{
    size_t first = t->n_ids;
    size_t count = 0;
    size_t to;
    int32_t last;

    for (size_t i = n; i != 0; i = nodes[i].start)
        count++;
    if (!rag_mem_grow(&t->ids, &t->ids_cap, first + count, sizeof *t->ids))
        return false;
    to = first + count;
    for (size_t i = n; i != 0; i = nodes[i].start)
        t->ids[--to] = nodes[i].id;
    last = first != 0 ? t->ids[first - 1] : -1;
    for (size_t i = 0; i < count; i++) {
        int32_t id = t->ids[first + i];

        if (id != t->model->unk || last != t->model->unk)
            t->ids[t->n_ids++] = id;
        last = id;
    }
    return true;
}

static rag_status cut_word(rag_tokens *t, rag_error *err)
{
    const char *s = t->word.ptr;
    size_t n = t->word.len;
    size_t start = 0;

    if (n == 0)
        return rag_buf_status(&t->word, err);
    if (n >= NO_START)
        return rag_fail(err, RAG_E_LIMIT, "a word of %zu bytes", n);
    if (!rag_mem_grow(&t->nodes, &t->nodes_cap, n + 1, sizeof *t->nodes))
        return rag_fail_nomem(err);
    t->nodes[0] = (node){t->score, 0, 0};
    for (size_t i = 1; i <= n; i++)
        t->nodes[i].start = NO_START;
    while (start < n) {
        size_t one = char_bytes((unsigned char)s[start]);

        if (one > n - start)
            one = n - start;
        offer_from(t->nodes, t->model, s, n, start, one);
        start += one;
    }
    t->score = t->nodes[n].score;
    if (!take_path(t, t->nodes, n))
        return rag_fail_nomem(err);
    rag_buf_clear(&t->word);
    t->word_text = false;
    return RAG_OK;
}

static rag_status add_space(rag_tokens *t, rag_error *err)
{
    if (t->word_text && t->model->by_word) {
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
    while (t->after_space && to.len != 0 && to.ptr[0] == ' ')
        to = rag_str_cut(to, 1, to.len);
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

static rag_status add_text(rag_tokens *t, rag_str text, rag_error *err)
{
    size_t at = 0;

    while (at < text.len) {
        size_t run = at;
        rag_status st;
        char room[4];
        rag_str rest;
        rag_str to;
        uint32_t cp;
        bool ok;
        size_t n;

        /* characters that stand for themselves; the last of a run waits, as a
         * combining mark may follow it */
        while (run < text.len && (unsigned char)text.ptr[run] < 0x80 &&
               t->plain[(unsigned char)text.ptr[run]])
            run++;
        if (run < text.len && run > at && (unsigned char)text.ptr[run] >= 0x80)
            run--;
        if (run > at) {
            rag_buf_add(&t->word, text.ptr + at, run - at);
            t->word_text = true;
            t->after_space = false;
            at = run;
            continue;
        }
        rest = rag_str_cut(text, at, text.len);
        n = rag_utf8_decode(&cp, &ok, rest);
        if (ok)
            n = rag_nmt_next(&to, room, &t->model->nmt, rest);
        else
            (void)rag_nmt_next(&to, room, &t->model->nmt,
                               RAG_STR_LIT("\xEF\xBF\xBD"));
        st = add_match(t, to, err);
        if (st != RAG_OK)
            return st;
        at += n;
    }
    return rag_buf_status(&t->word, err);
}

rag_status rag_tokens_encode(rag_tokens *t, rag_str text, rag_error *err)
{
    rag_status st;

    if (text.len > RAG_TOKENS_MAX_BYTES)
        return rag_fail(err, RAG_E_LIMIT,
                        "text of %zu bytes, at most %zu can be embedded",
                        text.len, RAG_TOKENS_MAX_BYTES);
    t->n_ids = 0;
    t->score = 0.0f;
    t->word_text = false;
    t->after_space = true;
    rag_buf_clear(&t->word);
    if (t->model->bos >= 0 && !add_id(t, t->model->bos))
        return rag_fail_nomem(err);
    rag_buf_add(&t->word, SPACE, SPACE_BYTES);
    TRY(add_text(t, text, err));
    while (rag_str_ends(rag_buf_str(&t->word), SPACE))
        rag_buf_trunc(&t->word, t->word.len - SPACE_BYTES);
    TRY(cut_word(t, err));
    if (t->model->eos >= 0 && !add_id(t, t->model->eos))
        st = rag_fail_nomem(err);
out:
    return st;
}
