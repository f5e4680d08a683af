#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "doc/pdf_text.h"
#include "doc/read_pdf.h"
#include "doc/sandbox.h"

#define DATA RAG_TEST_DATA "/pdf/"
#define SHARED RAG_TEST_SHARED "/data/files/"

static const rag_doc_opts no_opts;

static rag_status keep(void *ctx, rag_doc *doc, rag_error *err)
{
    (void)err;
    *(rag_doc **)ctx = doc;
    return RAG_OK;
}

static rag_status read_doc(rag_doc **out, const char *path,
                           const rag_doc_opts *opts, rag_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    rag_status st;

    *out = NULL;
    if (fd < 0)
        fail_msg("cannot open %s", path);
    st = rag_doc_read(fd, rag_file_base(path), opts, keep, out, err);
    close(fd);
    return st;
}

static char *slurp(const char *path, size_t *len)
{
    rag_error err;
    rag_buf b;

    rag_buf_init(&b, 1u << 26);
    OK(rag_file_read(&b, path, 1u << 26, &err), &err);
    return rag_buf_take(&b, len);
}

/* What must be true of every document with pages. */
static void check_shape(const rag_doc *d)
{
    size_t at = 0;

    assert_int_equal(d->type, RAG_DOC_PDF);
    assert_false(d->has_lines);
    assert_true(rag_utf8_valid(rag_str_n(d->text, d->text_len)));
    assert_null(memchr(d->text, '\f', d->text_len));
    assert_null(strstr(d->text, "\xC2\xAD")); /* soft hyphen */
    assert_true(d->n_pages > 0);
    assert_int_equal(d->page_starts[0], 0);
    for (size_t i = 0; i < d->n_pages; i++) {
        assert_true(d->page_starts[i] >= at &&
                    d->page_starts[i] <= d->text_len);
        at = d->page_starts[i];
        if (at < d->text_len)
            assert_true(rag_doc_page_at(d, at) >= i + 1);
    }
    at = 0;
    for (size_t i = 0; i < d->n_blocks; i++) {
        assert_true(d->blocks[i].start >= at);
        assert_true(d->blocks[i].end > d->blocks[i].start);
        at = d->blocks[i].end;
        assert_true(at <= d->text_len);
    }
}

/* ---- the PDFs of tests/data */

/* The text with a form feed where a page begins. */
static void with_pages(rag_buf *out, const rag_doc *d)
{
    size_t page = 1;

    for (size_t i = 0; i <= d->text_len; i++) {
        for (; page < d->n_pages && d->page_starts[page] <= i; page++)
            rag_buf_addc(out, '\f');
        if (i < d->text_len)
            rag_buf_addc(out, d->text[i]);
    }
    rag_buf_addc(out, '\n');
}

static rag_doc *read_own(const char *name)
{
    char path[512];
    rag_error err;
    rag_doc *d;

    snprintf(path, sizeof path, DATA "%s.pdf", name);
    OK(read_doc(&d, path, &no_opts, &err), &err);
    check_shape(d);
    return d;
}

static void test_own_texts(void **state)
{
    static const char *const names[] = {
        "two_columns",   "hyphens",    "header_footer", "odd_even",
        "fake_bold",     "korean",     "korean_wrap",   "empty_page",
        "across_pages",  "table",      "bullets",       "ligatures",
        "rotated",       "many_pages", "headings",      "right_to_left",
        "owner_password"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        rag_buf got;
        size_t n;
        char *want;
        rag_doc *d = read_own(names[i]);

        snprintf(path, sizeof path, DATA "%s.txt", names[i]);
        want = slurp(path, &n);
        rag_buf_init(&got, 1u << 20);
        with_pages(&got, d);
        if (got.len != n || memcmp(got.ptr, want, n) != 0)
            fail_msg("%s reads as:\n%s", names[i], got.ptr);
        rag_buf_dispose(&got);
        rag_free(want);
        rag_doc_free(d);
    }
}

static void test_own_failures(void **state)
{
    static const struct {
        const char *name;
        rag_status want;
        const char *word;
    } cases[] = {{"scan", RAG_E_NOTEXT, "no text layer (a scan?)"},
                 {"password", RAG_E_PROTECTED, "password"},
                 {"truncated", RAG_E_FORMAT, "xref"},
                 {"broken", RAG_E_FORMAT, "broken PDF"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        rag_error err = {0};
        rag_doc *d;

        snprintf(path, sizeof path, DATA "%s.pdf", cases[i].name);
        assert_int_equal(read_doc(&d, path, &no_opts, &err), cases[i].want);
        if (strstr(err.msg, cases[i].word) == NULL)
            fail_msg("%s: %s", cases[i].name, err.msg);
        assert_null(d);
    }
}

static bool warns(const rag_doc *d, const char *words)
{
    for (size_t i = 0; i < d->n_warnings; i++)
        if (strcmp(d->warnings[i], words) == 0)
            return true;
    return false;
}

static void test_furniture_is_counted(void **state)
{
    rag_doc *d = read_own("header_footer");

    (void)state;
    assert_true(warns(d, "left out a header repeated on 6 of 6 pages: "
                         "Pump Manual P-200"));
    assert_true(warns(d, "left out a footer repeated on 6 of 6 pages: "
                         "Page 1 of 6"));
    rag_doc_free(d);
    d = read_own("odd_even");
    assert_true(warns(d, "left out a header repeated on 4 of 8 pages: "
                         "Boiler Handbook"));
    assert_true(warns(d, "left out a header of page numbers on 8 of 8 pages"));
    rag_doc_free(d);
    d = read_own("across_pages"); /* two pages prove nothing */
    assert_int_equal(d->n_warnings, 0);
    rag_doc_free(d);
}

static void test_empty_pages_are_counted(void **state)
{
    rag_doc *d = read_own("empty_page");

    (void)state;
    assert_int_equal(d->n_pages, 3);
    assert_int_equal(d->n_empty_pages, 1);
    assert_true(warns(d, "1 of 3 pages have no text"));
    assert_int_equal(rag_doc_page_at(d, d->text_len - 1), 3);
    rag_doc_free(d);
}

static void test_headings_and_title(void **state)
{
    static const struct {
        const char *words;
        uint32_t level;
    } want[] = {{"Boiler Handbook", 1},
                {"1 Introduction", 1},
                {"1.1 Who may do the work", 2},
                {"2 Mounting", 1}};
    size_t n = 0;
    rag_doc *d = read_own("headings");

    (void)state;
    assert_true(rag_str_eqz(d->title, "Boiler Handbook"));
    for (size_t i = 0; i < d->n_blocks; i++) {
        if (d->blocks[i].kind != RAG_BLOCK_HEADING)
            continue;
        assert_true(n < 4);
        assert_true(rag_str_eqz(d->heading_texts[i], want[n].words));
        assert_int_equal(d->blocks[i].level, want[n].level);
        n++;
    }
    assert_int_equal(n, 4);
    rag_doc_free(d);
}

/* A paragraph over a page is one block, found on both pages. */
static void test_span_over_a_page(void **state)
{
    rag_doc *d = read_own("across_pages");
    const char *at = strstr(d->text, "relief\nvalve");
    size_t start;

    (void)state;
    assert_non_null(at);
    start = (size_t)(at - d->text);
    assert_int_equal(rag_doc_page_at(d, start), 1);
    assert_int_equal(rag_doc_page_at(d, start + 7), 2);
    for (size_t i = 0; i < d->n_blocks; i++)
        if (d->blocks[i].start <= start && d->blocks[i].end > start)
            assert_true(d->blocks[i].end > start + 12);
    rag_doc_free(d);
}

static bool cancel_now(void *ctx)
{
    (void)ctx;
    return true;
}

static void test_cancel_and_limit(void **state)
{
    rag_doc_opts opts = {.cancelled = cancel_now};
    rag_error err = {0};
    rag_doc *d;

    (void)state;
    assert_int_equal(read_doc(&d, DATA "headings.pdf", &opts, &err),
                     RAG_E_CANCELLED);
    opts = (rag_doc_opts){.max_bytes = 100};
    assert_int_equal(read_doc(&d, DATA "headings.pdf", &opts, &err),
                     RAG_E_LIMIT);
}

/* A file named .pdf that is none is named, not skipped. */
static void test_no_pdf_at_all(void **state)
{
    char path[] = "/tmp/rag-t-read-pdf-XXXXXX.pdf";
    rag_error err = {0};
    int fd = mkstemps(path, 4);
    unsigned char junk[512];
    rag_doc *d;

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (unsigned char)(i * 7);
    assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
    close(fd);
    assert_int_equal(read_doc(&d, path, &no_opts, &err), RAG_E_FORMAT);
    unlink(path);
}

/* ---- the real files */

struct row {
    char path[256];
    long n_pages; /* -1: not said */
    long n_chars;
    long n_hangul;
    long rc;
};

static bool field(rag_str *out, rag_str line, int n)
{
    for (; n > 0; n--) {
        size_t tab = rag_str_find_char(line, '\t');

        if (tab == SIZE_MAX)
            return false;
        line = rag_str_cut(line, tab + 1, line.len);
    }
    *out = rag_str_cut(line, 0, rag_str_find_char(line, '\t'));
    return true;
}

static long number(rag_str line, int n)
{
    rag_str s;
    uint64_t v;

    return field(&s, line, n) && rag_str_u64(&v, s) ? (long)v : -1;
}

static bool next_row(struct row *r, rag_str *rest)
{
    rag_str line;
    rag_str path;

    while (rag_str_next_line(&line, rest)) {
        if (!field(&path, line, 0) || !rag_str_starts(path, "pdf/"))
            continue;
        snprintf(r->path, sizeof r->path, SHARED "%.*s", (int)path.len,
                 path.ptr);
        r->n_pages = number(line, 6);
        r->n_chars = number(line, 8);
        r->n_hangul = number(line, 9);
        r->rc = number(line, 10);
        return true;
    }
    return false;
}

static void count_chars(size_t *n_black, size_t *n_hangul, rag_str s)
{
    *n_black = *n_hangul = 0;
    while (s.len > 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, s);

        *n_black += !rag_utf8_is_space(cp);
        *n_hangul += cp >= 0xAC00 && cp <= 0xD7A3;
        s = rag_str_cut(s, n, s.len);
    }
}

static rag_status append(void *ctx, rag_str bytes, rag_error *err)
{
    (void)err;
    rag_buf_adds(ctx, bytes);
    return RAG_OK;
}

/* Characters that plain pdftotext has. */
static size_t oracle(const char *path)
{
    const char *argv[] = {
        "/usr/bin/pdftotext", "-enc", "UTF-8", "-", "-", NULL};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    rag_sandbox_end end;
    rag_error err;
    rag_buf b;
    rag_sandbox_spec spec = {.argv = argv,
                             .in_fd = fd,
                             .max_out_bytes = 1u << 26,
                             .max_cpu_secs = 60,
                             .max_wall_ms = 120000,
                             .on_out = append,
                             .out_ctx = &b};
    size_t n_black;
    size_t n_hangul;

    rag_buf_init(&b, 1u << 26);
    OK(rag_sandbox_run(&end, &spec, &err), &err);
    count_chars(&n_black, &n_hangul, rag_buf_str(&b));
    rag_buf_dispose(&b);
    close(fd);
    return n_black;
}

/* The text with its headers and footers. */
static void read_whole(rag_doc **out, const char *path)
{
    static const rag_pdf_opts all = {.keep_furniture = true};
    rag_source src = {.fd = open(path, O_RDONLY | O_CLOEXEC),
                      .name = "x.pdf",
                      .opts = &no_opts};
    struct stat sb;
    rag_pdf_layout layout;
    bool unfiltered;
    rag_builder b;
    rag_error err;

    assert_int_equal(fstat(src.fd, &sb), 0);
    src.n_bytes = (uint64_t)sb.st_size;
    rag_pdf_layout_init(&layout);
    OK(rag_builder_init(&b, RAG_DOC_PDF, RAG_PDF_MAX_TEXT_BYTES, &err), &err);
    OK(rag_read_pdf_layout(&layout, &unfiltered, &src, &err), &err);
    OK(rag_pdf_text_build(&b, &layout, &all, &err), &err);
    OK(rag_builder_finish(out, &b, &err), &err);
    rag_builder_dispose(&b);
    rag_pdf_layout_dispose(&layout);
    close(src.fd);
}

static void check_real(const struct row *r)
{
    size_t n_black;
    size_t n_hangul;
    size_t n_oracle;
    rag_error err;
    rag_doc *d;

    OK(read_doc(&d, r->path, &no_opts, &err), &err);
    check_shape(d);
    assert_int_equal(d->n_pages, r->n_pages);
    rag_doc_free(d);

    read_whole(&d, r->path);
    check_shape(d);
    count_chars(&n_black, &n_hangul, rag_str_n(d->text, d->text_len));
    n_oracle = oracle(r->path);
    /* +1: a ligature becomes two letters */
    if (n_black * 100 > n_oracle * 102 + 100 ||
        n_black * 100 + 100 < n_oracle * 98)
        fail_msg("%s: %zu characters, pdftotext has %zu", r->path, n_black,
                 n_oracle);
    assert_int_equal(n_hangul, r->n_hangul);
    rag_doc_free(d);
}

static void test_every_real_file(void **state)
{
    size_t n;
    char *manifest = slurp(SHARED "MANIFEST.tsv", &n);
    rag_str rest = rag_str_n(manifest, n);
    struct row r;
    size_t n_files = 0;

    (void)state;
    for (; next_row(&r, &rest); n_files++) {
        rag_error err = {0};
        rag_doc *d;

        if (r.rc != 0)
            assert_int_equal(read_doc(&d, r.path, &no_opts, &err),
                             RAG_E_PROTECTED);
        else if (r.n_chars == 0)
            assert_int_equal(read_doc(&d, r.path, &no_opts, &err),
                             RAG_E_NOTEXT);
        else
            check_real(&r);
    }
    assert_int_equal(n_files, 42);
    rag_free(manifest);
}

/* Phrases that a person sees in the files and would search for: over line
 * ends, columns, pages, notes and table cells. White space does not count. */
static void test_phrases_in_real_files(void **state)
{
    static const struct {
        const char *file;
        const char *phrase;
    } cases[] = {
        {"files/pdf/multi-column.pdf",
         "results on multiple open-domain QA datasets, it also suffers"},
        {"files/pdf/multi-column.pdf", "setting new state-of-the-art results"},
        {"files/pdf/multi-column.pdf", "B − 1 negative passages for each"},
        {"files/pdf/multi-column.pdf",
         "context encoder is not fine-tuned using pairs"},
        {"files/pdf/multi-column.pdf", "SQuAD 78,713 70,096 8,886 10,570"},
        {"files/pdf/fr_olap.pdf", "utilisant QSL. Sur cette base, nous"},
        {"files/pdf/fr_olap.pdf", "une autre requête et qu’un log"},
        {"files/pdf/korean-text-with-tables.pdf",
         "매월 1일부터 말일까지 이용한 일시불 및 할부 이용금액"},
        {"files/pdf/mid-SPARSE-2024-INV-1234_borderless_table.pdf",
         "SKU-9201 Hardware $32.50 $25,285.00 2024-10-22 Verified"},
        {"files/pdf/mid-SPARSE-2024-INV-1234_borderless_table.pdf",
         "verification protocols should be reviewed to prevent"},
        {"files/pdf/list-item-example.pdf", "● Case study"},
        {"en-sec10q/pdf/2022 Q3 AAPL.pdf",
         "Products $ 63,355 $ 63,948 $ 245,241 $ 232,309"},
        {"en-sec10q/pdf/2022 Q3 AAPL.pdf",
         "Other income/(expense), net (10) 243 (97) 796"},
        {"en-sec10q/pdf/2022 Q3 AAPL.pdf", "Item 1A. Risk Factors"},
        {"en-sec10q/pdf/2022 Q3 MSFT.pdf",
         "Foreign government bonds Level 2 493 0 (36) 457 0 457 0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        rag_error err;
        rag_buf flat;
        rag_doc *d;
        bool blank = true;

        snprintf(path, sizeof path, RAG_TEST_SHARED "/data/%s", cases[i].file);
        OK(read_doc(&d, path, &no_opts, &err), &err);
        rag_buf_init(&flat, 1u << 24);
        for (size_t k = 0; k < d->text_len; k++) {
            bool now = d->text[k] == ' ' || d->text[k] == '\n';

            if (!now || !blank)
                rag_buf_addc(&flat, now ? ' ' : d->text[k]);
            blank = now;
        }
        if (strstr(flat.ptr, cases[i].phrase) == NULL)
            fail_msg("%s has no \"%s\"", cases[i].file, cases[i].phrase);
        rag_buf_dispose(&flat);
        rag_doc_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest own[] = {
        cmocka_unit_test(test_own_texts),
        cmocka_unit_test(test_own_failures),
        cmocka_unit_test(test_furniture_is_counted),
        cmocka_unit_test(test_empty_pages_are_counted),
        cmocka_unit_test(test_headings_and_title),
        cmocka_unit_test(test_span_over_a_page),
        cmocka_unit_test(test_cancel_and_limit),
        cmocka_unit_test(test_no_pdf_at_all),
    };
    const struct CMUnitTest real[] = {
        cmocka_unit_test(test_every_real_file),
        cmocka_unit_test(test_phrases_in_real_files),
    };
    int failed = cmocka_run_group_tests(own, NULL, NULL);

    if (failed != 0)
        return failed;
    if (access(SHARED "MANIFEST.tsv", R_OK) != 0) {
        puts("skipped: the real PDFs, " SHARED "MANIFEST.tsv is not there");
        return 77;
    }
    return cmocka_run_group_tests(real, NULL, NULL);
}
