/*
 * Record files: `.jsonl` whose lines are objects with `_id` (or `id`) and
 * `text`. Every record is a document of its own, given to the sink before the
 * next line is looked at; the file is read in steps, so that its size does not
 * matter.
 *
 * A line that is no record does not stop the reading: all good records are
 * given first, then the call ends with RAG_E_FORMAT (RAG_E_LIMIT) that counts
 * the bad lines and names the first. An id that occurs twice is given twice;
 * whoever keeps the records decides.
 */

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "doc/charset.h"

/* one read of the file */
#define STEP_BYTES ((size_t)256 << 10)
/* One record is held a few times over while it is parsed; a text of this size
 * is a document, no record. */
#define RAG_RECORDS_MAX_LINE_BYTES ((size_t)16 << 20)
/* Lines that decide whether a file is one of records. */
#define SNIFF_LINES 20

/* Ids are strings or whole numbers. */
static bool id_of(rag_buf *out, const rag_json *obj)
{
    static const char *const keys[] = {"_id", "id"};

    for (size_t i = 0; i < 2; i++) {
        const rag_json *v = rag_json_get(obj, keys[i]);
        rag_str s;
        int64_t n;

        if (rag_json_str(&s, v) && s.len != 0) {
            rag_buf_adds(out, s);
            return true;
        }
        if (rag_json_i64(&n, v)) {
            rag_buf_addf(out, "%lld", (long long)n);
            return true;
        }
    }
    return false;
}

static bool is_record(rag_str line)
{
    rag_json *root = NULL;
    rag_buf id;
    rag_str text;
    bool yes;

    if (rag_json_parse(&root, line, RAG_READER_HEAD_BYTES, "line", NULL) !=
        RAG_OK)
        return false;
    rag_buf_init(&id, RAG_READER_HEAD_BYTES * 2);
    yes = id_of(&id, root) && rag_json_str(&text, rag_json_get(root, "text"));
    rag_buf_dispose(&id);
    rag_json_free(root);
    return yes;
}

/* Most of the first lines are records; where not even one line ends in the
 * head, the names of the members decide. */
static bool sniff_records(const rag_source *src)
{
    static const char *const suffixes[] = {".jsonl", ".ndjson", NULL};
    rag_str rest = src->head;
    rag_str line;
    size_t n_lines = 0;
    size_t n_records = 0;

    if (!rag_source_suffix(src, suffixes))
        return false;
    rest = rag_str_cut(rest, rag_charset_bom(rest), rest.len);
    while (n_lines < SNIFF_LINES && rag_str_next_line(&line, &rest)) {
        bool cut = rest.len == 0 && src->head.len < src->n_bytes;

        if (rag_str_trim(line).len == 0)
            continue;
        if (cut && n_lines != 0)
            break;
        n_lines++;
        if (cut)
            return rag_str_starts(rag_str_trim(line), "{") &&
                   (rag_str_find(line, RAG_STR_LIT("\"_id\"")) != SIZE_MAX ||
                    rag_str_find(line, RAG_STR_LIT("\"id\"")) != SIZE_MAX) &&
                   rag_str_find(line, RAG_STR_LIT("\"text\"")) != SIZE_MAX;
        n_records += is_record(line);
    }
    return n_records * 2 > n_lines;
}

typedef struct reading {
    const rag_source *src;
    rag_doc_sink sink;
    void *ctx;
    uint64_t line_no;
    uint64_t n_records;
    uint64_t n_bad;      /* lines that are no record */
    uint64_t n_textless; /* records without text and title */
    rag_error first;     /* of the bad lines */
} reading;

/* Further members of simple types: they may be filtered by. */
static void read_meta(rag_builder *b, const rag_json *obj)
{
    static const char *const own[] = {"_id", "id", "text", "title"};

    for (const rag_json *v = rag_json_first(obj); v != NULL;
         v = rag_json_next(v)) {
        rag_str key = rag_json_key(v);
        bool skip = false;
        rag_str s;
        int64_t n;
        char digits[24];

        for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
            skip = skip || rag_str_eqz(key, own[i]);
        if (skip)
            continue;
        if (rag_json_str(&s, v)) {
            rag_builder_meta(b, key, s);
        } else if (rag_json_i64(&n, v)) {
            int len = snprintf(digits, sizeof digits, "%lld", (long long)n);

            rag_builder_meta(b, key, rag_str_n(digits, (size_t)len));
        }
    }
}

/* One line becomes one document. RAG_E_FORMAT and RAG_E_LIMIT: it is none. */
static rag_status read_line(rag_doc **out, reading *r, rag_str line,
                            size_t n_bad_bytes, rag_error *err)
{
    rag_json *root = NULL;
    rag_buf id;
    rag_builder b;
    rag_str text;
    rag_status st;

    *out = NULL;
    memset(&b, 0, sizeof b);
    rag_buf_init(&b.text, 0);
    rag_buf_init(&id, line.len + 32);
    TRY(rag_json_parse(&root, line, RAG_RECORDS_MAX_LINE_BYTES * 3, "record",
                       err));
    if (!id_of(&id, root) || !rag_json_str(&text, rag_json_get(root, "text"))) {
        st = id.failed == RAG_E_NOMEM
                 ? rag_fail_nomem(err)
                 : rag_fail(err, RAG_E_FORMAT, "no id or no text");
        goto out;
    }
    TRY(rag_buf_status(&id, err));
    TRY(rag_builder_init(&b, RAG_DOC_RECORDS, SIZE_MAX, err));
    rag_builder_title(&b, rag_json_get_str(root, "title"));
    /* a record that is only a title is read by it */
    rag_buf_adds(&b.text, rag_str_trim(text).len != 0
                              ? text
                              : rag_json_get_str(root, "title"));
    if (n_bad_bytes != 0)
        rag_builder_warn(&b, "decoded as UTF-8, %zu byte%s replaced",
                         n_bad_bytes, n_bad_bytes == 1 ? "" : "s");
    read_meta(&b, root);
    b.doc->has_lines = true;
    b.doc->record_line = r->line_no;
    if (!rag_arena_str(&b.doc->arena, &b.doc->record_id, rag_buf_str(&id))) {
        st = rag_fail_nomem(err);
        goto out;
    }
    st = rag_builder_finish(out, &b, err);
out:
    rag_builder_dispose(&b);
    rag_buf_dispose(&id);
    rag_json_free(root);
    return st;
}

static void count_bad(reading *r, const rag_error *why)
{
    if (r->n_bad++ == 0)
        (void)rag_fail(&r->first, why->code, "line %llu: %s",
                       (unsigned long long)r->line_no, why->msg);
}

static rag_status take_line(reading *r, rag_buf *line, rag_error *err)
{
    rag_error own = {RAG_OK, ""};
    rag_doc *doc;
    rag_str s;
    size_t n_bad;
    size_t n_nul;
    rag_status st;

    r->line_no++;
    rag_charset_mend(line, &n_bad, &n_nul);
    TRY(rag_buf_status(line, err));
    s = rag_buf_str(line);
    if (r->line_no == 1)
        s = rag_str_cut(s, rag_charset_bom(s), s.len);
    s = rag_str_trim(s);
    if (s.len == 0)
        return RAG_OK;
    st = read_line(&doc, r, s, n_bad + n_nul, &own);
    if (st == RAG_E_FORMAT || st == RAG_E_LIMIT) {
        count_bad(r, &own);
        st = RAG_OK;
    } else if (st == RAG_E_EMPTY) {
        r->n_textless++;
        st = RAG_OK;
    } else if (st == RAG_OK) {
        r->n_records++;
        st = r->sink(r->ctx, doc, err);
    } else if (err != NULL) {
        *err = own;
    }
out:
    return st;
}

/* Cuts the file into lines; one that is too long is left out to its end. */
static rag_status each_line(reading *r, char *step, rag_buf *line,
                            rag_error *err)
{
    uint64_t at = 0;
    bool skipping = false;
    size_t got = STEP_BYTES;

    while (got == STEP_BYTES) {
        rag_status st =
            rag_source_read(&got, r->src, step, STEP_BYTES, at, err);
        rag_str rest = rag_str_n(step, got);

        if (st != RAG_OK)
            return st;
        if (rag_source_cancelled(r->src))
            return rag_fail(err, RAG_E_CANCELLED, "cancelled");
        at += got;
        while (rest.len != 0) {
            size_t n = rag_str_find_char(rest, '\n');
            bool ends = n != SIZE_MAX;

            if (!ends)
                n = rest.len;
            if (!skipping && line->len + n > RAG_RECORDS_MAX_LINE_BYTES) {
                rag_error own;

                skipping = true;
                r->line_no++;
                (void)rag_fail(&own, RAG_E_LIMIT, "longer than %zu bytes",
                               RAG_RECORDS_MAX_LINE_BYTES);
                count_bad(r, &own);
                rag_buf_clear(line);
            }
            if (!skipping) {
                rag_buf_add(line, rest.ptr, n);
                if (line->failed != RAG_OK)
                    return rag_buf_status(line, err);
            }
            rest = rag_str_cut(rest, ends ? n + 1 : n, rest.len);
            if (!ends)
                continue;
            st = skipping ? RAG_OK : take_line(r, line, err);
            if (st != RAG_OK)
                return st;
            skipping = false;
            rag_buf_clear(line);
        }
    }
    return line->len != 0 ? take_line(r, line, err) : RAG_OK;
}

static rag_status verdict(const reading *r, rag_error *err)
{
    if (r->n_bad != 0)
        return rag_fail(err, r->first.code,
                        "%llu line%s of %llu %s no record, the first is %s",
                        (unsigned long long)r->n_bad, r->n_bad == 1 ? "" : "s",
                        (unsigned long long)r->line_no,
                        r->n_bad == 1 ? "is" : "are", r->first.msg);
    if (r->n_records == 0)
        return rag_fail(err, r->n_textless != 0 ? RAG_E_NOTEXT : RAG_E_EMPTY,
                        "no record has text");
    if (r->n_textless != 0)
        return rag_fail(err, RAG_E_NOTEXT, "%llu record%s no text and no title",
                        (unsigned long long)r->n_textless,
                        r->n_textless == 1 ? " has" : "s have");
    return RAG_OK;
}

static rag_status read_records(const rag_source *src, rag_doc_sink sink,
                               void *ctx, rag_error *err)
{
    reading r = {.src = src, .sink = sink, .ctx = ctx};
    rag_buf step;
    rag_buf line;
    rag_status st;

    rag_buf_init(&step, STEP_BYTES);
    /* mending a line makes it at most three times as long */
    rag_buf_init(&line, RAG_RECORDS_MAX_LINE_BYTES * 3);
    if (rag_buf_reserve(&step, STEP_BYTES) == NULL)
        TRY(rag_buf_status(&step, err));
    TRY(each_line(&r, step.ptr, &line, err));
    st = verdict(&r, err);
out:
    rag_buf_dispose(&line);
    rag_buf_dispose(&step);
    return st;
}

const rag_reader rag_reader_records = {.name = "records",
                                       .version = "records/1",
                                       .type = RAG_DOC_RECORDS,
                                       .sniff = sniff_records,
                                       .read = read_records};
