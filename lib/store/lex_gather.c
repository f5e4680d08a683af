#include "store/lex_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Chunks gathered at once; the store flushes long before, by bytes. */
#define MAX_PENDING_CHUNKS (UINT32_C(1) << 22)
#define ORD_MASK ((UINT64_C(1) << RAG_LEX_ORD_BITS) - 1)
_Static_assert(MAX_PENDING_CHUNKS <= ORD_MASK, "ordinals fit");
#define FIRST_SLOTS ((size_t)1 << 12)

/* The words of one field of a chunk. */
struct field {
    rag_lex *x;
    uint32_t weight;
    uint32_t n_words;
};

void rag_lex_gather_dispose(rag_lex_pending *p)
{
    rag_free(p->slots);
    rag_free(p->log);
    rag_free(p->ids);
    rag_free(p->lens);
    *p = (rag_lex_pending){0};
}

size_t rag_lex_pending_bytes(const rag_lex *x)
{
    const rag_lex_pending *p = &x->pending;
    size_t slots = p->n_slots;

    /* about to grow: old and new stand side by side then */
    if (16 * p->n_words > 7 * p->n_slots)
        slots *= 3;
    return slots * sizeof *p->slots + p->n_log * sizeof *p->log +
           p->n_chunks * (sizeof *p->ids + sizeof *p->lens);
}

/* Keys are hashes already: their bits pick the slot. */
static rag_lex_pending_word *slot_of(const rag_lex_pending *p, uint64_t word)
{
    size_t i = (size_t)word & (p->n_slots - 1);

    while (p->slots[i].number != 0 &&
           p->slots[i].key >> RAG_LEX_ORD_BITS != word)
        i = (i + 1) & (p->n_slots - 1);
    return &p->slots[i];
}

static bool grow_slots(rag_lex_pending *p)
{
    rag_lex_pending_word *old = p->slots;
    size_t n_old = p->n_slots;
    size_t n = n_old != 0 ? n_old * 2 : FIRST_SLOTS;
    rag_lex_pending_word *slots = rag_calloc(n, sizeof *slots);

    if (slots == NULL)
        return false;
    p->slots = slots;
    p->n_slots = n;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].number != 0)
            *slot_of(p, old[i].key >> RAG_LEX_ORD_BITS) = old[i];
    rag_free(old);
    return true;
}

static bool count(rag_lex_pending *p, uint64_t word, uint32_t weight)
{
    rag_lex_pending_word *w;

    if (2 * (p->n_words + 1) > p->n_slots && !grow_slots(p))
        return false;
    w = slot_of(p, word);
    if (w->number != 0 && (w->key & ORD_MASK) == p->n_chunks) {
        uint32_t *e = &p->log[w->last].ord_tf;
        uint32_t left = RAG_LEX_MAX_TF - (*e & RAG_LEX_MAX_TF);

        *e += weight < left ? weight : left;
        return true;
    }
    if (p->n_log >= UINT32_MAX ||
        !rag_mem_grow(&p->log, &p->cap_log, p->n_log + 1, sizeof *p->log))
        return false;
    if (w->number == 0)
        w->number = (uint32_t)++p->n_words;
    p->log[p->n_log] = (rag_lex_entry){.word = w->number - 1,
                                       .ord_tf = p->n_chunks << 8 | weight};
    w->key = word << RAG_LEX_ORD_BITS | p->n_chunks;
    w->last = (uint32_t)p->n_log++;
    return true;
}

static rag_status on_word(void *ctx, const rag_word *word, rag_error *err)
{
    struct field *f = ctx;

    /* parts stand where their code stands */
    f->n_words += word->kind != RAG_WORD_PART && f->n_words < UINT32_MAX;
    if (!count(&f->x->pending, word->key >> (64 - RAG_LEX_WORD_BITS),
               f->weight))
        return rag_fail_nomem(err);
    return RAG_OK;
}

rag_status rag_lex_add(rag_lex *x, int64_t chunk_id, rag_str heading,
                       rag_str body, rag_error *err)
{
    rag_lex_pending *p = &x->pending;
    struct field head = {.x = x, .weight = RAG_LEX_HEADING_WEIGHT};
    struct field text = {.x = x, .weight = 1};
    uint64_t len;
    rag_status st;

    if (chunk_id <= 0 ||
        (p->n_chunks != 0 && p->ids[p->n_chunks - 1] >= chunk_id))
        return rag_fail(err, RAG_E_INVAL, "words index: chunk ids must ascend");
    if (p->n_chunks == MAX_PENDING_CHUNKS)
        return rag_fail(err, RAG_E_LIMIT,
                        "words index: too many chunks gathered");
    if (!rag_mem_grow(&p->ids, &p->cap_ids, p->n_chunks + 1, sizeof *p->ids) ||
        !rag_mem_grow(&p->lens, &p->cap_lens, p->n_chunks + 1, 1))
        return rag_fail_nomem(err);
    TRY(rag_words_each(x->words, heading, on_word, &head, err));
    TRY(rag_words_each(x->words, body, on_word, &text, err));
    len = (uint64_t)head.n_words * RAG_LEX_HEADING_WEIGHT + text.n_words;
    p->ids[p->n_chunks] = chunk_id;
    p->lens[p->n_chunks] =
        rag_lex_codec_len_code(len < UINT32_MAX ? (uint32_t)len : UINT32_MAX);
    p->n_chunks++;
out:
    if (st != RAG_OK) /* half a chunk is of no use: roll back */
        rag_lex_gather_dispose(p);
    return st;
}

/* ---- flush --------------------------------------------------------------- */

/* A gathered word and where its postings are in the sorted log. */
typedef struct run {
    uint64_t word;
    uint32_t start;
    uint32_t n;
} run;

static int by_word(const void *a, const void *b)
{
    const run *x = a;
    const run *y = b;

    return (x->word > y->word) - (x->word < y->word);
}

/* Entries of the log by word, ordinals ascending (the log's own order):
 * (*sorted)[runs[w].start ...] are the .ord_tf of those of the w-th word
 * gathered. What was gathered is given back on the way: slots first, then the
 * log. */
static bool sort_log(uint32_t **sorted, run *runs, rag_lex_pending *p)
{
    uint32_t at = 0;

    for (size_t i = 0; i < p->n_slots; i++)
        if (p->slots[i].number != 0)
            runs[p->slots[i].number - 1].word =
                p->slots[i].key >> RAG_LEX_ORD_BITS;
    rag_free(p->slots);
    p->slots = NULL;
    p->n_slots = 0;
    *sorted = rag_realloc_array(NULL, p->n_log, sizeof **sorted);
    if (*sorted == NULL)
        return false;
    for (size_t i = 0; i < p->n_log; i++)
        runs[p->log[i].word].n++;
    for (size_t i = 0; i < p->n_words; i++) {
        runs[i].start = at;
        at += runs[i].n;
    }
    for (size_t i = 0; i < p->n_log; i++)
        (*sorted)[runs[p->log[i].word].start++] = p->log[i].ord_tf;
    for (size_t i = 0; i < p->n_words; i++)
        runs[i].start -= runs[i].n;
    rag_free(p->log);
    p->log = NULL;
    p->n_log = p->cap_log = 0;
    return true;
}

static rag_status write_words(rag_lex *x, int64_t segment, const run *runs,
                              const uint32_t *sorted, rag_error *err)
{
    rag_lex_out o;
    rag_status st = RAG_OK;

    rag_lex_out_init(&o, x, segment, 0);
    for (size_t i = 0; i < x->pending.n_words; i++) {
        const run *w = &runs[i];

        rag_lex_out_begin(&o, w->word);
        for (uint32_t k = 0; k < w->n; k++) {
            uint32_t v = sorted[w->start + k];

            TRY(rag_lex_out_put(
                &o, v >> 8, rag_lex_codec_tf_code(v & RAG_LEX_MAX_TF), err));
        }
        TRY(rag_lex_out_end(&o, err));
    }
    TRY(rag_lex_out_finish(&o, err));
out:
    rag_lex_out_dispose(&o);
    return st;
}

/* Chunk ids of segments must not overlap: merges rely on it. */
static rag_status check_order(rag_lex *x, rag_error *err)
{
    sqlite3_stmt *stmt;
    bool row;
    rag_status st;

    TRY(rag_lex_sql_get(&stmt, x, RAG_LEX_SQL_LAST_CHUNK, err));
    TRY(rag_lex_sql_step(&row, x, stmt, err));
    if (row && sqlite3_column_int64(stmt, 0) >= x->pending.ids[0])
        st = rag_fail(err, RAG_E_INVAL,
                      "words index: chunk ids must grow from flush to flush");
    (void)sqlite3_reset(stmt);
out:
    return st;
}

rag_status rag_lex_flush(rag_lex *x, rag_error *err)
{
    rag_lex_pending *p = &x->pending;
    uint32_t *sorted = NULL;
    run *runs = NULL;
    int64_t segment;
    rag_status st = RAG_OK;

    if (p->n_chunks == 0)
        return RAG_OK;
    runs = rag_calloc(p->n_words, sizeof *runs);
    if (runs == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(check_order(x, err));
    if (!sort_log(&sorted, runs, p)) {
        st = rag_fail_nomem(err);
        goto out;
    }
    if (p->n_words != 0)
        qsort(runs, p->n_words, sizeof *runs, by_word);
    TRY(rag_lex_out_segment(&segment, x, RAG_LEX_WHOLE, p->n_chunks, p->ids[0],
                            p->ids[p->n_chunks - 1], err));
    TRY(rag_lex_out_chunks(x, segment, 0, p->ids, p->lens, p->n_chunks, err));
    TRY(write_words(x, segment, runs, sorted, err));
out:
    rag_free(sorted);
    rag_free(runs);
    rag_lex_gather_dispose(p);
    return st;
}
