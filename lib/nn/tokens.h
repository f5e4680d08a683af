#ifndef RAG_NN_TOKENS_H
#define RAG_NN_TOKENS_H

/*
 * tokens — text becomes token ids, exactly as the reference of each kind does.
 *
 * Unigram: SentencePiece, with the normalisation nmt_nfkc or a charsmap of the
 *   model's own; the best segmentation by the sum of scores in single precision
 *   as the reference adds them, unknown characters in a row as one <unk>. Works
 *   word by word (no piece reaches over a space).
 * WordPiece, byte-level BPE, SentencePiece's BPE: Hugging Face tokenizers.
 *
 * Special tokens written in the text are plain text. Pieces of the type USER
 * are cut out of the text whole, the longest first; what stands between them is
 * tokenized by itself.
 *
 * Owns:    its scratch and the ids, from rag_tokens_init() to _dispose().
 * Errors:  RAG_E_NOMEM, RAG_E_LIMIT.
 * Threads: one object per thread; the tables are shared.
 */

#include "nn/source.h"
#include "nn/trie.h"

/* longest text at once: ids of a text this long take as much memory again */
#define RAG_TOKENS_MAX_BYTES ((size_t)64 << 20)
/* four times the largest vocabulary of a known encoder */
#define RAG_TOKENS_MAX_PIECES (1u << 20)

/* WordPiece: longest word that is looked up; all known models say 100 */
#define RAG_TOKENS_MAX_WORD_CHARS 65536u

/* SentencePiece's precompiled rules: the longest that matches is replaced. */
typedef struct rag_charsmap {
    rag_trie trie; /* of places in text */
    const char *text;
    size_t n_text; /* bytes; replacements end with NUL */
} rag_charsmap;

/* One slot of the table of merges; empty: merged is UINT32_MAX. */
typedef struct rag_tokens_merge {
    uint32_t left;
    uint32_t right;
    uint32_t rank; /* lower goes first */
    uint32_t merged;
} rag_tokens_merge;

#define RAG_TOKENS_CLASS_PAGES (0x110000u / 256u)

/* Borrowed from a mapped model file, untrusted. */
typedef struct rag_tokens_model {
    uint32_t kind;   /* rag_tokens_kind */
    uint32_t form;   /* rag_tokens_form */
    uint32_t splits; /* of rag_tokens_split */
    rag_nmt nmt;     /* Unigram; WordPiece: what a code point becomes */
    rag_charsmap charsmap;
    rag_trie trie;        /* pieces, with their ids; SP_BPE: of one character */
    rag_trie more;        /* WordPiece: those that go on a word, without "##" */
    rag_trie user;        /* pieces cut out of the text */
    rag_trie user_form;   /* ... and out of its form */
    const float *scores;  /* [n_pieces] */
    const int32_t *bytes; /* [256] ids of single bytes, or NULL */
    const rag_tokens_merge *merges; /* [n_slots] */
    uint32_t n_slots;               /* a power of two */
    uint32_t most_probes;           /* slots to look at, at most */
    const uint8_t *class_page;      /* [RAG_TOKENS_CLASS_PAGES] */
    const uint8_t *classes;         /* [n_class_pages][256] rag_class */
    size_t n_class_pages;
    uint32_t n_pieces;
    uint32_t max_word_chars;
    float unk_score;
    int32_t bos; /* -1: none */
    int32_t eos; /* -1: none */
    int32_t pad;
    int32_t unk;
    bool by_word;         /* no piece has a space but in front */
    bool pair_double_eos; /* of a pair: A </s></s> B */
    bool clean;
    bool strip_accents;
    bool prefix_space;
    bool prefix_missing;
    bool prefix_each;
    bool collapse_spaces;
    bool ignore_merges;
} rag_tokens_model;

typedef struct rag_tokens {
    const rag_tokens_model *model;
    int32_t *ids; /* [n_ids], of the last text */
    size_t n_ids;
    size_t ids_cap;
    rag_buf clean; /* the text, ill-formed parts replaced */
    rag_buf form;  /* a part of it in its Unicode form */
    rag_buf word;  /* normalised, not yet cut into pieces */
    /* Unigram */
    struct rag_tokens_node *nodes; /* [nodes_cap] */
    size_t nodes_cap;
    float score;    /* of the best path to the start of the word */
    bool word_text; /* the word has more than spaces */
    bool after_space;
    bool plain[128]; /* ASCII characters that stand for themselves */
    /* WordPiece */
    uint32_t word_chars;
    /* BPE */
    struct rag_tokens_symbol *symbols; /* [symbols_cap] */
    size_t symbols_cap;
    struct rag_tokens_pair *heap; /* [heap_cap] */
    size_t heap_cap;
} rag_tokens;

void rag_tokens_init(rag_tokens *t, const rag_tokens_model *model);
void rag_tokens_dispose(rag_tokens *t);

/* Fills t->ids, with <s> and </s> around where the model has them. Ill-formed
 * parts count as U+FFFD. */
RAG_NODISCARD rag_status rag_tokens_encode(rag_tokens *t, rag_str text,
                                           rag_error *err);

/* The same without <s> and </s>. */
RAG_NODISCARD rag_status rag_tokens_encode_bare(rag_tokens *t, rag_str text,
                                                rag_error *err);

#endif /* RAG_NN_TOKENS_H */
