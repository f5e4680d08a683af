#include "store/lex_priv.h"

/* A dictionary row fits a leaf page of 4096 bytes. */
#define DICT_ROW_BYTES 3900u
/* Longer lists go to rows of their own. */
#define INLINE_BYTES 1400u
/* Pieces are cut when they reach this. */
#define PIECE_BYTES ((size_t)16 << 10)

void rag_lex_out_init(rag_lex_out *o, rag_lex *x, int64_t segment,
                      int64_t next_list)
{
    *o = (rag_lex_out){.x = x, .segment = segment, .next_list = next_list};
    rag_buf_init(&o->dict, RAG_LEX_MAX_ROW_BYTES);
    rag_buf_init(&o->list, RAG_LEX_MAX_ROW_BYTES);
}

void rag_lex_out_dispose(rag_lex_out *o)
{
    rag_buf_dispose(&o->dict);
    rag_buf_dispose(&o->list);
}

static rag_status write_row(rag_lex_out *o, enum rag_lex_sql which, int64_t id,
                            rag_buf *bytes, rag_error *err)
{
    sqlite3_stmt *stmt;
    rag_status st;

    TRY(rag_buf_status(bytes, err));
    TRY(rag_lex_sql_get(&stmt, o->x, which, err));
    sqlite3_bind_int64(stmt, 1, o->segment << RAG_LEX_WORD_BITS | id);
    sqlite3_bind_blob64(stmt, 2, bytes->ptr, bytes->len, SQLITE_STATIC);
    st = rag_lex_sql_run(o->x, stmt, err);
    (void)sqlite3_clear_bindings(stmt);
    o->n_bytes += bytes->len;
    rag_buf_clear(bytes);
out:
    return st;
}

static rag_status write_piece(rag_lex_out *o, rag_error *err)
{
    if (o->n_pieces++ == 0)
        o->first_piece = o->next_list;
    return write_row(o, RAG_LEX_SQL_ADD_LIST, o->next_list++, &o->list, err);
}

void rag_lex_out_begin(rag_lex_out *o, uint64_t word)
{
    o->word = word;
    o->n = 0;
    o->next = 0;
    o->n_pieces = 0;
    o->block.n = 0;
    rag_buf_clear(&o->list);
}

rag_status rag_lex_out_put(rag_lex_out *o, uint32_t ord, uint8_t tf_code,
                           rag_error *err)
{
    o->block.ords[o->block.n] = ord;
    o->block.tfs[o->block.n] = tf_code;
    o->n++;
    if (++o->block.n < RAG_LEX_BLOCK)
        return RAG_OK;
    rag_lex_codec_put(&o->list, &o->next, &o->block);
    o->block.n = 0;
    return o->list.len >= PIECE_BYTES ? write_piece(o, err) : RAG_OK;
}

rag_status rag_lex_out_end(rag_lex_out *o, rag_error *err)
{
    rag_status st;

    if (o->n == 0)
        return RAG_OK;
    rag_lex_codec_put(&o->list, &o->next, &o->block);
    TRY(rag_buf_status(&o->list, err)); /* the next word forgets it */
    if ((o->n_pieces != 0 && o->list.len != 0) || o->list.len > INLINE_BYTES)
        TRY(write_piece(o, err));
    if (o->dict.len + o->list.len > DICT_ROW_BYTES)
        TRY(rag_lex_out_finish(o, err));
    if (o->dict.len == 0) {
        o->first_word = o->word;
        o->last_word = o->word;
    }
    rag_lex_codec_put_int(&o->dict, o->word - o->last_word);
    rag_lex_codec_put_int(&o->dict, o->n);
    if (o->n_pieces != 0) {
        rag_lex_codec_put_int(&o->dict, (uint64_t)o->n_pieces << 1 | 1);
        rag_lex_codec_put_int(&o->dict, (uint64_t)o->first_piece);
    } else {
        rag_lex_codec_put_int(&o->dict, (uint64_t)o->list.len << 1);
        rag_buf_adds(&o->dict, rag_buf_str(&o->list));
    }
    o->last_word = o->word;
out:
    return st;
}

rag_status rag_lex_out_finish(rag_lex_out *o, rag_error *err)
{
    if (o->dict.len == 0)
        return rag_buf_status(&o->dict, err);
    return write_row(o, RAG_LEX_SQL_ADD_BLOCK, (int64_t)o->first_word, &o->dict,
                     err);
}

/* One row: the number of runs, for each the gap to its first id (from the id
 * behind the run before) and its length, then the codes. */
static rag_status chunk_row(rag_lex_out *o, uint32_t from, const int64_t *ids,
                            const uint8_t *lens, uint32_t n, rag_error *err)
{
    uint64_t n_runs = 1;
    int64_t next = 0;
    uint32_t start = 0;

    for (uint32_t i = 1; i < n; i++)
        n_runs += ids[i] != ids[i - 1] + 1;
    rag_lex_codec_put_int(&o->dict, n_runs);
    for (uint32_t i = 1; i <= n; i++) {
        if (i != n && ids[i] == ids[i - 1] + 1)
            continue;
        rag_lex_codec_put_int(&o->dict, (uint64_t)(ids[start] - next));
        rag_lex_codec_put_int(&o->dict, i - start);
        next = ids[i - 1] + 1;
        start = i;
    }
    rag_buf_add(&o->dict, lens, n);
    return write_row(o, RAG_LEX_SQL_ADD_CHUNKS, from / RAG_LEX_CHUNKS_PER_ROW,
                     &o->dict, err);
}

rag_status rag_lex_out_chunks(rag_lex *x, int64_t segment, uint32_t from,
                              const int64_t *ids, const uint8_t *lens,
                              uint32_t n, rag_error *err)
{
    rag_lex_out o;
    rag_status st = RAG_OK;

    rag_lex_out_init(&o, x, segment, 0);
    for (uint32_t i = 0; i < n; i += RAG_LEX_CHUNKS_PER_ROW) {
        uint32_t some =
            n - i < RAG_LEX_CHUNKS_PER_ROW ? n - i : RAG_LEX_CHUNKS_PER_ROW;

        TRY(chunk_row(&o, from + i, ids + i, lens + i, some, err));
    }
out:
    rag_lex_out_dispose(&o);
    return st;
}

rag_status rag_lex_out_segment(int64_t *id, rag_lex *x,
                               enum rag_lex_state state, uint32_t n_chunks,
                               int64_t first_chunk, int64_t last_chunk,
                               rag_error *err)
{
    sqlite3_stmt *stmt;
    rag_status st;

    TRY(rag_lex_sql_get(&stmt, x, RAG_LEX_SQL_ADD_SEGMENT, err));
    sqlite3_bind_int(stmt, 1, (int)state);
    sqlite3_bind_int64(stmt, 2, n_chunks);
    sqlite3_bind_int64(stmt, 3, first_chunk);
    sqlite3_bind_int64(stmt, 4, last_chunk);
    TRY(rag_lex_sql_run(x, stmt, err));
    *id = sqlite3_last_insert_rowid(x->db);
    if (*id > RAG_LEX_MAX_SEGMENT)
        st = rag_fail(err, RAG_E_LIMIT,
                      "words index: segment numbers are used up; `rag doctor "
                      "--repair` builds it again");
out:
    return st;
}
