#ifndef RAG_DOC_FRONTMATTER_H
#define RAG_DOC_FRONTMATTER_H

/*
 * frontmatter — the key/value head of a Markdown file: YAML between `---`
 * lines (also closed by `...`) or TOML between `+++` lines, at the very top.
 *
 * Only what names a document is understood: top-level keys with scalars,
 * one-line or dashed lists, and folded text. Anything else stays text.
 */

#include "doc/reader.h"

/* Longer is no front matter but a text that begins with a rule. */
#define RAG_FRONTMATTER_MAX_BYTES ((size_t)64 << 10)

/* Length of the front matter at the front of text, with its fences and the
 * line end behind them; 0 when there is none. */
size_t rag_frontmatter_len(rag_str text);

/* Its keys and values into b as meta, `title` as the title too. matter: what
 * rag_frontmatter_len() measured. */
void rag_frontmatter_read(rag_builder *b, rag_str matter);

#endif /* RAG_DOC_FRONTMATTER_H */
