#ifndef RAG_DOC_HTML_TREE_H
#define RAG_DOC_HTML_TREE_H

/*
 * html_tree — the parsed page as gumbo gives it, and the questions that reading
 * it asks of a node. Private to this room: the only header that shows gumbo.
 *
 * Owns:    nothing; nodes live as long as the parse.
 * Threads: safe to share.
 */

#include <gumbo.h>

#include "base/str.h"

bool rag_html_is_element(const GumboNode *n);
/* An HTML element of that name. */
bool rag_html_has_tag(const GumboNode *n, GumboTag tag);
bool rag_html_is_text(const GumboNode *n);
/* Never NULL: a text has none. */
const GumboVector *rag_html_children(const GumboNode *n);
/* The next node in document order below root; without descending when `over`.
 * No recursion: pages are as deep as they like. */
const GumboNode *rag_html_next(const GumboNode *n, const GumboNode *root,
                               bool over);
/* The first such element, root counted, or NULL. */
const GumboNode *rag_html_find(const GumboNode *root, GumboTag tag);
/* Empty: no such attribute, or no element. */
rag_str rag_html_attr(const GumboNode *n, const char *name);

/* Is one of the words (in any case) in the list, which blanks part? */
bool rag_html_has_word(rag_str list, const char *const *words, size_t n_words);
#define RAG_HTML_HAS_WORD(list, words)                                         \
    rag_html_has_word(list, words, sizeof(words) / sizeof(words)[0])

#endif /* RAG_DOC_HTML_TREE_H */
