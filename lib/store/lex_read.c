#include "store/lex_priv.h"

#include <string.h>

#include "base/mem.h"

/* ---- segments ------------------------------------------------------------ */

static void segment_dispose(rag_lex_segment *s)
{
    rag_free(s->runs);
    rag_free(s->lens);
    *s = (rag_lex_segment){0};
}

static void segments_dispose(rag_lex_segments *all)
{
    for (size_t i = 0; i < all->n; i++)
        segment_dispose(&all->ptr[i]);
    rag_free(all->ptr);
    *all = (rag_lex_segments){0};
}

void rag_lex_read_forget(rag_lex *x)
{
    segments_dispose(&x->segments);
}

static rag_status segment_of_row(rag_lex_segment *s, sqlite3_stmt *stmt,
                                 rag_error *err)
{
    int64_t state = sqlite3_column_int64(stmt, 1);
    int64_t n = sqlite3_column_int64(stmt, 2);

    *s = (rag_lex_segment){.id = sqlite3_column_int64(stmt, 0),
                           .into = sqlite3_column_int64(stmt, 3),
                           .next_word = sqlite3_column_int64(stmt, 4),
                           .next_list = sqlite3_column_int64(stmt, 5)};
    if (s->id <= 0 || s->id > RAG_LEX_MAX_SEGMENT || state < 0 || state > 2 ||
        n < 0 || n > (int64_t)RAG_LEX_MAX_SEGMENT_CHUNKS || s->next_word < 0 ||
        s->next_list < 0 || s->next_word > INT64_C(1) << RAG_LEX_WORD_BITS ||
        s->next_list >> (RAG_LEX_WORD_BITS - 1) > 0)
        return rag_lex_corrupt(err, s->id, "damaged row");
    s->state = (enum rag_lex_state)state;
    s->n_chunks = (uint32_t)n;
    return RAG_OK;
}

/* Moves a loaded chunk list over: whole segments never change. */
static void adopt(rag_lex_segment *s, rag_lex_segments *old)
{
    for (size_t i = 0; i < old->n; i++) {
        rag_lex_segment *o = &old->ptr[i];

        if (o->id != s->id || !o->loaded || o->n_chunks != s->n_chunks)
            continue;
        s->loaded = true;
        s->runs = o->runs;
        s->n_runs = o->n_runs;
        s->cap_runs = o->cap_runs;
        s->lens = o->lens;
        s->sum_lens = o->sum_lens;
        o->runs = NULL;
        o->lens = NULL;
        o->loaded = false;
        return;
    }
}

rag_status rag_lex_read_segments(rag_lex *x, rag_error *err)
{
    rag_lex_segments now = {0};
    sqlite3_stmt *stmt = NULL;
    bool row;
    rag_status st;

    TRY(rag_lex_sql_get(&stmt, x, RAG_LEX_SQL_SEGMENTS, err));
    for (;;) {
        TRY(rag_lex_sql_step(&row, x, stmt, err));
        if (!row)
            break;
        if (!rag_mem_grow(&now.ptr, &now.cap, now.n + 1, sizeof *now.ptr)) {
            st = rag_fail_nomem(err);
            goto out;
        }
        TRY(segment_of_row(&now.ptr[now.n], stmt, err));
        now.n++;
    }
    for (size_t i = 0; i < now.n; i++)
        adopt(&now.ptr[i], &x->segments);
    segments_dispose(&x->segments);
    x->segments = now;
    now = (rag_lex_segments){0};
out:
    if (stmt != NULL)
        (void)sqlite3_reset(stmt);
    segments_dispose(&now);
    return st;
}

static rag_status read_runs(rag_lex_segment *s, uint32_t from, uint32_t n,
                            rag_lex_bytes *in, rag_error *err)
{
    const rag_lex_run *last = s->n_runs != 0 ? &s->runs[s->n_runs - 1] : NULL;
    int64_t lowest = last != NULL ? last->first_id + last->n : 0;
    uint64_t next = 0;
    uint64_t n_runs;
    uint64_t sum = 0;

    if (!rag_lex_codec_get_int(&n_runs, in) || n_runs > n)
        return rag_lex_corrupt(err, s->id, "damaged chunk list");
    for (uint64_t i = 0; i < n_runs; i++) {
        uint64_t gap;
        uint64_t len;

        if (!rag_lex_codec_get_int(&gap, in) ||
            !rag_lex_codec_get_int(&len, in) || len == 0 || len > n - sum ||
            gap > (uint64_t)INT64_MAX / 2 || next + gap > INT64_MAX / 2 ||
            next + gap < (uint64_t)lowest)
            return rag_lex_corrupt(err, s->id, "damaged chunk list");
        if (!rag_mem_grow(&s->runs, &s->cap_runs, s->n_runs + 1,
                          sizeof *s->runs))
            return rag_fail_nomem(err);
        s->runs[s->n_runs++] = (rag_lex_run){.first_id = (int64_t)(next + gap),
                                             .first_ord = from + (uint32_t)sum,
                                             .n = (uint32_t)len};
        next += gap + len;
        sum += len;
    }
    if (sum != n)
        return rag_lex_corrupt(err, s->id, "damaged chunk list");
    return RAG_OK;
}

static uint64_t sum_of(const uint8_t *lens, uint32_t n)
{
    uint32_t counts[RAG_LEX_LEN_CODES] = {0};
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        counts[lens[i]]++;
    for (unsigned code = 0; code < RAG_LEX_LEN_CODES; code++)
        sum += (uint64_t)counts[code] * rag_lex_codec_len((uint8_t)code);
    return sum;
}

static rag_status read_chunk_rows(rag_lex *x, rag_lex_segment *s,
                                  sqlite3_stmt *stmt, rag_error *err)
{
    uint32_t at = 0;
    rag_status st = RAG_OK;

    while (at < s->n_chunks) {
        uint32_t n = s->n_chunks - at < RAG_LEX_CHUNKS_PER_ROW
                         ? s->n_chunks - at
                         : RAG_LEX_CHUNKS_PER_ROW;
        rag_lex_bytes in;
        bool row;

        TRY(rag_lex_sql_step(&row, x, stmt, err));
        if (!row) {
            st = rag_lex_corrupt(err, s->id, "chunks missing");
            goto out;
        }
        TRY(rag_lex_sql_blob(&in, stmt, 0, err));
        TRY(read_runs(s, at, n, &in, err));
        if ((size_t)(in.end - in.ptr) != n) {
            st = rag_lex_corrupt(err, s->id, "damaged chunk list");
            goto out;
        }
        memcpy(s->lens + at, in.ptr, n);
        s->sum_lens += sum_of(in.ptr, n);
        at += n;
    }
out:
    return st;
}

rag_status rag_lex_read_chunks(rag_lex *x, rag_lex_segment *s, rag_error *err)
{
    sqlite3_stmt *stmt;
    rag_status st;

    if (s->loaded)
        return RAG_OK;
    rag_free(s->lens);
    s->lens = rag_malloc(s->n_chunks);
    s->n_runs = 0;
    s->sum_lens = 0;
    if (s->lens == NULL)
        return rag_fail_nomem(err);
    TRY(rag_lex_sql_get(&stmt, x, RAG_LEX_SQL_CHUNKS, err));
    sqlite3_bind_int64(stmt, 1, s->id << RAG_LEX_WORD_BITS);
    sqlite3_bind_int64(stmt, 2, (s->id + 1) << RAG_LEX_WORD_BITS);
    st = read_chunk_rows(x, s, stmt, err);
    (void)sqlite3_reset(stmt);
    s->loaded = st == RAG_OK;
out:
    return st;
}

int64_t rag_lex_read_id(const rag_lex_segment *s, uint32_t ord)
{
    size_t lo = 0;
    size_t hi = s->n_runs;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->runs[mid].first_ord <= ord)
            lo = mid;
        else
            hi = mid;
    }
    return s->runs[lo].first_id + (ord - s->runs[lo].first_ord);
}

bool rag_lex_bits_has(const rag_bits *bits, int64_t id)
{
    size_t byte = (size_t)(id / 8);

    return byte < bits->n_bytes && (bits->bits[byte] >> (id % 8) & 1) != 0;
}

/* Counts what is dead, eight chunks at a time: most of them live. */
void rag_lex_read_live(rag_lex_segment *s, const rag_bits *live)
{
    s->n_live = s->n_chunks;
    s->live_lens = s->sum_lens;
    for (size_t r = 0; r < s->n_runs; r++) {
        const rag_lex_run *run = &s->runs[r];

        for (uint32_t i = 0; i < run->n;) {
            int64_t id = run->first_id + i;
            size_t byte = (size_t)(id / 8);

            if (id % 8 == 0 && run->n - i >= 8 && byte < live->n_bytes &&
                live->bits[byte] == 0xFF) {
                i += 8;
                continue;
            }
            if (!rag_lex_bits_has(live, id)) {
                s->n_live--;
                s->live_lens -= rag_lex_codec_len(s->lens[run->first_ord + i]);
            }
            i++;
        }
    }
}

/* ---- dictionary ---------------------------------------------------------- */

bool rag_lex_read_entry(rag_lex_list *list, uint64_t *word, rag_lex_bytes *in,
                        const rag_lex_segment *s, rag_status *st,
                        rag_error *err)
{
    uint64_t gap;
    uint64_t n;
    uint64_t head;
    uint64_t row = 0;

    *st = RAG_OK;
    if (in->ptr == in->end)
        return false;
    if (!rag_lex_codec_get_int(&gap, in) || !rag_lex_codec_get_int(&n, in) ||
        !rag_lex_codec_get_int(&head, in) || n == 0 || n > s->n_chunks ||
        gap >= (UINT64_C(1) << RAG_LEX_WORD_BITS) - *word)
        goto bad;
    *word += gap;
    *list = (rag_lex_list){.n = (uint32_t)n};
    if ((head & 1) != 0) {
        if (head >> 1 == 0 || head >> 1 > n ||
            !rag_lex_codec_get_int(&row, in) ||
            row > (UINT64_C(1) << RAG_LEX_WORD_BITS) - n)
            goto bad;
        list->n_pieces = (uint32_t)(head >> 1);
        list->first_row = s->id << RAG_LEX_WORD_BITS | (int64_t)row;
        return true;
    }
    if (head >> 1 > (uint64_t)(in->end - in->ptr))
        goto bad;
    list->bytes = rag_lex_codec_bytes(in->ptr, (size_t)(head >> 1));
    in->ptr = list->bytes.end;
    return true;
bad:
    *st = rag_lex_corrupt(err, s->id, "damaged dictionary");
    return false;
}

rag_status rag_lex_read_find(rag_lex_list *list, rag_buf *arena,
                             size_t *inline_at, rag_lex *x,
                             const rag_lex_segment *s, uint64_t word,
                             rag_error *err)
{
    int64_t base = s->id << RAG_LEX_WORD_BITS;
    sqlite3_stmt *stmt = NULL;
    rag_lex_list found;
    rag_lex_bytes in;
    uint64_t at;
    bool row;
    rag_status st;

    *list = (rag_lex_list){0};
    *inline_at = arena->len;
    TRY(rag_lex_sql_get(&stmt, x, RAG_LEX_SQL_BLOCK, err));
    sqlite3_bind_int64(stmt, 1, base);
    sqlite3_bind_int64(stmt, 2, base | (int64_t)word);
    TRY(rag_lex_sql_step(&row, x, stmt, err));
    if (!row)
        goto out;
    at = (uint64_t)(sqlite3_column_int64(stmt, 0) - base);
    TRY(rag_lex_sql_blob(&in, stmt, 1, err));
    while (rag_lex_read_entry(&found, &at, &in, s, &st, err) && at <= word) {
        if (at != word)
            continue;
        *list = found;
        rag_buf_add(arena, found.bytes.ptr,
                    (size_t)(found.bytes.end - found.bytes.ptr));
        st = rag_buf_status(arena, err);
        break;
    }
out:
    if (stmt != NULL)
        (void)sqlite3_reset(stmt);
    return st;
}

/* ---- lists --------------------------------------------------------------- */

void rag_lex_cursor_init(rag_lex_cursor *c, const rag_lex_segment *s,
                         const rag_lex_list *list)
{
    *c = (rag_lex_cursor){.list = *list,
                          .segment = s->id,
                          .limit = s->n_chunks,
                          .left = list->n,
                          .in = list->bytes};
}

/* The piece is copied: the caller may write to the table before it has read it
 * to its end. */
static rag_status next_piece(rag_lex_cursor *c, rag_lex *x, rag_error *err)
{
    sqlite3_stmt *stmt;
    bool row;
    rag_status st;

    if (c->piece == c->list.n_pieces)
        return rag_lex_corrupt(err, c->segment, "list too short");
    TRY(rag_lex_sql_get(&stmt, x, RAG_LEX_SQL_LIST, err));
    sqlite3_bind_int64(stmt, 1, c->list.first_row + c->piece);
    c->piece++;
    TRY(rag_lex_sql_step(&row, x, stmt, err));
    if (!row)
        return rag_lex_corrupt(err, c->segment, "list missing");
    st = rag_lex_sql_blob(&c->in, stmt, 0, err);
    if (st == RAG_OK) {
        rag_buf_clear(&x->piece);
        rag_buf_add(&x->piece, c->in.ptr, (size_t)(c->in.end - c->in.ptr));
        st = rag_buf_status(&x->piece, err);
        c->in = rag_lex_codec_bytes(x->piece.ptr, x->piece.len);
    }
    (void)sqlite3_reset(stmt);
out:
    return st;
}

rag_status rag_lex_cursor_next(rag_lex_block *b, rag_lex_cursor *c, rag_lex *x,
                               rag_error *err)
{
    rag_status st = RAG_OK;

    b->n = 0;
    if (c->left == 0)
        return RAG_OK;
    if (c->in.ptr == c->in.end)
        TRY(next_piece(c, x, err));
    if (!rag_lex_codec_get(b, &c->next, &c->in, c->left, c->limit)) {
        b->n = 0;
        return rag_lex_corrupt(err, c->segment, "damaged list");
    }
    c->left -= b->n;
out:
    return st;
}
