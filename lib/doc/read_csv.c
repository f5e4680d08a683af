/*
 * CSV and TSV. The text as read is the decoded file; a row is a block, also
 * where quoted cells hold line ends (RFC 4180), and the first row names the
 * columns. Only the rows are found here; cells are cut where they are shown.
 *
 * A quote that opens a cell and is never closed is a character: else one inch
 * sign would swallow the rest of the file.
 */

#include <string.h>

#include "doc/charset.h"

/* As for plain text: one copy in memory, and blocks. */
#define RAG_CSV_MAX_BYTES ((size_t)512 << 20)
/* Rows are the blocks of a file up to this size. In larger ones neighbouring
 * rows share a block of about GROUP_BYTES: a block takes 32 bytes, as much as
 * many a row, and a chunk holds many rows anyway. */
#define ROW_BLOCKS_MAX_BYTES ((size_t)16 << 20)
#define GROUP_BYTES ((size_t)512)
/* A quoted cell of more than this is an unclosed quote. */
#define MAX_QUOTED_BYTES ((size_t)1 << 20)
/* After so many of those the file does not quote. */
#define MAX_UNCLOSED 16
/* Rows with one cell above the column names that are taken as titles. */
#define MAX_TITLE_ROWS 4
/* Lines that the separator is guessed from. */
#define GUESS_LINES 20

typedef struct csv {
    rag_str text;
    char sep;
    unsigned n_unclosed;
} csv;

/* End of the quoted part that opens at `at` (behind its closing quote), or 0
 * when it does not close. */
static size_t quoted_end(const csv *c, size_t at)
{
    size_t stop = c->text.len - at > MAX_QUOTED_BYTES ? at + MAX_QUOTED_BYTES
                                                      : c->text.len;

    at++;
    while (at < stop) {
        const char *q = memchr(c->text.ptr + at, '"', stop - at);

        if (q == NULL)
            return 0;
        at = (size_t)(q - c->text.ptr);
        if (at + 1 >= c->text.len || c->text.ptr[at + 1] != '"')
            return at + 1;
        at += 2; /* "" is a quote inside */
    }
    return 0;
}

/* End of the row that starts at `at`, at its line end or the text's end. */
static size_t row_end(csv *c, size_t at, size_t *n_cells)
{
    bool cell_starts = true;

    *n_cells = 1;
    while (at < c->text.len) {
        char ch = c->text.ptr[at];

        if (ch == '\n' || (ch == '\r' && (at + 1 == c->text.len ||
                                          c->text.ptr[at + 1] != '\n')))
            return at;
        if (ch == '"' && cell_starts && c->n_unclosed < MAX_UNCLOSED) {
            size_t end = quoted_end(c, at);

            if (end != 0) {
                at = end;
                cell_starts = false;
                continue;
            }
            c->n_unclosed++;
        }
        cell_starts = ch == c->sep;
        *n_cells += cell_starts;
        at++;
    }
    return at;
}

/* The separator that cuts the first lines into the same number of cells, the
 * more the better; tab and the file's own kind win a draw. */
static char guess_separator(rag_str text, bool tsv)
{
    static const char csv_order[] = ",;\t|";
    static const char tsv_order[] = "\t,;|";
    const char *order = tsv ? tsv_order : csv_order;
    char best = order[0];
    size_t best_score = 0;

    for (size_t k = 0; k < 4; k++) {
        csv c = {.text = rag_str_cut(text, 0, RAG_READER_HEAD_BYTES),
                 .sep = order[k]};
        size_t at = 0;
        size_t first = 0;
        size_t same = 0;
        size_t rows = 0;

        while (at < c.text.len && rows < GUESS_LINES) {
            size_t n;
            size_t end = row_end(&c, at, &n);

            if (end > at) {
                first = rows == 0 ? n : first;
                same += n == first;
                rows++;
            }
            at = end + 1;
        }
        if (first > 1 && same * 100 / rows + first > best_score) {
            best_score = same * 100 / rows + first;
            best = order[k];
        }
    }
    return best;
}

/* "sep=;" in the first line, as a spreadsheet program writes it. */
static bool told_separator(char *sep, rag_str line)
{
    line = rag_str_trim(line);
    if (line.len != 5 || !rag_str_ieqz(rag_str_cut(line, 0, 4), "sep="))
        return false;
    *sep = line.ptr[4];
    return true;
}

/* A first row of nothing but numbers names no columns. */
static bool names_columns(rag_str row, char sep)
{
    size_t at = 0;

    while (at <= row.len) {
        rag_str rest = rag_str_cut(row, at, row.len);
        size_t n = rag_str_find_char(rest, sep);
        rag_str cell = rag_str_trim(rag_str_cut(rest, 0, n));
        double v;

        if (cell.len >= 2 && cell.ptr[0] == '"')
            cell = rag_str_trim(rag_str_cut(cell, 1, cell.len - 1));
        if (cell.len != 0 && !rag_str_double(&v, cell))
            return true;
        if (n == SIZE_MAX)
            return false;
        at += n + 1;
    }
    return false;
}

static size_t trim_row(rag_str t, size_t at, size_t end)
{
    while (end > at && (t.ptr[end - 1] == '\r' || t.ptr[end - 1] == '\n'))
        end--;
    return end;
}

/* Cells of a row that hold something; quoted separators may count too much,
 * which only matters above one. */
static size_t filled_cells(rag_str row, char sep)
{
    size_t n = 0;
    bool filled = false;

    for (size_t i = 0; i <= row.len; i++) {
        if (i == row.len || row.ptr[i] == sep) {
            n += filled;
            filled = false;
        } else {
            filled = filled || (row.ptr[i] != ' ' && row.ptr[i] != '\r');
        }
    }
    return n;
}

static rag_status find_rows(rag_builder *b, const rag_source *src, bool tsv,
                            rag_error *err)
{
    rag_str text = rag_buf_str(&b->text);
    csv c = {.text = text};
    size_t at = rag_charset_bom(text);
    bool group = text.len > ROW_BLOCKS_MAX_BYTES;
    uint32_t head = UINT32_MAX;
    bool first = true;
    size_t n_rows = 0;
    size_t n_cells;
    size_t n_filled;
    rag_str rest = rag_str_cut(text, at, text.len);
    rag_str line;

    if (rag_str_next_line(&line, &rest) && told_separator(&c.sep, line))
        at += line.len + 1;
    else
        c.sep = guess_separator(rag_str_cut(text, at, text.len), tsv);
    while (at < text.len) {
        size_t end = row_end(&c, at, &n_cells);
        rag_str row = rag_str_cut(text, at, trim_row(text, at, end));
        rag_block *last = b->n_blocks != 0 ? &b->blocks[b->n_blocks - 1] : NULL;

        if (++n_rows % 4096 == 0 && rag_source_cancelled(src))
            return rag_fail(err, RAG_E_CANCELLED, "cancelled");
        n_filled = filled_cells(row, c.sep);
        if (n_filled == 0) {
            at = end + 1;
            continue; /* nothing in it */
        }
        if (first && n_filled == 1 && n_cells > 1 && n_rows <= MAX_TITLE_ROWS) {
            /* a spreadsheet's title, alone above its columns */
            (void)rag_builder_block(b, RAG_BLOCK_PARA, at, at + row.len, 0,
                                    UINT32_MAX);
            at = end + 1;
            continue;
        }
        if (first && names_columns(row, c.sep))
            head = rag_builder_block(b, RAG_BLOCK_TABLE_HEAD, at, at + row.len,
                                     0, UINT32_MAX);
        else if (group && last != NULL && last->kind == RAG_BLOCK_TABLE_ROW &&
                 last->end - last->start < GROUP_BYTES)
            last->end = at + row.len;
        else
            (void)rag_builder_block(b, RAG_BLOCK_TABLE_ROW, at, at + row.len, 0,
                                    head);
        first = false;
        at = end + 1;
    }
    if (c.n_unclosed != 0)
        rag_builder_warn(b, "%u quote%s never closed, read as %s", c.n_unclosed,
                         c.n_unclosed == 1 ? " is" : "s are",
                         c.n_unclosed == 1 ? "a character" : "characters");
    return RAG_OK;
}

static rag_status read_rows(const rag_source *src, rag_doc_sink sink, void *ctx,
                            bool tsv, rag_error *err)
{
    rag_builder b;
    rag_doc *doc;
    rag_status st;

    TRY(rag_builder_init(&b, tsv ? RAG_DOC_TSV : RAG_DOC_CSV, SIZE_MAX, err));
    TRY(rag_charset_read(&b, src, RAG_CSV_MAX_BYTES, tsv ? "TSV" : "CSV", NULL,
                         err));
    b.doc->has_lines = true;
    TRY(find_rows(&b, src, tsv, err));
    TRY(rag_builder_finish(&doc, &b, err));
    st = sink(ctx, doc, err);
out:
    rag_builder_dispose(&b);
    return st;
}

static bool sniff_csv(const rag_source *src)
{
    static const char *const suffixes[] = {".csv", NULL};

    return rag_source_suffix(src, suffixes) && rag_charset_is_text(src->head);
}

static rag_status read_csv(const rag_source *src, rag_doc_sink sink, void *ctx,
                           rag_error *err)
{
    return read_rows(src, sink, ctx, false, err);
}

static bool sniff_tsv(const rag_source *src)
{
    static const char *const suffixes[] = {".tsv", ".tab", NULL};

    return rag_source_suffix(src, suffixes) && rag_charset_is_text(src->head);
}

static rag_status read_tsv(const rag_source *src, rag_doc_sink sink, void *ctx,
                           rag_error *err)
{
    return read_rows(src, sink, ctx, true, err);
}

const rag_reader rag_reader_csv = {.name = "csv",
                                   .version = "csv/1",
                                   .type = RAG_DOC_CSV,
                                   .sniff = sniff_csv,
                                   .read = read_csv};
const rag_reader rag_reader_tsv = {.name = "tsv",
                                   .version = "tsv/1",
                                   .type = RAG_DOC_TSV,
                                   .sniff = sniff_tsv,
                                   .read = read_tsv};
