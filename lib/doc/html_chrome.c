#include "doc/html_chrome.h"

/* ---- what is left out ---------------------------------------------------- */

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
    rag_str style = rag_html_attr(n, "style");
    char flat[256];
    size_t k = 0;

    if (gumbo_get_attribute(&n->v.element.attributes, "hidden") != NULL ||
        rag_str_ieqz(rag_html_attr(n, "aria-hidden"), "true"))
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
    const GumboVector *kids = rag_html_children(n);

    if (RAG_HTML_HAS_WORD(rag_html_attr(n, "class"), classes))
        return true;
    if (!rag_html_has_tag(n, GUMBO_TAG_A) || kids->length != 1 ||
        !rag_html_is_text(kids->data[0]) ||
        rag_str_find_char(rag_html_attr(n, "href"), '#') == SIZE_MAX)
        return false;
    return RAG_HTML_HAS_WORD(
        rag_str_of(((const GumboNode *)kids->data[0])->v.text.text), signs);
}

/* A header or footer of the page, not of an article or a section in it. */
static bool of_the_page(const GumboNode *n)
{
    for (n = n->parent; n != NULL && rag_html_is_element(n); n = n->parent)
        if (rag_html_has_tag(n, GUMBO_TAG_ARTICLE) ||
            rag_html_has_tag(n, GUMBO_TAG_MAIN) ||
            rag_html_has_tag(n, GUMBO_TAG_SECTION))
            return false;
    return true;
}

bool rag_html_is_page_header(const GumboNode *n)
{
    return (rag_html_has_tag(n, GUMBO_TAG_HEADER) && of_the_page(n)) ||
           rag_str_ieqz(rag_html_attr(n, "role"), "banner");
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

    if (rag_html_has_tag(n, GUMBO_TAG_BODY))
        return false;
    return rag_html_has_tag(n, GUMBO_TAG_NAV) ||
           rag_html_has_tag(n, GUMBO_TAG_ASIDE) ||
           rag_html_has_tag(n, GUMBO_TAG_MENU) ||
           (rag_html_has_tag(n, GUMBO_TAG_FOOTER) && of_the_page(n)) ||
           RAG_HTML_HAS_WORD(rag_html_attr(n, "role"), roles) ||
           RAG_HTML_HAS_WORD(rag_html_attr(n, "class"), classes) ||
           RAG_HTML_HAS_WORD(rag_html_attr(n, "id"), ids);
}

bool rag_html_left_out(const rag_html_page *p, const GumboNode *n)
{
    if (!rag_html_is_element(n))
        return false;
    if (is_machinery(n) || is_hidden(n) || is_permalink(n))
        return true;
    if (p->keep_chrome)
        return false;
    return is_chrome(n) || (!p->header_heads && rag_html_is_page_header(n));
}

/* ---- which part of the page ---------------------------------------------- */

/* Bytes of visible text below root, other than white space. */
static size_t visible_bytes(const rag_html_page *p, const GumboNode *root)
{
    size_t total = 0;
    const GumboNode *n = root;

    while (n != NULL) {
        bool over = n != root && rag_html_left_out(p, n);

        if (n->type == GUMBO_NODE_TEXT)
            for (const char *c = n->v.text.text; *c != '\0'; c++)
                total += (unsigned char)*c > ' ';
        n = rag_html_next(n, root, over);
    }
    return total;
}

const GumboNode *rag_html_main_part(const rag_html_page *p)
{
    const GumboNode *main_tag = NULL;
    const GumboNode *article = NULL;
    size_t n_articles = 0;
    size_t all;

    for (const GumboNode *n = p->body; n != NULL;) {
        bool over = n != p->body && rag_html_left_out(p, n);

        if (!over && main_tag == NULL &&
            (rag_html_has_tag(n, GUMBO_TAG_MAIN) ||
             rag_str_ieqz(rag_html_attr(n, "role"), "main")))
            main_tag = n;
        if (!over && rag_html_has_tag(n, GUMBO_TAG_ARTICLE)) {
            article = n_articles++ == 0 ? n : NULL;
            over = true; /* comments are articles in the article */
        }
        n = rag_html_next(n, p->body, over);
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

bool rag_html_header_heads(const rag_html_page *p)
{
    const GumboNode *n = p->body;
    bool inside = false;

    while (n != NULL) {
        bool over = n != p->body && rag_html_left_out(p, n);

        if (n != p->body && rag_html_is_element(n) &&
            rag_html_is_page_header(n))
            inside = inside || rag_html_find(n, GUMBO_TAG_H1) != NULL;
        else if (!over && rag_html_has_tag(n, GUMBO_TAG_H1))
            return false;
        n = rag_html_next(n, p->body, over);
    }
    return inside;
}
