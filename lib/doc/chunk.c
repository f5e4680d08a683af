#include "doc/chunk.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "chunk_priv.h"

/* the longest overlap, as a share of max_tokens. A chunk's own text may be a
 * quarter of that below min_tokens: the overlap makes up for it */
#define OVERLAP_SHARE 10
#define DEFAULT_MIN_TOKENS 250u
#define DEFAULT_MAX_TOKENS 400u
/* sections shorter than this stay with their siblings, in percent of min */
#define SECTION_PERCENT 60u
/* a table's header is repeated as context up to this length */
#define CONTEXT_BYTES 2048u

/* nothing so short is cut further: whatever it holds, that is fewer tokens than
 * half of a window */
#define SMALLEST_BYTES 200u

typedef struct work {
    const rag_doc *doc;
    const rag_chunk_opts *opts;
    rag_chunks *made;
    size_t cap_chunks;
    size_t *section_blocks; /* [n_sections] the heading's block */
    bool *own_text;         /* [n_sections] something stands right under it */
    size_t block;           /* first block that ends behind the last chunk */
    uint32_t section;       /* last section that begins before the last chunk */
} work;

/* ---- sections ---- */

/* Parents and spans; blocks that stand between heading i and the next are its
 * own text. */
static rag_status find_sections(work *w, rag_error *err)
{
    const rag_doc *doc = w->doc;
    rag_chunks *m = w->made;
    uint32_t open[6]; /* the last section of each level under which we are */
    size_t n_open = 0;
    size_t n = 0;

    for (size_t i = 0; i < doc->n_blocks; i++)
        n += doc->blocks[i].kind == RAG_BLOCK_HEADING;
    if (n == 0)
        return RAG_OK;
    m->sections = rag_calloc(n, sizeof *m->sections);
    w->section_blocks = rag_realloc_array(NULL, n, sizeof(size_t));
    w->own_text = rag_calloc(n, sizeof *w->own_text);
    if (m->sections == NULL || w->section_blocks == NULL ||
        w->own_text == NULL || n >= UINT32_MAX)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < doc->n_blocks; i++) {
        const rag_block *b = &doc->blocks[i];
        rag_section *s;

        if (b->kind != RAG_BLOCK_HEADING) {
            if (m->n_sections != 0 && b->kind != RAG_BLOCK_META)
                w->own_text[m->n_sections - 1] = true;
            continue;
        }
        s = &m->sections[m->n_sections];
        s->level = b->level < 1 ? 1 : b->level > 6 ? 6 : b->level;
        s->start = b->start;
        s->end = doc->text_len;
        if (doc->heading_texts != NULL)
            s->heading = doc->heading_texts[i];
        while (n_open != 0 && m->sections[open[n_open - 1]].level >= s->level)
            m->sections[open[--n_open]].end = b->start;
        s->parent = n_open != 0 ? open[n_open - 1] : UINT32_MAX;
        open[n_open++] = (uint32_t)m->n_sections; /* levels rise: at most 6 */
        w->section_blocks[m->n_sections++] = i;
    }
    return RAG_OK;
}

/* The section that both stand in. */
static uint32_t common(const rag_chunks *m, uint32_t a, uint32_t b)
{
    while (a != b) {
        if (a == UINT32_MAX || b == UINT32_MAX)
            return UINT32_MAX;
        /* parents come first, so the later one is the deeper one */
        if (a > b)
            a = m->sections[a].parent;
        else
            b = m->sections[b].parent;
    }
    return a;
}

/* The innermost section that holds all the text of [start, end) but for
 * headings. */
static uint32_t section_of(work *w, size_t start, size_t end)
{
    const rag_chunks *m = w->made;
    uint32_t all = UINT32_MAX;
    bool first = true;
    bool bare = true; /* only headings so far */

    while (w->section + 1 < m->n_sections &&
           m->sections[w->section + 1].start <= start)
        w->section++;
    if (m->n_sections == 0 || m->sections[0].start >= end)
        return UINT32_MAX;
    if (m->sections[0].start > start) { /* text before the first heading */
        rag_str before =
            rag_str_n(w->doc->text + start, m->sections[0].start - start);

        if (rag_str_trim(before).len != 0)
            return UINT32_MAX;
    }
    for (uint32_t i = w->section;
         i < m->n_sections && m->sections[i].start < end; i++) {
        const rag_block *b = &w->doc->blocks[w->section_blocks[i]];
        bool text = w->own_text[i] && b[1].start < end;

        if (text && bare) {
            all = i;
            bare = false;
        } else if (text || (bare && !first)) {
            all = common(m, all, i);
        } else if (bare) {
            all = i;
        }
        first = false;
    }
    return all;
}

/* ---- chunks ---- */

static bool is_space_at(size_t *n, rag_str s, size_t at)
{
    uint32_t cp;

    *n = rag_utf8_decode(&cp, NULL, rag_str_cut(s, at, s.len));
    return rag_utf8_is_space(cp) || cp == 0xFEFF;
}

/* Takes white space off both ends, but never a part of a grapheme. */
static void trim(const rag_doc *doc, size_t *start, size_t *end)
{
    rag_str s = {doc->text, *end};
    size_t from = *start;
    size_t before = from;
    size_t n;

    while (from < *end && is_space_at(&n, s, from)) {
        before = from;
        from += n;
    }
    s.len = doc->text_len;
    if (from < *end && from != *start && (unsigned char)s.ptr[from] >= 0x80 &&
        !rag_utf8_is_grapheme_break(s, from))
        from = before;
    while (*end > from) {
        size_t at = rag_utf8_floor(s, *end - 1);

        if (!is_space_at(&n, s, at))
            break;
        *end = at;
    }
    *start = from;
}

/* The header of the table that the chunk's first row belongs to, when it is
 * not in the chunk itself. */
static void set_context(work *w, rag_chunk *c, size_t own_start)
{
    const rag_doc *doc = w->doc;
    bool record = doc->type == RAG_DOC_CSV || doc->type == RAG_DOC_TSV;
    rag_str s = {doc->text, doc->text_len};

    while (w->block < doc->n_blocks && doc->blocks[w->block].end <= own_start)
        w->block++;
    for (size_t i = w->block;
         i < doc->n_blocks && doc->blocks[i].start < c->end; i++) {
        const rag_block *b = &doc->blocks[i];
        const rag_block *head;

        if (b->kind != RAG_BLOCK_TABLE_ROW || b->head >= doc->n_blocks)
            continue;
        head = &doc->blocks[b->head];
        /* the rest of a row cut in two has lost its columns */
        if (head->start >= c->start || (record && b->start < c->start))
            return;
        c->context_start = head->start;
        c->context_end = head->end;
        if (c->context_end - c->context_start > CONTEXT_BYTES)
            c->context_end =
                rag_utf8_grapheme_floor(s, c->context_start + CONTEXT_BYTES);
        return;
    }
}

/* A heading path no deeper than that: levels rise. */
#define MAX_PATH 8

/* Does the model read the chunk at once? */
static bool fits(const work *w, const rag_chunk *c)
{
    const rag_doc *doc = w->doc;
    rag_str path[MAX_PATH];
    rag_chunk_parts p = {
        .type = doc->type,
        .title = doc->title,
        .context = rag_str_n(doc->text + c->context_start,
                             c->context_end - c->context_start),
        .body = rag_str_n(doc->text + c->start, c->end - c->start)};
    size_t at = MAX_PATH;

    if (w->opts == NULL || w->opts->fits == NULL ||
        c->end - c->start <= SMALLEST_BYTES)
        return true;
    for (uint32_t i = c->section; i != UINT32_MAX && at != 0;
         i = w->made->sections[i].parent)
        path[--at] = w->made->sections[i].heading;
    p.headings = path + at;
    p.n_headings = MAX_PATH - at;
    return w->opts->fits(w->opts->fits_ctx, &p);
}

/* Where [start, end) is cut in two: a line's end near the middle, a space, a
 * grapheme's end. */
static size_t halve(const rag_doc *doc, size_t start, size_t end)
{
    static const char marks[] = {'\n', ' '};
    rag_str all = {doc->text, doc->text_len};
    size_t middle = start + (end - start) / 2;
    size_t reach = (end - start) / 4;

    for (size_t k = 0; k < sizeof marks; k++)
        for (size_t d = 0; d < 2 * reach; d++) { /* by turns on both sides */
            size_t at = d % 2 == 0 ? middle + d / 2 : middle - d / 2 - 1;

            if (doc->text[at] == marks[k] &&
                rag_utf8_is_grapheme_break(all, at + 1))
                return at + 1;
        }
    return rag_utf8_grapheme_floor(all, middle);
}

static rag_status take(void *ctx, size_t overlap, size_t start, size_t end,
                       rag_error *err)
{
    work *w = ctx;
    rag_chunks *m = w->made;
    rag_chunk *c;

    trim(w->doc, &start, &end);
    if (start >= end)
        return RAG_OK;
    if (!rag_mem_grow(&m->chunks, &w->cap_chunks, m->n_chunks + 1,
                      sizeof *m->chunks))
        return rag_fail_nomem(err);
    c = &m->chunks[m->n_chunks++];
    memset(c, 0, sizeof *c);
    c->start = overlap < start ? overlap : start;
    c->end = end;
    trim(w->doc, &c->start, &c->end);
    c->section = section_of(w, start, end);
    c->n_tokens =
        rag_chunk_tokens(rag_str_n(w->doc->text + c->start, c->end - c->start));
    set_context(w, c, start);
    if (!fits(w, c)) {
        size_t middle = halve(w->doc, start, end);
        rag_status st;

        if (middle <= start || middle >= end)
            return RAG_OK; /* a single grapheme */
        m->n_chunks--;
        st = take(w, start, start, middle, err);
        return st == RAG_OK ? take(w, middle, middle, end, err) : st;
    }
    return RAG_OK;
}

static rag_chunk_limits limits_of(const rag_chunk_opts *opts)
{
    uint64_t min = opts != NULL ? opts->min_tokens : 0;
    uint64_t max = opts != NULL ? opts->max_tokens : 0;
    rag_chunk_limits lim;

    if (min == 0)
        min = DEFAULT_MIN_TOKENS;
    if (max == 0)
        max = DEFAULT_MAX_TOKENS;
    if (max < min + min / 2) /* narrower, and little could be cut well */
        max = min + min / 2;
    lim.max = max * RAG_CHUNK_UNITS;
    lim.overlap = lim.max / OVERLAP_SHARE;
    lim.min = min * RAG_CHUNK_UNITS - lim.overlap / 4;
    lim.section = min * RAG_CHUNK_UNITS * SECTION_PERCENT / 100;
    return lim;
}

rag_status rag_chunk_doc(rag_chunks **out, const rag_doc *doc,
                         const rag_chunk_opts *opts, rag_error *err)
{
    const rag_chunk_limits lim = limits_of(opts);
    work w = {0};
    rag_status st;

    *out = NULL;
    w.doc = doc;
    w.opts = opts;
    w.made = rag_calloc(1, sizeof *w.made);
    if (w.made == NULL)
        return rag_fail_nomem(err);
    TRY(find_sections(&w, err));
    TRY(rag_chunk_scan(doc, &lim, take, &w, err));
    *out = w.made;
    w.made = NULL;
out:
    rag_free(w.section_blocks);
    rag_free(w.own_text);
    rag_chunks_free(w.made);
    return st;
}

void rag_chunks_free(rag_chunks *c)
{
    if (c == NULL)
        return;
    rag_free(c->chunks);
    rag_free(c->sections);
    rag_free(c);
}

const char *rag_chunk_version(void)
{
    return "chunk/2";
}
