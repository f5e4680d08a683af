#ifndef RAG_FLOW_QUERY_H
#define RAG_FLOW_QUERY_H

/*
 * query — what a person typed becomes terms for the words index, a text for
 * the encoder, phrases that must stand in a hit and words that must not.
 *
 * Owns:    rag_query, from rag_query_new() to rag_query_free().
 * Errors:  RAG_E_NOMEM.
 * Threads: one object per thread.
 */

#include "base/words.h"
#include "store/store.h"

/* More words than any question has; a pasted page is cut here. */
#define RAG_QUERY_MAX_TERMS 64

typedef struct rag_query {
    rag_store_term terms[RAG_QUERY_MAX_TERMS * 2];
    size_t n_terms;
    size_t n_words; /* SHOULD and MUST terms with a weight */
    /* Which language is it in: its words, stop words too, of the script that
     * most of it is written in */
    rag_store_term said[RAG_QUERY_MAX_TERMS];
    size_t n_said;
    size_t n_grams;   /* Hangul, Han, Kana */
    size_t n_hangul;  /* of these */
    rag_buf text;     /* for the encoder: without quotes and -words */
    rag_str *phrases; /* [n_phrases] as typed */
    size_t n_phrases;
    uint64_t excluded[RAG_QUERY_MAX_TERMS]; /* word keys */
    size_t n_excluded;
    rag_words *words;
    rag_arena arena;
} rag_query;

/* syntax: "phrases" and -words are honoured. */
RAG_NODISCARD rag_status rag_query_new(rag_query **out, rag_str typed,
                                       bool syntax, rag_error *err);
void rag_query_free(rag_query *q);

/* Words of any Korean text: terms [RAG_QUERY_MAX_TERMS], *n of them. */
RAG_NODISCARD rag_status rag_query_korean(rag_store_term *terms, size_t *n,
                                          rag_query *q, rag_error *err);

/* Does a passage hold every phrase and no excluded word? */
RAG_NODISCARD rag_status rag_query_accepts(bool *out, rag_query *q,
                                           rag_str heading, rag_str text,
                                           rag_error *err);

#endif /* RAG_FLOW_QUERY_H */
