/*
 * Markdown (md4c, GitHub's dialect). The text as read is the file itself.
 *
 * md4c reports no positions, but the text it reports points into the source:
 * the first and last piece of a leaf block say which lines it lies on, and a
 * leaf block always has its lines for itself. Spans are therefore whole lines,
 * without the white space around them, with the markup that stands on them.
 * Lines without text (fences, underlines of headings, the rule below a table
 * head) are found beside them.
 */

#include <md4c.h>
#include <string.h>

#include "doc/charset.h"
#include "doc/frontmatter.h"
#include "doc/md_words.h"

/* md4c keeps about three times the text beside it; a manual of this size in
 * one file has not been seen. */
#define RAG_MARKDOWN_MAX_BYTES ((size_t)16 << 20)
/* Lists in lists deeper than this are items of that depth. */
#define MAX_LIST_DEPTH 32
/* Words of one heading, before they are cut. */
#define MAX_HEADING_BYTES ((size_t)64 << 10)
#define NOWHERE SIZE_MAX

typedef enum leaf_kind {
    LEAF_NONE,
    LEAF_TEXT, /* a paragraph, or the text of a tight list item */
    LEAF_HEADING,
    LEAF_CODE,
    LEAF_HTML,
    LEAF_ROW
} leaf_kind;

typedef struct md {
    rag_builder *b;
    const rag_source *src;
    rag_str text;  /* the whole text as read */
    size_t body;   /* where md4c's input begins in it */
    size_t cursor; /* end of the last leaf that was seen */
    leaf_kind leaf;
    size_t first; /* span of the leaf's text so far, or NOWHERE */
    size_t last;
    unsigned level; /* of the heading */
    char fence;     /* of the code, 0: indented */
    bool in_head;   /* of a table */
    uint32_t head;  /* index of the table's head block */
    rag_buf words;  /* of the heading */
    unsigned depth; /* of lists */
    uint32_t fresh; /* bit d: the item at depth d has no ITEM block yet */
    bool cancelled;
} md;

/* ---- lines */

static size_t line_start(rag_str t, size_t at)
{
    while (at > 0 && t.ptr[at - 1] != '\n')
        at--;
    return at;
}

static size_t line_end(rag_str t, size_t at)
{
    const char *nl = at < t.len ? memchr(t.ptr + at, '\n', t.len - at) : NULL;

    return nl != NULL ? (size_t)(nl - t.ptr) : t.len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' ||
           c == '\v';
}

static size_t skip_blank(rag_str t, size_t at, size_t end)
{
    while (at < end && is_blank(t.ptr[at]))
        at++;
    return at;
}

static size_t trim_end(rag_str t, size_t start, size_t end)
{
    while (end > start && is_blank(t.ptr[end - 1]))
        end--;
    return end;
}

/* ---- leaves become blocks */

/* Bytes in front of a line's own content: indentation, quote marks, and, where
 * a leaf begins, list markers. */
static size_t skip_prefix(rag_str t, size_t at, bool markers)
{
    const char *set = markers ? " \t>*+-.)0123456789" : " \t>";

    while (at < t.len && t.ptr[at] != '\0' && strchr(set, t.ptr[at]) != NULL)
        at++;
    return at;
}

static size_t fence_run(rag_str t, size_t at, char fence)
{
    size_t n = 0;

    while (at + n < t.len && t.ptr[at + n] == fence)
        n++;
    return n;
}

/* The fences around a code block: in front between the last leaf and the first
 * text, behind after the last text, with only blank lines before it. */
static void widen_fence(const md *m, size_t *start, size_t *end)
{
    rag_str t = m->text;
    size_t at = m->cursor != 0 ? line_end(t, m->cursor) : m->body;
    size_t stop = m->first != NOWHERE ? m->first : t.len;
    size_t n_open = 0;

    if (at != m->body && at < t.len)
        at++;
    while (at < stop) {
        size_t mark = skip_prefix(t, at, true);

        n_open = fence_run(t, mark, m->fence);
        if (n_open >= 3)
            break;
        at = line_end(t, at) + 1;
    }
    if (n_open < 3)
        return; /* text alone says where it is */
    *start = skip_blank(t, at, t.len);
    at = line_end(t, m->first != NOWHERE ? m->last : at);
    if (m->first == NOWHERE)
        *end = trim_end(t, *start, at);
    while (at < t.len) {
        size_t mark = skip_prefix(t, at + 1, false);
        size_t eol = line_end(t, at + 1);
        size_t n = fence_run(t, mark, m->fence);

        if (n >= n_open && skip_blank(t, mark + n, eol) == eol) {
            *end = mark + n;
            return;
        }
        if (skip_blank(t, mark, eol) < eol)
            return;
        at = eol;
    }
}

/* The underline of a setext heading, or of a table head, on the next line. */
static size_t widen_underline(rag_str t, size_t end, const char *set)
{
    size_t eol = line_end(t, end);
    size_t next = eol < t.len ? skip_prefix(t, eol + 1, false) : t.len;
    size_t stop = line_end(t, next);
    size_t at = next;

    while (at < stop && strchr(set, t.ptr[at]) != NULL)
        at++;
    at = skip_blank(t, at, stop);
    return next < stop && at == stop ? trim_end(t, end, stop) : end;
}

/* Cells of a table line, its outer bars not counted. */
static size_t count_cells(rag_str line)
{
    size_t n = 1;

    line = rag_str_trim(line);
    for (size_t i = 0; i < line.len; i++)
        n += line.ptr[i] == '|' && i != 0 && i + 1 < line.len &&
             line.ptr[i - 1] != '\\';
    return n;
}

/* md4c wants three dashes below a table head, GitHub one. Such a table comes
 * as a paragraph; its second line tells. */
static bool is_short_table(rag_str para)
{
    rag_str rest = para;
    rag_str head;
    rag_str rule;
    bool dash = false;
    bool bar = false;

    if (!rag_str_next_line(&head, &rest) || !rag_str_next_line(&rule, &rest))
        return false;
    rule = rag_str_cut(rule, skip_prefix(rule, 0, false), rule.len);
    rule = rag_str_trim(rule);
    for (size_t i = 0; i < rule.len; i++) {
        if (strchr("|-: \t", rule.ptr[i]) == NULL)
            return false;
        dash = dash || rule.ptr[i] == '-';
        bar = bar || rule.ptr[i] == '|';
    }
    return dash && bar && rag_str_find_char(head, '|') != SIZE_MAX &&
           count_cells(rule) ==
               count_cells(
                   rag_str_cut(head, skip_prefix(head, 0, false), head.len));
}

static void emit_short_table(md *m, size_t start, size_t end)
{
    rag_str t = m->text;
    size_t eol = line_end(t, line_end(t, start) + 1);
    uint32_t head = rag_builder_block(m->b, RAG_BLOCK_TABLE_HEAD, start,
                                      trim_end(t, start, eol), 0, UINT32_MAX);

    while (eol < end) {
        start = skip_blank(t, eol, end);
        eol = line_end(t, start);
        (void)rag_builder_block(m->b, RAG_BLOCK_TABLE_ROW, start,
                                trim_end(t, start, eol < end ? eol : end), 0,
                                head);
    }
}

static void emit_text(md *m, size_t start, size_t end)
{
    uint32_t bit = (uint32_t)1
                   << (m->depth < MAX_LIST_DEPTH ? m->depth
                                                 : MAX_LIST_DEPTH - 1);
    bool item = m->depth != 0 && (m->fresh & bit) != 0;

    if (is_short_table(rag_str_cut(m->text, start, end))) {
        emit_short_table(m, start, end);
        return;
    }
    m->fresh &= ~bit;
    (void)rag_builder_block(m->b, item ? RAG_BLOCK_ITEM : RAG_BLOCK_PARA, start,
                            end, m->depth, UINT32_MAX);
}

static void emit_heading(md *m, size_t start, size_t end)
{
    rag_str words = rag_md_words_heading(rag_buf_str(&m->words));

    end = widen_underline(m->text, end, m->level == 1 ? "=" : "-");
    (void)rag_builder_heading(m->b, start, end, m->level, words);
    if (m->level == 1)
        rag_builder_title(m->b, words);
    m->cursor = end;
}

/* The leaf that is open ends here. */
static void close_leaf(md *m)
{
    size_t start = m->first;
    size_t end = m->last;
    leaf_kind leaf = m->leaf;

    m->leaf = LEAF_NONE;
    if (start != NOWHERE) {
        start = line_start(m->text, start);
        end = trim_end(m->text, start, line_end(m->text, end));
        if (leaf != LEAF_CODE || m->fence != 0)
            start = skip_blank(m->text, start, end);
    }
    if (leaf == LEAF_CODE && m->fence != 0)
        widen_fence(m, &start, &end);
    m->first = m->last = NOWHERE;
    if (leaf == LEAF_NONE || start == NOWHERE || end == NOWHERE ||
        start < m->cursor || end <= start)
        return;
    m->cursor = end;
    if (leaf == LEAF_TEXT) {
        emit_text(m, start, end);
    } else if (leaf == LEAF_HEADING) {
        emit_heading(m, start, end);
    } else if (leaf == LEAF_CODE) {
        (void)rag_builder_block(m->b, RAG_BLOCK_CODE, start, end, m->depth,
                                UINT32_MAX);
    } else if (leaf == LEAF_HTML) {
        if (rag_md_words_in_html(rag_str_cut(m->text, start, end)))
            (void)rag_builder_block(m->b, RAG_BLOCK_PARA, start, end, m->depth,
                                    UINT32_MAX);
    } else if (m->in_head) {
        end = widen_underline(m->text, end, "|-: \t");
        m->head = rag_builder_block(m->b, RAG_BLOCK_TABLE_HEAD, start, end, 0,
                                    UINT32_MAX);
        m->cursor = end;
    } else {
        (void)rag_builder_block(m->b, RAG_BLOCK_TABLE_ROW, start, end, 0,
                                m->head);
    }
}

static void open_leaf(md *m, leaf_kind leaf)
{
    m->leaf = leaf;
    m->first = m->last = NOWHERE;
}

/* ---- md4c's callbacks */

static int go_on(md *m)
{
    m->cancelled = m->cancelled || rag_source_cancelled(m->src);
    return m->cancelled || m->b->failed != RAG_OK || m->words.failed != RAG_OK;
}

static int enter_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    md *m = ctx;

    if (m->leaf == LEAF_TEXT)
        close_leaf(m); /* a tight item's text ends where its list begins */
    switch (type) {
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        m->depth++;
        break;
    case MD_BLOCK_LI:
        m->fresh |= (uint32_t)1
                    << (m->depth < MAX_LIST_DEPTH ? m->depth
                                                  : MAX_LIST_DEPTH - 1);
        break;
    case MD_BLOCK_H:
        m->level = ((const MD_BLOCK_H_DETAIL *)detail)->level;
        rag_buf_clear(&m->words);
        open_leaf(m, LEAF_HEADING);
        break;
    case MD_BLOCK_CODE:
        m->fence = ((const MD_BLOCK_CODE_DETAIL *)detail)->fence_char;
        open_leaf(m, LEAF_CODE);
        break;
    case MD_BLOCK_HTML:
        open_leaf(m, LEAF_HTML);
        break;
    case MD_BLOCK_P:
        open_leaf(m, LEAF_TEXT);
        break;
    case MD_BLOCK_TABLE:
        m->head = UINT32_MAX;
        break;
    case MD_BLOCK_THEAD:
        m->in_head = true;
        break;
    case MD_BLOCK_TBODY:
        m->in_head = false;
        break;
    case MD_BLOCK_TR:
        open_leaf(m, LEAF_ROW);
        break;
    case MD_BLOCK_DOC:
    case MD_BLOCK_QUOTE:
    case MD_BLOCK_HR:
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        break;
    }
    return go_on(m);
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    md *m = ctx;

    (void)detail;
    switch (type) {
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        break;
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        close_leaf(m);
        m->depth--;
        break;
    case MD_BLOCK_DOC:
    case MD_BLOCK_QUOTE:
    case MD_BLOCK_LI:
    case MD_BLOCK_HR:
    case MD_BLOCK_H:
    case MD_BLOCK_CODE:
    case MD_BLOCK_HTML:
    case MD_BLOCK_P:
    case MD_BLOCK_TABLE:
    case MD_BLOCK_THEAD:
    case MD_BLOCK_TBODY:
    case MD_BLOCK_TR:
        close_leaf(m);
        break;
    }
    return go_on(m);
}

static int on_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    (void)type;
    (void)detail;
    (void)ctx;
    return 0;
}

static void add_words(md *m, MD_TEXTTYPE type, rag_str s)
{
    switch (type) {
    case MD_TEXT_BR:
    case MD_TEXT_SOFTBR:
        rag_buf_addc(&m->words, ' ');
        break;
    case MD_TEXT_ENTITY:
        rag_md_words_entity(&m->words, s);
        break;
    case MD_TEXT_HTML:
        break;
    case MD_TEXT_NORMAL:
    case MD_TEXT_NULLCHAR:
    case MD_TEXT_CODE:
    case MD_TEXT_LATEXMATH:
        rag_buf_adds(&m->words, s);
        break;
    }
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *s, MD_SIZE n, void *ctx)
{
    md *m = ctx;
    const char *base = m->text.ptr + m->body;
    const char *end = m->text.ptr + m->text.len;

    if (m->leaf == LEAF_NONE)
        open_leaf(m, LEAF_TEXT); /* of a tight item */
    if (m->leaf == LEAF_HEADING)
        add_words(m, type, rag_str_n(s, n));
    /* some texts are md4c's own ("\n", indentation of code) */
    if (n != 0 && (uintptr_t)s >= (uintptr_t)base &&
        (uintptr_t)s < (uintptr_t)end) {
        size_t at = (size_t)(s - m->text.ptr);

        if (m->first == NOWHERE)
            m->first = at;
        if (m->last == NOWHERE || at + n > m->last)
            m->last = at + n;
    }
    return m->words.failed != RAG_OK;
}

static rag_status parse(rag_builder *b, const rag_source *src, size_t body,
                        rag_error *err)
{
    static const MD_PARSER parser = {
        .flags = MD_DIALECT_GITHUB,
        .enter_block = enter_block,
        .leave_block = leave_block,
        .enter_span = on_span,
        .leave_span = on_span,
        .text = on_text,
    };
    md m = {.b = b,
            .src = src,
            .text = rag_buf_str(&b->text),
            .body = body,
            .cursor = body,
            .first = NOWHERE,
            .last = NOWHERE,
            .head = UINT32_MAX};
    rag_status st = RAG_OK;
    int k;

    rag_buf_init(&m.words, MAX_HEADING_BYTES);
    k = md_parse(m.text.ptr + body, (MD_SIZE)(m.text.len - body), &parser, &m);
    if (m.cancelled)
        st = rag_fail(err, RAG_E_CANCELLED, "cancelled");
    else if (m.words.failed == RAG_E_LIMIT)
        st = rag_fail(err, RAG_E_LIMIT, "a heading is longer than %zu bytes",
                      MAX_HEADING_BYTES);
    else if (k != 0)
        st = rag_fail_nomem(err);
    rag_buf_dispose(&m.words);
    return st;
}

static bool sniff_markdown(const rag_source *src)
{
    static const char *const suffixes[] = {".md", ".markdown", ".mdown", ".mkd",
                                           NULL};

    return rag_source_suffix(src, suffixes) && rag_charset_is_text(src->head);
}

static rag_status read_markdown(const rag_source *src, rag_doc_sink sink,
                                void *ctx, rag_error *err)
{
    rag_builder b;
    rag_doc *doc;
    rag_str text;
    size_t body;
    size_t n;
    rag_status st;

    TRY(rag_builder_init(&b, RAG_DOC_MARKDOWN, SIZE_MAX, err));
    TRY(rag_charset_read(&b, src, RAG_MARKDOWN_MAX_BYTES, "Markdown", NULL,
                         err));
    b.doc->has_lines = true;
    text = rag_buf_str(&b.text);
    body = rag_charset_bom(text);
    n = rag_frontmatter_len(rag_str_cut(text, body, text.len));
    if (n != 0) {
        rag_str matter = rag_str_cut(text, body, body + n);

        rag_frontmatter_read(&b, matter);
        (void)rag_builder_block(&b, RAG_BLOCK_META, body,
                                body + rag_str_trim(matter).len, 0, UINT32_MAX);
    }
    TRY(parse(&b, src, body + n, err));
    TRY(rag_builder_finish(&doc, &b, err));
    st = sink(ctx, doc, err);
out:
    rag_builder_dispose(&b);
    return st;
}

const rag_reader rag_reader_markdown = {.name = "markdown",
                                        .version = "markdown/1",
                                        .type = RAG_DOC_MARKDOWN,
                                        .sniff = sniff_markdown,
                                        .read = read_markdown};
