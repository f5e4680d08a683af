#include <string.h>

#include "base/mem.h"
#include "store/store_priv.h"

/*
 * What is dead goes away in small transactions: rows of versions that were
 * replaced, removed or never published; vectors that nobody refers to.
 */

/* vectors that nobody refers to are kept (an undo or a move back is then free)
 * until they are more than this and more than a quarter of all */
#define KEEP_UNREFERENCED 20000

/* ---- rows of dead versions
 * --------------------------------------------------- */

/* Runs a DELETE over [first, last]. */
static rag_status delete_range(rag_store *s, const char *sql, int64_t first,
                               int64_t last, rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    TRY(rag_q_open(&q, s, sql, err));
    rag_q_int(&q, first);
    rag_q_int(&q, last);
    TRY(rag_q_run(&q, err));
out:
    rag_q_close(&q);
    return st;
}

/* The vectors of a range are taken away from its chunks; they stay under their
 * keys. */
static rag_status forget_vectors(rag_store *s, int64_t first, int64_t n,
                                 rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    TRY(rag_q_open(&q, s, "SELECT id FROM space WHERE state<>2", err));
    for (;;) {
        rag_space *sp = NULL;

        TRY(rag_q_step(&row, &q, err));
        if (!row)
            break;
        TRY(rag_space_use(&sp, s, rag_q_col(&q, 0), err));
        for (int64_t id = first; id < first + n; id++) {
            if (!rag_bitmap_get(&sp->embedded, id))
                continue;
            TRY(rag_nums_set(&sp->vectors, s, id, 0, err));
            TRY(rag_bitmap_set(&sp->embedded, id, 1, false, err));
        }
    }
out:
    rag_q_close(&q);
    return st;
}

/* The least id within [first, last] by a SELECT min(id); 0: none. What a
 * damaged row says of its document may be billions: only rows that are there
 * are stepped over. */
static rag_status least_id(int64_t *id, rag_store *s, const char *sql,
                           int64_t first, int64_t last, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    *id = 0;
    TRY(rag_q_open(&q, s, sql, err));
    rag_q_int(&q, first);
    rag_q_int(&q, last);
    TRY(rag_q_step(&row, &q, err));
    if (row)
        *id = rag_q_col(&q, 0);
out:
    rag_q_close(&q);
    return st;
}

static rag_status sweep_chunks(rag_store *s, int64_t first, int64_t n,
                               rag_error *err)
{
    int64_t last = first + n - 1;
    rag_status st = RAG_OK;

    while (first <= last) {
        int64_t some;

        if (rag_cancelled(s))
            return rag_fail_cancelled(err);
        TRY(rag_txn_begin(s, err));
        TRY(least_id(&first, s,
                     "SELECT min(id) FROM chunk WHERE id BETWEEN ?1 AND ?2",
                     first, last, err));
        if (first == 0)
            break;
        some =
            last - first < RAG_SWEEP_ROWS ? last - first + 1 : RAG_SWEEP_ROWS;
        TRY(delete_range(s, "DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2",
                         first, first + some - 1, err));
        TRY(forget_vectors(s, first, some, err));
        for (int64_t id = first; id < first + some; id++)
            TRY(rag_nums_set(&s->stable, s, id, 0, err));
        TRY(rag_txn_done(s, RAG_OK, (size_t)some * 128, err));
        first += some;
    }
out:
    return st;
}

/* What a document has in one table, in steps, so that no transaction grows
 * with the document. */
static rag_status sweep_rows(rag_store *s, const char *least,
                             const char *delete, int64_t doc_id, rag_error *err)
{
    int64_t at = doc_id << RAG_DOC_SHIFT;
    const int64_t last = at + ((int64_t)1 << RAG_DOC_SHIFT) - 1;
    rag_status st;

    for (;;) {
        if (rag_cancelled(s))
            return rag_fail_cancelled(err);
        TRY(rag_txn_begin(s, err));
        TRY(least_id(&at, s, least, at, last, err));
        if (at == 0)
            break;
        TRY(delete_range(
            s, delete, at,
            at + RAG_SWEEP_ROWS - 1 < last ? at + RAG_SWEEP_ROWS - 1 : last,
            err));
        TRY(rag_txn_done(s, RAG_OK, RAG_SWEEP_ROWS * (size_t)64, err));
    }
out:
    return st;
}

typedef struct dead_doc {
    int64_t id; /* 0: none is left */
    int64_t first_chunk;
    int64_t n_chunks;
} dead_doc;

static rag_status next_doc(dead_doc *out, rag_store *s, int64_t version_id,
                           rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    memset(out, 0, sizeof *out);
    TRY(rag_q_open(&q, s,
                   "SELECT id,first_chunk,n_chunks"
                   " FROM doc WHERE version_id=?1 LIMIT 1",
                   err));
    rag_q_int(&q, version_id);
    TRY(rag_q_step(&row, &q, err));
    if (row) {
        out->id = rag_q_col(&q, 0);
        out->first_chunk = rag_q_col(&q, 1);
        out->n_chunks = rag_q_col(&q, 2);
        if (out->first_chunk < 1 || out->n_chunks < 0 ||
            out->first_chunk > s->state.next_chunk ||
            out->n_chunks > s->state.next_chunk - out->first_chunk ||
            out->id < 1 || out->id >= (int64_t)1 << (62 - RAG_DOC_SHIFT))
            st = rag_db_corrupt(s, "a document's row makes no sense", err);
    }
out:
    rag_q_close(&q);
    return st;
}

static rag_status sweep_doc(rag_store *s, const dead_doc *d, rag_error *err)
{
    rag_status st;

    TRY(sweep_rows(s, "SELECT min(id) FROM piece WHERE id BETWEEN ?1 AND ?2",
                   "DELETE FROM piece WHERE id BETWEEN ?1 AND ?2", d->id, err));
    TRY(sweep_rows(s, "SELECT min(id) FROM section WHERE id BETWEEN ?1 AND ?2",
                   "DELETE FROM section WHERE id BETWEEN ?1 AND ?2", d->id,
                   err));
    TRY(sweep_chunks(s, d->first_chunk, d->n_chunks, err));
    TRY(rag_txn_begin(s, err));
    TRY(delete_range(s, "DELETE FROM doc WHERE id BETWEEN ?1 AND ?2", d->id,
                     d->id, err));
    TRY(rag_txn_done(s, RAG_OK, 256, err));
out:
    return st;
}

/* An unpublished or dead version; 0: none. */
static rag_status next_version(int64_t *id, rag_store *s, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    *id = 0;
    TRY(rag_q_open(&q, s, "SELECT id FROM version WHERE state<>1 LIMIT 1",
                   err));
    TRY(rag_q_step(&row, &q, err));
    if (row)
        *id = rag_q_col(&q, 0);
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_sweep_versions(rag_store *s, rag_error *err)
{
    int64_t id;
    rag_status st;

    for (;;) {
        dead_doc d;

        TRY(next_version(&id, s, err));
        if (id == 0)
            break;
        for (;;) {
            if (rag_cancelled(s))
                return rag_fail_cancelled(err);
            TRY(next_doc(&d, s, id, err));
            if (d.id == 0)
                break;
            TRY(rag_txn_begin(s, err));
            TRY(sweep_doc(s, &d, err));
        }
        TRY(rag_txn_begin(s, err));
        TRY(delete_range(s, "DELETE FROM version WHERE id BETWEEN ?1 AND ?2",
                         id, id, err));
        TRY(rag_txn_done(s, RAG_OK, 256, err));
    }
    TRY(rag_txn_commit(s, err));
out:
    if (st != RAG_OK)
        rag_txn_abort(s);
    return st;
}

/* ---- vectors that nobody refers to
 * -------------------------------------------- */

/* Marks every vector that a chunk of the space has: bit id of used. */
static rag_status mark_used(uint8_t *used, int64_t n_ids, rag_store *s,
                            const rag_space *sp, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    TRY(rag_q_open(&q, s, "SELECT data FROM nums WHERE id BETWEEN ?1 AND ?2",
                   err));
    rag_q_int(&q, RAG_NUMS_VECTORS(sp->id) << 32);
    rag_q_int(&q, RAG_NUMS_VECTORS(sp->id) << 32 | (int64_t)UINT32_MAX);
    for (;;) {
        rag_str v;

        TRY(rag_q_step(&row, &q, err));
        if (!row)
            break;
        v = rag_q_str(&q, 0);
        for (size_t i = 0; i < v.len; i += 4) {
            const unsigned char *p = (const unsigned char *)v.ptr + i;
            uint32_t id = p[0];

            for (size_t k = 1; k < 4 && i + k < v.len; k++)
                id |= (uint32_t)p[k] << (8 * k);
            if (id < n_ids)
                used[id / 8] |= (uint8_t)(1u << (id % 8u));
        }
    }
out:
    rag_q_close(&q);
    return st;
}

static rag_status drop_vector(rag_store *s, int64_t id, int64_t space_id,
                              rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(rag_q_open(&q, s, "DELETE FROM vector WHERE id=?1", err));
    rag_q_int(&q, id);
    TRY(rag_q_run(&q, err));
    TRY(rag_q_open(&q, s,
                   "UPDATE space SET n_vectors=max(n_vectors-1,0) WHERE id=?1",
                   err));
    rag_q_int(&q, space_id);
    TRY(rag_q_run(&q, err));
    TRY(rag_txn_done(s, RAG_OK, 1024, err));
out:
    rag_q_close(&q);
    return st;
}

/* Deletes the vectors of a space that are not marked in used [n_ids bits], a
 * batch of ids at a time. */
static rag_status drop_unused(rag_store *s, const uint8_t *used, int64_t n_ids,
                              int64_t space_id, rag_error *err)
{
    int64_t ids[256];
    int64_t after = 0;
    size_t n = 1;
    rag_status st = RAG_OK;

    while (n != 0) {
        rag_q q = {0};
        bool row = true;

        if (rag_cancelled(s))
            return rag_fail_cancelled(err);
        n = 0;
        TRY(rag_q_open(&q, s,
                       "SELECT id FROM vector WHERE id>?1 AND +space_id=?2"
                       " ORDER BY id LIMIT 256",
                       err));
        rag_q_int(&q, after);
        rag_q_int(&q, space_id);
        while (row && st == RAG_OK && n < 256) {
            st = rag_q_step(&row, &q, err);
            if (st == RAG_OK && row)
                ids[n++] = rag_q_col(&q, 0);
        }
        rag_q_close(&q);
        for (size_t i = 0; i < n && st == RAG_OK; i++) {
            after = ids[i];
            if (after >= n_ids ||
                (used[after / 8] & (1u << ((unsigned)after % 8u))) == 0)
                st = drop_vector(s, after, space_id, err);
        }
        TRY(st);
    }
out:
    return st;
}

static rag_status sweep_space(rag_store *s, int64_t space_id, int64_t n_vectors,
                              rag_error *err)
{
    rag_space *sp = NULL;
    uint8_t *used = NULL;
    int64_t n_ids = s->state.next_vector;
    rag_status st;

    TRY(rag_space_use(&sp, s, space_id, err));
    /* chunks that share a vector make this an underestimate: harmless */
    if (n_vectors - (int64_t)sp->embedded.n_set <= KEEP_UNREFERENCED ||
        n_vectors - (int64_t)sp->embedded.n_set <= n_vectors / 4)
        return RAG_OK;
    TRY(rag_txn_commit(s, err)); /* the table now holds what memory held */
    used = rag_calloc((size_t)n_ids / 8 + 1, 1);
    if (used == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(mark_used(used, n_ids, s, sp, err));
    TRY(drop_unused(s, used, n_ids, space_id, err));
out:
    rag_free(used);
    return st;
}

/* A space that was switched away from: first the chunks lose it, then its
 * vectors go. */
static rag_status sweep_dead_space(rag_store *s, int64_t id, rag_error *err)
{
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(delete_range(s, "DELETE FROM bits WHERE id BETWEEN ?1 AND ?2",
                     RAG_BITS_EMBEDDED(id) << 32,
                     (RAG_BITS_INDEXED(id) + 1) * ((int64_t)1 << 32) - 1, err));
    TRY(delete_range(s, "DELETE FROM nums WHERE id BETWEEN ?1 AND ?2",
                     RAG_NUMS_VECTORS(id) << 32,
                     RAG_NUMS_VECTORS(id) << 32 | (int64_t)UINT32_MAX, err));
    TRY(rag_txn_commit(s, err));
    TRY(drop_unused(s, NULL, 0, id, err));
    TRY(rag_txn_begin(s, err));
    TRY(delete_range(s, "DELETE FROM space WHERE id BETWEEN ?1 AND ?2", id, id,
                     err));
    TRY(rag_txn_commit(s, err));
    rag_spaces_drop(s); /* the id may be given to another space */
out:
    return st;
}

rag_status rag_sweep_vectors(rag_store *s, rag_error *err)
{
    int64_t after = 0;
    rag_status st;

    for (;;) {
        rag_q q = {0};
        int64_t state = 0;
        int64_t n = 0;
        bool row;

        TRY(rag_q_open(&q, s,
                       "SELECT id,state,n_vectors FROM space WHERE id>?1"
                       " ORDER BY id LIMIT 1",
                       err));
        rag_q_int(&q, after);
        st = rag_q_step(&row, &q, err);
        if (st == RAG_OK && row) {
            after = rag_q_col(&q, 0);
            state = rag_q_col(&q, 1);
            n = rag_q_col(&q, 2);
        }
        rag_q_close(&q);
        TRY(st);
        if (!row)
            break;
        TRY(state == 2 ? sweep_dead_space(s, after, err)
                       : sweep_space(s, after, n, err));
    }
    TRY(rag_txn_commit(s, err));
out:
    if (st != RAG_OK)
        rag_txn_abort(s);
    return st;
}
