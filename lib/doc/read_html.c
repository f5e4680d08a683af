/*
 * HTML (gumbo). The text as read is the extract that html_text.c writes while
 * this file walks the parsed page: its main part, without what html_chrome.c
 * leaves out.
 *
 * gumbo checks no allocation and frees its tree by recursion. It therefore
 * gets its memory from a heap of ours that is dropped as a whole and that,
 * when it is full or the machine is, jumps back to where the parse began:
 * nothing else is held by the frames in between.
 */

#include "doc/html_chrome.h"
#include "doc/html_heap.h"
#include "doc/html_scan.h"
#include "doc/html_text.h"

/* The parsed page takes 10 to 20 times its bytes; larger pages are dumps. */
#define RAG_HTML_MAX_BYTES ((size_t)8 << 20)
/* Memory of the parsed page: what the largest sensible page needs. Pages that
 * are made to explode (formatting opened again in every paragraph) reach it. */
#define RAG_HTML_MAX_DOM_BYTES ((size_t)192 << 20)
/* Browsers stop nesting here, too. */
#define RAG_HTML_MAX_DEPTH ((size_t)512)
/* Columns that one cell may cover: wider ones are spacing. */
#define MAX_SPAN 32
/* Rows that one cell may cover. */
#define MAX_ROW_SPAN 1000

/* ---- the parse */

static rag_status parse(const GumboOutput **out, rag_html_heap *h, rag_str text,
                        rag_error *err)
{
    GumboOptions o = kGumboDefaultOptions;

    o.allocator = rag_html_heap_alloc;
    o.deallocator = rag_html_heap_drop;
    o.userdata = h;
    o.max_errors = 0;
    *out = NULL;
    if (setjmp(h->back) != 0)
        return h->why == RAG_E_NOMEM
                   ? rag_fail_nomem(err)
                   : rag_fail(err, h->why,
                              "the parsed page needs more than %zu bytes",
                              RAG_HTML_MAX_DOM_BYTES);
    *out = gumbo_parse_with_options(&o, text.ptr, text.len);
    return RAG_OK;
}

/* ---- tables */

/* The nearest ancestor-or-self table row's cells: does it consist of heads? */
static bool is_head_row(const GumboNode *row)
{
    const GumboVector *kids = rag_html_children(row);
    size_t n_heads = 0;

    if (row->parent != NULL && rag_html_has_tag(row->parent, GUMBO_TAG_THEAD))
        return true;
    for (unsigned i = 0; i < kids->length; i++) {
        const GumboNode *cell = kids->data[i];

        if (rag_html_has_tag(cell, GUMBO_TAG_TH))
            n_heads++;
        else if (rag_html_has_tag(cell, GUMBO_TAG_TD) &&
                 rag_html_children(cell)->length != 0)
            return false;
    }
    return n_heads != 0;
}

/* Tables that only place things: with tables, headings or listings in them,
 * or with a single cell a row. */
static bool is_layout(const GumboNode *table)
{
    rag_str role = rag_html_attr(table, "role");
    size_t widest = 0;
    size_t n_rows = 0;
    const GumboNode *n = rag_html_next(table, table, false);

    if (rag_str_ieqz(role, "presentation") || rag_str_ieqz(role, "none"))
        return true;
    for (; n != NULL; n = rag_html_next(n, table, false)) {
        size_t n_cells = 0;

        if (!rag_html_is_element(n) ||
            n->v.element.tag_namespace != GUMBO_NAMESPACE_HTML)
            continue;
        if (n->v.element.tag == GUMBO_TAG_TABLE ||
            n->v.element.tag == GUMBO_TAG_PRE ||
            (n->v.element.tag >= GUMBO_TAG_H1 &&
             n->v.element.tag <= GUMBO_TAG_H6))
            return true;
        if (n->v.element.tag != GUMBO_TAG_TR)
            continue;
        n_rows++;
        for (unsigned i = 0; i < rag_html_children(n)->length; i++)
            n_cells += rag_html_is_element(rag_html_children(n)->data[i]);
        if (n_cells > widest)
            widest = n_cells;
    }
    return widest < 2;
}

/* ---- the walk */

typedef struct walk {
    const rag_html_page *p;
    const rag_source *src;
    rag_html_text text;
    const GumboNode *table;  /* the data table we are in, or NULL */
    const GumboNode *header; /* the page header we are in, or NULL */
} walk;

static uint32_t number_of(rag_str s, uint32_t most)
{
    uint64_t v;

    if (!rag_str_u64(&v, rag_str_trim(s)))
        return 0;
    return v > most ? most : (uint32_t)v;
}

static rag_html_part part_in_table(const GumboNode *n, uint32_t *arg)
{
    uint32_t cols;
    uint32_t rows;

    switch ((int)n->v.element.tag) {
    case GUMBO_TAG_TR:
        return is_head_row(n) ? RAG_HTML_HEAD_ROW : RAG_HTML_ROW;
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
        cols = number_of(rag_html_attr(n, "colspan"), MAX_SPAN);
        rows = number_of(rag_html_attr(n, "rowspan"), MAX_ROW_SPAN);
        *arg = cols | rows << 16;
        return RAG_HTML_CELL;
    default:
        return RAG_HTML_INLINE;
    }
}

/* What an element is for the text. arg: see rag_html_part. */
static rag_html_part part_of(const walk *w, const GumboNode *n, uint32_t *arg)
{
    *arg = 0;
    if (n->v.element.tag_namespace != GUMBO_NAMESPACE_HTML)
        return RAG_HTML_INLINE;
    if (w->table != NULL && part_in_table(n, arg) != RAG_HTML_INLINE)
        return part_in_table(n, arg);
    switch ((int)n->v.element.tag) {
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
        *arg = (uint32_t)n->v.element.tag - GUMBO_TAG_H1 + 1;
        return RAG_HTML_HEADING;
    case GUMBO_TAG_UL:
    case GUMBO_TAG_DIR:
        return RAG_HTML_UL;
    case GUMBO_TAG_OL:
        *arg = number_of(rag_html_attr(n, "start"), 1000000000);
        if (rag_html_attr(n, "start").len == 0)
            *arg = 1;
        return RAG_HTML_OL;
    case GUMBO_TAG_LI:
        *arg = number_of(rag_html_attr(n, "value"), 1000000000);
        return RAG_HTML_ITEM;
    case GUMBO_TAG_DL:
        return RAG_HTML_TERMS;
    case GUMBO_TAG_DT:
        return RAG_HTML_TERM;
    case GUMBO_TAG_DD:
        return RAG_HTML_DETAIL;
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_LISTING:
    case GUMBO_TAG_XMP:
    case GUMBO_TAG_PLAINTEXT:
        return RAG_HTML_PRE;
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_BODY:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_DETAILS:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_HGROUP:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_LEGEND:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_P:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
        return RAG_HTML_BLOCK;
    default:
        return RAG_HTML_INLINE;
    }
}

static void enter(walk *w, const GumboNode *n)
{
    uint32_t arg;
    rag_html_part part;

    if (w->header == NULL && rag_html_is_page_header(n) && !w->p->keep_chrome)
        w->header = n;
    if (w->table == NULL && rag_html_has_tag(n, GUMBO_TAG_TABLE) &&
        !is_layout(n)) {
        w->table = n;
        rag_html_text_enter(&w->text, RAG_HTML_TABLE, 0);
        return;
    }
    if (rag_html_has_tag(n, GUMBO_TAG_BR)) {
        rag_html_text_break(&w->text);
        return;
    }
    part = part_of(w, n, &arg);
    rag_html_text_enter(&w->text, part, arg);
}

static void leave(walk *w, const GumboNode *n)
{
    uint32_t arg;

    if (!rag_html_is_element(n))
        return;
    if (w->header == n)
        w->header = NULL;
    if (w->table == n) {
        rag_html_text_leave(&w->text, RAG_HTML_TABLE);
        w->table = NULL;
        return;
    }
    if (!rag_html_has_tag(n, GUMBO_TAG_BR))
        rag_html_text_leave(&w->text, part_of(w, n, &arg));
}

/* Of the page's header only its heading is text. */
static bool mute(const walk *w, const GumboNode *n)
{
    if (w->header == NULL)
        return false;
    for (; n != w->header; n = n->parent)
        if (rag_html_has_tag(n, GUMBO_TAG_H1))
            return false;
    return true;
}

static rag_status walk_page(walk *w, const GumboNode *root, rag_error *err)
{
    const GumboNode *n = root;
    size_t n_seen = 0;

    for (;;) {
        const GumboNode *next;
        bool over = n != root && rag_html_left_out(w->p, n);

        if (++n_seen % 4096 == 0 && rag_source_cancelled(w->src))
            return rag_fail(err, RAG_E_CANCELLED, "cancelled");
        if (!over && rag_html_is_element(n))
            enter(w, n);
        else if (rag_html_is_text(n) && !mute(w, n))
            rag_html_text_add(&w->text, rag_str_of(n->v.text.text));
        if (!over && rag_html_children(n)->length != 0) {
            n = rag_html_children(n)->data[0];
            continue;
        }
        if (!over)
            leave(w, n);
        next = n == root ? NULL : rag_html_next(n, root, true);
        /* every parent that ends between n and the next node */
        while (n != root && (next == NULL || next->parent != n->parent)) {
            n = n->parent;
            leave(w, n);
        }
        if (next == NULL)
            return RAG_OK;
        n = next;
    }
}

/* ---- head */

static void read_metas(rag_builder *b, const GumboNode *root)
{
    static const char *const wanted[] = {"description", "author", "keywords",
                                         "date", "article:published_time"};
    const GumboNode *head = rag_html_find(root, GUMBO_TAG_HEAD);
    const GumboVector *kids = head != NULL ? rag_html_children(head) : NULL;

    rag_builder_meta(b, RAG_STR_LIT("lang"), rag_html_attr(root, "lang"));
    for (unsigned i = 0; kids != NULL && i < kids->length; i++) {
        const GumboNode *n = kids->data[i];
        rag_str name = rag_html_attr(n, "name");

        if (!rag_html_has_tag(n, GUMBO_TAG_META))
            continue;
        if (name.len == 0)
            name = rag_html_attr(n, "property");
        if (RAG_HTML_HAS_WORD(name, wanted))
            rag_builder_meta(b, name, rag_html_attr(n, "content"));
    }
}

static void read_title(rag_builder *b, const GumboNode *root)
{
    const GumboNode *title = rag_html_find(root, GUMBO_TAG_TITLE);

    if (title != NULL && rag_html_children(title)->length != 0) {
        const GumboNode *n = rag_html_children(title)->data[0];

        if (rag_html_is_text(n))
            rag_builder_title(b, rag_str_of(n->v.text.text));
    }
}

static rag_status extract(rag_builder *b, const rag_source *src,
                          const GumboNode *root, rag_error *err)
{
    rag_html_page p = {.body = rag_html_find(root, GUMBO_TAG_BODY)};
    walk w = {.p = &p, .src = src};
    const GumboNode *part;
    rag_status st;

    if (p.body == NULL)
        p.body = root; /* frames */
    p.header_heads = rag_html_header_heads(&p);
    part = rag_html_main_part(&p);
    rag_html_text_init(&w.text, b);
    TRY(walk_page(&w, part, err));
    rag_html_text_end(&w.text);
    if (b->text.len == 0 && b->text.failed == RAG_OK) {
        p.keep_chrome = true;
        TRY(walk_page(&w, p.body, err));
        rag_html_text_end(&w.text);
    }
    st = RAG_OK;
out:
    rag_html_text_dispose(&w.text);
    return st;
}

/* ---- the reader */

static bool sniff_html(const rag_source *src)
{
    static const char *const own[] = {".html", ".htm", ".xhtml", ".shtml",
                                      NULL};
    /* they may begin with a tag and still are what their name says */
    static const char *const others[] = {".md",    ".markdown", ".mdown",
                                         ".mkd",   ".csv",      ".tsv",
                                         ".jsonl", ".rst",      NULL};

    if (!rag_charset_is_text(src->head))
        return false;
    return rag_source_suffix(src, own) || (rag_html_scan_is_html(src->head) &&
                                           !rag_source_suffix(src, others));
}

static rag_status read_html(const rag_source *src, rag_doc_sink sink, void *ctx,
                            rag_error *err)
{
    char declared[RAG_CHARSET_NAME_BYTES];
    bool has = rag_html_scan_charset(declared, src->head);
    const GumboOutput *dom = NULL;
    rag_html_heap heap;
    rag_builder b;
    rag_buf source;
    rag_str text;
    rag_doc *doc;
    rag_status st;

    rag_html_heap_init(&heap, RAG_HTML_MAX_DOM_BYTES);
    rag_buf_init(&source, SIZE_MAX);
    TRY(rag_builder_init(&b, RAG_DOC_HTML, SIZE_MAX, err));
    TRY(rag_charset_read(&b, src, RAG_HTML_MAX_BYTES, "HTML",
                         has ? declared : NULL, err));
    source = b.text; /* the builder's text is the extract */
    rag_buf_init(&b.text, SIZE_MAX);
    if (rag_html_scan_too_deep(rag_buf_str(&source), RAG_HTML_MAX_DEPTH)) {
        st = rag_fail(err, RAG_E_LIMIT,
                      "elements nested more than %zu deep are not read",
                      RAG_HTML_MAX_DEPTH);
        goto out;
    }
    rag_html_scan_tame_refs(source.ptr, source.len);
    text = rag_buf_str(&source);
    /* a byte order mark would be text, and text begins the body */
    text = rag_str_cut(text, rag_charset_bom(text), text.len);
    TRY(parse(&dom, &heap, text, err));
    read_metas(&b, dom->root);
    read_title(&b, dom->root);
    TRY(extract(&b, src, dom->root, err));
    rag_html_heap_dispose(&heap);
    st = rag_builder_finish(&doc, &b, err);
    if (st == RAG_E_EMPTY)
        st = rag_fail(err, RAG_E_NOTEXT, "the page shows no text");
    if (st == RAG_OK)
        st = sink(ctx, doc, err);
out:
    rag_html_heap_dispose(&heap);
    rag_buf_dispose(&source);
    rag_builder_dispose(&b);
    return st;
}

const rag_reader rag_reader_html = {.name = "html",
                                    .version = "html/1",
                                    .type = RAG_DOC_HTML,
                                    .sniff = sniff_html,
                                    .read = read_html};
