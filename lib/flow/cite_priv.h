#ifndef RAG_FLOW_CITE_PRIV_H
#define RAG_FLOW_CITE_PRIV_H

/* What cite.c and cite_facts.c share: the sentence and the passage at hand. */

#include "flow/cite.h"
#include "flow/claim.h"

/* One word of the sentence, however often it stands there. */
typedef struct rag_cite_wanted {
    uint64_t key;
    size_t word;     /* its first place in the sentence */
    float weight;    /* the highest of its places */
    bool found;      /* in the passage */
    bool unit_found; /* with the same unit, or one of them without any */
    uint32_t stamp;  /* passage sentence in which it was seen last */
    bool affirmed;   /* in the quote */
    bool denied;
} rag_cite_wanted;

struct rag_cite {
    rag_words *words;
    rag_claim sentence;
    rag_claim passage;
    rag_claim about;
    rag_cite_wanted *list; /* [n] by key */
    size_t n;
    size_t cap;
};

/* The sentence's word of this key, or NULL. */
rag_cite_wanted *rag_cite_find(rag_cite *c, uint64_t key);

/* Counts what the passage lacks, denies or says otherwise; found and the quote
 * are known. */
void rag_cite_facts(rag_cite_check *out, rag_cite *c);

#endif /* RAG_FLOW_CITE_PRIV_H */
