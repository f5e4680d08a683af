#ifndef RAG_STORE_LEX_PRIV_H
#define RAG_STORE_LEX_PRIV_H

/*
 * lex_priv — shared by the files of the words index only.
 *
 * A *segment* holds some chunks, numbered by *ordinals* from 0 in the order of
 * their ids, and for each of its words a posting list over these ordinals.
 * Segments never change once they are whole, their ids are never used twice,
 * and the id ranges of their chunks do not overlap; so a merge of neighbours is
 * a concatenation. Of a word's key the upper 40 bits are kept.
 *
 *   lex_segment  a row each; what a merge needs to go on after an interruption
 *   lex_chunk    its chunks: runs of ids, and a length code for every chunk
 *   lex_block    its dictionary: words in order with short lists inline; the
 *                row id is segment << 40 | first word, so that one seek finds
 *                the only row that can hold a word
 *   lex_list     the pieces of long lists, whole blocks each
 */

#include "base/words.h"
#include "store/lex_codec.h"
#include "store/lexical.h"

#define RAG_LEX_WORD_BITS 40
/* 40 + 23 bits make a positive row id */
#define RAG_LEX_MAX_SEGMENT ((INT64_C(1) << 23) - 1)
/* Chunks of one segment: its arrays of 4 to 8 bytes a chunk stay bounded. */
#define RAG_LEX_MAX_SEGMENT_CHUNKS (UINT32_C(1) << 26)
/* Chunks of one row of lex_chunk. */
#define RAG_LEX_CHUNKS_PER_ROW 8192u
/* Any blob of ours is far smaller; a bigger one is damage. */
#define RAG_LEX_MAX_ROW_BYTES ((size_t)1 << 20)

/* BM25; flat around these on SciFact, NPL, XQuAD and KorQuAD (nDCG@10 .712,
 * .452, .977, .961; with 1.2 and 0.75: .712, .438, .977, .959) */
#define RAG_LEX_K1 0.9
#define RAG_LEX_B 0.6
/* how often a heading's word counts */
#define RAG_LEX_HEADING_WEIGHT 2u

enum rag_lex_state {
    RAG_LEX_WHOLE = 0,
    RAG_LEX_BUILDING = 1, /* a merge is filling it: not searched */
    RAG_LEX_GONE = 2      /* merged away: its rows are being deleted */
};

enum rag_lex_sql {
    RAG_LEX_SQL_SEGMENTS,
    RAG_LEX_SQL_CHUNKS,
    RAG_LEX_SQL_BLOCK,      /* that could hold a word */
    RAG_LEX_SQL_NEXT_BLOCK, /* behind a row id */
    RAG_LEX_SQL_LIST,
    RAG_LEX_SQL_ADD_SEGMENT,
    RAG_LEX_SQL_ADD_CHUNKS,
    RAG_LEX_SQL_ADD_BLOCK,
    RAG_LEX_SQL_ADD_LIST,
    RAG_LEX_SQL_LAST_CHUNK,
    RAG_LEX_SQL_CLAIM,    /* mark an input of a merge */
    RAG_LEX_SQL_PROGRESS, /* of a merge */
    RAG_LEX_SQL_FINISH,
    RAG_LEX_SQL_RETIRE, /* the inputs */
    RAG_LEX_SQL_RETIRE_ONE,
    RAG_LEX_SQL_DEL_BLOCKS,
    RAG_LEX_SQL_DEL_LISTS,
    RAG_LEX_SQL_DEL_CHUNKS,
    RAG_LEX_SQL_DEL_SEGMENT,
    RAG_LEX_SQL_COUNT
};

typedef struct rag_lex_run {
    int64_t first_id;
    uint32_t first_ord;
    uint32_t n;
} rag_lex_run;

typedef struct rag_lex_segment {
    int64_t id;
    int64_t into;      /* the segment a merge puts it into, or 0 */
    int64_t next_word; /* of a merge that fills it */
    int64_t next_list;
    enum rag_lex_state state;
    uint32_t n_chunks;
    bool loaded;       /* what follows */
    rag_lex_run *runs; /* [n_runs] */
    size_t n_runs;
    size_t cap_runs;
    uint8_t *lens; /* [n_chunks] codes */
    uint64_t sum_lens;
    /* of the running search */
    uint64_t n_live;
    uint64_t live_lens;
} rag_lex_segment;

typedef struct rag_lex_segments {
    rag_lex_segment *ptr; /* [n], ascending chunk ids */
    size_t n;
    size_t cap;
} rag_lex_segments;

/* Words gathered in memory: a log of (word, ordinal, frequency), sorted by
 * word when it is flushed. What a further occurrence of a word needs to know
 * stands in its slot: large tables cost a cache miss a look. Both are packed,
 * because they stand beside the text of the file being written. */
typedef struct rag_lex_pending_word {
    uint64_t key;    /* word << RAG_LEX_ORD_BITS | chunk of its newest entry */
    uint32_t number; /* in the order of first occurrence, from 1; 0: free */
    uint32_t last;   /* its newest entry of the log */
} rag_lex_pending_word;

/* of the ordinals of what is gathered: with a word they fill 64 bits, with a
 * frequency 32 */
#define RAG_LEX_ORD_BITS 24
#define RAG_LEX_MAX_TF UINT32_C(0xFF) /* far beyond the last frequency code */

typedef struct rag_lex_entry {
    uint32_t word;   /* its number - 1 */
    uint32_t ord_tf; /* ordinal << 8 | frequency, at most RAG_LEX_MAX_TF */
} rag_lex_entry;

typedef struct rag_lex_pending {
    rag_lex_pending_word *slots; /* [n_slots], a power of two */
    size_t n_slots;
    size_t n_words;
    rag_lex_entry *log; /* [n_log] */
    size_t n_log;
    size_t cap_log;
    int64_t *ids; /* [n_chunks] */
    size_t cap_ids;
    uint8_t *lens; /* [n_chunks] codes */
    size_t cap_lens;
    uint32_t n_chunks;
} rag_lex_pending;

struct rag_lex {
    sqlite3 *db;
    sqlite3_stmt *sql[RAG_LEX_SQL_COUNT];
    rag_words *words;
    rag_lex_pending pending;
    rag_lex_segments segments;
    rag_buf piece; /* of the list being read */
};

/* ---- lexical.c: SQL ------------------------------------------------------ */

/* A prepared statement, reset, nothing bound. */
RAG_NODISCARD rag_status rag_lex_sql_get(sqlite3_stmt **out, rag_lex *x,
                                         enum rag_lex_sql which,
                                         rag_error *err);
/* Steps once: *row: there is one. */
RAG_NODISCARD rag_status rag_lex_sql_step(bool *row, rag_lex *x,
                                          sqlite3_stmt *stmt, rag_error *err);
/* Runs a statement that gives no rows, and resets it. */
RAG_NODISCARD rag_status rag_lex_sql_run(rag_lex *x, sqlite3_stmt *stmt,
                                         rag_error *err);
/* The blob of a column, borrowed until the next step; RAG_E_CORRUPT when it is
 * none or longer than RAG_LEX_MAX_ROW_BYTES. */
RAG_NODISCARD rag_status rag_lex_sql_blob(rag_lex_bytes *out,
                                          sqlite3_stmt *stmt, int column,
                                          rag_error *err);
rag_status rag_lex_corrupt(rag_error *err, int64_t segment, const char *what);

/* ---- lex_read.c: segments and lists -------------------------------------- */

/* Brings x->segments in step with the table; chunk lists stay loaded. */
RAG_NODISCARD rag_status rag_lex_read_segments(rag_lex *x, rag_error *err);
void rag_lex_read_forget(rag_lex *x);
/* Loads the chunk list. */
RAG_NODISCARD rag_status rag_lex_read_chunks(rag_lex *x, rag_lex_segment *s,
                                             rag_error *err);
/* Chunk id of an ordinal of a loaded segment. */
int64_t rag_lex_read_id(const rag_lex_segment *s, uint32_t ord);
bool rag_lex_bits_has(const rag_bits *bits, int64_t id);
/* Sets n_live and live_lens. */
void rag_lex_read_live(rag_lex_segment *s, const rag_bits *live);

/* Where a posting list is. */
typedef struct rag_lex_list {
    uint32_t n;          /* postings; 0: no such word */
    uint32_t n_pieces;   /* 0: inline */
    int64_t first_row;   /* in lex_list */
    rag_lex_bytes bytes; /* inline */
} rag_lex_list;

/* The next entry of a dictionary row; false with *st RAG_OK at its end. */
bool rag_lex_read_entry(rag_lex_list *list, uint64_t *word, rag_lex_bytes *in,
                        const rag_lex_segment *s, rag_status *st,
                        rag_error *err);
/* Looks a word up. Inline bytes are appended to arena; list->bytes then holds
 * no pointers but *inline_at and their length. */
RAG_NODISCARD rag_status rag_lex_read_find(rag_lex_list *list, rag_buf *arena,
                                           size_t *inline_at, rag_lex *x,
                                           const rag_lex_segment *s,
                                           uint64_t word, rag_error *err);

/* Reads a list block by block. One at a time: they share x->piece. */
typedef struct rag_lex_cursor {
    rag_lex_list list;
    int64_t segment;
    uint32_t limit;
    uint32_t left;
    uint32_t next;
    uint32_t piece; /* the next one to fetch */
    rag_lex_bytes in;
} rag_lex_cursor;

void rag_lex_cursor_init(rag_lex_cursor *c, const rag_lex_segment *s,
                         const rag_lex_list *list);
/* b->n == 0: the end. */
RAG_NODISCARD rag_status rag_lex_cursor_next(rag_lex_block *b,
                                             rag_lex_cursor *c, rag_lex *x,
                                             rag_error *err);

/* ---- lex_gather.c -------------------------------------------------------- */

void rag_lex_gather_dispose(rag_lex_pending *p);

/* ---- lex_out.c: writing a segment ---------------------------------------- */

typedef struct rag_lex_out {
    rag_lex *x;
    int64_t segment;
    int64_t next_list; /* sequence number of the next piece */
    rag_buf dict;      /* the row being filled */
    uint64_t first_word;
    uint64_t last_word;
    rag_buf list; /* of the word being written */
    uint64_t word;
    uint32_t n;
    uint32_t next;
    uint32_t n_pieces;
    int64_t first_piece;
    rag_lex_block block;
    uint64_t n_bytes; /* written so far */
} rag_lex_out;

void rag_lex_out_init(rag_lex_out *o, rag_lex *x, int64_t segment,
                      int64_t next_list);
void rag_lex_out_dispose(rag_lex_out *o);
/* Words ascend, and ordinals within a word. */
void rag_lex_out_begin(rag_lex_out *o, uint64_t word);
RAG_NODISCARD rag_status rag_lex_out_put(rag_lex_out *o, uint32_t ord,
                                         uint8_t tf_code, rag_error *err);
RAG_NODISCARD rag_status rag_lex_out_end(rag_lex_out *o, rag_error *err);
/* Writes what is left of the dictionary. */
RAG_NODISCARD rag_status rag_lex_out_finish(rag_lex_out *o, rag_error *err);

/* Writes chunks [from, from + n) of a segment, ids ascending. */
RAG_NODISCARD rag_status rag_lex_out_chunks(rag_lex *x, int64_t segment,
                                            uint32_t from, const int64_t *ids,
                                            const uint8_t *lens, uint32_t n,
                                            rag_error *err);
/* A new row of lex_segment. */
RAG_NODISCARD rag_status rag_lex_out_segment(
    int64_t *id, rag_lex *x, enum rag_lex_state state, uint32_t n_chunks,
    int64_t first_chunk, int64_t last_chunk, rag_error *err);

#endif /* RAG_STORE_LEX_PRIV_H */
