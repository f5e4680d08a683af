#include <string.h>

#include "base/mem.h"
#include "store/store_priv.h"

/*
 * Bitmaps and 32-bit numbers over chunk ids. A bitmap is small (125 KB for a
 * million chunks) and held whole; of the numbers one row is held, because they
 * are asked for in the order of ids.
 */

#define ROW_BYTES (RAG_BITS_IDS / 8)

/* ---- bitmaps ----------------------------------------------------------------
 */

void rag_bitmap_drop(rag_bitmap *b)
{
    rag_free(b->bits);
    rag_free(b->dirty);
    memset(b, 0, sizeof *b);
}

/* Room for the row `no`. Grows ahead, so that appending is cheap. */
static bool grow(rag_bitmap *b, size_t no)
{
    size_t old_rows = b->n_bytes / ROW_BYTES;
    size_t rows = old_rows + old_rows / 2;
    uint8_t *bits;
    uint8_t *dirty;

    if (no < old_rows)
        return true;
    if (rows <= no)
        rows = no + 1;
    bits = rag_realloc_array(b->bits, rows, ROW_BYTES);
    if (bits == NULL)
        return false;
    b->bits = bits;
    dirty = rag_realloc(b->dirty, rows);
    if (dirty == NULL)
        return false;
    b->dirty = dirty;
    memset(bits + b->n_bytes, 0, (rows - old_rows) * ROW_BYTES);
    memset(dirty + old_rows, 0, rows - old_rows);
    b->n_bytes = rows * ROW_BYTES;
    return true;
}

static uint64_t count_bytes(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        uint64_t w;

        memcpy(&w, p + i, 8);
        sum += (uint64_t)__builtin_popcountll(w);
    }
    for (; i < n; i++)
        sum += (uint64_t)__builtin_popcount(p[i]);
    return sum;
}

static rag_status load_row(rag_bitmap *b, rag_store *s, int64_t id, rag_str v,
                           rag_error *err)
{
    int64_t no = id & (int64_t)UINT32_MAX;

    if (v.len > ROW_BYTES || no > s->state.next_chunk / (int64_t)RAG_BITS_IDS)
        return rag_db_corrupt(s, "a bitmap does not fit", err);
    if (!grow(b, (size_t)no))
        return rag_fail_nomem(err);
    if (v.len != 0)
        memcpy(b->bits + (size_t)no * ROW_BYTES, v.ptr, v.len);
    return RAG_OK;
}

rag_status rag_bitmap_load(rag_bitmap *b, rag_store *s, int64_t kind,
                           rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    if (b->loaded && b->kind == kind)
        return RAG_OK;
    rag_bitmap_drop(b);
    b->kind = kind;
    TRY(rag_q_open(&q, s,
                   "SELECT id,data FROM bits WHERE id BETWEEN ?1 AND ?2"
                   " ORDER BY id DESC", /* the largest first: one allocation */
                   err));
    rag_q_int(&q, kind << 32);
    rag_q_int(&q, kind << 32 | (int64_t)UINT32_MAX);
    for (;;) {
        TRY(rag_q_step(&row, &q, err));
        if (!row)
            break;
        TRY(load_row(b, s, rag_q_col(&q, 0), rag_q_str(&q, 1), err));
    }
    b->n_set = count_bytes(b->bits, b->n_bytes);
    b->loaded = true;
out:
    rag_q_close(&q);
    if (st != RAG_OK)
        rag_bitmap_drop(b);
    return st;
}

bool rag_bitmap_get(const rag_bitmap *b, int64_t id)
{
    size_t at = (size_t)id / 8;

    return id >= 0 && at < b->n_bytes &&
           (b->bits[at] & (1u << ((unsigned)id % 8u))) != 0;
}

rag_status rag_bitmap_set(rag_bitmap *b, int64_t first, int64_t n, bool on,
                          rag_error *err)
{
    for (int64_t id = first; id < first + n; id++) {
        size_t row = (size_t)id / RAG_BITS_IDS;
        uint8_t bit = (uint8_t)(1u << ((unsigned)id % 8u));

        if (rag_bitmap_get(b, id) == on)
            continue;
        if (!grow(b, row))
            return rag_fail_nomem(err);
        b->bits[(size_t)id / 8] ^= bit;
        b->dirty[row] = 1;
        if (on)
            b->n_set++;
        else
            b->n_set--;
    }
    return RAG_OK;
}

static rag_status save_row(rag_store *s, int64_t id, rag_str data,
                           rag_error *err)
{
    rag_q q;
    rag_status st;

    if (data.len == 0) {
        TRY(rag_q_open(&q, s, "DELETE FROM bits WHERE id=?1", err));
        rag_q_int(&q, id);
    } else {
        TRY(rag_q_open(
            &q, s, "INSERT OR REPLACE INTO bits(id,data) VALUES(?1,?2)", err));
        rag_q_int(&q, id);
        rag_q_blob(&q, data);
    }
    TRY(rag_q_run(&q, err));
out:
    return st;
}

rag_status rag_bitmap_save(rag_bitmap *b, rag_store *s, rag_error *err)
{
    rag_status st = RAG_OK;

    for (size_t no = 0; no < b->n_bytes / ROW_BYTES; no++) {
        const uint8_t *p = b->bits + no * ROW_BYTES;
        size_t len = ROW_BYTES;

        if (b->dirty[no] == 0)
            continue;
        while (len != 0 && p[len - 1] == 0)
            len--;
        TRY(save_row(s, b->kind << 32 | (int64_t)no,
                     rag_str_n((const char *)p, len), err));
        b->dirty[no] = 0;
    }
out:
    return st;
}

rag_bits rag_bitmap_bits(const rag_bitmap *b)
{
    rag_bits v = {b->bits, b->n_bytes, b->n_set};

    return v;
}

uint64_t rag_bitmap_count(const rag_bitmap *a, const rag_bitmap *b,
                          const rag_bitmap *c)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < a->n_bytes; i++) {
        unsigned v = a->bits[i];

        if (b != NULL)
            v &= i < b->n_bytes ? b->bits[i] : 0u;
        if (c != NULL && i < c->n_bytes)
            v &= ~(unsigned)c->bits[i];
        sum += (uint64_t)__builtin_popcount(v & 0xffu);
    }
    return sum;
}

/* ---- numbers ----------------------------------------------------------------
 */

void rag_nums_drop(rag_nums *m)
{
    m->no = -1;
    m->dirty = false;
}

rag_status rag_nums_save(rag_nums *m, rag_store *s, rag_error *err)
{
    size_t len = sizeof m->bytes;
    int64_t id = m->kind << 32 | m->no;
    rag_q q;
    rag_status st;

    if (!m->dirty)
        return RAG_OK;
    while (len != 0 && m->bytes[len - 1] == 0)
        len--;
    if (len == 0) {
        TRY(rag_q_open(&q, s, "DELETE FROM nums WHERE id=?1", err));
        rag_q_int(&q, id);
    } else {
        TRY(rag_q_open(
            &q, s, "INSERT OR REPLACE INTO nums(id,data) VALUES(?1,?2)", err));
        rag_q_int(&q, id);
        rag_q_blob(&q, rag_str_n((const char *)m->bytes, len));
    }
    TRY(rag_q_run(&q, err));
    m->dirty = false;
out:
    return st;
}

/* Holds the row of id. */
static rag_status hold(rag_nums *m, rag_store *s, int64_t id, rag_error *err)
{
    int64_t no = id / (int64_t)RAG_NUMS_IDS;
    rag_q q = {0};
    bool row;
    rag_status st;

    if (m->no == no)
        return RAG_OK;
    TRY(rag_nums_save(m, s, err));
    m->no = -1;
    memset(m->bytes, 0, sizeof m->bytes);
    TRY(rag_q_open(&q, s, "SELECT data FROM nums WHERE id=?1", err));
    rag_q_int(&q, m->kind << 32 | no);
    TRY(rag_q_step(&row, &q, err));
    if (row) {
        rag_str v = rag_q_str(&q, 0);

        if (v.len > sizeof m->bytes) {
            st = rag_db_corrupt(s, "a row of numbers does not fit", err);
            goto out;
        }
        if (v.len != 0)
            memcpy(m->bytes, v.ptr, v.len);
    }
    m->no = no;
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_nums_get(uint32_t *out, rag_nums *m, rag_store *s, int64_t id,
                        rag_error *err)
{
    rag_status st = hold(m, s, id, err);
    const uint8_t *p = m->bytes + (size_t)(id % (int64_t)RAG_NUMS_IDS) * 4;

    *out = 0;
    if (st == RAG_OK)
        *out = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
               (uint32_t)p[3] << 24;
    return st;
}

rag_status rag_nums_set(rag_nums *m, rag_store *s, int64_t id, uint32_t v,
                        rag_error *err)
{
    uint8_t *p = m->bytes + (size_t)(id % (int64_t)RAG_NUMS_IDS) * 4;
    uint32_t old;
    rag_status st = rag_nums_get(&old, m, s, id, err);

    if (st != RAG_OK || old == v)
        return st;
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
    m->dirty = true;
    return RAG_OK;
}
