/*
 * HTML (gumbo). The text as read is the extract that html_text.c writes while
 * this file walks the parsed page: its main part, without what repeats on
 * every page of a site.
 *
 * gumbo checks no allocation and frees its tree by recursion. It therefore
 * gets its memory from a heap of ours that is dropped as a whole and that,
 * when it is full or the machine is, jumps back to where the parse began:
 * nothing else is held by the frames in between.
 */

#include <gumbo.h>
#include <string.h>

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

/* ---- the tree */

static bool is_element(const GumboNode *n)
{
    return n->type == GUMBO_NODE_ELEMENT || n->type == GUMBO_NODE_TEMPLATE;
}

static bool has_tag(const GumboNode *n, GumboTag tag)
{
    return is_element(n) && n->v.element.tag == tag &&
           n->v.element.tag_namespace == GUMBO_NAMESPACE_HTML;
}

static bool is_text(const GumboNode *n)
{
    return n->type == GUMBO_NODE_TEXT || n->type == GUMBO_NODE_WHITESPACE ||
           n->type == GUMBO_NODE_CDATA;
}

static const GumboVector *children_of(const GumboNode *n)
{
    static const GumboVector none = {NULL, 0, 0};

    if (n->type == GUMBO_NODE_DOCUMENT)
        return &n->v.document.children;
    return is_element(n) ? &n->v.element.children : &none;
}

/* The next node in document order below root; without descending when `over`.
 * No recursion: pages are as deep as they like. */
static const GumboNode *next_node(const GumboNode *n, const GumboNode *root,
                                  bool over)
{
    const GumboVector *kids = children_of(n);

    if (!over && kids->length != 0)
        return kids->data[0];
    while (n != root) {
        kids = children_of(n->parent);
        if (n->index_within_parent + 1 < kids->length)
            return kids->data[n->index_within_parent + 1];
        n = n->parent;
    }
    return NULL;
}

static rag_str attr(const GumboNode *n, const char *name)
{
    const GumboAttribute *a =
        is_element(n) ? gumbo_get_attribute(&n->v.element.attributes, name)
                      : NULL;

    return a != NULL ? rag_str_of(a->value) : (rag_str){NULL, 0};
}

static uint32_t number_of(rag_str s, uint32_t most)
{
    uint64_t v;

    if (!rag_str_u64(&v, rag_str_trim(s)))
        return 0;
    return v > most ? most : (uint32_t)v;
}

static bool has_word(rag_str list, const char *const *words, size_t n_words)
{
    size_t at = 0;

    while (at < list.len) {
        size_t end = at;

        while (end < list.len && (unsigned char)list.ptr[end] > ' ')
            end++;
        for (size_t i = 0; end > at && i < n_words; i++)
            if (rag_str_ieqz(rag_str_cut(list, at, end), words[i]))
                return true;
        at = end + 1;
    }
    return false;
}
#define HAS_WORD(list, words)                                                  \
    has_word(list, words, sizeof(words) / sizeof(words)[0])

/* ---- what is left out */

/* Never text that a reader of the page sees. */
static bool is_machinery(const GumboNode *n)
{
    if (n->v.element.tag_namespace != GUMBO_NAMESPACE_HTML)
        return n->v.element.tag_namespace == GUMBO_NAMESPACE_SVG;
    switch ((int)n->v.element.tag) {
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_TITLE:
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_NOFRAMES:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_EMBED:
    case GUMBO_TAG_CANVAS:
    case GUMBO_TAG_AUDIO:
    case GUMBO_TAG_VIDEO:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_DATALIST:
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_INPUT:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_RT:
    case GUMBO_TAG_RP:
        return true;
    default:
        return false;
    }
}

static bool is_hidden(const GumboNode *n)
{
    rag_str style = attr(n, "style");
    char flat[256];
    size_t k = 0;

    if (gumbo_get_attribute(&n->v.element.attributes, "hidden") != NULL ||
        rag_str_ieqz(attr(n, "aria-hidden"), "true"))
        return true;
    for (size_t i = 0; i < style.len && k < sizeof flat; i++)
        if ((unsigned char)style.ptr[i] > ' ')
            flat[k++] = (char)(style.ptr[i] | 0x20);
    /* the colon (0x3A) has that bit already, so has the hyphen */
    return rag_str_find(rag_str_n(flat, k), RAG_STR_LIT("display:none")) !=
               SIZE_MAX ||
           rag_str_find(rag_str_n(flat, k), RAG_STR_LIT("visibility:hidden")) !=
               SIZE_MAX;
}

/* Links to the place they stand at. */
static bool is_permalink(const GumboNode *n)
{
    static const char *const classes[] = {
        "headerlink", "anchorjs-link", "mw-editsection", "mw-jump-link",
        "hash-link",  "skip-link",     "self-link"};
    static const char *const signs[] = {"#", "¶",      "§",
                                        "🔗", "⚓︎", "\xE2\x80\x8B"};
    const GumboVector *kids = children_of(n);

    if (HAS_WORD(attr(n, "class"), classes))
        return true;
    if (!has_tag(n, GUMBO_TAG_A) || kids->length != 1 ||
        !is_text(kids->data[0]) ||
        rag_str_find_char(attr(n, "href"), '#') == SIZE_MAX)
        return false;
    return HAS_WORD(rag_str_of(((const GumboNode *)kids->data[0])->v.text.text),
                    signs);
}

/* A header or footer of the page, not of an article or a section in it. */
static bool of_the_page(const GumboNode *n)
{
    for (n = n->parent; n != NULL && is_element(n); n = n->parent)
        if (has_tag(n, GUMBO_TAG_ARTICLE) || has_tag(n, GUMBO_TAG_MAIN) ||
            has_tag(n, GUMBO_TAG_SECTION))
            return false;
    return true;
}

static bool is_page_header(const GumboNode *n)
{
    return (has_tag(n, GUMBO_TAG_HEADER) && of_the_page(n)) ||
           rag_str_ieqz(attr(n, "role"), "banner");
}

/* What a site repeats on its pages: found by element, role and the names that
 * generators of pages give it. */
static bool is_chrome(const GumboNode *n)
{
    static const char *const roles[] = {
        "navigation", "contentinfo", "search", "complementary",
        "menu",       "menubar",     "dialog", "alertdialog"};
    static const char *const classes[] = {
        "navbar",     "nav",           "breadcrumb",        "breadcrumbs",
        "sidebar",    "sphinxsidebar", "site-footer",       "page-footer",
        "site-nav",   "toc",           "table-of-contents", "vector-dropdown",
        "mw-portlet", "navbox",        "noprint",           "cookie-banner"};
    static const char *const ids[] = {
        "nav",      "navbar",      "navigation", "sidebar",
        "footer",   "breadcrumbs", "toc",        "mw-navigation",
        "mw-panel", "catlinks",    "siteSub"};

    if (has_tag(n, GUMBO_TAG_BODY))
        return false;
    return has_tag(n, GUMBO_TAG_NAV) || has_tag(n, GUMBO_TAG_ASIDE) ||
           has_tag(n, GUMBO_TAG_MENU) ||
           (has_tag(n, GUMBO_TAG_FOOTER) && of_the_page(n)) ||
           HAS_WORD(attr(n, "role"), roles) ||
           HAS_WORD(attr(n, "class"), classes) || HAS_WORD(attr(n, "id"), ids);
}

typedef struct page {
    const GumboNode *body;
    const rag_source *src;
    bool keep_chrome;  /* the page is nothing but it */
    bool header_heads; /* the page header holds the only main heading */
} page;

/* Is n left out with everything below? */
static bool left_out(const page *p, const GumboNode *n)
{
    if (!is_element(n))
        return false;
    if (is_machinery(n) || is_hidden(n) || is_permalink(n))
        return true;
    if (p->keep_chrome)
        return false;
    return is_chrome(n) || (!p->header_heads && is_page_header(n));
}

/* ---- which part of the page */

/* Bytes of visible text below root, other than white space. */
static size_t visible_bytes(const page *p, const GumboNode *root)
{
    size_t total = 0;
    const GumboNode *n = root;

    while (n != NULL) {
        bool over = n != root && left_out(p, n);

        if (n->type == GUMBO_NODE_TEXT)
            for (const char *c = n->v.text.text; *c != '\0'; c++)
                total += (unsigned char)*c > ' ';
        n = next_node(n, root, over);
    }
    return total;
}

static const GumboNode *find_tag(const GumboNode *root, GumboTag tag)
{
    for (const GumboNode *n = root; n != NULL; n = next_node(n, root, false))
        if (has_tag(n, tag))
            return n;
    return NULL;
}

/* The page's own mark of its main part, when that holds most of the text. */
static const GumboNode *main_part(const page *p)
{
    const GumboNode *main_tag = NULL;
    const GumboNode *article = NULL;
    size_t n_articles = 0;
    size_t all;

    for (const GumboNode *n = p->body; n != NULL;) {
        bool over = n != p->body && left_out(p, n);

        if (!over && main_tag == NULL &&
            (has_tag(n, GUMBO_TAG_MAIN) ||
             rag_str_ieqz(attr(n, "role"), "main")))
            main_tag = n;
        if (!over && has_tag(n, GUMBO_TAG_ARTICLE)) {
            article = n_articles++ == 0 ? n : NULL;
            over = true; /* comments are articles in the article */
        }
        n = next_node(n, p->body, over);
    }
    if (main_tag == NULL && article == NULL)
        return p->body;
    all = visible_bytes(p, p->body);
    if (main_tag != NULL && visible_bytes(p, main_tag) * 2 >= all)
        return main_tag;
    if (article != NULL && visible_bytes(p, article) * 2 >= all)
        return article;
    return p->body;
}

/* Does the only main heading stand in the page's header? */
static bool header_heads(const page *p)
{
    const GumboNode *n = p->body;
    bool inside = false;

    while (n != NULL) {
        bool over = n != p->body && left_out(p, n);

        if (n != p->body && is_element(n) && is_page_header(n))
            inside = inside || find_tag(n, GUMBO_TAG_H1) != NULL;
        else if (!over && has_tag(n, GUMBO_TAG_H1))
            return false;
        n = next_node(n, p->body, over);
    }
    return inside;
}

/* ---- tables */

/* The nearest ancestor-or-self table row's cells: does it consist of heads? */
static bool is_head_row(const GumboNode *row)
{
    const GumboVector *kids = children_of(row);
    size_t n_heads = 0;

    if (row->parent != NULL && has_tag(row->parent, GUMBO_TAG_THEAD))
        return true;
    for (unsigned i = 0; i < kids->length; i++) {
        const GumboNode *cell = kids->data[i];

        if (has_tag(cell, GUMBO_TAG_TH))
            n_heads++;
        else if (has_tag(cell, GUMBO_TAG_TD) && children_of(cell)->length != 0)
            return false;
    }
    return n_heads != 0;
}

/* Tables that only place things: with tables, headings or listings in them,
 * or with a single cell a row. */
static bool is_layout(const GumboNode *table)
{
    rag_str role = attr(table, "role");
    size_t widest = 0;
    size_t n_rows = 0;
    const GumboNode *n = next_node(table, table, false);

    if (rag_str_ieqz(role, "presentation") || rag_str_ieqz(role, "none"))
        return true;
    for (; n != NULL; n = next_node(n, table, false)) {
        size_t n_cells = 0;

        if (!is_element(n) ||
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
        for (unsigned i = 0; i < children_of(n)->length; i++)
            n_cells += is_element(children_of(n)->data[i]);
        if (n_cells > widest)
            widest = n_cells;
    }
    return widest < 2;
}

/* ---- the walk */

typedef struct walk {
    const page *p;
    rag_html_text text;
    const GumboNode *table;  /* the data table we are in, or NULL */
    const GumboNode *header; /* the page header we are in, or NULL */
} walk;

static rag_html_part part_in_table(const GumboNode *n, uint32_t *arg)
{
    uint32_t cols;
    uint32_t rows;

    switch ((int)n->v.element.tag) {
    case GUMBO_TAG_TR:
        return is_head_row(n) ? RAG_HTML_HEAD_ROW : RAG_HTML_ROW;
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
        cols = number_of(attr(n, "colspan"), MAX_SPAN);
        rows = number_of(attr(n, "rowspan"), MAX_ROW_SPAN);
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
        *arg = number_of(attr(n, "start"), 1000000000);
        if (attr(n, "start").len == 0)
            *arg = 1;
        return RAG_HTML_OL;
    case GUMBO_TAG_LI:
        *arg = number_of(attr(n, "value"), 1000000000);
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

    if (w->header == NULL && is_page_header(n) && !w->p->keep_chrome)
        w->header = n;
    if (w->table == NULL && has_tag(n, GUMBO_TAG_TABLE) && !is_layout(n)) {
        w->table = n;
        rag_html_text_enter(&w->text, RAG_HTML_TABLE, 0);
        return;
    }
    if (has_tag(n, GUMBO_TAG_BR)) {
        rag_html_text_break(&w->text);
        return;
    }
    part = part_of(w, n, &arg);
    rag_html_text_enter(&w->text, part, arg);
}

static void leave(walk *w, const GumboNode *n)
{
    uint32_t arg;

    if (!is_element(n))
        return;
    if (w->header == n)
        w->header = NULL;
    if (w->table == n) {
        rag_html_text_leave(&w->text, RAG_HTML_TABLE);
        w->table = NULL;
        return;
    }
    if (!has_tag(n, GUMBO_TAG_BR))
        rag_html_text_leave(&w->text, part_of(w, n, &arg));
}

/* Of the page's header only its heading is text. */
static bool mute(const walk *w, const GumboNode *n)
{
    if (w->header == NULL)
        return false;
    for (; n != w->header; n = n->parent)
        if (has_tag(n, GUMBO_TAG_H1))
            return false;
    return true;
}

static rag_status walk_page(walk *w, const GumboNode *root, rag_error *err)
{
    const GumboNode *n = root;
    size_t n_seen = 0;

    for (;;) {
        const GumboNode *next;
        bool over = n != root && left_out(w->p, n);

        if (++n_seen % 4096 == 0 && rag_source_cancelled(w->p->src))
            return rag_fail(err, RAG_E_CANCELLED, "cancelled");
        if (!over && is_element(n))
            enter(w, n);
        else if (is_text(n) && !mute(w, n))
            rag_html_text_add(&w->text, rag_str_of(n->v.text.text));
        if (!over && children_of(n)->length != 0) {
            n = children_of(n)->data[0];
            continue;
        }
        if (!over)
            leave(w, n);
        next = n == root ? NULL : next_node(n, root, true);
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
    const GumboNode *head = find_tag(root, GUMBO_TAG_HEAD);
    const GumboVector *kids = head != NULL ? children_of(head) : NULL;

    rag_builder_meta(b, RAG_STR_LIT("lang"), attr(root, "lang"));
    for (unsigned i = 0; kids != NULL && i < kids->length; i++) {
        const GumboNode *n = kids->data[i];
        rag_str name = attr(n, "name");

        if (!has_tag(n, GUMBO_TAG_META))
            continue;
        if (name.len == 0)
            name = attr(n, "property");
        if (HAS_WORD(name, wanted))
            rag_builder_meta(b, name, attr(n, "content"));
    }
}

static void read_title(rag_builder *b, const GumboNode *root)
{
    const GumboNode *title = find_tag(root, GUMBO_TAG_TITLE);

    if (title != NULL && children_of(title)->length != 0) {
        const GumboNode *n = children_of(title)->data[0];

        if (is_text(n))
            rag_builder_title(b, rag_str_of(n->v.text.text));
    }
}

static rag_status extract(rag_builder *b, const rag_source *src,
                          const GumboNode *root, rag_error *err)
{
    page p = {.body = find_tag(root, GUMBO_TAG_BODY), .src = src};
    walk w = {.p = &p};
    const GumboNode *part;
    rag_status st;

    if (p.body == NULL)
        p.body = root; /* frames */
    p.header_heads = header_heads(&p);
    part = main_part(&p);
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
