#ifndef RAG_DOC_HTML_CHROME_H
#define RAG_DOC_HTML_CHROME_H

/*
 * html_chrome — what of a page is not its text: scripts and what is hidden,
 * links to the place they stand at, and what repeats on every page of a site
 * (menus, side bars, the site's header and footer). Found by element, role and
 * the names that generators of pages give it. Private to this room.
 *
 * Threads: safe to share.
 */

#include "doc/html_tree.h"

typedef struct rag_html_page {
    const GumboNode *body;
    bool keep_chrome;  /* the page is nothing but it */
    bool header_heads; /* the page header holds the only main heading */
} rag_html_page;

/* Is n left out with everything below? */
bool rag_html_left_out(const rag_html_page *p, const GumboNode *n);
/* A header of the page, not of an article or a section in it. */
bool rag_html_is_page_header(const GumboNode *n);
/* The page's own mark of its main part, when that holds most of the text; else
 * its body. */
const GumboNode *rag_html_main_part(const rag_html_page *p);
/* Does the only main heading stand in the page's header? */
bool rag_html_header_heads(const rag_html_page *p);

#endif /* RAG_DOC_HTML_CHROME_H */
