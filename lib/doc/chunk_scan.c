#include "chunk_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/sentence.h"
#include "base/utf8.h"

/*
 * A document's text becomes candidates for boundaries, each with its strength,
 * the tokens before it and a key made of the text on both sides. Each piece
 * between two headings that are cut at is a region of its own for the cutter.
 */

/* text between two candidates longer than this gets candidates inside */
#define INSIDE_TOKENS 150u
/* text that no block covers is searched for boundaries from this length on */
#define GAP_BYTES 400u
/* inside a run without white space longer than this every character may be a
 * boundary */
#define LONG_WORD_BYTES 192u
/* of the boundaries inside text one in 4 words, one in 8 characters is a
 * candidate, by its key; at the latest after so many bytes */
#define INSIDE_MAX_BYTES 160u
/* names of a table's header that count for every row, see chunk_text.c */
#define ROW_NAMES_BYTES 512u

typedef struct scan {
    const rag_doc *doc;
    rag_chunk_cutter cutter;
    rag_chunk_meter meter; /* of all text before `metered` */
    size_t metered;
    size_t last; /* position of the last candidate */
    /* the text behind the last candidate or heading, for candidates inside */
    size_t inside;
    rag_chunk_meter inside_meter;
    bool carries;            /* what is scanned now may be overlap */
    rag_chunk_window window; /* that keys look at */
    size_t page;             /* pages that begin before the current block */
    rag_chunk_head *heads;   /* [n_heads] in order */
    size_t n_heads;
    uint32_t row_head; /* the table whose names weigh row_units a row */
    uint64_t row_units;
    uint64_t first; /* units where the region began */
} scan;

/* ---- small helpers ---- */

static void advance(scan *s, size_t to)
{
    if (to > s->metered) {
        rag_chunk_meter_add(&s->meter, s->doc->text + s->metered,
                            s->doc->text + to, s->doc->text + s->doc->text_len);
        s->metered = to;
    }
}

static bool is_boundary(const scan *s, size_t at)
{
    rag_str text = {s->doc->text, s->doc->text_len};

    if (at >= text.len || ((unsigned char)text.ptr[at] & 0xC0) == 0x80)
        return false;
    /* nothing joins printable ASCII to what stands before but a prepended
     * mark, and that is not white space */
    if (at != 0 && (unsigned char)text.ptr[at] < 0x80 &&
        (unsigned char)text.ptr[at - 1] < 0x80)
        return text.ptr[at] != '\n';
    return rag_utf8_is_grapheme_break(text, at);
}

/* ---- candidates ---- */

static rag_status push_at(scan *s, size_t pos, unsigned strength,
                          const rag_chunk_meter *m, rag_error *err)
{
    rag_chunk_cand cand = {0};

    cand.pos = pos;
    cand.units = m->units;
    cand.key = rag_chunk_key(s->doc, &s->window, pos, pos);
    cand.strength = (uint8_t)strength;
    cand.carries = s->carries;
    return rag_chunk_cutter_push(&s->cutter, &cand, err);
}

/* Is there a boundary inside the text at `at`? A word's begin, inside a very
 * long word (begun at *word) a place behind punctuation or any character. */
static bool inside_strength(unsigned *strength, const scan *s, size_t *word,
                            size_t at)
{
    char before = s->doc->text[at - 1];

    if (rag_chunk_is_blank(before)) {
        *word = at;
        *strength = RAG_CUT_WORD;
        return !rag_chunk_is_blank(s->doc->text[at]);
    }
    if (at - *word < LONG_WORD_BYTES)
        return false;
    *strength = RAG_CUT_GRAPHEME;
    if (before != '\0' && strchr(",;)}]>&|/", before) != NULL)
        *strength = RAG_CUT_WORD;
    return true;
}

/* Candidates inside [s->inside, end), where no better ones are. Which of the
 * many are taken depends on the text around each. */
static rag_status push_inside(scan *s, size_t end, rag_error *err)
{
    rag_chunk_meter m = s->inside_meter;
    size_t metered = s->inside;
    size_t last = s->inside;
    size_t word = s->inside;
    rag_status st = RAG_OK;

    for (size_t at = s->inside + 1; st == RAG_OK && at < end; at++) {
        unsigned strength = RAG_CUT_GRAPHEME;
        unsigned mask;
        size_t lo = at - s->inside > 12 ? at - 12 : s->inside;

        if (!inside_strength(&strength, s, &word, at))
            continue;
        mask = strength == RAG_CUT_WORD ? 3 : 7;
        if (at - last < INSIDE_MAX_BYTES &&
            (rag_hash_fast(s->doc->text + lo, at - lo) & mask) != 0)
            continue;
        if (!is_boundary(s, at))
            continue;
        rag_chunk_meter_add(&m, s->doc->text + metered, s->doc->text + at,
                            s->doc->text + s->doc->text_len);
        metered = last = at;
        st = push_at(s, at, strength, &m, err);
    }
    return st;
}

/* Brings the scan to pos: candidates inside the text since the last one. */
static rag_status reach(scan *s, size_t pos, rag_error *err)
{
    advance(s, pos);
    if (s->meter.units - s->inside_meter.units >
        (uint64_t)INSIDE_TOKENS * RAG_CHUNK_UNITS)
        return push_inside(s, pos, err);
    return RAG_OK;
}

static void passed(scan *s, size_t pos)
{
    s->last = pos;
    s->inside = pos;
    s->inside_meter = s->meter;
}

/* A candidate at pos. `carries`: the text behind it may be overlap. */
static rag_status push(scan *s, size_t pos, unsigned strength, bool carries,
                       rag_error *err)
{
    rag_status st;

    if (pos <= s->last)
        return RAG_OK;
    TRY(reach(s, pos, err));
    s->carries = carries;
    TRY(push_at(s, pos, strength, &s->meter, err));
    passed(s, pos);
out:
    return st;
}

/* ---- running text ---- */

/* Line breaks inside the sentence [at, end). */
static rag_status push_wraps(scan *s, size_t at, size_t end, bool plain,
                             rag_error *err)
{
    const char *text = s->doc->text;
    size_t line = at;
    rag_status st = RAG_OK;

    while (st == RAG_OK && at < end) {
        const char *nl = memchr(text + at, '\n', end - at);
        size_t next;

        if (nl == NULL)
            break;
        next = (size_t)(nl - text) + 1;
        if (next >= end)
            break;
        st = push(s, next,
                  plain ? rag_chunk_line_strength(s->doc, line, next, false)
                        : RAG_CUT_WRAP,
                  true, err);
        at = line = next;
    }
    return st;
}

/* Sentences and lines of [from, to). plain: text that no reader has divided,
 * where blank lines and line breaks speak. */
static rag_status scan_text(scan *s, size_t from, size_t to, bool plain,
                            rag_error *err)
{
    rag_str text = {s->doc->text, to};
    size_t at = from;
    rag_status st = RAG_OK;

    while (st == RAG_OK && at < to) {
        size_t end = rag_sentence_end(text, at);
        size_t next = end;
        size_t pos;
        unsigned strength;

        while (next < to && rag_chunk_is_blank(text.ptr[next]))
            next++;
        st = push_wraps(s, at, end, plain, err);
        if (st != RAG_OK || next >= to)
            break;
        strength = rag_chunk_sentence_strength(&pos, s->doc, from, to, at, end,
                                               next, plain);
        if (is_boundary(s, pos))
            st = push(s, pos, strength, true, err);
        at = next > at ? next : at + 1;
    }
    return st;
}

/* Lines of a listing. The fence lines stay with the code. */
static rag_status scan_code(scan *s, size_t from, size_t to, rag_error *err)
{
    const char *text = s->doc->text;
    bool fenced = to - from > 3 && (memcmp(text + from, "```", 3) == 0 ||
                                    memcmp(text + from, "~~~", 3) == 0);
    bool blank = false;
    bool first = true;
    size_t at = from;

    while (at < to) {
        const char *nl = memchr(text + at, '\n', to - at);
        size_t next = nl != NULL ? (size_t)(nl - text) + 1 : to;
        size_t i = next;
        bool closing;

        while (i < to && (text[i] == ' ' || text[i] == '\t'))
            i++;
        if (i >= to)
            break;
        closing = fenced && memchr(text + i, '\n', to - i) == NULL &&
                  (text[i] == '`' || text[i] == '~');
        if (text[i] == '\n' || text[i] == '\r') {
            blank = true;
        } else if (!(first && fenced) && !closing) {
            rag_status st =
                push(s, next, blank ? RAG_CUT_SENT : RAG_CUT_LINE, false, err);

            if (st != RAG_OK)
                return st;
            blank = false;
        }
        first = false;
        at = next;
    }
    return RAG_OK;
}

/* ---- blocks ---- */

/* Does a page begin behind the `to` of the last call and not behind this? */
static bool page_begins(scan *s, size_t to)
{
    size_t before = s->page;

    while (s->page < s->doc->n_pages && s->doc->page_starts[s->page] <= to)
        s->page++;
    return s->page != before;
}

static bool is_prose(rag_block_kind kind)
{
    return kind == RAG_BLOCK_PARA || kind == RAG_BLOCK_ITEM;
}

/* What every row of a record table costs more than its text, because the names
 * of its columns are repeated beside the values. */
static uint64_t row_units(const rag_doc *doc, uint32_t row_head)
{
    rag_chunk_meter m = {0};
    const rag_block *b;
    size_t len;

    if ((doc->type != RAG_DOC_CSV && doc->type != RAG_DOC_TSV) ||
        row_head >= doc->n_blocks)
        return 0;
    b = &doc->blocks[row_head];
    len = b->end - b->start;
    if (len > ROW_NAMES_BYTES)
        len = ROW_NAMES_BYTES;
    rag_chunk_meter_add(&m, doc->text + b->start, doc->text + b->start + len,
                        doc->text + doc->text_len);
    return m.units;
}

static rag_status scan_block(scan *s, const rag_block *b, rag_error *err)
{
    if (is_prose(b->kind))
        return scan_text(s, b->start, b->end, false, err);
    if (b->kind == RAG_BLOCK_CODE)
        return scan_code(s, b->start, b->end, err);
    if (b->kind == RAG_BLOCK_TABLE_ROW && b->head != UINT32_MAX) {
        if (b->head != s->row_head) {
            s->row_head = b->head;
            s->row_units = row_units(s->doc, b->head);
        }
        advance(s, b->start);
        s->meter.units += s->row_units;
    }
    return RAG_OK;
}

/* Text that belongs to no block (markup, link definitions): only when it is
 * long does it matter where it is cut. */
static rag_status scan_gap(scan *s, size_t from, size_t to, rag_error *err)
{
    return to > from && to - from > GAP_BYTES
               ? scan_text(s, from, to, true, err)
               : RAG_OK;
}

static rag_status begin_region(scan *s, size_t pos, rag_error *err)
{
    rag_chunk_cand at = {0};

    advance(s, pos);
    at.pos = pos;
    at.units = s->meter.units;
    at.strength = RAG_CUT_BLOCK;
    at.carries = s->carries;
    s->first = at.units;
    passed(s, pos);
    return rag_chunk_cutter_begin(&s->cutter, &at, err);
}

static rag_status end_region(scan *s, size_t pos, rag_error *err)
{
    rag_status st;

    TRY(reach(s, pos, err));
    TRY(rag_chunk_cutter_end(&s->cutter, pos, s->meter.units, err));
out:
    return st;
}

static rag_status scan_heading(scan *s, const rag_chunk_head *h, rag_error *err)
{
    const rag_block *b = &s->doc->blocks[h->block];
    rag_status st;

    TRY(reach(s, h->pos, err));
    s->carries = false;
    if (h->cut) {
        TRY(rag_chunk_cutter_end(&s->cutter, h->pos, s->meter.units, err));
        TRY(begin_region(s, h->pos, err));
    } else if (h->pos > s->last && s->meter.units > s->first) {
        rag_chunk_cand cand = {0};

        cand.pos = h->pos;
        cand.units = s->meter.units;
        cand.key = h->key;
        cand.strength =
            (uint8_t)(h->weak ? RAG_CUT_WRAP : RAG_CUT_HEADING + 6 - h->level);
        TRY(rag_chunk_cutter_push(&s->cutter, &cand, err));
        passed(s, h->pos);
    }
    advance(s, b->start);
    s->metered = b->end;
    if (rag_chunk_meter_heading(&s->meter, s->doc, b->start, b->end)) {
        s->inside = b->end;
        s->inside_meter = s->meter;
    }
    s->window.lo = b->end;
out:
    return st;
}

/* Where heading h begins, or `end` when it is not among the blocks before
 * `to`. */
static size_t next_head(const scan *s, size_t h, size_t to, size_t end)
{
    return h < s->n_heads && s->heads[h].block < to ? s->heads[h].pos : end;
}

/* Blocks [from, to) of one region, which is the text [start, end). */
static rag_status scan_region(void *ctx, size_t from, size_t to, size_t start,
                              size_t end, rag_error *err)
{
    scan *s = ctx;
    const rag_doc *doc = s->doc;
    size_t prev_end = start;
    size_t h = 0;
    rag_status st = RAG_OK;

    s->window.lo = start;
    if (s->metered < start)
        s->metered = start; /* what stands apart weighs nothing */
    s->carries = from < to && is_prose(doc->blocks[from].kind);
    while (h < s->n_heads && s->heads[h].block < from)
        h++;
    s->window.hi = next_head(s, h, to, end);
    TRY(begin_region(s, start, err));
    for (size_t i = from; i < to; i++) {
        const rag_block *b = &doc->blocks[i];
        const rag_block *prev = i > from ? b - 1 : NULL;
        size_t pos = rag_chunk_line_start(doc, prev_end, b->start);
        unsigned strength = RAG_CUT_BLOCK;

        TRY(scan_gap(s, prev_end, pos, err));
        prev_end = b->end;
        if (b->kind == RAG_BLOCK_HEADING) {
            page_begins(s, b->start);
            TRY(scan_heading(s, &s->heads[h++], err));
            s->window.hi = next_head(s, h, to, end);
            continue;
        }
        if (prev != NULL && prev->kind != RAG_BLOCK_HEADING &&
            rag_chunk_block_strength(&strength, doc, prev, b)) {
            if (page_begins(s, b->start) && strength >= RAG_CUT_SUBITEM)
                strength = RAG_CUT_PAGE;
            if (is_boundary(s, pos))
                TRY(push(s, pos, strength, is_prose(b->kind), err));
        }
        TRY(scan_block(s, b, err));
    }
    TRY(scan_gap(s, prev_end, end, err));
    TRY(end_region(s, end, err));
out:
    return st;
}

/* ---- the document ---- */

static rag_status scan_plain_region(scan *s, size_t start, size_t end,
                                    rag_error *err)
{
    rag_status st;

    s->window.lo = start;
    s->window.hi = end;
    s->carries = true;
    TRY(begin_region(s, start, err));
    TRY(scan_text(s, start, end, true, err));
    TRY(end_region(s, end, err));
out:
    return st;
}

rag_status rag_chunk_scan(const rag_doc *doc, const rag_chunk_limits *lim,
                          rag_chunk_sink sink, void *ctx, rag_error *err)
{
    scan s;
    rag_status st;

    memset(&s, 0, sizeof s);
    s.doc = doc;
    s.row_head = UINT32_MAX;
    rag_chunk_cutter_init(&s.cutter, lim, sink, ctx);
    if (doc->n_blocks == 0) {
        TRY(scan_plain_region(&s, 0, doc->text_len, err));
        goto out;
    }
    TRY(rag_chunk_find_heads(&s.heads, &s.n_heads, doc, lim->section, err));
    TRY(rag_chunk_regions(doc, scan_region, &s, err));
out:
    rag_free(s.heads);
    rag_chunk_cutter_dispose(&s.cutter);
    return st;
}
