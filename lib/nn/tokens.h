#ifndef RAG_NN_TOKENS_H
#define RAG_NN_TOKENS_H

/*
 * tokens — text becomes token ids, exactly as SentencePiece's Unigram model
 * with the normalisation nmt_nfkc: spaces collapsed and trimmed, one put in
 * front, the best segmentation by the sum of scores in single precision as the
 * reference adds them, unknown characters in a row as one <unk>.
 *
 * Works word by word (no piece reaches over a space), so it needs memory for
 * the longest word only. Special tokens written in the text are plain text.
 *
 * Owns:    its scratch and the ids, from rag_tokens_init() to _dispose().
 * Errors:  RAG_E_NOMEM, RAG_E_LIMIT.
 * Threads: one object per thread; the tables are shared.
 */

#include "nn/nmt.h"
#include "nn/trie.h"

/* longest text at once: ids of a text this long take as much memory again */
#define RAG_TOKENS_MAX_BYTES ((size_t)64 << 20)
/* four times the largest vocabulary of a known encoder */
#define RAG_TOKENS_MAX_PIECES (1u << 20)

/* Borrowed from a mapped model file, untrusted. */
typedef struct rag_tokens_model {
    uint32_t kind; /* rag_tokens_kind */
    rag_nmt nmt;
    rag_trie trie;       /* pieces, with their ids */
    const float *scores; /* [n_pieces] */
    uint32_t n_pieces;
    float unk_score;
    int32_t bos; /* -1: none */
    int32_t eos; /* -1: none */
    int32_t unk;
    bool by_word;         /* no piece has a space but in front */
    bool pair_double_eos; /* of a pair: A </s></s> B */
} rag_tokens_model;

typedef struct rag_tokens {
    const rag_tokens_model *model;
    int32_t *ids; /* [n_ids], of the last text */
    size_t n_ids;
    size_t ids_cap;
    rag_buf word;                  /* normalised, not yet cut into pieces */
    struct rag_tokens_node *nodes; /* [nodes_cap] */
    size_t nodes_cap;
    float score;    /* of the best path to the start of the word */
    bool word_text; /* the word has more than spaces */
    bool after_space;
    bool plain[128]; /* ASCII characters that stand for themselves */
} rag_tokens;

void rag_tokens_init(rag_tokens *t, const rag_tokens_model *model);
void rag_tokens_dispose(rag_tokens *t);

/* Fills t->ids, with <s> and </s> around where the model has them. Ill-formed
 * parts count as U+FFFD. */
RAG_NODISCARD rag_status rag_tokens_encode(rag_tokens *t, rag_str text,
                                           rag_error *err);

#endif /* RAG_NN_TOKENS_H */
