#ifndef RAG_NN_NMT_H
#define RAG_NN_NMT_H

/*
 * nmt — SentencePiece's normalisation nmt_nfkc, without its 225,000 rules.
 *
 * Those rules replace the longest match at each place. All that match one code
 * point are kept as they are (a table in pages of 256). All longer ones follow
 * from them: replace each code point by its own one-code-point replacement,
 * then a sequence that is the full decomposition of some code point becomes
 * that code point (949 rules; Hangul by arithmetic). This is not NFKC: marks
 * are not reordered, and what is composed already is not composed further.
 *
 * Owns:    rag_nmt borrows its tables (a mapped model file, untrusted);
 *          rag_nmt_built owns its own until rag_nmt_built_dispose().
 * Errors:  RAG_E_NOMEM, RAG_E_LIMIT, RAG_E_FORMAT.
 * Threads: safe to share.
 */

#include "base/buf.h"

/* code points with a table; those behind have no rule in any Unicode version */
#define RAG_NMT_CODE_POINTS 0x30000u
#define RAG_NMT_PAGE 256u
#define RAG_NMT_PAGES (RAG_NMT_CODE_POINTS / RAG_NMT_PAGE)
/* longest decomposition of a code point that composes */
#define RAG_NMT_RULE_MOST 4u

/* One sequence of fully decomposed code points and what it becomes. */
typedef struct rag_nmt_rule {
    uint32_t from[RAG_NMT_RULE_MOST]; /* 0 behind the last */
    uint32_t to;
} rag_nmt_rule;

typedef struct rag_nmt {
    const uint16_t *page_of; /* [RAG_NMT_PAGES] */
    /* [n_pages][RAG_NMT_PAGE]; 0: stays as it is, else the place of the
     * replacement in text (24 bits) << 8 | its length + 1 */
    const uint32_t *pages;
    size_t n_pages;
    const char *text;
    size_t n_text;             /* bytes */
    const rag_nmt_rule *rules; /* ascending by `from` */
    size_t n_rules;
} rag_nmt;

/* Takes the longest match off the front of s (well-formed, not empty): returns
 * its bytes, *to is what it becomes (in the tables, in s, or in room). */
size_t rag_nmt_next(rag_str *to, char room[4], const rag_nmt *m, rag_str s);

/* What stands for one code point in a foreign model file. */
typedef struct rag_nmt_map {
    uint32_t cp;
    uint32_t n;                /* code points */
    const unsigned char *le32; /* [4 n] little-endian, checked by the builder */
} rag_nmt_map;

typedef struct rag_nmt_built {
    uint16_t page_of[RAG_NMT_PAGES];
    rag_buf pages; /* of uint32_t */
    rag_buf text;
    rag_buf rules; /* of rag_nmt_rule */
} rag_nmt_built;

/* From the map of a model file that knows single code points only, ascending.
 * Rules that SentencePiece has and the file lacks are added. */
RAG_NODISCARD rag_status rag_nmt_build(rag_nmt_built *out,
                                       const rag_nmt_map *map, size_t n_map,
                                       rag_error *err);
void rag_nmt_built_dispose(rag_nmt_built *b);

#endif /* RAG_NN_NMT_H */
