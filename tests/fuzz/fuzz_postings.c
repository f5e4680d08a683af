/*
 * The words index over rows that anybody may have written: searching, checking
 * and merging end well or with RAG_E_CORRUPT.
 *
 * Input: chunks of the segment (2 bytes), length of the dictionary row (2) and
 * of the list row (2), then these two rows and the chunk row.
 */

#include <stdint.h>
#include <stdlib.h>

#include "store/lex_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
    if (!ok)
        abort();
}

static size_t take_length(const uint8_t *data)
{
    return (size_t)data[0] << 8 | data[1];
}

static void put(sqlite3 *db, const char *sql, int64_t id, const uint8_t *data,
                size_t size)
{
    sqlite3_stmt *stmt;

    need(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_blob64(stmt, 2, data, size, SQLITE_STATIC);
    need(sqlite3_step(stmt) == SQLITE_DONE);
    sqlite3_finalize(stmt);
}

static sqlite3 *make_db(const uint8_t *data, size_t size)
{
    int64_t base = INT64_C(1) << RAG_LEX_WORD_BITS;
    size_t n_chunks = take_length(data);
    size_t n_dict = take_length(data + 2);
    size_t n_list = take_length(data + 4);
    char *text;
    sqlite3 *db;

    data += 6;
    size -= 6;
    n_dict = n_dict < size ? n_dict : size;
    n_list = n_list < size - n_dict ? n_list : size - n_dict;
    need(sqlite3_open(":memory:", &db) == SQLITE_OK);
    need(sqlite3_exec(db, rag_lex_schema, NULL, NULL, NULL) == SQLITE_OK);
    text = sqlite3_mprintf("INSERT INTO lex_segment(id, state, n_chunks,"
                           " first_chunk, last_chunk) VALUES(1, 0, %d, 1, 9)",
                           (int)n_chunks);
    need(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_free(text);
    put(db, "INSERT INTO lex_block(id, data) VALUES(?1, ?2)", base + 5, data,
        n_dict);
    put(db, "INSERT INTO lex_list(id, data) VALUES(?1, ?2)", base,
        data + n_dict, n_list);
    put(db, "INSERT INTO lex_chunk(id, data) VALUES(?1, ?2)", base,
        data + n_dict + n_list, size - n_dict - n_list);
    return db;
}

static bool told(rag_status st)
{
    need(st == RAG_OK || st == RAG_E_CORRUPT);
    return st == RAG_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t bits[16] = {0xFE, 0xFF, 0x7F, 0xFF, 0xFF,
                                     0xFF, 0xFF, 0xFF, 0x0F, 0xFF};
    const rag_bits live = {.bits = bits, .n_bytes = sizeof bits};
    const int shift = 64 - RAG_LEX_WORD_BITS;
    const rag_store_term terms[] = {
        {UINT64_C(5) << shift, RAG_TERM_SHOULD, 1, 1},
        {UINT64_C(6) << shift, RAG_TERM_MUST, 1, 1},
        {UINT64_C(9) << shift, RAG_TERM_NOT, 1, 1},
    };
    rag_store_hit hits[8];
    uint64_t n_postings;
    bool more = true;
    rag_lex *x;
    sqlite3 *db;
    size_t n;

    if (size < 6)
        return 0;
    db = make_db(data, size);
    need(rag_lex_new(&x, db, NULL) == RAG_OK);
    for (size_t i = 1; i <= 3; i++)
        if (told(rag_lex_search(hits, &n, 8, x, terms, i, &live, NULL, NULL)))
            for (size_t k = 0; k < n; k++)
                need(rag_lex_bits_has(&live, hits[k].chunk_id));
    (void)told(rag_lex_check(&n_postings, x, &live, NULL));
    for (int i = 0; i < 10 && more; i++)
        if (!told(rag_lex_merge(&more, x, &live, true, NULL)))
            break;
    rag_lex_free(x);
    sqlite3_close(db);
    return 0;
}
