#ifndef RAG_FLOW_ASK_PRIV_H
#define RAG_FLOW_ASK_PRIV_H

/* What the files of an answer share: ask.c makes it, by a model or out of the
 * passages; ask_sentences.c takes it sentence by sentence, checks what each
 * cites and lets it go. */

#include "flow/cite.h"
#include "flow/flow_priv.h"

#define RAG_ASK_MAX_BYTES ((size_t)4 << 20)
/* Citations one sentence may carry; ALCE counts no more than three. */
#define RAG_ASK_MAX_CITES 8

typedef struct rag_ask_run {
    rag *r;
    const rag_ask_opts *opts;
    const rag_ask_watch *watch;
    rag_answer *a;
    rag_hits *hits;
    size_t n_passages; /* hits [0, n) may be cited */
    rag_cite *cite;
    rag_buf text;     /* everything given to delta */
    rag_buf sentence; /* at hand: with its [n] */
    rag_buf bare;     /* at hand: without them */
    rag_buf gap;      /* white space held behind a sentence's end */
    bool ended;       /* a sentence's end was seen */
    uint32_t cites[RAG_ASK_MAX_CITES];
    size_t n_cites;
    bool told[256]; /* citation n was told */
    size_t cap_sentences;
} rag_ask_run;

/* To the caller, and into the answer's text: never taken back. */
RAG_NODISCARD rag_status rag_ask_give(rag_ask_run *u, rag_str s,
                                      rag_error *err);
/* The sentence at hand cites [n]. */
void rag_ask_mark(rag_ask_run *u, uint32_t n);
/* Citation [n] is passage h, of which k says the quote; kept once, with the
 * better quote. */
RAG_NODISCARD rag_status rag_ask_cite(rag_ask_run *u, uint32_t n,
                                      const rag_hit *h, const rag_cite_check *k,
                                      const char *check, rag_error *err);
/* The sentence at hand joins the answer's list. */
RAG_NODISCARD rag_status rag_ask_keep(rag_ask_run *u, const char *support,
                                      rag_error *err);

/* A rag_gate's sink, ctx a rag_ask_run: a piece of a model's answer. */
RAG_NODISCARD rag_status rag_ask_passed(void *ctx, rag_str piece,
                                        rag_error *err);
/* The sentence at hand is whole: it is checked, and goes out if it may. */
RAG_NODISCARD rag_status rag_ask_end_sentence(rag_ask_run *u, rag_error *err);

#endif /* RAG_FLOW_ASK_PRIV_H */
