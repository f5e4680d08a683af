#include "doc/html_tree.h"

bool rag_html_is_element(const GumboNode *n)
{
    return n->type == GUMBO_NODE_ELEMENT || n->type == GUMBO_NODE_TEMPLATE;
}

bool rag_html_has_tag(const GumboNode *n, GumboTag tag)
{
    return rag_html_is_element(n) && n->v.element.tag == tag &&
           n->v.element.tag_namespace == GUMBO_NAMESPACE_HTML;
}

bool rag_html_is_text(const GumboNode *n)
{
    return n->type == GUMBO_NODE_TEXT || n->type == GUMBO_NODE_WHITESPACE ||
           n->type == GUMBO_NODE_CDATA;
}

const GumboVector *rag_html_children(const GumboNode *n)
{
    static const GumboVector none = {NULL, 0, 0};

    if (n->type == GUMBO_NODE_DOCUMENT)
        return &n->v.document.children;
    return rag_html_is_element(n) ? &n->v.element.children : &none;
}

const GumboNode *rag_html_next(const GumboNode *n, const GumboNode *root,
                               bool over)
{
    const GumboVector *kids = rag_html_children(n);

    if (!over && kids->length != 0)
        return kids->data[0];
    while (n != root) {
        kids = rag_html_children(n->parent);
        if (n->index_within_parent + 1 < kids->length)
            return kids->data[n->index_within_parent + 1];
        n = n->parent;
    }
    return NULL;
}

rag_str rag_html_attr(const GumboNode *n, const char *name)
{
    const GumboAttribute *a =
        rag_html_is_element(n)
            ? gumbo_get_attribute(&n->v.element.attributes, name)
            : NULL;

    return a != NULL ? rag_str_of(a->value) : (rag_str){NULL, 0};
}

bool rag_html_has_word(rag_str list, const char *const *words, size_t n_words)
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

const GumboNode *rag_html_find(const GumboNode *root, GumboTag tag)
{
    for (const GumboNode *n = root; n != NULL;
         n = rag_html_next(n, root, false))
        if (rag_html_has_tag(n, tag))
            return n;
    return NULL;
}
