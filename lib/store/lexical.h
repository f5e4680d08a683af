#ifndef RAG_STORE_LEXICAL_H
#define RAG_STORE_LEXICAL_H

/*
 * lexical — the words index: BM25 postings inside SQLite, in the transactions
 * of the store. Private to the store room, over a plain sqlite3 handle.
 *
 * Errors:  RAG_E_NOMEM, RAG_E_CORRUPT (a damaged table: never a crash),
 *          RAG_E_BUSY, RAG_E_IO, RAG_E_DB, RAG_E_INVAL (chunk ids out of
 *          order).
 * Threads: one object per connection, one thread at a time.
 */

#include <sqlite3.h>

#include "store/store.h"

/* Live chunk ids as bits: bit id of bits[id / 8]. Borrowed. */
typedef struct rag_bits {
    const uint8_t *bits; /* [n_bytes] */
    size_t n_bytes;      /* ids beyond are not set */
    uint64_t n_set;
} rag_bits;

typedef struct rag_lex rag_lex; /* writer's memory and scratch for searching */

/* SQL that makes the tables of this part (run by schema.c). */
extern const char rag_lex_schema[];

RAG_NODISCARD rag_status rag_lex_new(rag_lex **out, sqlite3 *db,
                                     rag_error *err);
void rag_lex_free(rag_lex *x);

/* Gathers a chunk's words in memory. ids must ascend, also from flush to flush.
 * After a failure what was gathered is forgotten: roll back. */
RAG_NODISCARD rag_status rag_lex_add(rag_lex *x, int64_t chunk_id,
                                     rag_str heading, rag_str body,
                                     rag_error *err);
/* Bytes gathered: the store flushes when they are many. */
size_t rag_lex_pending_bytes(const rag_lex *x);
/* Writes what was gathered as one new segment; inside the caller's
 * transaction. */
RAG_NODISCARD rag_status rag_lex_flush(rag_lex *x, rag_error *err);
/* Forgets what was gathered (the transaction was rolled back). */
void rag_lex_forget(rag_lex *x);
/* Merges segments by size, leaving out chunks that are not in `keep` (the
 * visible ones AND those of versions not yet published); one step, short enough
 * for one transaction; *more: call again. A started merge goes on from the
 * tables alone, in whatever process comes next. everything: into one segment.
 */
RAG_NODISCARD rag_status rag_lex_merge(bool *more, rag_lex *x,
                                       const rag_bits *keep, bool everything,
                                       rag_error *err);

RAG_NODISCARD rag_status rag_lex_search(rag_store_hit *hits, size_t *n,
                                        size_t cap, rag_lex *x,
                                        const rag_store_term *terms,
                                        size_t n_terms, const rag_bits *live,
                                        const rag_bits *filter, /* or NULL */
                                        rag_error *err);
RAG_NODISCARD rag_status rag_lex_counts(uint64_t *df, rag_lex *x,
                                        const rag_store_term *terms,
                                        size_t n_terms, const rag_bits *live,
                                        rag_error *err);
/* Integrity: decodes every posting. */
RAG_NODISCARD rag_status rag_lex_check(uint64_t *n_postings, rag_lex *x,
                                       const rag_bits *live, rag_error *err);
/* Drops every segment (before a rebuild; chunk ids may start anew). */
RAG_NODISCARD rag_status rag_lex_drop_all(rag_lex *x, rag_error *err);

#endif /* RAG_STORE_LEXICAL_H */
