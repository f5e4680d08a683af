#ifndef RAG_DOC_DOC_H
#define RAG_DOC_DOC_H

/*
 * doc — a file becomes text with positions.
 *
 * The *text as read* is valid UTF-8, made once by a reader and never changed
 * afterwards (no NFC, no folding); every position in the project is a byte
 * offset [start, end) into it. For text, Markdown and CSV it is the decoded
 * file, line for line: line N is line N of the file, CRLF and front matter
 * stay, a byte order mark stays as U+FEFF at offset 0. Of a record of a
 * record file it is its `text`; for HTML and PDF it is the extract.
 *
 * Owns:    rag_doc, given to the sink, until rag_doc_free().
 * Errors:  RAG_E_EMPTY (nothing in it: skip), RAG_E_UNSUPPORTED (no reader
 *          knows it: skip), RAG_E_NOTEXT, RAG_E_PROTECTED, RAG_E_FORMAT,
 *          RAG_E_LIMIT, RAG_E_IO, RAG_E_CANCELLED, RAG_E_NOMEM.
 * Threads: one rag_doc per thread; reading is safe from several threads.
 */

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

typedef enum rag_doc_type {
    RAG_DOC_TEXT,     /* plain text, code, logs, anything undecided */
    RAG_DOC_MARKDOWN, /* md4c */
    RAG_DOC_HTML,     /* gumbo */
    RAG_DOC_PDF,      /* pdftotext in a child */
    RAG_DOC_RECORDS,  /* .jsonl whose lines have an id and a text */
    RAG_DOC_CSV,
    RAG_DOC_TSV
} rag_doc_type;

typedef enum rag_block_kind {
    RAG_BLOCK_PARA,    /* running text */
    RAG_BLOCK_HEADING, /* level 1..6; the span of the whole heading line(s) */
    RAG_BLOCK_ITEM,    /* a list item (without its nested items) */
    RAG_BLOCK_CODE,    /* a fence or listing, whole; cut at lines only */
    RAG_BLOCK_TABLE_HEAD, /* the header row of a table (Markdown: with ---) */
    /* One row; `head` says which header. CSV: a quoted cell may hold line ends,
     * and above 16 MiB a block holds several whole rows. */
    RAG_BLOCK_TABLE_ROW,
    RAG_BLOCK_META /* front matter: kept, not part of any section */
} rag_block_kind;

/* Ascending, not overlapping; what lies between blocks is white space or
 * markup that nobody searches. */
typedef struct rag_block {
    size_t start; /* bytes in text */
    size_t end;
    rag_block_kind kind;
    uint32_t level; /* heading level or list depth */
    uint32_t
        head; /* table rows: index of their TABLE_HEAD block, else UINT32_MAX */
} rag_block;

typedef struct rag_doc {
    rag_arena arena; /* everything below but text */
    char *text;      /* [text_len], NUL behind it; rag_malloc'd */
    size_t text_len; /* bytes */
    rag_doc_type type;
    rag_str title;        /* from the content; empty when it has none */
    rag_str record_id;    /* record files: the id; else empty */
    uint64_t record_line; /* record files: its line in the file, from 1 */
    bool has_lines;       /* people are shown lines of the file */
    rag_block *blocks;    /* [n_blocks]; none: plain text, lines speak */
    size_t n_blocks;
    rag_str *heading_texts; /* [n_blocks] for HEADING blocks the words without
                             * markup, else empty; NULL when no headings */
    size_t *page_starts;    /* [n_pages] offset where page i+1 begins */
    size_t n_pages;         /* 0: the format has none */
    size_t n_empty_pages;
    const char **warnings; /* [n_warnings] one line each */
    size_t n_warnings;
    rag_str *meta_keys;   /* [n_meta] front matter, HTML meta, PDF info */
    rag_str *meta_values; /* [n_meta] */
    size_t n_meta;
} rag_doc;

typedef struct rag_doc_opts {
    const char *type; /* force a reader by name ("markdown"); NULL: sniff */
    size_t max_bytes; /* per file; 0: the reader's own documented limit */
    bool (*cancelled)(void *ctx); /* may be NULL */
    void *cancel_ctx;
} rag_doc_opts;

/* Takes doc over (rag_doc_free()). Anything but RAG_OK ends the reading and is
 * what rag_doc_read() returns. */
typedef rag_status (*rag_doc_sink)(void *ctx, rag_doc *doc, rag_error *err);

/* Reads the regular file open at fd (borrowed; only pread(2) is used, so the
 * position stays). name: its file name, for the suffix; messages do not repeat
 * it. Everything but a record file calls the sink once.
 *
 * A record file calls the sink once a record and never holds more than one. A
 * broken line does not stop it: all good records are given first, then the
 * call ends with RAG_E_FORMAT, RAG_E_LIMIT or (records without text)
 * RAG_E_NOTEXT, counting what was left out and naming the first line: the
 * caller keeps what it got and reports the file. A record with a title and no
 * text is read by its title. An id that occurs twice is given twice.
 *
 * Limits: text and CSV 512 MiB, Markdown 16 MiB, HTML 8 MiB (and 512 elements
 * deep), a record 16 MiB a line. */
RAG_NODISCARD rag_status rag_doc_read(int fd, const char *name,
                                      const rag_doc_opts *opts,
                                      rag_doc_sink sink, void *ctx,
                                      rag_error *err);
void rag_doc_free(rag_doc *doc);

/* "pdf", and back; false when there is none of that name. */
const char *rag_doc_type_name(rag_doc_type t);
bool rag_doc_type_of(rag_doc_type *out, rag_str name);

/* Version of the reader of a type, e.g. "pdf/1": another one means that stored
 * files are read again. rag_doc_sniff_version() covers what decides the type,
 * for files that were skipped. Static strings. */
const char *rag_doc_reader_version(rag_doc_type t);
const char *rag_doc_sniff_version(void);

/* Page (from 1) of a byte offset; 0 when the document has no pages. */
uint32_t rag_doc_page_at(const rag_doc *doc, size_t at);

#endif /* RAG_DOC_DOC_H */
