#include "chunk_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/*
 * Headings are decided first and for the whole document, strongest level
 * first: a section is cut from its neighbours when both sides are long enough,
 * so that small sections stay together with their siblings. Equal levels go by
 * a hash of the text beside them, as boundaries do inside sections
 * (chunk_cut.c), and for the same reason.
 *
 * The words of a heading change no boundary: a heading weighs HEADING_TOKENS
 * whatever it says, and keys leave headings out. So a changed heading changes
 * only the chunks that hold it or stand under it.
 */

/* a heading's weight, and up to where it is taken for one */
#define HEADING_TOKENS 10u
#define HEADING_MAX_TOKENS 64u
/* the size of sections is needed roughly only: a quarter of a token a byte is
 * near for Korean and English alike, and saves counting the text twice */
#define UNITS_PER_BYTE (RAG_CHUNK_UNITS / 4)
/* bytes on both sides of a boundary that make its key */
#define KEY_BYTES 48u

/* ---- what scanning shares ---- */

size_t rag_chunk_line_start(const rag_doc *doc, size_t from, size_t at)
{
    const char *nl;

    if (at <= from)
        return at;
    nl = memrchr(doc->text + from, '\n', at - from);
    return nl != NULL ? (size_t)(nl + 1 - doc->text) : at;
}

bool rag_chunk_meter_heading(rag_chunk_meter *m, const rag_doc *doc,
                             size_t start, size_t end)
{
    const char *text_end = doc->text + doc->text_len;
    rag_chunk_meter own = {0};

    rag_chunk_meter_add(&own, doc->text + start, doc->text + end, text_end);
    if (own.units > (uint64_t)HEADING_MAX_TOKENS * RAG_CHUNK_UNITS) {
        rag_chunk_meter_add(m, doc->text + start, doc->text + end, text_end);
        return false;
    }
    m->units += (uint64_t)HEADING_TOKENS * RAG_CHUNK_UNITS;
    m->state = 0;
    m->last = '\n';
    return true;
}

uint64_t rag_chunk_key(const rag_doc *doc, const rag_chunk_window *w,
                       size_t before, size_t after)
{
    size_t lo = before > w->lo + KEY_BYTES ? before - KEY_BYTES : w->lo;
    size_t hi = after + KEY_BYTES < w->hi ? after + KEY_BYTES : w->hi;
    uint64_t a = lo < before ? rag_hash_fast(doc->text + lo, before - lo) : 0;
    uint64_t b = after < hi ? rag_hash_fast(doc->text + after, hi - after) : 1;

    return (b & ~(uint64_t)0xFFFF) | (a & 0xFFFF);
}

/* Does block i stand in no region? Front matter; the header of a record table,
 * which is repeated with its rows. */
static bool is_apart(const rag_doc *doc, size_t i)
{
    const rag_block *b = &doc->blocks[i];

    if (b->kind == RAG_BLOCK_META)
        return true;
    return b->kind == RAG_BLOCK_TABLE_HEAD &&
           (doc->type == RAG_DOC_CSV || doc->type == RAG_DOC_TSV) &&
           i + 1 < doc->n_blocks && b[1].kind == RAG_BLOCK_TABLE_ROW;
}

rag_status rag_chunk_regions(const rag_doc *doc, rag_chunk_region_fn fn,
                             void *ctx, rag_error *err)
{
    size_t from = 0;
    size_t start = 0;
    rag_status st = RAG_OK;

    for (size_t i = 0; i <= doc->n_blocks; i++) {
        bool last = i == doc->n_blocks;
        size_t end = last ? doc->text_len : doc->blocks[i].start;

        if (!last && !is_apart(doc, i))
            continue;
        if (end > start)
            TRY(fn(ctx, from, i, start, end, err));
        if (!last) {
            from = i + 1;
            start = doc->blocks[i].end;
        }
    }
out:
    return st;
}

/* ---- which headings are cut at ---- */

typedef struct finding {
    const rag_doc *doc;
    uint64_t section; /* least size of a section, in units */
    rag_chunk_head *heads;
    size_t n_heads;
} finding;

/* Keys of the headings of a region, when all their positions are known. */
static void key_heads(const rag_doc *doc, rag_chunk_head *heads, size_t n,
                      size_t start, size_t end)
{
    for (size_t i = n; i-- > 0;) {
        const rag_block *b = &doc->blocks[heads[i].block];
        bool bare = i + 1 < n && heads[i + 1].block == heads[i].block + 1;
        rag_chunk_window w = {start, end};

        if (i != 0)
            w.lo = doc->blocks[heads[i - 1].block].end;
        if (i + 1 < n)
            w.hi = heads[i + 1].pos;
        heads[i].weak = i != 0 && heads[i - 1].block + 1 == heads[i].block;
        heads[i].name = rag_hash_fast(doc->text + b->start, b->end - b->start);
        /* a heading without text of its own looks on to the next */
        heads[i].key =
            rag_chunk_key(doc, &w, heads[i].pos, bare ? doc->text_len : b->end);
        if (bare)
            heads[i].key ^= heads[i + 1].key;
    }
}

static int head_rank(const void *x, const void *y, void *ctx)
{
    const rag_chunk_head *heads = ctx;
    const rag_chunk_head *a = &heads[*(const uint32_t *)x];
    const rag_chunk_head *b = &heads[*(const uint32_t *)y];

    if (a->level != b->level)
        return a->level < b->level ? -1 : 1;
    if (a->key != b->key)
        return a->key > b->key ? -1 : 1;
    if (a->name != b->name)
        return a->name > b->name ? -1 : 1;
    return a->block < b->block ? -1 : 1;
}

/* Are both sections that a cut at heads[i] would leave long enough? Headings
 * weigh something, so few of them lie within that reach. */
static bool head_fits(const finding *f, const rag_chunk_head *heads, size_t n,
                      size_t i, const uint64_t units[2])
{
    uint64_t at = heads[i].units;
    uint64_t left = at - units[0];
    uint64_t right = units[1] - at;

    for (size_t k = i; k-- > 0 && at - heads[k].units < f->section;)
        if (heads[k].cut) {
            left = at - heads[k].units;
            break;
        }
    for (size_t k = i + 1; k < n && heads[k].units - at < f->section; k++)
        if (heads[k].cut) {
            right = heads[k].units - at;
            break;
        }
    return left >= f->section && right >= f->section;
}

/* Decides which of the headings of one region it is cut at; the region goes
 * from units[0] to units[1]. */
static rag_status cut_heads(const finding *f, rag_chunk_head *heads, size_t n,
                            const uint64_t units[2], rag_error *err)
{
    uint32_t *order = rag_realloc_array(NULL, n, sizeof *order);

    if (order == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, n, sizeof *order, head_rank, heads);
    for (size_t k = 0; k < n; k++) {
        rag_chunk_head *h = &heads[order[k]];

        h->cut = !h->weak && head_fits(f, heads, n, order[k], units);
    }
    rag_free(order);
    return RAG_OK;
}

/* Places, weighs and decides the headings among the blocks of a region. */
static rag_status find_heads(void *ctx, size_t from, size_t to, size_t start,
                             size_t end, rag_error *err)
{
    finding *f = ctx;
    const rag_doc *doc = f->doc;
    rag_chunk_head *heads = f->heads + f->n_heads;
    uint64_t units[2] = {0, 0};
    uint64_t heavy = 0; /* of all headings so far, */
    size_t bare = 0;    /* and their bytes */
    size_t n = 0;

    for (size_t i = from; i < to; i++) {
        const rag_block *b = &doc->blocks[i];
        rag_chunk_head *h = &heads[n];

        if (b->kind != RAG_BLOCK_HEADING)
            continue;
        memset(h, 0, sizeof *h);
        h->block = i;
        h->pos =
            rag_chunk_line_start(doc, i > from ? b[-1].end : start, b->start);
        h->level = b->level < 1 ? 1 : b->level > 6 ? 6 : b->level;
        h->units = (h->pos - start - bare) * UNITS_PER_BYTE + heavy;
        heavy += (uint64_t)HEADING_TOKENS * RAG_CHUNK_UNITS;
        bare += b->end - h->pos;
        n++;
    }
    if (n == 0)
        return RAG_OK;
    f->n_heads += n;
    units[1] = (end - start - bare) * UNITS_PER_BYTE + heavy;
    key_heads(doc, heads, n, start, end);
    return cut_heads(f, heads, n, units, err);
}

rag_status rag_chunk_find_heads(rag_chunk_head **out, size_t *n_heads,
                                const rag_doc *doc, uint64_t section,
                                rag_error *err)
{
    finding f = {.doc = doc, .section = section};
    size_t n = 0;
    rag_status st = RAG_OK;

    *out = NULL;
    *n_heads = 0;
    for (size_t i = 0; i < doc->n_blocks; i++)
        n += doc->blocks[i].kind == RAG_BLOCK_HEADING;
    if (n == 0)
        return RAG_OK;
    f.heads = rag_realloc_array(NULL, n, sizeof *f.heads);
    if (f.heads == NULL)
        return rag_fail_nomem(err);
    TRY(rag_chunk_regions(doc, find_heads, &f, err));
    *out = f.heads;
    *n_heads = f.n_heads;
    f.heads = NULL;
out:
    rag_free(f.heads);
    return st;
}
