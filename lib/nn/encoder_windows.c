/* How texts and pairs lie in windows, windows in blocks, and how a text gets
 * its vector back. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/encoder_priv.h"
#include "nn/pooling.h"

typedef rag_layers_window window;
typedef rag_layers_block block;

static int longer_first(const void *a, const void *b)
{
    const window *x = a;
    const window *y = b;

    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return x->out < y->out ? -1 : x->out > y->out;
}

/* How many special tokens stand around a text, or in a pair. */
static size_t n_specials(const rag_tokens_model *t, bool pair)
{
    size_t n_eos = pair ? (t->pair_double_eos ? 3 : 2) : 1;

    return (t->bos >= 0 ? 1 : 0) + (t->eos >= 0 ? n_eos : 0);
}

/* Room for the ids of a window of n tokens more; the windows' pointers are set
 * when all ids are there, for these may move. */
static rag_status add_window(rag_encoder *e, size_t text, size_t n,
                             rag_error *err)
{
    if (!rag_mem_grow(&e->windows, &e->windows_cap, e->n_windows + 1,
                      sizeof *e->windows) ||
        !rag_mem_grow(&e->ids, &e->ids_cap, e->n_ids + n, sizeof *e->ids))
        return rag_fail_nomem(err);
    e->windows[e->n_windows++] = (window){text, NULL, n, n, NULL};
    return RAG_OK;
}

static void add_special(rag_encoder *e, int32_t id)
{
    if (id >= 0)
        e->ids[e->n_ids++] = id;
}

/* n ids of a text from `at` on. */
static rag_status add_ids(rag_encoder *e, size_t text, size_t at, size_t n,
                          rag_error *err)
{
    const rag_encoder_place *p = &e->places[text];
    const int32_t *ids = e->workers[p->worker].ids;

    for (size_t i = 0; i < n; i++) {
        int32_t id = ids[p->first + at + i];

        if (id < 0 || (uint32_t)id >= e->w.head->n_vocab)
            return rag_fail(err, RAG_E_CORRUPT,
                            "token %d lies outside the vocabulary: the model "
                            "file is damaged; import it again with rag model "
                            "add",
                            id);
        e->ids[e->n_ids++] = id;
    }
    return RAG_OK;
}

static void set_ids(rag_encoder *e)
{
    const int32_t *ids = e->ids;

    for (size_t i = 0; i < e->n_windows; i++) {
        e->windows[i].ids = ids;
        ids += e->windows[i].n;
    }
}

/* One window of a text: n of its tokens from `at` on. A text without any, in a
 * model without special tokens, is one unknown token. */
static rag_status text_window(rag_encoder *e, size_t text, size_t at, size_t n,
                              rag_error *err)
{
    const rag_tokens_model *t = &e->w.tokens;
    size_t specials = n_specials(t, false);
    rag_status st;

    TRY(add_window(e, text, n + specials == 0 ? 1 : n + specials, err));
    if (n + specials == 0)
        e->ids[e->n_ids++] = t->unk >= 0 ? t->unk : 0;
    add_special(e, t->bos);
    TRY(add_ids(e, text, at, n, err));
    add_special(e, t->eos);
out:
    return st;
}

rag_status rag_encoder_make_windows(rag_encoder *e, rag_error *err)
{
    size_t most = e->w.head->window - n_specials(&e->w.tokens, false);
    size_t hidden = e->w.head->hidden;
    rag_status st = RAG_OK;

    e->n_windows = 0;
    e->n_ids = 0;
    for (size_t i = 0; i < e->n_texts; i++) {
        size_t n_left = e->places[i].n;
        size_t parts = n_left == 0 ? 1 : (n_left + most - 1) / most;
        size_t at = 0;

        e->n_windowed += parts > 1;
        for (; parts != 0; parts--) {
            size_t n = (n_left - at + parts - 1) / parts;

            TRY(text_window(e, i, at, n, err));
            at += n;
        }
    }
    if (!rag_mem_grow(&e->vectors, &e->vectors_cap, e->n_windows * hidden,
                      sizeof *e->vectors))
        return rag_fail_nomem(err);
    set_ids(e);
    for (size_t i = 0; i < e->n_windows; i++)
        e->windows[i].out = e->vectors + i * hidden;
out:
    return st;
}

/* Cuts a pair of a and b tokens to `most`, as the reference does: the longer
 * side loses until both are equal, then each has half. */
static void cut_pair(size_t *a, size_t *b, size_t most)
{
    bool swap = *a > *b;
    size_t less = swap ? *b : *a;
    size_t more = swap ? *a : *b;

    if (less + more <= most)
        return;
    if (less > most)
        more = less;
    else
        more = less > most - less ? less : most - less;
    if (less + more > most) {
        less = most / 2;
        more = less + most % 2;
    }
    *a = swap ? more : less;
    *b = swap ? less : more;
}

/* "bos A eos [eos] B eos" of texts 2 i and 2 i + 1, each a window that gives
 * the logits of pair i. */
rag_status rag_encoder_make_pairs(float *out, rag_encoder *e, rag_error *err)
{
    const rag_tokens_model *t = &e->w.tokens;
    size_t specials = n_specials(t, true);
    size_t most = e->w.head->window - specials;
    rag_status st = RAG_OK;

    e->n_windows = 0;
    e->n_ids = 0;
    for (size_t i = 0; i < e->n_texts; i += 2) {
        size_t a = e->places[i].n;
        size_t b = e->places[i + 1].n;
        size_t before = e->n_ids;

        cut_pair(&a, &b, most);
        TRY(add_window(e, i / 2, a + b + specials, err));
        add_special(e, t->bos);
        TRY(add_ids(e, i, 0, a, err));
        add_special(e, t->eos);
        if (e->w.head->n_types > 1)
            e->windows[e->n_windows - 1].n_first = e->n_ids - before;
        if (t->pair_double_eos)
            add_special(e, t->eos);
        TRY(add_ids(e, i + 1, 0, b, err));
        add_special(e, t->eos);
    }
    set_ids(e);
    for (size_t i = 0; i < e->n_windows; i++)
        e->windows[i].out = out + i * e->w.head->n_labels;
out:
    return st;
}

rag_status rag_encoder_make_blocks(rag_encoder *e, size_t *n_tokens,
                                   rag_error *err)
{
    size_t most;
    block *b = NULL;

    *n_tokens = 0;
    for (size_t i = 0; i < e->n_windows; i++)
        *n_tokens += e->windows[i].n;
    qsort(e->windows, e->n_windows, sizeof *e->windows, longer_first);
    /* small groups: smaller blocks, so that every thread gets some */
    most = *n_tokens / (4 * e->n_threads);
    most = most < 64                        ? 64
           : most > RAG_LAYERS_BLOCK_TOKENS ? RAG_LAYERS_BLOCK_TOKENS
                                            : most;
    if (!rag_mem_grow(&e->blocks, &e->blocks_cap, e->n_windows,
                      sizeof *e->blocks))
        return rag_fail_nomem(err);
    e->n_blocks = 0;
    for (size_t i = 0; i < e->n_windows; i++) {
        size_t n = e->windows[i].n;

        if (b == NULL || b->n_tokens + n > most) {
            b = &e->blocks[e->n_blocks++];
            *b = (block){&e->windows[i], 0, 0};
        }
        b->n_windows++;
        b->n_tokens += n;
    }
    return RAG_OK;
}

static int by_text(const void *a, const void *b)
{
    const window *x = a;
    const window *y = b;

    return x->out < y->out ? -1 : x->out > y->out;
}

rag_status rag_encoder_gather(float *out, rag_encoder *e, rag_error *err)
{
    size_t hidden = e->w.head->hidden;
    size_t i = 0;

    qsort(e->windows, e->n_windows, sizeof *e->windows, by_text);
    for (size_t t = 0; t < e->n_texts; t++, out += hidden) {
        rag_status st;

        if (i + 1 == e->n_windows || e->windows[i + 1].text != t) {
            memcpy(out, e->windows[i++].out, hidden * sizeof *out);
            continue;
        }
        memset(out, 0, hidden * sizeof *out);
        for (; i < e->n_windows && e->windows[i].text == t; i++) {
            size_t n = e->windows[i].n - n_specials(&e->w.tokens, false);

            for (size_t d = 0; d < hidden; d++)
                out[d] += e->windows[i].out[d] * (float)n;
        }
        st = rag_pooling_normalise(out, hidden, err);
        if (st != RAG_OK)
            return st;
    }
    return RAG_OK;
}
