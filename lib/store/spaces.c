#include <string.h>

#include "base/mem.h"
#include "store/store_priv.h"

/* states of a space */
#define FILLING 0
#define ACTIVE 1
#define DEAD 2

/* ---- spaces ---------------------------------------------------------------
 */

static void space_drop(rag_space *sp)
{
    rag_bitmap_drop(&sp->embedded);
    rag_free(sp->fingerprint);
    rag_free(sp->model);
    memset(sp, 0, sizeof *sp);
    rag_nums_drop(&sp->vectors);
}

void rag_spaces_drop(rag_store *s)
{
    space_drop(&s->spaces[0]);
    space_drop(&s->spaces[1]);
    s->active_space = -1;
}

/* What is in the cache of a slot goes into the database before it is reused. */
static rag_status space_evict(rag_store *s, rag_space *sp, rag_error *err)
{
    rag_status st = RAG_OK;

    if (sp->id != 0) {
        TRY(rag_bitmap_save(&sp->embedded, s, err));
        TRY(rag_nums_save(&sp->vectors, s, err));
    }
    space_drop(sp);
out:
    return st;
}

static rag_status find_active(rag_store *s, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    if (s->active_space >= 0)
        return RAG_OK;
    TRY(rag_q_open(&q, s, "SELECT id FROM space WHERE state=1", err));
    TRY(rag_q_step(&row, &q, err));
    s->active_space = row ? rag_q_col(&q, 0) : 0;
out:
    rag_q_close(&q);
    return st;
}

static rag_status space_load(rag_space *sp, rag_store *s, int64_t id,
                             rag_error *err)
{
    rag_q q = {0};
    rag_str fingerprint;
    rag_str model;
    bool row;
    rag_status st;

    TRY(rag_q_open(
        &q, s, "SELECT dims,fingerprint,model FROM space WHERE id=?1", err));
    rag_q_int(&q, id);
    TRY(rag_q_step(&row, &q, err));
    if (!row) {
        st = rag_fail(err, RAG_E_NOTFOUND, "no such embedding space");
        goto out;
    }
    sp->dims = (size_t)rag_q_u64(&q, 0);
    fingerprint = rag_q_str(&q, 1);
    model = rag_q_str(&q, 2);
    if (sp->dims == 0 || sp->dims > RAG_MAX_DIMS) {
        st = rag_db_corrupt(s, "the dimension of its vectors makes no sense",
                            err);
        goto out;
    }
    sp->fingerprint = rag_strndup(fingerprint.ptr, fingerprint.len);
    sp->model = rag_strndup(model.ptr, model.len);
    if (sp->fingerprint == NULL || sp->model == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    sp->vectors.kind = RAG_NUMS_VECTORS(id);
    sp->vectors.no = -1;
    sp->id = id;
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_space_use(rag_space **out, rag_store *s, int64_t space_id,
                         rag_error *err)
{
    rag_space *sp;
    rag_status st;

    *out = NULL;
    TRY(find_active(s, err));
    if (space_id == 0)
        space_id = s->active_space;
    if (space_id == 0)
        return RAG_OK;
    sp = &s->spaces[space_id == s->active_space ? 0 : 1];
    if (sp->id != space_id) {
        TRY(space_evict(s, sp, err));
        st = space_load(sp, s, space_id, err);
        if (st != RAG_OK) {
            space_drop(sp);
            goto out;
        }
    }
    TRY(rag_bitmap_load(&sp->embedded, s, RAG_BITS_EMBEDDED(space_id), err));
    *out = sp;
out:
    return st;
}

static void describe(rag_store_space *out, const rag_space *sp)
{
    memset(out, 0, sizeof *out);
    if (sp == NULL)
        return;
    out->id = sp->id;
    out->dims = sp->dims;
    out->fingerprint = rag_str_of(sp->fingerprint);
    out->model = rag_str_of(sp->model);
}

rag_status rag_store_space_active(rag_store_space *out, rag_store *s,
                                  rag_error *err)
{
    rag_space *sp = NULL;
    rag_status st = rag_view_begin(s, err);

    describe(out, NULL);
    if (st != RAG_OK)
        return st;
    TRY(rag_space_use(&sp, s, 0, err));
    describe(out, sp);
out:
    rag_view_end(s);
    return st;
}

/* The id of a fingerprint's space, 0: none. */
static rag_status space_find(int64_t *id, size_t *dims, int64_t *state,
                             rag_store *s, rag_str fingerprint, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    *id = 0;
    TRY(rag_q_open(
        &q, s, "SELECT id,dims,state FROM space WHERE fingerprint=?1", err));
    rag_q_text(&q, fingerprint);
    TRY(rag_q_step(&row, &q, err));
    if (row) {
        *id = rag_q_col(&q, 0);
        *dims = (size_t)rag_q_u64(&q, 1);
        *state = rag_q_col(&q, 2);
    }
out:
    rag_q_close(&q);
    return st;
}

static rag_status space_insert(int64_t *id, rag_store *s, rag_str fingerprint,
                               rag_str model, size_t dims, rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    TRY(rag_q_open(&q, s,
                   "INSERT INTO space(fingerprint,model,dims,state)"
                   " VALUES(?1,?2,?3,?4)",
                   err));
    rag_q_text(&q, fingerprint);
    rag_q_text(&q, model);
    rag_q_int(&q, (int64_t)dims);
    rag_q_int(&q, s->active_space == 0 ? ACTIVE : FILLING);
    TRY(rag_q_run(&q, err));
    *id = sqlite3_last_insert_rowid(s->db);
    if (s->active_space == 0)
        s->active_space = *id;
out:
    rag_q_close(&q);
    return st;
}

static rag_status space_state(rag_store *s, int64_t id, int64_t state,
                              rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    TRY(rag_q_open(&q, s, "UPDATE space SET state=?2 WHERE id=?1", err));
    rag_q_int(&q, id);
    rag_q_int(&q, state);
    TRY(rag_q_run(&q, err));
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_store_space_put(rag_store_space *out, rag_store *s,
                               rag_str fingerprint, rag_str model, size_t dims,
                               rag_error *err)
{
    rag_space *sp = NULL;
    int64_t id;
    int64_t state = FILLING;
    size_t have = dims;
    rag_status st;

    describe(out, NULL);
    if (dims == 0 || dims > RAG_MAX_DIMS)
        return rag_fail(err, RAG_E_INVAL, "vectors of %zu dimensions", dims);
    TRY(find_active(s, err));
    TRY(space_find(&id, &have, &state, s, fingerprint, err));
    if (id != 0 && have != dims)
        return rag_fail(err, RAG_E_MISMATCH,
                        "the model now gives %zu dimensions; the store holds "
                        "%zu of the same model: use --reembed with another "
                        "name, or another store",
                        dims, have);
    if (id == 0) {
        TRY(rag_txn_begin(s, err));
        TRY(space_insert(&id, s, fingerprint, model, dims, err));
    } else if (state == DEAD) {
        TRY(rag_txn_begin(s, err)); /* wanted again before it was swept */
        TRY(space_state(s, id, FILLING, err));
    }
    TRY(rag_space_use(&sp, s, id, err));
    describe(out, sp);
out:
    return rag_txn_done(s, st, 64, err);
}

rag_status rag_store_space_switch(rag_store *s, int64_t space_id,
                                  rag_error *err)
{
    rag_space *sp = NULL;
    rag_q q = {0};
    uint64_t missing;
    rag_status st;

    TRY(rag_store_unembedded_count(&missing, s, space_id, err));
    if (missing != 0)
        return rag_fail(err, RAG_E_INVAL,
                        "%llu chunks have no vector of the new model yet",
                        (unsigned long long)missing);
    if (s->active_space == space_id)
        return RAG_OK;
    TRY(rag_txn_commit(s, err)); /* the switch is a transaction of its own */
    TRY(rag_txn_begin(s, err));
    TRY(rag_space_use(&sp, s, space_id, err));
    TRY(rag_q_open(&q, s, "UPDATE space SET state=2 WHERE id<>?1", err));
    rag_q_int(&q, space_id);
    TRY(rag_q_run(&q, err));
    TRY(space_state(s, space_id, ACTIVE, err));
    s->state.index_generation = 0;
    s->state.index_vectors = s->state.index_bytes = 0;
    s->state.generation++;
    s->state_dirty = true;
    TRY(rag_txn_commit(s, err));
    rag_spaces_drop(s);
    rag_bitmap_drop(&s->indexed);
    rag_index_close(s);
out:
    rag_q_close(&q);
    if (st != RAG_OK && st != RAG_E_INVAL && st != RAG_E_NOTFOUND)
        rag_txn_abort(s);
    return st;
}

/* ---- which chunks lack a vector
 * ---------------------------------------------- */

static rag_status live_and_space(rag_space **sp, rag_store *s, int64_t space_id,
                                 rag_error *err)
{
    rag_status st;

    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(rag_space_use(sp, s, space_id, err));
out:
    return st;
}

rag_status rag_store_unembedded(int64_t *ids, size_t *n, size_t cap,
                                rag_store *s, int64_t space_id,
                                int64_t after_id, rag_error *err)
{
    rag_space *sp = NULL;
    size_t from = after_id < 0 ? 0 : (size_t)after_id + 1;
    rag_status st = rag_view_begin(s, err);

    *n = 0;
    if (st != RAG_OK)
        return st;
    TRY(live_and_space(&sp, s, space_id, err));
    for (size_t at = from / 8; at < s->live.n_bytes && *n < cap; at++) {
        unsigned v = s->live.bits[at];

        if (sp != NULL && at < sp->embedded.n_bytes)
            v &= ~(unsigned)sp->embedded.bits[at];
        for (; v != 0 && *n < cap; v &= v - 1) {
            size_t id = at * 8 + (size_t)__builtin_ctz(v);

            if (id >= from)
                ids[(*n)++] = (int64_t)id;
        }
    }
out:
    rag_view_end(s);
    return st;
}

rag_status rag_store_unembedded_count(uint64_t *n, rag_store *s,
                                      int64_t space_id, rag_error *err)
{
    rag_space *sp = NULL;
    rag_status st = rag_view_begin(s, err);

    *n = 0;
    if (st != RAG_OK)
        return st;
    TRY(live_and_space(&sp, s, space_id, err));
    *n = rag_bitmap_count(&s->live, NULL, sp != NULL ? &sp->embedded : NULL);
out:
    rag_view_end(s);
    return st;
}

rag_status rag_store_sample(int64_t *ids, size_t *n, size_t cap, rag_store *s,
                            rag_error *err)
{
    rag_space *sp = NULL;
    uint64_t total;
    uint64_t seen = 0;
    rag_status st = rag_view_begin(s, err);

    *n = 0;
    if (st != RAG_OK)
        return st;
    TRY(live_and_space(&sp, s, 0, err));
    if (sp == NULL)
        goto out;
    total = rag_bitmap_count(&s->live, &sp->embedded, NULL);
    for (size_t at = 0;
         at < s->live.n_bytes && at < sp->embedded.n_bytes && *n < cap; at++) {
        unsigned v = (unsigned)s->live.bits[at] & sp->embedded.bits[at];

        for (; v != 0 && *n < cap; v &= v - 1, seen++)
            /* the (*n)-th of cap equal steps through all of them */
            if (total <= cap || seen * cap >= *n * total)
                ids[(*n)++] = (int64_t)(at * 8 + (size_t)__builtin_ctz(v));
    }
out:
    rag_view_end(s);
    return st;
}
