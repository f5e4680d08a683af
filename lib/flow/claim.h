#ifndef RAG_FLOW_CLAIM_H
#define RAG_FLOW_CLAIM_H

/*
 * claim — what a text says, in the form in which the citation check compares
 * it: its words in order with what they weigh, numbers with their units, names,
 * and which words are denied ("not open", "열리지 않는다").
 *
 * Owns:    the memory of a rag_claim, to rag_claim_dispose().
 * Errors:  RAG_E_NOMEM.
 * Threads: one rag_claim and one rag_words per thread.
 */

#include "base/words.h"

/* Units and scales that numbers are followed (or preceded) by: the same one,
 * however it is written. 0: none known. */
typedef uint8_t rag_claim_unit;

typedef struct rag_claim_word {
    uint64_t key;
    uint64_t opposite; /* key of the word that says the contrary; 0: none */
    size_t start;      /* bytes in the text */
    size_t end;
    uint32_t run; /* what stands between blanks: a Korean word is one run */
    float weight;
    rag_claim_unit unit;
    bool number;
    bool wide;    /* of Hangul, Han or Kana */
    bool counted; /* a number written as a word; key is that of its digits */
    bool code;    /* has a digit and letters: must be there, or all its parts */
    bool whole;   /* a code, or part of one, that no parts make up */
    bool part;    /* of the code before it */
    bool name;
    bool negates;
    bool denied;
} rag_claim_word;

typedef struct rag_claim {
    rag_claim_word *words; /* [n] in order */
    size_t n;
    size_t cap;
} rag_claim;

/* Replaces what c holds. Starts as {0}. */
RAG_NODISCARD rag_status rag_claim_read(rag_claim *c, rag_words *w,
                                        rag_str text, rag_error *err);
void rag_claim_dispose(rag_claim *c);

/* ---- claim_terms.c: what single words mean ------------------------------ */

/* The unit written at the front of s ("ms", "분 동안", "%"); 0: none. */
rag_claim_unit rag_claim_unit_of(rag_str s);
/* A sign before a number: "$", "₩". */
rag_claim_unit rag_claim_sign_of(rag_str s);
/* "three", "세" -> "3"; NULL: no number. */
const char *rag_claim_digits(rag_str form);
/* "increas" -> "decreas", as forms of rag_words; empty: none. */
rag_str rag_claim_opposite(rag_str form);
/* Does a form deny what follows it (English) or stands before it (Korean)? */
bool rag_claim_denies_next(rag_str form);
bool rag_claim_denies_last(rag_str form);

#endif /* RAG_FLOW_CLAIM_H */
