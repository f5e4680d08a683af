#ifndef RAG_BASE_STEM_H
#define RAG_BASE_STEM_H

#include "base/str.h"

/* English stems (Snowball's, by libstemmer). Not for two threads at once. */
typedef struct rag_stem rag_stem;

/* NULL: no memory. */
rag_stem *rag_stem_new(void);
void rag_stem_free(rag_stem *s);

/* The stem of a lower-case word, kept in s until the next call; ptr NULL when
 * there is no memory. */
rag_str rag_stem_of(rag_stem *s, rag_str word);

#endif /* RAG_BASE_STEM_H */
