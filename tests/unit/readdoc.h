#ifndef RAG_TESTS_READDOC_H
#define RAG_TESTS_READDOC_H

/* Reading bytes and files for the tests of lib/doc, and the span rule. */

#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/utf8.h"
#include "doc/doc.h"

#define READ_MAX_DOCS 16

/* The first documents that came out of one read. */
typedef struct read_docs {
    rag_doc *doc[READ_MAX_DOCS];
    size_t n; /* all of them, also beyond the array */
} read_docs;

static rag_status read_sink(void *ctx, rag_doc *doc, rag_error *err)
{
    read_docs *d = ctx;

    (void)err;
    if (d->n < READ_MAX_DOCS)
        d->doc[d->n] = doc;
    else
        rag_doc_free(doc);
    d->n++;
    return RAG_OK;
}

static inline void read_free(read_docs *d)
{
    for (size_t i = 0; i < d->n && i < READ_MAX_DOCS; i++)
        rag_doc_free(d->doc[i]);
    d->n = 0;
}

static inline int read_memory(const void *bytes, size_t n)
{
    int fd = memfd_create("doc", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    return fd;
}

static inline rag_status read_opts(read_docs *out, const char *name,
                                   const void *bytes, size_t n,
                                   const rag_doc_opts *opts, rag_error *err)
{
    int fd = read_memory(bytes, n);
    rag_status st;

    out->n = 0;
    st = rag_doc_read(fd, name, opts, read_sink, out, err);
    (void)close(fd);
    return st;
}

static inline rag_status read_bytes(read_docs *out, const char *name,
                                    const void *bytes, size_t n, rag_error *err)
{
    return read_opts(out, name, bytes, n, NULL, err);
}

static inline rag_status read_path(read_docs *out, const char *path,
                                   rag_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const char *slash = strrchr(path, '/');
    rag_status st;

    if (fd < 0)
        fail_msg("cannot open %s", path);
    out->n = 0;
    st = rag_doc_read(fd, slash != NULL ? slash + 1 : path, NULL, read_sink,
                      out, err);
    (void)close(fd);
    return st;
}

/* The one document of a text that must be readable. */
static inline rag_doc *read_one(const char *name, const char *text)
{
    read_docs d;
    rag_error err;

    OK(read_bytes(&d, name, text, strlen(text), &err), &err);
    assert_int_equal(d.n, 1);
    return d.doc[0];
}

/* What the contract says of every document. */
static inline void check_spans(const rag_doc *d)
{
    rag_str text = rag_str_n(d->text, d->text_len);
    size_t at = 0;

    assert_true(rag_utf8_valid(text));
    assert_int_equal(d->text[d->text_len], '\0');
    assert_null(memchr(d->text, 0, d->text_len));
    for (size_t i = 0; i < d->n_blocks; i++) {
        const rag_block *b = &d->blocks[i];

        assert_true(b->start >= at && b->end > b->start &&
                    b->end <= d->text_len);
        assert_true(rag_utf8_is_grapheme_break(text, b->start));
        assert_true(rag_utf8_is_grapheme_break(text, b->end));
        at = b->end;
        if (b->kind == RAG_BLOCK_TABLE_ROW && b->head != UINT32_MAX) {
            assert_true(b->head < i);
            assert_int_equal(d->blocks[b->head].kind, RAG_BLOCK_TABLE_HEAD);
        } else {
            assert_int_equal(b->head, UINT32_MAX);
        }
        if (b->kind == RAG_BLOCK_HEADING) {
            assert_in_range(b->level, 1, 6);
            assert_non_null(d->heading_texts);
        }
    }
    for (size_t i = 1; i < d->n_pages; i++)
        assert_true(d->page_starts[i - 1] <= d->page_starts[i]);
}

static inline bool str_is(rag_str s, const char *want)
{
    if (rag_str_eqz(s, want))
        return true;
    print_error("have \"%.*s\"\nwant \"%s\"\n", (int)s.len, s.ptr, want);
    return false;
}

static inline rag_str block_text(const rag_doc *d, size_t i)
{
    return rag_str_n(d->text + d->blocks[i].start,
                     d->blocks[i].end - d->blocks[i].start);
}

static inline bool block_is(const rag_doc *d, size_t i, rag_block_kind kind,
                            const char *want)
{
    if (i >= d->n_blocks || d->blocks[i].kind != kind) {
        print_error("block %zu of %zu: kind %d, want %d (%s)\n", i, d->n_blocks,
                    i < d->n_blocks ? (int)d->blocks[i].kind : -1, (int)kind,
                    want);
        return false;
    }
    return str_is(block_text(d, i), want);
}

static inline bool meta_is(const rag_doc *d, const char *key, const char *want)
{
    for (size_t i = 0; i < d->n_meta; i++)
        if (rag_str_eqz(d->meta_keys[i], key))
            return str_is(d->meta_values[i], want);
    print_error("no meta %s\n", key);
    return false;
}

/* One line a block, as the expectations in tests/data are written. */
static inline char *dump_blocks(const rag_doc *d)
{
    static const char *const kinds[] = {
        "PARA", "HEADING", "ITEM", "CODE", "TABLE_HEAD", "TABLE_ROW", "META"};
    rag_buf b;
    char *out;

    rag_buf_init(&b, (size_t)16 << 20);
    rag_buf_addf(&b, "title: %.*s\n", (int)d->title.len,
                 d->title.len != 0 ? d->title.ptr : "");
    for (size_t i = 0; i < d->n_blocks; i++) {
        rag_str s = block_text(d, i);

        rag_buf_addf(&b, "%s %u", kinds[d->blocks[i].kind], d->blocks[i].level);
        if (d->blocks[i].head != UINT32_MAX)
            rag_buf_addf(&b, " head %u", d->blocks[i].head);
        rag_buf_addz(&b, ": ");
        for (size_t k = 0; k < s.len; k++) {
            if (s.ptr[k] == '\n')
                rag_buf_addz(&b, "\\n");
            else
                rag_buf_addc(&b, s.ptr[k]);
        }
        rag_buf_addc(&b, '\n');
    }
    out = rag_buf_take(&b, NULL);
    assert_non_null(out);
    return out;
}

/* For CHECK_OOM. */
static inline rag_status read_and_drop(const char *name, const char *text)
{
    rag_error err;
    read_docs d;
    rag_status st = read_bytes(&d, name, text, strlen(text), &err);

    read_free(&d);
    return st;
}

#endif /* RAG_TESTS_READDOC_H */
