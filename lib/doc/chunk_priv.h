#ifndef RAG_DOC_CHUNK_PRIV_H
#define RAG_DOC_CHUNK_PRIV_H

/*
 * chunk_priv — the workers behind chunk.c:
 *   meter     the token estimate, byte by byte
 *   heads     which headings a document is cut at
 *   strength  how good a boundary is, by the text on both sides
 *   scan      the text between becomes candidates for boundaries
 *   cutter    candidates go in, chunks come out
 */

#include "doc/chunk.h"

/* ---- meter ---- */

#define RAG_CHUNK_UNITS 64u /* units of the estimate in one token */

/* Adds up over any cut between code points: meter(a) then meter(b) of one
 * text is meter(ab). Zeroed is new. */
typedef struct rag_chunk_meter {
    uint64_t units;
    uint8_t state;
    uint8_t last; /* byte seen last */
} rag_chunk_meter;

/* Counts [from, to); bytes up to text_end may be looked at. */
void rag_chunk_meter_add(rag_chunk_meter *m, const char *from, const char *to,
                         const char *text_end);

/* ---- cutter ---- */

/* How good a boundary is. Stronger ones are always taken first; the order is
 * part of the chunker's version. */
typedef enum rag_chunk_strength {
    RAG_CUT_GRAPHEME, /* inside a word */
    RAG_CUT_WORD,
    RAG_CUT_WRAP,    /* line break inside a sentence, "as follows:" */
    RAG_CUT_LINE,    /* code line, indented line */
    RAG_CUT_SENT,    /* sentence end, blank line in code */
    RAG_CUT_SUBITEM, /* nested list item, unindented line of plain text */
    RAG_CUT_ITEM,    /* list item, table row */
    RAG_CUT_BLOCK,   /* paragraph */
    RAG_CUT_PAGE,    /* paragraph that begins a page */
    RAG_CUT_HEADING  /* + 0..5: 6th level to 1st */
} rag_chunk_strength;

typedef struct rag_chunk_cand {
    size_t pos;       /* the chunk behind would begin here */
    uint64_t units;   /* estimate of all text before pos */
    uint64_t key;     /* hash of the text around: orders equal strengths */
    uint8_t strength; /* rag_chunk_strength */
    bool carries;     /* the text up to the next candidate may be repeated as
                       * overlap */
} rag_chunk_cand;

typedef struct rag_chunk_limits { /* all in units */
    uint64_t min;                 /* of a chunk's own text (without overlap) */
    uint64_t max;                 /* of a chunk with its overlap */
    uint64_t overlap;             /* longest overlap */
    uint64_t section; /* shortest section that is cut from its neighbours */
} rag_chunk_limits;

/* Receives chunks in order: [start, end) tiles the region; overlap <= start
 * is where the repeated text begins. */
typedef rag_status (*rag_chunk_sink)(void *ctx, size_t overlap, size_t start,
                                     size_t end, rag_error *err);

typedef struct rag_chunk_cutter {
    rag_chunk_limits lim;
    rag_chunk_sink sink;
    void *sink_ctx;
    rag_chunk_cand *cands; /* [n_cands] cands[0] is where the segment begins */
    size_t n_cands, cap_cands;
    struct rag_chunk_open
        *open; /* [n_open] possible anchors, strongest first */
    size_t first_open, n_open, cap_open;
    uint32_t *order; /* [cap_order] scratch of one segment */
    size_t cap_order;
    uint32_t *cuts; /* [n_cuts] indices into cands, ascending */
    size_t n_cuts, cap_cuts;
    size_t carried; /* overlap of the segment's first chunk; SIZE_MAX: none */
    uint64_t carried_units;
} rag_chunk_cutter;

void rag_chunk_cutter_init(rag_chunk_cutter *c, const rag_chunk_limits *lim,
                           rag_chunk_sink sink, void *sink_ctx);
void rag_chunk_cutter_dispose(rag_chunk_cutter *c);
/* A region is cut on its own: begin, any number of push in ascending order,
 * end. at->pos is the region's first byte. */
RAG_NODISCARD rag_status rag_chunk_cutter_begin(rag_chunk_cutter *c,
                                                const rag_chunk_cand *at,
                                                rag_error *err);
RAG_NODISCARD rag_status rag_chunk_cutter_push(rag_chunk_cutter *c,
                                               const rag_chunk_cand *cand,
                                               rag_error *err);
RAG_NODISCARD rag_status rag_chunk_cutter_end(rag_chunk_cutter *c, size_t pos,
                                              uint64_t units, rag_error *err);

/* ---- heads ---- */

typedef struct rag_chunk_head {
    size_t block; /* index of its block */
    size_t pos;   /* where its line begins */
    uint64_t units;
    uint64_t key;  /* of the text around it, without headings */
    uint64_t name; /* hash of the heading, only for equal keys */
    uint32_t level;
    bool weak; /* a heading stands right before it */
    bool cut;  /* a region begins here */
} rag_chunk_head;

/* The part of the text that keys may look at: what lies between headings. */
typedef struct rag_chunk_window {
    size_t lo;
    size_t hi;
} rag_chunk_window;

/* What orders boundaries of one strength: the text from `after` decides, so
 * that a line that comes or goes leaves the boundary behind it as it is; the
 * text up to `before` only where lines begin alike. */
uint64_t rag_chunk_key(const rag_doc *doc, const rag_chunk_window *w,
                       size_t before, size_t after);

/* Start of the line that a block begins in, but not before `from`: a list's
 * or quote's mark belongs to it. */
size_t rag_chunk_line_start(const rag_doc *doc, size_t from, size_t at);

/* Counts a heading: a fixed weight; false when it is too long for one and was
 * counted as text. */
bool rag_chunk_meter_heading(rag_chunk_meter *m, const rag_doc *doc,
                             size_t start, size_t end);

/* Called with the blocks [from, to) and the text [start, end) between two
 * blocks that stand apart (front matter, the header of a record table). */
typedef rag_status (*rag_chunk_region_fn)(void *ctx, size_t from, size_t to,
                                          size_t start, size_t end,
                                          rag_error *err);
RAG_NODISCARD rag_status rag_chunk_regions(const rag_doc *doc,
                                           rag_chunk_region_fn fn, void *ctx,
                                           rag_error *err);

/* *out: [*n_heads] all headings in order, rag_free(); NULL when there are
 * none. section: the least size of a section that is cut off, in units. */
RAG_NODISCARD rag_status rag_chunk_find_heads(rag_chunk_head **out,
                                              size_t *n_heads,
                                              const rag_doc *doc,
                                              uint64_t section, rag_error *err);

/* ---- strength ---- */

static inline bool rag_chunk_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Strength of the line break before `next` in plain text; the line before it
 * begins at `line`. ended: it closes a sentence. */
unsigned rag_chunk_line_strength(const rag_doc *doc, size_t line, size_t next,
                                 bool ended);

/* Strength of the boundary between the sentence [sentence, end) and the next
 * one at `next`, both in [from, to); *pos: where to cut, behind the line
 * breaks. plain: text that no reader has divided. */
unsigned rag_chunk_sentence_strength(size_t *pos, const rag_doc *doc,
                                     size_t from, size_t to, size_t sentence,
                                     size_t end, size_t next, bool plain);

/* Strength of the boundary between two neighbouring blocks; false: there is
 * none. */
bool rag_chunk_block_strength(unsigned *strength, const rag_doc *doc,
                              const rag_block *prev, const rag_block *b);

/* ---- scan ---- */

/* Feeds all of doc through a cutter with this sink. */
RAG_NODISCARD rag_status rag_chunk_scan(const rag_doc *doc,
                                        const rag_chunk_limits *lim,
                                        rag_chunk_sink sink, void *ctx,
                                        rag_error *err);

#endif /* RAG_DOC_CHUNK_PRIV_H */
