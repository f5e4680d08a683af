#ifndef RAG_BASE_GLOB_H
#define RAG_BASE_GLOB_H

/*
 * glob — patterns over paths, as .gitignore has them: `*` and `?` stop at '/',
 * a `**` that is a whole part of the path crosses folders, `[a-z]`, `[!a]`,
 * `[[:alpha:]]`, `\` escapes. `?` and a class take one character (UTF-8), or
 * one byte where there is none.
 * Threads: safe to share.
 */

#include "base/str.h"

/* Does the whole path match? Case-sensitive. Linear in practice: a
 * pattern with many stars gives up (no match) after a bounded effort. */
bool rag_glob_match(rag_str pattern, rag_str path);

/* As a person types it (--path, --include, rag ls): a pattern without '/' is
 * tried on the last part of the path, and one that ends in '/' or names a
 * folder takes everything below. */
bool rag_glob_pick(rag_str pattern, rag_str path);

/* Are there characters that make it a pattern? */
bool rag_glob_is(rag_str pattern);

#endif /* RAG_BASE_GLOB_H */
