#include "store/lex_priv.h"

#include "base/mem.h"

/*
 * A merge concatenates neighbouring segments into a new one, a word at a time.
 * It is a row of lex_segment in state BUILDING whose inputs point to it; each
 * step writes some of its words and how far it came, so that it goes on after
 * any interruption. Which chunks it keeps is settled when it starts. When the
 * last word is written it becomes WHOLE and its inputs GONE, in one
 * transaction; later steps delete their rows.
 */

/* This many neighbours of a size make a merge: a chunk's postings are written
 * about log8(chunks) times in all, and few segments are left to search. */
#define FAN_IN 8u
/* More than this many are merged in turns: every input holds a row in memory.
 */
#define MAX_INPUTS 64u
/* Sizes below this count as one. */
#define SMALL_CHUNKS 512u
/* A segment is rewritten alone when a third of it, and not a mere handful, is
 * dead. */
#define MIN_DEAD 32u
/* A step ends after this much output: some 50 ms and a small transaction. */
#define STEP_BYTES ((uint64_t)4 << 20)
/* ... or after so many input postings, when most of them are dead. */
#define STEP_POSTINGS ((uint64_t)4 << 20)
/* Rows deleted in a step: their pages fit the cache of a connection. */
#define STEP_ROWS 500

#define DEAD UINT32_MAX

struct input {
    rag_lex_segment *segment;
    uint32_t *map; /* [n_chunks] ordinal in the output, or DEAD */
    rag_buf row;   /* the dictionary row being read */
    rag_lex_bytes in;
    int64_t row_id;
    uint64_t word; /* the entry at hand */
    rag_lex_list list;
    bool done;
};

struct merge {
    rag_lex *x;
    rag_lex_segment *target;
    struct input *inputs; /* [n] */
    size_t n;
    uint64_t n_postings;
};

/* ---- what to merge ------------------------------------------------------- */

static unsigned level_of(uint64_t n_chunks)
{
    unsigned level = 0;

    for (; n_chunks >= SMALL_CHUNKS; n_chunks /= FAN_IN)
        level++;
    return level;
}

/* The first run of at least FAN_IN neighbours up to a level, the lowest level
 * first. n of 0: none. */
static void choose_run(size_t *from, size_t *n, rag_lex_segment *const *all,
                       size_t n_all)
{
    for (unsigned level = 0; level <= level_of(RAG_LEX_MAX_SEGMENT_CHUNKS);
         level++) {
        *from = 0;
        for (size_t i = 0; i <= n_all; i++) {
            if (i < n_all && level_of(all[i]->n_live) <= level)
                continue;
            *n = i - *from;
            if (*n >= FAN_IN)
                return;
            *from = i + 1;
        }
    }
    *n = 0;
}

static void choose(size_t *from, size_t *n, rag_lex_segment *const *all,
                   size_t n_all, bool everything)
{
    for (size_t i = 0; i < n_all; i++) {
        uint64_t n_dead = all[i]->n_chunks - all[i]->n_live;

        if (all[i]->n_live == 0 || (everything && n_all == 1 && n_dead != 0) ||
            (n_dead >= MIN_DEAD && n_dead > all[i]->n_chunks / 3)) {
            *from = i;
            *n = 1;
            return;
        }
    }
    *from = 0;
    *n = n_all;
    if (!everything)
        choose_run(from, n, all, n_all);
    else if (n_all < 2)
        *n = 0;
    if (*n > MAX_INPUTS)
        *n = MAX_INPUTS;
}

/* ---- starting ------------------------------------------------------------ */

struct survivors {
    int64_t *ids; /* [n] */
    uint8_t *lens;
    uint32_t n;
};

static void survivors_of(struct survivors *v, const rag_lex_segment *s,
                         const rag_bits *live)
{
    for (size_t r = 0; r < s->n_runs; r++) {
        const rag_lex_run *run = &s->runs[r];

        for (uint32_t i = 0; i < run->n; i++) {
            if (!rag_lex_bits_has(live, run->first_id + i))
                continue;
            v->ids[v->n] = run->first_id + i;
            v->lens[v->n++] = s->lens[run->first_ord + i];
        }
    }
}

static rag_status claim(rag_lex *x, int64_t segment, int64_t into,
                        rag_error *err)
{
    sqlite3_stmt *stmt;
    rag_status st;

    TRY(rag_lex_sql_get(&stmt, x, RAG_LEX_SQL_CLAIM, err));
    sqlite3_bind_int64(stmt, 1, segment);
    sqlite3_bind_int64(stmt, 2, into);
    st = rag_lex_sql_run(x, stmt, err);
out:
    return st;
}

static rag_status update(rag_lex *x, enum rag_lex_sql which, int64_t segment,
                         rag_error *err)
{
    sqlite3_stmt *stmt;
    rag_status st;

    TRY(rag_lex_sql_get(&stmt, x, which, err));
    sqlite3_bind_int64(stmt, 1, segment);
    st = rag_lex_sql_run(x, stmt, err);
out:
    return st;
}

static rag_status start(rag_lex *x, rag_lex_segment *const *inputs, size_t n,
                        const rag_bits *live, rag_error *err)
{
    struct survivors v = {0};
    uint64_t n_live = 0;
    int64_t id;
    rag_status st = RAG_OK;

    for (size_t i = 0; i < n; i++)
        n_live += inputs[i]->n_live;
    if (n_live == 0)
        return update(x, RAG_LEX_SQL_RETIRE_ONE, inputs[0]->id, err);
    if (n_live > RAG_LEX_MAX_SEGMENT_CHUNKS)
        return rag_fail(err, RAG_E_LIMIT, "words index: segment too large");
    v.ids = rag_realloc_array(NULL, (size_t)n_live, sizeof *v.ids);
    v.lens = rag_malloc((size_t)n_live);
    if (v.ids == NULL || v.lens == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        survivors_of(&v, inputs[i], live);
    TRY(rag_lex_out_segment(&id, x, RAG_LEX_BUILDING, v.n, v.ids[0],
                            v.ids[v.n - 1], err));
    TRY(rag_lex_out_chunks(x, id, 0, v.ids, v.lens, v.n, err));
    for (size_t i = 0; i < n; i++)
        TRY(claim(x, inputs[i]->id, id, err));
out:
    rag_free(v.ids);
    rag_free(v.lens);
    return st;
}

/* ---- a step -------------------------------------------------------------- */

/* Fetches the dictionary row behind row_id (or, at the start of a step, the one
 * that may hold the word to go on with). */
static rag_status fetch_row(struct input *p, rag_lex *x, enum rag_lex_sql which,
                            int64_t low, int64_t high, rag_error *err)
{
    int64_t base = p->segment->id << RAG_LEX_WORD_BITS;
    sqlite3_stmt *stmt;
    rag_lex_bytes in;
    bool row;
    rag_status st;

    TRY(rag_lex_sql_get(&stmt, x, which, err));
    sqlite3_bind_int64(stmt, 1, low);
    sqlite3_bind_int64(stmt, 2, high);
    TRY(rag_lex_sql_step(&row, x, stmt, err));
    p->done = !row;
    rag_buf_clear(&p->row);
    if (row) {
        p->row_id = sqlite3_column_int64(stmt, 0);
        p->word = (uint64_t)(p->row_id - base);
        st = rag_lex_sql_blob(&in, stmt, 1, err);
        if (st == RAG_OK) {
            rag_buf_add(&p->row, in.ptr, (size_t)(in.end - in.ptr));
            st = rag_buf_status(&p->row, err);
        }
    }
    (void)sqlite3_reset(stmt);
    p->in = rag_lex_codec_bytes(p->row.ptr, p->row.len);
out:
    return st;
}

/* Moves to the next entry, in the next row if need be. */
static rag_status next_entry(struct input *p, rag_lex *x, rag_error *err)
{
    uint64_t before = p->word;
    bool first = p->in.ptr == (const uint8_t *)p->row.ptr;
    rag_status st;

    for (;;) {
        if (rag_lex_read_entry(&p->list, &p->word, &p->in, p->segment, &st,
                               err)) {
            if (!first && p->word <= before)
                return rag_lex_corrupt(err, p->segment->id,
                                       "words out of order");
            return RAG_OK;
        }
        TRY(st);
        TRY(fetch_row(p, x, RAG_LEX_SQL_NEXT_BLOCK, p->row_id,
                      (p->segment->id + 1) << RAG_LEX_WORD_BITS, err));
        if (p->done)
            return RAG_OK;
    }
out:
    return st;
}

/* Where chunks of the input went: both lists ascend by chunk id. */
static rag_status make_map(struct input *p, const rag_lex_segment *target,
                           rag_error *err)
{
    const rag_lex_segment *s = p->segment;
    size_t t = 0;

    p->map = rag_realloc_array(NULL, s->n_chunks, sizeof *p->map);
    if (p->map == NULL)
        return rag_fail_nomem(err);
    for (size_t r = 0; r < s->n_runs; r++) {
        for (uint32_t i = 0; i < s->runs[r].n; i++) {
            int64_t id = s->runs[r].first_id + i;
            const rag_lex_run *to;

            while (t < target->n_runs &&
                   target->runs[t].first_id + target->runs[t].n <= id)
                t++;
            to = t < target->n_runs ? &target->runs[t] : NULL;
            p->map[s->runs[r].first_ord + i] =
                to != NULL && to->first_id <= id
                    ? to->first_ord + (uint32_t)(id - to->first_id)
                    : DEAD;
        }
    }
    return RAG_OK;
}

static rag_status open_input(struct input *p, rag_lex *x,
                             rag_lex_segment *segment,
                             const rag_lex_segment *target, rag_error *err)
{
    int64_t base = segment->id << RAG_LEX_WORD_BITS;
    int64_t last = (base | ((INT64_C(1) << RAG_LEX_WORD_BITS) - 1));
    int64_t high = base + target->next_word;
    rag_status st;

    p->segment = segment;
    TRY(rag_lex_read_chunks(x, segment, err));
    TRY(make_map(p, target, err));
    TRY(fetch_row(p, x, RAG_LEX_SQL_BLOCK, base, high < last ? high : last,
                  err));
    if (p->done) /* every word is behind it */
        TRY(fetch_row(p, x, RAG_LEX_SQL_NEXT_BLOCK, base - 1,
                      (segment->id + 1) << RAG_LEX_WORD_BITS, err));
    while (!p->done) {
        TRY(next_entry(p, x, err));
        if (p->word >= (uint64_t)target->next_word)
            break;
    }
out:
    return st;
}

static void merge_dispose(struct merge *m)
{
    for (size_t i = 0; i < m->n; i++) {
        rag_free(m->inputs[i].map);
        rag_buf_dispose(&m->inputs[i].row);
    }
    rag_free(m->inputs);
}

static rag_status open_merge(struct merge *m, rag_lex *x,
                             rag_lex_segment *target, rag_error *err)
{
    rag_lex_segments *all = &x->segments;
    rag_status st;

    *m = (struct merge){.x = x, .target = target};
    m->inputs = rag_calloc(all->n, sizeof *m->inputs);
    if (m->inputs == NULL)
        return rag_fail_nomem(err);
    TRY(rag_lex_read_chunks(x, target, err));
    for (size_t i = 0; i < all->n; i++) {
        struct input *p = &m->inputs[m->n];

        if (all->ptr[i].into != target->id || &all->ptr[i] == target)
            continue;
        rag_buf_init(&p->row, RAG_LEX_MAX_ROW_BYTES);
        m->n++;
        TRY(open_input(p, x, &all->ptr[i], target, err));
    }
out:
    return st;
}

/* Copies the list at hand of an input. Ordinals ascend over the inputs; where
 * damaged ids would break that, it stops. */
static rag_status copy_list(struct merge *m, struct input *p, rag_lex_out *out,
                            int64_t *last, rag_error *err)
{
    rag_lex_cursor c;
    rag_lex_block b;
    rag_status st;

    rag_lex_cursor_init(&c, p->segment, &p->list);
    do {
        TRY(rag_lex_cursor_next(&b, &c, m->x, err));
        m->n_postings += b.n;
        for (uint32_t i = 0; i < b.n; i++) {
            uint32_t to = p->map[b.ords[i]];

            if (to == DEAD)
                continue;
            if ((int64_t)to <= *last)
                return rag_lex_corrupt(err, p->segment->id,
                                       "overlapping chunks");
            *last = to;
            TRY(rag_lex_out_put(out, to, b.tfs[i], err));
        }
    } while (b.n != 0);
out:
    return st;
}

static bool lowest_word(uint64_t *word, const struct merge *m)
{
    bool any = false;

    for (size_t i = 0; i < m->n; i++) {
        const struct input *p = &m->inputs[i];

        if (p->done || (any && p->word >= *word))
            continue;
        *word = p->word;
        any = true;
    }
    return any;
}

static rag_status copy_word(struct merge *m, rag_lex_out *out, uint64_t word,
                            rag_error *err)
{
    int64_t last = -1;
    rag_status st = RAG_OK;

    rag_lex_out_begin(out, word);
    for (size_t i = 0; i < m->n; i++) {
        struct input *p = &m->inputs[i];

        if (p->done || p->word != word)
            continue;
        TRY(copy_list(m, p, out, &last, err));
        TRY(next_entry(p, m->x, err));
    }
    TRY(rag_lex_out_end(out, err));
out:
    return st;
}

static rag_status save_progress(rag_lex *x, int64_t segment, uint64_t next_word,
                                int64_t next_list, rag_error *err)
{
    sqlite3_stmt *stmt;
    rag_status st;

    TRY(rag_lex_sql_get(&stmt, x, RAG_LEX_SQL_PROGRESS, err));
    sqlite3_bind_int64(stmt, 1, segment);
    sqlite3_bind_int64(stmt, 2, (int64_t)next_word);
    sqlite3_bind_int64(stmt, 3, next_list);
    st = rag_lex_sql_run(x, stmt, err);
out:
    return st;
}

static rag_status step(rag_lex *x, rag_lex_segment *target, rag_error *err)
{
    int64_t id = target->id;
    struct merge m = {0};
    rag_lex_out out;
    uint64_t word = 0;
    bool any = false;
    rag_status st;

    rag_lex_out_init(&out, x, id, target->next_list);
    TRY(open_merge(&m, x, target, err));
    while (out.n_bytes < STEP_BYTES && m.n_postings < STEP_POSTINGS &&
           (any = lowest_word(&word, &m)))
        TRY(copy_word(&m, &out, word, err));
    TRY(rag_lex_out_finish(&out, err));
    if (any) {
        TRY(save_progress(x, id, word + 1, out.next_list, err));
    } else {
        TRY(update(x, RAG_LEX_SQL_FINISH, id, err));
        TRY(update(x, RAG_LEX_SQL_RETIRE, id, err));
    }
out:
    merge_dispose(&m);
    rag_lex_out_dispose(&out);
    return st;
}

/* ---- deleting what was merged -------------------------------------------- */

static rag_status delete_some(bool *more, rag_lex *x, enum rag_lex_sql which,
                              int64_t segment, rag_error *err)
{
    sqlite3_stmt *stmt;
    rag_status st;

    TRY(rag_lex_sql_get(&stmt, x, which, err));
    sqlite3_bind_int64(stmt, 1, segment << RAG_LEX_WORD_BITS);
    sqlite3_bind_int64(stmt, 2, (segment + 1) << RAG_LEX_WORD_BITS);
    sqlite3_bind_int(stmt, 3, STEP_ROWS);
    TRY(rag_lex_sql_run(x, stmt, err));
    *more = sqlite3_changes(x->db) == STEP_ROWS;
out:
    return st;
}

static rag_status sweep(rag_lex *x, int64_t segment, rag_error *err)
{
    static const enum rag_lex_sql tables[] = {
        RAG_LEX_SQL_DEL_BLOCKS, RAG_LEX_SQL_DEL_LISTS, RAG_LEX_SQL_DEL_CHUNKS};
    bool more = false;
    rag_status st = RAG_OK;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && !more; i++)
        TRY(delete_some(&more, x, tables[i], segment, err));
    if (!more)
        TRY(update(x, RAG_LEX_SQL_DEL_SEGMENT, segment, err));
out:
    return st;
}

/* ---- one step of what there is to do ------------------------------------- */

static rag_status start_next(bool *more, rag_lex *x, const rag_bits *live,
                             bool everything, rag_error *err)
{
    rag_lex_segments *all = &x->segments;
    rag_lex_segment **whole;
    size_t n = 0;
    size_t from;
    size_t n_chosen;
    rag_status st = RAG_OK;

    whole = rag_realloc_array(NULL, all->n, sizeof *whole);
    if (whole == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < all->n; i++) {
        TRY(rag_lex_read_chunks(x, &all->ptr[i], err));
        rag_lex_read_live(&all->ptr[i], live);
        whole[n++] = &all->ptr[i];
    }
    choose(&from, &n_chosen, whole, n, everything);
    *more = n_chosen != 0;
    if (*more)
        TRY(start(x, whole + from, n_chosen, live, err));
out:
    rag_free(whole);
    return st;
}

rag_status rag_lex_merge(bool *more, rag_lex *x, const rag_bits *keep,
                         bool everything, rag_error *err)
{
    rag_lex_segments *all = &x->segments;
    rag_status st;

    *more = false;
    TRY(rag_lex_read_segments(x, err));
    *more = true;
    for (size_t i = 0; i < all->n; i++)
        if (all->ptr[i].state == RAG_LEX_GONE)
            return sweep(x, all->ptr[i].id, err);
    for (size_t i = 0; i < all->n; i++)
        if (all->ptr[i].state == RAG_LEX_BUILDING)
            return step(x, &all->ptr[i], err);
    st = start_next(more, x, keep, everything, err);
out:
    return st;
}
