#ifndef RAG_DOC_READER_H
#define RAG_DOC_READER_H

/*
 * reader — what a document format is made of, and the builder with which a
 * reader makes its rag_doc.
 *
 * A new format is one file read_x.c with one `const rag_reader rag_reader_x`
 * and one line in the table of doc.c. A reader uses pread(2) on src->fd (the
 * file position stays 0 until somebody hands the descriptor to a child), fills
 * a rag_builder, and gives what rag_builder_finish() returns to the sink.
 * Messages do not name the file: the caller knows its path.
 *
 * Owns:    a rag_builder between _init and _dispose; _finish empties it.
 * Errors:  sticky; rag_builder_finish() reports the first one.
 * Threads: one builder per thread; readers are constant tables.
 */

#include "base/buf.h"
#include "doc/doc.h"

/* The front of the file that sniffing looks at: many lines of a record file,
 * the head of any HTML page, cheap to read for every file of a folder. */
#define RAG_READER_HEAD_BYTES ((size_t)64 << 10)

/* A file about to be read. All borrowed for the call. */
typedef struct rag_source {
    int fd;                   /* regular file */
    const char *name;         /* file name, for its suffix */
    uint64_t n_bytes;         /* its size when it was opened */
    rag_str head;             /* its first bytes, raw */
    const rag_doc_opts *opts; /* never NULL */
} rag_source;

typedef struct rag_reader {
    const char *name;    /* "markdown": the name of its type */
    const char *version; /* "markdown/1": another one means reading again */
    rag_doc_type type;
    /* Is src of this format? Asked in the order of the table; the first that
     * says yes reads. */
    bool (*sniff)(const rag_source *src);
    rag_status (*read)(const rag_source *src, rag_doc_sink sink, void *ctx,
                       rag_error *err);
} rag_reader;

extern const rag_reader rag_reader_html;
extern const rag_reader rag_reader_records;
extern const rag_reader rag_reader_csv;
extern const rag_reader rag_reader_tsv;
extern const rag_reader rag_reader_markdown;
extern const rag_reader rag_reader_text;

/* Does the file's name end in one of the suffixes? ASCII case folded;
 * suffixes is a NULL-terminated list such as {".md", ".markdown", NULL}. */
bool rag_source_suffix(const rag_source *src, const char *const *suffixes);
/* The per-file limit: opts->max_bytes when smaller, else own. */
size_t rag_source_limit(const rag_source *src, size_t own_max_bytes);
bool rag_source_cancelled(const rag_source *src);
/* pread(2) of up to n bytes at `at`, going on after EINTR and short reads;
 * *got < n only at the end of the file. */
RAG_NODISCARD rag_status rag_source_read(size_t *got, const rag_source *src,
                                         void *to, size_t n, uint64_t at,
                                         rag_error *err);

/* ---- the builder */

/* More warnings than a person reads say nothing; the rest is dropped. */
#define RAG_BUILDER_MAX_WARNINGS 32
/* Front matter and HTML meta of one document. */
#define RAG_BUILDER_MAX_META 64

typedef struct rag_builder {
    rag_doc *doc; /* being built; NULL after a failure of _init */
    rag_buf text; /* the text as read; append to it freely */
    size_t cap_blocks;
    size_t cap_headings;
    size_t cap_pages;
    struct rag_builder_heading *headings; /* [n_headings] by block */
    size_t n_headings;
    rag_block *blocks; /* [n_blocks] */
    size_t n_blocks;
    size_t *pages; /* [n_pages] */
    size_t n_pages;
    rag_status failed;
} rag_builder;

RAG_NODISCARD rag_status rag_builder_init(rag_builder *b, rag_doc_type type,
                                          size_t max_text_bytes,
                                          rag_error *err);
void rag_builder_dispose(rag_builder *b);

/* Adds a block of text[start..end) and returns its index. Blocks must come
 * ascending and not overlap; an empty one is left out (UINT32_MAX). level:
 * list depth or 0. head: TABLE_ROW: the index of its TABLE_HEAD, else
 * UINT32_MAX. */
uint32_t rag_builder_block(rag_builder *b, rag_block_kind kind, size_t start,
                           size_t end, uint32_t level, uint32_t head);
/* Adds a HEADING block; words: its text without markup, copied, white space
 * collapsed. */
uint32_t rag_builder_heading(rag_builder *b, size_t start, size_t end,
                             uint32_t level, rag_str words);
/* The next page begins at `start` of the text (call it for the first one too,
 * with 0). Empty pages are counted by the reader in doc->n_empty_pages. */
void rag_builder_page(rag_builder *b, size_t start);
void rag_builder_warn(rag_builder *b, const char *fmt, ...) RAG_PRINTF(2, 3);
/* Copied, scrubbed to valid UTF-8; empty values and what is beyond the cap are
 * dropped. */
void rag_builder_meta(rag_builder *b, rag_str key, rag_str value);
/* Copied, white space collapsed; the first one that is not empty stays. */
void rag_builder_title(rag_builder *b, rag_str title);

/* Gives the finished document and leaves b empty (dispose is still allowed).
 * Block edges are moved outwards to grapheme boundaries. A text of nothing but
 * white space is RAG_E_EMPTY. */
RAG_NODISCARD rag_status rag_builder_finish(rag_doc **out, rag_builder *b,
                                            rag_error *err);

#endif /* RAG_DOC_READER_H */
