#ifndef RAG_DOC_CHUNK_H
#define RAG_DOC_CHUNK_H

/*
 * chunk — a document becomes passages: spans of its text, 250–400 tokens by an
 * estimate that needs no model, cut where the document's structure allows.
 *
 * Boundaries depend on nearby text only (they resynchronise): one changed line
 * of running text in a long document changes at most a few chunks. A chunk
 * never cuts a grapheme, and a word, table row or code line only when it is
 * longer than a chunk itself.
 *
 * Owns:    rag_chunks until rag_chunks_free(); the doc must outlive it.
 * Errors:  RAG_E_NOMEM.
 * Threads: one object per thread.
 */

#include "base/buf.h"
#include "doc/doc.h"

typedef struct rag_chunk {
    size_t start; /* bytes in the text as read */
    size_t end;
    uint32_t section;     /* index into rag_chunks.sections, or UINT32_MAX */
    uint32_t n_tokens;    /* estimated, of the span alone */
    size_t context_start; /* span of the table or CSV header that belongs to */
    size_t context_end;   /* it; empty (0,0) when none */
} rag_chunk;

/* A heading and what it stands under. */
typedef struct rag_section {
    uint32_t parent; /* index, or UINT32_MAX */
    uint32_t level;  /* 1..6 */
    rag_str heading; /* words without markup; borrowed from the doc */
    size_t start;    /* the section's span: from its heading to the next of */
    size_t end;      /* its level or above */
} rag_section;

typedef struct rag_chunks {
    rag_chunk *chunks; /* [n_chunks] by start */
    size_t n_chunks;
    rag_section *sections; /* [n_sections] by start */
    size_t n_sections;
} rag_chunks;

struct rag_chunk_parts;

typedef struct rag_chunk_opts {
    uint32_t min_tokens; /* 0: 250 */
    uint32_t max_tokens; /* 0: 400 */
    /* Is it short enough for the model? What is not, whatever the estimate
     * said, is halved until it is. NULL: nobody asks. */
    bool (*fits)(void *ctx, const struct rag_chunk_parts *parts);
    void *fits_ctx;
} rag_chunk_opts;

RAG_NODISCARD rag_status rag_chunk_doc(rag_chunks **out, const rag_doc *doc,
                                       const rag_chunk_opts *opts,
                                       rag_error *err);
void rag_chunks_free(rag_chunks *c);

/* Tokens of text by the estimate: within 20 % of the built-in tokenizer on
 * Korean and English prose. */
uint32_t rag_chunk_tokens(rag_str text);

/* Version of boundaries, estimate and input together, e.g. "chunk/2". */
const char *rag_chunk_version(void);

/* What is embedded of a chunk (and hashed for the vector's key), and what the
 * words index sees. Made from these parts alone, so that it can be made from a
 * document just read and from the store alike. */
typedef struct rag_chunk_parts {
    rag_doc_type type;
    rag_str title;           /* from the content; empty when none */
    const rag_str *headings; /* [n_headings] outermost first */
    size_t n_headings;
    rag_str context; /* table or CSV header; empty when none */
    rag_str body;    /* the span's text */
} rag_chunk_parts;

/* Appends the breadcrumb line "title > h1 > h2" (empty: nothing). */
void rag_chunk_breadcrumb(rag_buf *out, const rag_chunk_parts *parts);
/* Appends the body as indexed: CSV rows with their header names beside each
 * value, tables with their header before them, anything else as it is. */
void rag_chunk_body(rag_buf *out, const rag_chunk_parts *parts);
/* Breadcrumb, newline, body: the exact model input (before any prefix). */
void rag_chunk_input(rag_buf *out, const rag_chunk_parts *parts);

#endif /* RAG_DOC_CHUNK_H */
