#ifndef RAG_BASE_IGNORE_H
#define RAG_BASE_IGNORE_H

/*
 * ignore — rules of .ragignore and .gitignore files: one pattern a line, `#`
 * comments, `!` takes back, a trailing '/' means folders only, a '/' elsewhere
 * anchors at the file's own folder; the last rule that matches decides.
 *
 * Owns:    rag_ignore, from rag_ignore_new() to rag_ignore_free().
 * Errors:  RAG_E_NOMEM.
 * Threads: one object per thread.
 */

#include "base/status.h"
#include "base/str.h"

typedef struct rag_ignore rag_ignore;

rag_ignore *rag_ignore_new(void); /* NULL: out of memory */
void rag_ignore_free(rag_ignore *g);

/* Rules of a file that lies in `folder` (path below the root, "" for the root
 * itself). text is copied. */
RAG_NODISCARD rag_status rag_ignore_add(rag_ignore *g, rag_str folder,
                                        rag_str text, rag_error *err);
/* How many rules there are; cutting back to an earlier count forgets those of
 * folders that were left. */
size_t rag_ignore_count(const rag_ignore *g);
void rag_ignore_cut(rag_ignore *g, size_t count);

/* path: below the root, without a leading '/'. */
bool rag_ignore_hit(const rag_ignore *g, rag_str path, bool is_dir);

#endif /* RAG_BASE_IGNORE_H */
