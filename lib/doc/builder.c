#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "doc/reader.h"

/* a title or heading longer than this is no title; a cut one still names it */
#define MAX_WORDS_BYTES ((size_t)1000)
/* one value of front matter or of a <meta>: enough for a description */
#define MAX_META_BYTES ((size_t)2000)

struct rag_builder_heading {
    uint32_t block;
    rag_str words;
};

static void fail(rag_builder *b, rag_status why)
{
    if (b->failed == RAG_OK)
        b->failed = why;
}

rag_status rag_builder_init(rag_builder *b, rag_doc_type type,
                            size_t max_text_bytes, rag_error *err)
{
    memset(b, 0, sizeof *b);
    rag_buf_init(&b->text, max_text_bytes);
    b->doc = rag_calloc(1, sizeof *b->doc);
    if (b->doc == NULL)
        return rag_fail_nomem(err);
    rag_arena_init(&b->doc->arena);
    b->doc->type = type;
    b->doc->warnings = rag_arena_array(&b->doc->arena, RAG_BUILDER_MAX_WARNINGS,
                                       sizeof *b->doc->warnings);
    if (b->doc->warnings == NULL) {
        rag_builder_dispose(b);
        return rag_fail_nomem(err);
    }
    return RAG_OK;
}

void rag_builder_dispose(rag_builder *b)
{
    rag_doc_free(b->doc);
    b->doc = NULL;
    rag_buf_dispose(&b->text);
    rag_free(b->headings);
    rag_free(b->blocks);
    rag_free(b->pages);
    b->headings = NULL;
    b->blocks = NULL;
    b->pages = NULL;
    b->n_headings = b->n_blocks = b->n_pages = 0;
    b->cap_headings = b->cap_blocks = b->cap_pages = 0;
}

uint32_t rag_builder_block(rag_builder *b, rag_block_kind kind, size_t start,
                           size_t end, uint32_t level, uint32_t head)
{
    rag_block *k;

    if (end <= start || b->failed != RAG_OK)
        return UINT32_MAX;
    if (b->n_blocks >= UINT32_MAX - 1) {
        fail(b, RAG_E_LIMIT);
        return UINT32_MAX;
    }
    if (!rag_mem_grow(&b->blocks, &b->cap_blocks, b->n_blocks + 1,
                      sizeof *b->blocks)) {
        fail(b, RAG_E_NOMEM);
        return UINT32_MAX;
    }
    k = &b->blocks[b->n_blocks];
    *k = (rag_block){
        .start = start, .end = end, .kind = kind, .level = level, .head = head};
    return (uint32_t)b->n_blocks++;
}

/* White space collapsed, cut to a sane length, valid UTF-8, in the arena. */
static rag_str words_of(rag_builder *b, rag_str s, size_t max_bytes)
{
    rag_buf flat;
    rag_str out = {NULL, 0};
    bool gap = false;

    rag_buf_init(&flat, max_bytes * 4);
    for (size_t i = 0; i < s.len && flat.len < max_bytes;) {
        uint32_t cp;
        char bytes[4];

        i += rag_utf8_decode(&cp, NULL, rag_str_cut(s, i, s.len));
        if (rag_utf8_is_space(cp) || cp < 0x20 || cp == 0xFEFF) {
            gap = flat.len != 0;
            continue;
        }
        if (gap)
            rag_buf_addc(&flat, ' ');
        gap = false;
        rag_buf_add(&flat, bytes, rag_utf8_encode(bytes, cp));
    }
    if (flat.failed != RAG_OK ||
        !rag_arena_str(&b->doc->arena, &out, rag_buf_str(&flat)))
        fail(b, RAG_E_NOMEM);
    rag_buf_dispose(&flat);
    return out;
}

uint32_t rag_builder_heading(rag_builder *b, size_t start, size_t end,
                             uint32_t level, rag_str words)
{
    uint32_t at =
        rag_builder_block(b, RAG_BLOCK_HEADING, start, end, level, UINT32_MAX);

    if (at == UINT32_MAX)
        return at;
    if (!rag_mem_grow(&b->headings, &b->cap_headings, b->n_headings + 1,
                      sizeof *b->headings)) {
        fail(b, RAG_E_NOMEM);
        return UINT32_MAX;
    }
    b->headings[b->n_headings].block = at;
    b->headings[b->n_headings].words = words_of(b, words, MAX_WORDS_BYTES);
    b->n_headings++;
    return at;
}

void rag_builder_page(rag_builder *b, size_t start)
{
    if (!rag_mem_grow(&b->pages, &b->cap_pages, b->n_pages + 1,
                      sizeof *b->pages)) {
        fail(b, RAG_E_NOMEM);
        return;
    }
    assert(b->n_pages == 0 || b->pages[b->n_pages - 1] <= start);
    b->pages[b->n_pages++] = start;
}

void rag_builder_warn(rag_builder *b, const char *fmt, ...)
{
    char line[512];
    char *copy;
    va_list ap;
    int n;

    if (b->doc->n_warnings == RAG_BUILDER_MAX_WARNINGS)
        return;
    va_start(ap, fmt);
    n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0)
        return; /* only a broken format, which the compiler has checked */
    copy = rag_arena_strdup(&b->doc->arena, line);
    if (copy == NULL)
        fail(b, RAG_E_NOMEM);
    else
        b->doc->warnings[b->doc->n_warnings++] = copy;
}

void rag_builder_meta(rag_builder *b, rag_str key, rag_str value)
{
    rag_doc *d = b->doc;

    if (d->n_meta == RAG_BUILDER_MAX_META || key.len == 0 || value.len == 0)
        return;
    if (d->meta_keys == NULL) {
        d->meta_keys = rag_arena_array(&d->arena, RAG_BUILDER_MAX_META,
                                       sizeof *d->meta_keys);
        d->meta_values = rag_arena_array(&d->arena, RAG_BUILDER_MAX_META,
                                         sizeof *d->meta_values);
        if (d->meta_keys == NULL || d->meta_values == NULL) {
            fail(b, RAG_E_NOMEM);
            return;
        }
    }
    d->meta_keys[d->n_meta] = words_of(b, key, MAX_META_BYTES);
    d->meta_values[d->n_meta] = words_of(b, value, MAX_META_BYTES);
    if (d->meta_keys[d->n_meta].len != 0 && d->meta_values[d->n_meta].len != 0)
        d->n_meta++;
}

void rag_builder_title(rag_builder *b, rag_str title)
{
    if (b->doc->title.len == 0)
        b->doc->title = words_of(b, title, MAX_WORDS_BYTES);
}

static bool all_space(rag_str s)
{
    for (size_t i = 0; i < s.len;) {
        uint32_t cp;

        i += rag_utf8_decode(&cp, NULL, rag_str_cut(s, i, s.len));
        if (!rag_utf8_is_space(cp) && !rag_utf8_is_invisible(cp))
            return false;
    }
    return true;
}

/* A block starts behind white space or markup; a combining mark there would
 * belong to the space before it. Such an edge moves outwards, but never into
 * the block before. */
static void settle_edges(rag_builder *b, rag_str text)
{
    size_t prev_end = 0;

    for (size_t i = 0; i < b->n_blocks; i++) {
        rag_block *k = &b->blocks[i];

        assert(k->start >= prev_end && k->end <= text.len);
        if ((unsigned char)text.ptr[k->start] >= 0x80)
            k->start = rag_utf8_grapheme_floor(text, k->start);
        if (k->start < prev_end)
            k->start = prev_end;
        if (k->end < text.len && (unsigned char)text.ptr[k->end] >= 0x80)
            k->end = rag_utf8_grapheme_ceil(text, k->end);
        if (k->end < k->start)
            k->end = k->start;
        prev_end = k->end;
    }
}

/* Everything but the text moves into the document's arena. */
static bool move_arrays(rag_builder *b)
{
    rag_doc *d = b->doc;

    if (b->n_blocks != 0) {
        d->blocks = rag_arena_array(&d->arena, b->n_blocks, sizeof *d->blocks);
        if (d->blocks == NULL)
            return false;
        memcpy(d->blocks, b->blocks, b->n_blocks * sizeof *d->blocks);
        d->n_blocks = b->n_blocks;
    }
    if (b->n_headings != 0) {
        d->heading_texts =
            rag_arena_array(&d->arena, b->n_blocks, sizeof *d->heading_texts);
        if (d->heading_texts == NULL)
            return false;
        for (size_t i = 0; i < b->n_headings; i++)
            d->heading_texts[b->headings[i].block] = b->headings[i].words;
    }
    if (b->n_pages != 0) {
        d->page_starts =
            rag_arena_array(&d->arena, b->n_pages, sizeof *d->page_starts);
        if (d->page_starts == NULL)
            return false;
        memcpy(d->page_starts, b->pages, b->n_pages * sizeof *b->pages);
        d->n_pages = b->n_pages;
    }
    return true;
}

rag_status rag_builder_finish(rag_doc **out, rag_builder *b, rag_error *err)
{
    rag_doc *d = b->doc;

    *out = NULL;
    if (b->text.failed != RAG_OK)
        return rag_buf_status(&b->text, err);
    if (b->failed == RAG_E_NOMEM)
        return rag_fail_nomem(err);
    if (b->failed != RAG_OK)
        return rag_fail(err, b->failed, "more than %u blocks of text",
                        UINT32_MAX - 1);
    if (all_space(rag_buf_str(&b->text)))
        return rag_fail(err, RAG_E_EMPTY, "empty");
    settle_edges(b, rag_buf_str(&b->text));
    if (!move_arrays(b))
        return rag_fail_nomem(err);
    d->text = rag_buf_take(&b->text, &d->text_len);
    if (d->text == NULL)
        return rag_fail_nomem(err);
    b->doc = NULL;
    *out = d;
    rag_builder_dispose(b);
    return RAG_OK;
}
