#ifndef RAG_TESTS_CHUNK_DOC_H
#define RAG_TESTS_CHUNK_DOC_H

/*
 * chunk_doc — documents for tests of the chunker without a reader: a few marks
 * of Markdown become blocks ("# " headings, "- " items, "|" tables, fences,
 * front matter between "---" lines, paragraphs between blank lines).
 */

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "doc/chunk.h"

typedef struct made_doc {
    rag_doc doc;
    size_t cap_blocks;
    bool failed;
} made_doc;

static inline rag_block *made_block(made_doc *m, rag_block_kind kind,
                                    size_t start, size_t end)
{
    rag_doc *d = &m->doc;
    rag_block *b;

    if (!rag_mem_grow(&d->blocks, &m->cap_blocks, d->n_blocks + 1,
                      sizeof *d->blocks)) {
        m->failed = true;
        return NULL;
    }
    b = &d->blocks[d->n_blocks++];
    memset(b, 0, sizeof *b);
    b->kind = kind;
    b->start = start;
    b->end = end;
    b->head = UINT32_MAX;
    return b;
}

static inline rag_block_kind made_kind(rag_str line)
{
    if (rag_str_starts(line, "#"))
        return RAG_BLOCK_HEADING;
    if (rag_str_starts(line, "- ") || rag_str_starts(line, "  - "))
        return RAG_BLOCK_ITEM;
    if (rag_str_starts(line, "|"))
        return RAG_BLOCK_TABLE_ROW;
    if (rag_str_starts(line, "```"))
        return RAG_BLOCK_CODE;
    return RAG_BLOCK_PARA;
}

/* The block of one line, joined to the one before where that goes on. */
static inline void made_line(made_doc *m, rag_str line, size_t start,
                             bool fresh)
{
    rag_doc *d = &m->doc;
    rag_block_kind kind = made_kind(line);
    rag_block *prev = d->n_blocks != 0 ? &d->blocks[d->n_blocks - 1] : NULL;
    rag_block *b;
    uint32_t head = UINT32_MAX;

    if (!fresh && prev != NULL && kind == RAG_BLOCK_PARA &&
        (prev->kind == RAG_BLOCK_PARA || prev->kind == RAG_BLOCK_ITEM)) {
        prev->end = start + line.len;
        return;
    }
    if (kind == RAG_BLOCK_TABLE_ROW) {
        if (!fresh && prev != NULL && prev->kind == RAG_BLOCK_TABLE_HEAD)
            head = (uint32_t)(d->n_blocks - 1);
        else if (!fresh && prev != NULL && prev->kind == RAG_BLOCK_TABLE_ROW)
            head = prev->head;
        else
            kind = RAG_BLOCK_TABLE_HEAD;
    }
    b = made_block(m, kind, start, start + line.len);
    if (b == NULL)
        return;
    b->head = head;
    if (kind == RAG_BLOCK_ITEM)
        b->level = line.ptr[0] == ' ' ? 2 : 1;
    if (kind == RAG_BLOCK_HEADING)
        while (b->level < line.len && line.ptr[b->level] == '#')
            b->level++;
}

static inline void made_blocks(made_doc *m)
{
    rag_str rest = {m->doc.text, m->doc.text_len};
    rag_str line;
    bool fresh = true;
    bool front = rag_str_starts(rest, "---\n");
    bool fence = false;
    size_t from = 0;

    while (rag_str_next_line(&line, &rest)) {
        size_t start = (size_t)(line.ptr - m->doc.text);

        if (front) {
            if (start != 0 && rag_str_eqz(line, "---")) {
                made_block(m, RAG_BLOCK_META, 0, start + line.len);
                front = false;
            }
            continue;
        }
        if (fence || rag_str_starts(line, "```")) {
            if (!fence)
                from = start;
            else if (rag_str_starts(line, "```"))
                made_block(m, RAG_BLOCK_CODE, from, start + line.len);
            fence = !fence || !rag_str_starts(line, "```");
            continue;
        }
        if (rag_str_trim(line).len != 0)
            made_line(m, line, start, fresh);
        fresh = rag_str_trim(line).len == 0;
    }
}

static inline void made_headings(made_doc *m)
{
    rag_doc *d = &m->doc;

    d->heading_texts = rag_calloc(d->n_blocks + 1, sizeof(rag_str));
    if (d->heading_texts == NULL) {
        m->failed = true;
        return;
    }
    for (size_t i = 0; i < d->n_blocks; i++)
        if (d->blocks[i].kind == RAG_BLOCK_HEADING)
            d->heading_texts[i] = rag_str_trim(rag_str_n(
                d->text + d->blocks[i].start + d->blocks[i].level,
                d->blocks[i].end - d->blocks[i].start - d->blocks[i].level));
}

/* text is copied. blocks: false gives plain text. */
static inline made_doc *made_new(rag_str text, rag_doc_type type, bool blocks)
{
    made_doc *m = rag_calloc(1, sizeof *m);

    assert(m != NULL);
    m->doc.type = type;
    m->doc.text = rag_strndup(text.ptr, text.len);
    m->doc.text_len = text.len;
    if (blocks) {
        made_blocks(m);
        made_headings(m);
    }
    assert(m->doc.text != NULL && !m->failed);
    return m;
}

static inline void made_free(made_doc *m)
{
    rag_free(m->doc.text);
    rag_free(m->doc.blocks);
    rag_free(m->doc.heading_texts);
    rag_free(m);
}

/* Appends the model input of chunk i. */
static inline void made_input(rag_buf *out, const rag_doc *d,
                              const rag_chunks *c, size_t i)
{
    const rag_chunk *k = &c->chunks[i];
    rag_str path[6];
    rag_chunk_parts p = {.type = d->type, .title = d->title};

    for (uint32_t s = k->section; s != UINT32_MAX; s = c->sections[s].parent)
        p.n_headings++;
    for (uint32_t s = k->section, at = (uint32_t)p.n_headings; s != UINT32_MAX;
         s = c->sections[s].parent)
        path[--at] = c->sections[s].heading;
    p.headings = path;
    p.context = rag_str_n(d->text + k->context_start,
                          k->context_end - k->context_start);
    p.body = rag_str_n(d->text + k->start, k->end - k->start);
    rag_chunk_input(out, &p);
}

/* What must hold of every document: order, graphemes, sections and sizes; and
 * all text but blanks and front matter lies in a chunk or its context. NULL or
 * what is wrong. */
static inline const char *made_wrong(const rag_doc *d, const rag_chunks *c)
{
    rag_str text = {d->text, d->text_len};
    size_t covered = 0;
    size_t block = 0;

    for (size_t i = 0; i <= c->n_chunks; i++) {
        const rag_chunk *k = i < c->n_chunks ? &c->chunks[i] : NULL;
        size_t to = k != NULL ? k->start : d->text_len;

        for (; covered < to; covered++) {
            uint32_t cp;
            size_t n = rag_utf8_decode(&cp, NULL,
                                       rag_str_cut(text, covered, text.len));

            while (block < d->n_blocks && d->blocks[block].end <= covered)
                block++;
            if (block < d->n_blocks && d->blocks[block].start <= covered &&
                (d->blocks[block].kind == RAG_BLOCK_META ||
                 (d->type == RAG_DOC_CSV &&
                  d->blocks[block].kind == RAG_BLOCK_TABLE_HEAD)))
                continue;
            if (!rag_utf8_is_space(cp) && cp != 0xFEFF)
                return "text outside of all chunks";
            covered += n - 1;
        }
        if (k == NULL)
            break;
        if (k->start >= k->end || k->end > d->text_len)
            return "empty or out of the text";
        if (i != 0 && (k->start < k[-1].start || k->end <= k[-1].end))
            return "out of order";
        if (!rag_utf8_is_grapheme_break(text, k->start) ||
            !rag_utf8_is_grapheme_break(text, k->end))
            return "cuts a grapheme";
        if (k->section != UINT32_MAX && k->section >= c->n_sections)
            return "no such section";
        if (k->context_end < k->context_start || k->context_end > d->text_len)
            return "context out of the text";
        if (k->n_tokens !=
            rag_chunk_tokens(rag_str_n(d->text + k->start, k->end - k->start)))
            return "tokens";
        covered = k->end > covered ? k->end : covered;
    }
    return NULL;
}

#endif /* RAG_TESTS_CHUNK_DOC_H */
